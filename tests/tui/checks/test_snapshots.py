"""What the Readiness pane looks like, kept as pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerFailed

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor

if TYPE_CHECKING:
    from tests.tui.checks.conftest import FakeSurveyor

Compare = Callable[..., bool]


@pytest.mark.parametrize(
    ("keys", "size", "theme"),
    [
        pytest.param("down", (120, 40), "", id="readiness-120x40"),
        pytest.param("down enter", (80, 24), "heartbeat-light", id="details-80x24-light"),
        pytest.param("end up up f", (120, 40), "", id="quota-remedy"),
        pytest.param("t", (120, 40), "", id="target"),
    ],
)
def test_the_pane_looks_as_it_did(
    snap_compare: Compare, survey: Callable[[], FakeSurveyor], keys: str, size: tuple[int, int], theme: str
) -> None:
    app = HeartbeatApp(
        BenchmarkConfig(),
        lambda plan: None,  # type: ignore[arg-type, return-value]
        checkup=lambda: CheckMonitor(survey()),
        mode="readiness",
        banner=("DEMO: emulated, scenario fresh",),
        theme=theme,
        reduced_motion=True,
    )

    async def act(pilot: Pilot[None]) -> None:
        for key in ("", *keys.split()):
            if key:
                await pilot.press(key)
            for _ in range(3):
                await pilot.pause()
                errands = [worker for worker in app.workers if worker.group in ("checks", "offers")]
                if errands:
                    with suppress(WorkerFailed):
                        await asyncio.wait_for(app.workers.wait_for_complete(errands), 30)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=act)
