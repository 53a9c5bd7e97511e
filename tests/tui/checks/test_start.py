"""Nothing of Google's, of the checks, or of the panes that are not shown stands between the command and the first frame."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest

from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import Settings
from heartbeat_tui.bootstrap import make_app

IMPORTED = "import sys; import heartbeat_tui.bootstrap; print(*sys.modules)"
FRAME = """
import asyncio, sys
from importlib import import_module
from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import Settings
from heartbeat_tui.bootstrap import make_app

FOLDERS = {"Readiness": "checks", "Heartbeat": "benchmark"}

async def fill(pane):  # it is called after the first frame
    print(*sys.modules)

async def main(pane, project):
    getattr(import_module(f"heartbeat_tui.{FOLDERS[pane]}.pane"), f"{pane}Pane").fill = fill
    launcher = Launcher(Settings())
    with make_app(launcher, launcher.config(), project=project) as app:
        async with app.run_test() as pilot:
            await pilot.pause()
    launcher.close()

"""
READINESS, HEARTBEAT = FRAME + "asyncio.run(main('Readiness', 'hearts'))", FRAME + "asyncio.run(main('Heartbeat', None))"


def modules_of(program: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("program", [pytest.param(IMPORTED, id="import"), pytest.param(READINESS, id="first frame of Readiness")])
def test_the_first_frame_comes_before_cloud_and_checks(program: str) -> None:
    loaded = modules_of(program)
    assert "heartbeat_tui.app" in loaded
    late = ("google", "requests", "heartbeat_core.cloud", "heartbeat_core.checks", "heartbeat_core.diagnosis", "heartbeat_core.emulator")
    assert not [name for name in loaded if name.startswith(late)]


def test_the_heartbeat_pane_starts_before_the_other_panes() -> None:
    loaded = modules_of(HEARTBEAT)
    assert "heartbeat_tui.benchmark.pane" in loaded
    late = ("checks", "runs", "vms")
    assert not [name for name in loaded if name.startswith(tuple(f"heartbeat_tui.{each}." for each in late))]


async def test_leaving_ends_the_calls_of_tpu_vms_without_a_visit_to_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heartbeat_tui.vms.monitor.InventoryMonitor.look", lambda fleet: 60.0)
    launcher = Launcher(Settings())
    with closing(launcher), make_app(launcher, launcher.config()) as app:
        async with app.run_test() as pilot:
            assert "checks" not in vars(app)
            await pilot.press("2")
            await pilot.pause()
        assert app.checks.view is None
        assert app.checks.monitor.closed
