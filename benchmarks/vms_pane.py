"""TPU VMs: the first list of a thousand against the calls it is made of, and a redraw after one of them has changed.

One of its own emulators stands behind it. Every line that is to be seen is drawn, as the compositor asks for it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, quiet, ratio
from benchmarks.terminal import COLUMNS, ROWS
from textual._compositor import CompositorUpdate
from textual.widget import Widget

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Source
from heartbeat_core.settings import Settings
from heartbeat_core.vms.inventory import fetch_inventory
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor, RunnerFactory
from heartbeat_tui.vms.model import InventoryView
from heartbeat_tui.vms.monitor import InventoryMonitor
from heartbeat_tui.vms.pane import VmsPane

NODES = 1_000
ROUNDS, REDRAWS = 15, 200
NEVER_S, QUIET_S = 3600.0, 0.0005
NODE = """
[[nodes]]
id = "node-{number:04}"
zone = "us-central1-b"
accelerator_type = "v6e-1"
runtime_version = "v2-alpha-tpuv6e"
state = "{state}"
"""
STATES = ("READY", "READY", "READY", "STOPPED", "CREATING", "PREEMPTED", "REPAIRING")


def scenario(folder: str) -> str:
    file = Path(folder, "thousand.toml")
    nodes = "".join(NODE.format(number=number, state=STATES[number % len(STATES)]) for number in range(NODES))
    file.write_text(f'description = "a thousand"\nextends = "ready"\n{nodes}', encoding="utf-8")
    return str(file)


class Stage:
    """The app on its TPU VMs pane."""

    def __init__(self, folder: str) -> None:
        self.surveyor = RunnerFactory(Settings(), {}, demo=scenario(folder))
        checkup = CheckMonitor(self.surveyor)
        self.fleet = InventoryMonitor(lambda: checkup.open().environment, checkup.offers, every_s=NEVER_S)
        self.app = HeartbeatApp(
            BenchmarkConfig(), no_run, check_monitor=lambda: checkup, inventory_monitor=lambda: self.fleet, mode="vms", reduced_motion=True
        )

    @property
    def pane(self) -> VmsPane:
        pane = self.app.panes["vms"]
        assert isinstance(pane, VmsPane)
        return pane

    async def shown(self) -> None:
        """Wait until all rows are in the list."""
        while self.pane.list is None or len(self.pane.list.rows) != NODES:  # noqa: ASYNC110  # the pane tells nobody
            await asyncio.sleep(QUIET_S)

    def paint(self, *, full: bool = False) -> int:
        """Draw what has to be drawn anew, as the screen does; return how many pieces that are."""
        compositor = self.pane._compositor  # noqa: SLF001  # without a terminal Textual draws nothing by itself
        due = {widget for widget in self.pane.walk_children(Widget) if widget._repaint_required}  # noqa: SLF001
        compositor.update_widgets(due)
        for widget in due:
            widget._repaint_required = False  # noqa: SLF001
        update = compositor.render_update(full=full)
        return len(update.render_segments(self.app.console)) if isinstance(update, CompositorUpdate) else 0

    async def calls_s(self) -> float:
        """Time the calls alone, over the same connection."""
        assert self.fleet.session is not None
        session = self.fleet.session
        start = perf_counter()
        await asyncio.to_thread(fetch_inventory, session, "demo-project")
        return perf_counter() - start

    async def first_list_s(self) -> float:
        """Time from the question to the last line drawn, with nothing known before."""
        self.fleet.history = None
        self.fleet.put(inventory=None)
        while self.pane.list is None or self.pane.list.rows:  # noqa: ASYNC110
            await asyncio.sleep(QUIET_S)
        await asyncio.sleep(100 * QUIET_S)
        self.paint()
        start = perf_counter()
        self.app.vms.look_now()
        await self.shown()
        self.paint(full=True)
        return perf_counter() - start

    def redraw_ms(self, views: tuple[InventoryView, InventoryView], number: int) -> float:
        """Time a new view in which one row has changed, from its arrival to the last line drawn."""
        start = perf_counter()
        self.pane.show(views[number % 2])
        drawn = self.paint()
        taken = 1e3 * (perf_counter() - start)
        assert drawn
        return taken


def no_run(plan: BenchmarkConfig) -> Source:
    raise AssertionError(plan)


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(folder)
        try:
            async with stage.app.run_test(size=(COLUMNS, ROWS)) as pilot:
                await stage.shown()
                await pilot.pause(1.0)  # prices come meanwhile
                calls, first = [], []
                for _ in range(ROUNDS):
                    calls.append(await stage.calls_s())
                    first.append(await stage.first_list_s())
                await pilot.pause(1.0)
                redraw = partial(stage.redraw_ms, changed(stage.fleet.view()))
                taken = [redraw(number) for number in range(REDRAWS)]
        finally:
            stage.surveyor.close()
    note = f"slowest of {REDRAWS}: {max(taken):.1f} ms"
    return [
        ratio(f"first list of {NODES:,} / its calls alone", first, calls, most=3),
        Figure(f"one of {NODES:,} rows changed: redrawn", statistics.median(taken), 16, unit="ms", note=note),
    ]


def changed(view: InventoryView) -> tuple[InventoryView, InventoryView]:
    """Give the view as it is, and with another state in one row that is to be seen."""
    inventory = view.inventory
    assert inventory is not None
    nodes = inventory.nodes
    return view, replace(view, inventory=replace(inventory, nodes=(*nodes[:5], replace(nodes[5], state="STOPPING"), *nodes[6:])))


if __name__ == "__main__":
    with quiet():
        figures = asyncio.run(measure())
    finish(figures)
