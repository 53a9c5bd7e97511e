"""What the Readiness pane looks like, kept as pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.tui.checks.conftest import FakeRunnerFactory, ReadinessDriver
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor

Compare = Callable[..., bool]


@pytest.mark.parametrize(
    ("keys", "size", "theme"),
    [
        pytest.param("down", (120, 40), "", id="readiness-120x40"),
        pytest.param("down enter", (80, 24), "heartbeat-light", id="details-80x24-light"),
        pytest.param("end up up f", (120, 40), "", id="quota-fix"),
        pytest.param("t", (120, 40), "", id="target"),
    ],
)
def test_the_pane_looks_as_it_did(
    snap_compare: Compare, survey: Callable[[], FakeRunnerFactory], keys: str, size: tuple[int, int], theme: str
) -> None:
    app = HeartbeatApp(
        BenchmarkConfig(),
        lambda plan: None,  # type: ignore[arg-type, return-value]
        check_monitor=lambda: CheckMonitor(survey()),
        mode="readiness",
        banner=("DEMO: emulated, scenario fresh",),
        theme=theme,
        reduced_motion=True,
    )

    async def act(pilot: Pilot[None]) -> None:
        driver = ReadinessDriver(app, pilot)
        await driver.settle()
        await driver.press(*keys.split())
        driver.still()
        await driver.settle()

    assert snap_compare(app, terminal_size=size, run_before=act)
