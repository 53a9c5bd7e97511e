"""Make the pictures of the README from the real program: a real run on this machine's CPU, drawn as a terminal would."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.pilot import Pilot

from heartbeat_core.launch import Launcher
from heartbeat_core.settings import load_settings
from heartbeat_tui.app import HeartbeatApp

FOLDER = Path(__file__).parent / "pictures"
SIZE = (120, 40)


async def heartbeat(pilot: Pilot[object]) -> None:
    """Wait for the run to end, its figures shown, and take the picture."""
    app = pilot.app
    assert isinstance(app, HeartbeatApp)
    run = None
    while run is None:
        await pilot.pause(0.1)
        run = app.conductor.run
    await asyncio.to_thread(run.wait)
    await pilot.pause(1)
    app.save_screenshot("heartbeat.svg", str(FOLDER))
    app.exit()


def main() -> None:
    launcher = Launcher(load_settings())
    try:
        plan = launcher.plan()
        app = HeartbeatApp(plan, lambda asked: launcher.start(launcher.with_ceiling(asked), save=False), start=True)
        app.run(headless=True, size=SIZE, auto_pilot=heartbeat)
    finally:
        launcher.close()


if __name__ == "__main__":
    main()
