"""Nothing of Google's, and nothing of the checks, stands between the command and the first frame."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTED = "import sys; import heartbeat_tui.screen; print(*sys.modules)"
FRAME = """
import asyncio, sys
from heartbeat_core.beat.plan import Plan
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checkup import Checkup
from heartbeat_tui.panes.readiness import ReadinessPane

async def fill(pane):  # it is called after the first frame
    print(*sys.modules)

ReadinessPane.fill = fill
app = HeartbeatApp(Plan(), None, checkup=lambda: Checkup(None), mode="readiness")

async def main():
    async with app.run_test() as pilot:
        await pilot.pause()

asyncio.run(main())
"""


@pytest.mark.parametrize("program", [pytest.param(IMPORTED, id="import"), pytest.param(FRAME, id="first frame of Readiness")])
def test_the_first_frame_comes_before_cloud_and_checks(program: str) -> None:
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "heartbeat_tui.app" in loaded
    late = ("google", "requests", "heartbeat_core.cloud", "heartbeat_core.readiness", "heartbeat_core.diagnosis", "heartbeat_core.emulator")
    assert not [name for name in loaded if name.startswith(late)]
