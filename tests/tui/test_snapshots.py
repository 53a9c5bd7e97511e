"""What the screens look like, kept as pictures: ``make test PYTEST_ARGS=--snapshot-update`` takes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.tui.conftest import AppDriver, FakeRun, FakeRuns
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_tui.app import HeartbeatApp

Compare = Callable[..., bool]


def live(run: FakeRun) -> FakeRun:
    return run.open().warm_up().beat(63)


def both(run: FakeRun) -> FakeRun:
    return run.open().handbook().done() if run.config.method == "handbook" else run.open().warm_up().beat(100).done()


@pytest.mark.parametrize(
    ("play", "keys", "size", "theme"),
    [
        pytest.param(live, "", (120, 40), "", id="idle"),
        pytest.param(live, "space", (80, 24), "", id="live-80x24"),
        pytest.param(live, "space", (120, 40), "", id="live-120x40"),
        pytest.param(live, "space", (160, 50), "heartbeat-light", id="live-160x50-light"),
        pytest.param(both, "m", (120, 40), "", id="methods"),
        pytest.param(live, "e", (80, 24), "", id="config-80x24"),
        pytest.param(live, "space question_mark", (120, 40), "", id="help"),
    ],
)
def test_the_screen_looks_as_it_did(
    snap_compare: Compare, play: Callable[[FakeRun], Any], keys: str, size: tuple[int, int], theme: str
) -> None:
    fakes = FakeRuns(play)
    app = HeartbeatApp(BenchmarkConfig(), fakes, theme=theme, reduced_motion=True)

    async def act(pilot: Pilot[None]) -> None:
        driver = AppDriver(app, fakes, pilot)
        await driver.settle()
        await driver.press(*keys.split())
        driver.still()
        await driver.settle()

    assert snap_compare(app, terminal_size=size, run_before=act)
