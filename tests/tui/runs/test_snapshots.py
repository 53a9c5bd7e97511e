"""What the Runs pane and a comparison look like, kept as pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.tui.conftest import FakeRuns
from tests.tui.runs.conftest import RunsDriver
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label
from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from tests.tui.runs.conftest import Folder


@pytest.mark.parametrize(
    ("keys", "size", "theme"),
    [
        pytest.param("", (120, 40), "", id="list-120x40"),
        pytest.param("t", (120, 40), "heartbeat-light", id="comparison-120x40-light"),
        pytest.param("t", (80, 24), "", id="comparison-80x24"),
    ],
)
def test_the_screen_looks_as_it_did(
    snap_compare: Callable[..., bool], folder: Folder, keys: str, size: tuple[int, int], theme: str
) -> None:
    for number in range(3):
        folder.add(day=1, ns=(number + 4) * 1_000_000, batch=2**number, label=Label(0, group="sweep batch"))
    folder.add(day=2, ns=9_600_000, label=Label(0, "by day", tags=("quiet",)))
    folder.add(day=3, ns=2_100_000, backend="xla", rehearsal=True, label=Label(0, "rehearsal", note="before the TPU comes"))
    (folder.path / "broken.jsonl").write_bytes(b"no recording\n")
    fakes = FakeRuns()
    app = HeartbeatApp(BenchmarkConfig(), fakes, run_library=folder.archive, mode="runs", theme=theme, reduced_motion=True)

    async def act(pilot: Pilot[None]) -> None:
        driver = RunsDriver(app, fakes, pilot)
        await driver.settle()
        for key in keys.split():
            await driver.press(key)
            await driver.open()

    assert snap_compare(app, terminal_size=size, run_before=act)
