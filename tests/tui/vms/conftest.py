"""The TPU VMs pane against the real emulator over HTTP, whose clock moves only when it is told to."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.emulation import start_emulator
from tests.tui.conftest import Driven
from tests.waiting import until
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.emulator import process
from heartbeat_core.settings import Settings
from heartbeat_core.vms.operation import PollPolicy
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor, RunnerFactory
from heartbeat_tui.vms import create_form, pane
from heartbeat_tui.vms.monitor import InventoryMonitor
from heartbeat_tui.vms.pane import VmsPane

NEVER_S = 3600.0  # the next look by itself: tests ask for theirs; and the next round of the zones, so that it can be seen waiting
SWIFT = PollPolicy(poll_s=0.1, growth=1.0, longest_poll_s=0.1, absent_s=2.0, settle_s=5.0, round_s=NEVER_S, longest_round_s=NEVER_S)


class VmsDriver(Driven):
    """An app on its TPU VMs pane, and the emulator it asks."""

    WORKERS = ("looks", "offers")

    def __init__(self, app: HeartbeatApp, pilot: Pilot[None], make_runner: RunnerFactory) -> None:
        super().__init__(app, pilot)
        self.make_runner = make_runner

    @property
    def pane(self) -> VmsPane:
        return self.app.vms.view

    @property
    def fleet(self) -> InventoryMonitor:
        return self.app.vms.monitor

    async def until(self, check: Callable[[], object], what: str) -> None:
        """Wait for what a thread does, then let it be drawn."""
        await until(check, what)
        await self.settle()

    def advance(self, seconds: float | None = None) -> None:
        """Move the emulator's clock on, or to when nothing is due any more."""
        self.ask("POST", "/emulator:advance", {} if seconds is None else {"seconds": seconds})

    async def stop_emulator(self) -> None:
        """Let Google stop answering."""
        assert self.make_runner.emulator is not None
        self.make_runner.emulator.close()

        def silent() -> bool:
            try:
                self.ask("GET", "/emulator")
            except OSError:
                return True
            return False

        await until(silent, "the end of the emulator")

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the emulator as somebody else would."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.make_runner.url() + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def row(self, name: str) -> str:
        """Return the line of the list for this TPU VM."""
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

    async def begin(self) -> None:
        """Accept the form and the question after it, and let the job begin."""
        await self.press("enter", "c")
        await self.until(self.fleet.jobs.all, "a job")

    async def idle(self) -> None:
        """Let the jobs end by themselves."""
        await self.until(lambda: not self.fleet.jobs.under_way(), "the end of every job")

    async def ended(self) -> None:
        """Let the jobs end: the emulator's clock is moved on as long as one is under way."""

        def over() -> bool:
            self.advance(5)
            return not self.fleet.jobs.under_way()

        await self.until(over, "the end of every job")

    async def open_form(self) -> None:
        await self.press("n")
        await self.until(lambda: (form := self.pane.form) and form.rooms is not None and form.offers is not None, "what the form asks for")

    def fill(self, **texts: str) -> None:
        assert self.pane.form is not None
        for name, text in texts.items():
            self.pane.form.put(name, text)


@asynccontextmanager
async def open_vms(
    scenario: str | None = "running", *, size: tuple[int, int] = (120, 40), settle: bool = True, speed: float = 0.0, **options: Any
) -> AsyncIterator[VmsDriver]:
    """Open the app on its TPU VMs pane, on an emulator in a state."""
    make_runner = RunnerFactory(Settings(), {}, demo=scenario, speed=speed)
    monitor = CheckMonitor(make_runner)
    fleet = InventoryMonitor(lambda: monitor.open().environment, monitor.offers, every_s=NEVER_S, policy=SWIFT)
    app = HeartbeatApp(
        BenchmarkConfig(),
        lambda plan: None,  # type: ignore[arg-type, return-value]
        check_monitor=lambda: monitor,
        inventory_monitor=lambda: fleet,
        mode=options.pop("mode", "vms"),
        reduced_motion=True,
        **options,
    )
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = VmsDriver(app, pilot, make_runner)
            if settle:
                await driver.settle()
            yield driver
    finally:
        make_runner.close()


Open = Callable[..., AbstractAsyncContextManager[VmsDriver]]


@pytest.fixture
def vms(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the TPU VMs pane: ``async with vms("stockout", size=(80, 24)) as driver``."""
    monkeypatch.setattr(process, "start_emulator", start_emulator)
    monkeypatch.setattr(create_form, "QUIET_S", 0.001)
    monkeypatch.setattr(pane, "TICK_S", NEVER_S)
    return open_vms


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Write a scenario that extends another: ``scenario('extends = "ready" …')``."""

    def write(toml: str) -> str:
        file = tmp_path / "scenario.toml"
        file.write_text(f'description = "of a test"\n{toml}', encoding="utf-8")
        return str(file)

    return write
