"""TPU VMs: the first list of a thousand against its calls alone, and one changed row of it against a cell of Textual's DataTable.

The program's emulator answers the calls. Every visible line is drawn, as the compositor asks for it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.figure import Figure, finish, quiet, ratio
from benchmarks.terminal import COLUMNS, ROWS
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.coordinate import Coordinate
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable

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
FIELDS = 8  # columns of the bare table, about as many as the list has
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
        self.make_runner = RunnerFactory(Settings(), {}, demo=scenario(folder))
        monitor = CheckMonitor(self.make_runner)
        self.fleet = InventoryMonitor(lambda: monitor.open().environment, monitor.offers, every_s=NEVER_S)
        self.app = HeartbeatApp(
            BenchmarkConfig(), no_run, check_monitor=lambda: monitor, inventory_monitor=lambda: self.fleet, mode="vms", reduced_motion=True
        )

    @property
    def pane(self) -> VmsPane:
        return self.app.vms.view

    async def shown(self) -> None:
        """Wait until all rows are in the list."""
        while self.pane.list is None or len(self.pane.list.rows) != NODES:  # noqa: ASYNC110  # the pane has no event for it
            await asyncio.sleep(QUIET_S)

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
        paint(self.pane)
        start = perf_counter()
        self.app.vms.look_now()
        await self.shown()
        paint(self.pane, full=True)
        return perf_counter() - start

    def redraw_ms(self, views: tuple[InventoryView, InventoryView], number: int) -> float:
        """Time a new view in which one row has changed, from its arrival to the last line drawn."""
        start = perf_counter()
        self.pane.show(views[number % 2])
        drawn = paint(self.pane)
        taken = 1e3 * (perf_counter() - start)
        assert drawn
        return taken


class BareTable(App[None]):
    """Textual's own table, with as many rows."""

    def compose(self) -> ComposeResult:
        yield DataTable()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns(*(f"field {number}" for number in range(FIELDS)))
        table.add_rows([f"{row} of {number}" for number in range(FIELDS)] for row in range(NODES))

    def redraw_ms(self, number: int) -> float:
        """Time a cell that changes, to the last line drawn."""
        start = perf_counter()
        self.query_one(DataTable).update_cell_at(Coordinate(5, 2), ("READY", "STOPPING")[number % 2])
        drawn = paint(self.screen)
        taken = 1e3 * (perf_counter() - start)
        assert drawn
        return taken


def paint(screen: Screen[Any], *, full: bool = False) -> int:
    """Draw what has to be drawn anew, as the screen does; return how many pieces that are."""
    compositor = screen._compositor  # noqa: SLF001  # without a terminal Textual draws nothing by itself
    due = {widget for widget in screen.walk_children(Widget) if widget._repaint_required}  # noqa: SLF001
    compositor.update_widgets(due)
    for widget in due:
        widget._repaint_required = False  # noqa: SLF001
    update = compositor.render_update(full=full)
    return len(update.render_segments(screen.app.console)) if isinstance(update, CompositorUpdate) else 0


def no_run(config: BenchmarkConfig) -> Source:
    raise AssertionError(config)


async def bare_redraws() -> list[float]:
    app = BareTable()
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.pause()
        return [app.redraw_ms(number) for number in range(REDRAWS // 2)]


async def measure() -> list[Figure]:
    bare = await bare_redraws()
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
            stage.make_runner.close()
    bare += await bare_redraws()
    changed_ms, bare_ms = statistics.median(taken), statistics.median(bare)
    note = f"{changed_ms:.1f} ms, slowest of {REDRAWS}: {max(taken):.1f} ms; DataTable {bare_ms:.1f} ms"
    return [
        ratio(f"first list of {NODES:,} / its calls alone", first, calls, most=3),
        Figure(f"one of {NODES:,} rows redrawn / by a DataTable", changed_ms / bare_ms, 1, note=note),
    ]


def changed(view: InventoryView) -> tuple[InventoryView, InventoryView]:
    """Return the view as it is, and with another state in one visible row."""
    inventory = view.inventory
    assert inventory is not None
    nodes = inventory.nodes
    return view, replace(view, inventory=replace(inventory, nodes=(*nodes[:5], replace(nodes[5], state="STOPPING"), *nodes[6:])))


if __name__ == "__main__":
    with quiet():
        figures = asyncio.run(measure())
    finish(figures)
