"""Make the pictures of the README from the real program: real runs on this machine's CPU, and the emulated Google Cloud."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from textual.pilot import Pilot

from heartbeat_core.launch import Launcher
from heartbeat_core.settings import load_settings
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.screen import make_app

FOLDER = Path(__file__).parent / "pictures"
SIZE = (120, 40)
PATIENCE_S = 180.0


class Scene:
    """What a picture is taken of: the real app, driven by keys."""

    def __init__(self, pilot: Pilot[object]) -> None:
        assert isinstance(pilot.app, HeartbeatApp)
        self.pilot, self.app = pilot, pilot.app

    def text(self) -> str:
        return "\n".join("".join(segment.text for segment in line) for line in self.app.screen._compositor.render_strips())  # noqa: SLF001

    async def until(self, text: str) -> None:
        """Wait until this is to be read on the screen; raise TimeoutError."""
        end = monotonic() + PATIENCE_S
        while text not in self.text():
            if monotonic() > end:
                raise TimeoutError(f"{text!r} never came:\n{self.text()}")
            await self.pilot.pause(0.1)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.2)


@dataclass(frozen=True)
class Picture:
    """One picture: what leads to it, and how the screen is opened."""

    name: str
    act: Callable[[Scene], Awaitable[None]]
    options: dict[str, Any]


async def heartbeat(scene: Scene) -> None:
    await scene.until(" done ")


async def clocks(scene: Scene) -> None:
    await scene.press("m")
    await scene.until("proof holds")
    await scene.until(" done ")


async def readiness(scene: Scene) -> None:
    await scene.until("steps left")


async def tpu_vms(scene: Scene) -> None:
    await scene.press("2")
    await scene.until("READY")


async def tour(scene: Scene) -> None:
    await scene.until("1 of 6")
    await scene.press("n")
    await scene.until("Next")
    await scene.press("n", "n")
    await scene.until("von Neumann")
    await scene.until("Next")


PICTURES = (
    Picture("heartbeat", heartbeat, {"start": True}),
    Picture("clocks", clocks, {}),
    Picture("readiness", readiness, {"demo": "fresh"}),
    Picture("tpu-vms", tpu_vms, {"demo": "running"}),
    Picture("tour", tour, {"tour": True}),
)


async def take(picture: Picture, pilot: Pilot[object]) -> None:
    """Lead the app to the picture and take it."""
    scene = Scene(pilot)
    await picture.act(scene)
    await pilot.pause(1)
    scene.app.save_screenshot(f"{picture.name}.svg", str(FOLDER))
    await asyncio.to_thread(scene.app.close_desk)
    scene.app.exit()


def main() -> None:
    """Take the pictures named, or all; recordings and settings are of this hour alone."""
    wanted = set(sys.argv[1:]) or {picture.name for picture in PICTURES}
    with tempfile.TemporaryDirectory() as home:
        os.environ.update({f"XDG_{kind}_HOME": home for kind in ("CONFIG", "DATA")})
        for picture in PICTURES:
            if picture.name in wanted:
                print(picture.name, flush=True)
                launcher = Launcher(load_settings())
                try:
                    with make_app(launcher, launcher.plan(), **picture.options) as app:
                        app.run(headless=True, size=SIZE, auto_pilot=partial(take, picture))
                finally:
                    launcher.close()


if __name__ == "__main__":
    main()
