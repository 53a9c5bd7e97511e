"""The TPU VMs pane against the real emulator over HTTP, whose clock moves only when it is told to."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import PATIENCE_S, Driven
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.settings import Settings
from heartbeat_core.vms.operation import PollPolicy
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor, RunnerFactory
from heartbeat_tui.vms.monitor import InventoryMonitor
from heartbeat_tui.vms.pane import VmsPane

# Textual's pilot waits until the processor rests, which it never does with questions every 20 ms.
SWIFT = PollPolicy(poll_s=0.1, growth=1.0, longest_poll_s=0.1, absent_s=2.0, settle_s=5.0, round_s=0.1, longest_round_s=0.1)
NEVER_S = 3600.0  # the next look by itself: tests ask for theirs


class VmsStage(Driven):
    """An app on its TPU VMs pane, and the emulator it asks."""

    ERRANDS = ("looks", "offers")

    def __init__(self, app: HeartbeatApp, pilot: Pilot[None], surveyor: RunnerFactory) -> None:
        super().__init__(app, pilot)
        self.surveyor = surveyor

    @property
    def pane(self) -> VmsPane:
        assert self.app.vms is not None
        return self.app.vms

    @property
    def fleet(self) -> InventoryMonitor:
        assert self.app.fleet is not None
        return self.app.fleet

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so."""
        begun = time.monotonic()
        while not true():
            assert time.monotonic() - begun < PATIENCE_S, self.text()
            await self.pilot.pause(0.01)

    def advance(self, seconds: float | None = None) -> None:
        """Move the emulator's clock on, or to when nothing is due any more."""
        self.ask("POST", "/emulator:advance", {} if seconds is None else {"seconds": seconds})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the emulator as somebody else would."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.surveyor.url() + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def row(self, name: str) -> str:
        """Give the line of the list that tells of this one."""
        return next(line for line in self.text().splitlines() if line.startswith("│") and f" {name} " in line)

    def names(self) -> list[str]:
        """Name the rows shown, in their order."""
        assert self.pane.list is not None
        return [row.id for row in self.pane.list.rows]

    # -- what tests do again and again

    async def point_at(self, key: str) -> None:
        assert self.pane.list is not None
        self.pane.list.point_at_key(key)
        await self.settle()

    async def ended(self) -> None:
        """Let the jobs end: the emulator's clock is moved on as long as one is under way."""

        def over() -> bool:
            self.advance(5)
            return not self.fleet.jobs.under_way()

        await self.until(over)
        await self.settle()

    async def open_form(self) -> None:
        await self.press("n")
        await self.until(lambda: self.pane.form is not None and self.pane.form.rooms is not None and self.pane.form.offers is not None)
        await self.settle()

    def fill(self, **texts: str) -> None:
        assert self.pane.form is not None
        for name, text in texts.items():
            self.pane.form.put(name, text)


@asynccontextmanager
async def open_vms(
    scenario: str | None = "running", *, size: tuple[int, int] = (120, 40), settle: bool = True, speed: float = 0.0, **options: Any
) -> AsyncIterator[VmsStage]:
    """Open the app on its TPU VMs pane, on an emulator in a state."""
    surveyor = RunnerFactory(Settings(), {}, demo=scenario, speed=speed)
    checkup = CheckMonitor(surveyor)
    fleet = InventoryMonitor(lambda: checkup.open().environment, checkup.offers, every_s=NEVER_S, patience=SWIFT)
    app = HeartbeatApp(
        BenchmarkConfig(),
        lambda plan: None,  # type: ignore[arg-type, return-value]
        checkup=lambda: checkup,
        fleet=lambda: fleet,
        mode=options.pop("mode", "vms"),
        reduced_motion=True,
        **options,
    )
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            stage = VmsStage(app, pilot, surveyor)
            if settle:
                await stage.settle()
            yield stage
    finally:
        surveyor.close()


Open = Callable[..., AbstractAsyncContextManager[VmsStage]]


@pytest.fixture
def vms() -> Open:
    """Open the TPU VMs pane: ``async with vms("stockout", size=(80, 24)) as stage``."""
    return open_vms


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write a scenario that extends another: ``scenario('extends = "ready" …')``."""

    def write(toml: str) -> str:
        file = tmp_path / "scenario.toml"
        file.write_text(f'description = "of a test"\n{toml}', encoding="utf-8")
        return str(file)

    return write
