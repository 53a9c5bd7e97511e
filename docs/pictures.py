"""Make the pictures of the README from the real program: real runs on this machine's CPU, and the emulated Google Cloud.

``python docs/pictures.py runs compare`` takes some of them; ``--size``, ``--theme`` and ``--folder`` are for looking at them
in other ways. Those of torch_xla need ``heartbeat-tui backend install xla``: without it they are left as they are, and it is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from textual.pilot import Pilot

from heartbeat_core.benchmark.xla_environment import XlaEnvironment
from heartbeat_core.launcher import Launcher
from heartbeat_core.paths import APP
from heartbeat_core.settings import load_settings
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.bootstrap import make_app

FOLDER = Path(__file__).parent / "pictures"
PATIENCE_S = 180.0
MADE = ("--iterations", "40")
RECORDED = (  # the runs that the pictures of the Runs pane show, as ``bench`` makes them
    ("--name", "before the update", "--tag", "baseline", "--calibrate", *MADE),
    ("--dtype", "bfloat16", "--name", "half the bytes", *MADE),
    ("--threads", "1", "--tag", "one-core", "--iterations", "20"),
    ("--method", "pipelined", *MADE),
    ("--batch", "1", "--tag", "decoding", "--note", "one token at a time", *MADE),
    ("--batch", "8", "--hidden", "1024", "--intermediate", "4096", *MADE),
    ("--name", "after the update", "--tag", "candidate", *MADE),
    ("--sweep", "batch=1..128", "--hidden", "2048", "--intermediate", "8192", "--name", "knee", "--tag", "nightly"),
)
REHEARSAL = ("--backend", "xla", "--name", "rehearsal", "--calibrate", *MADE)  # the same work on torch_xla, which has no TPU here


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


async def heartbeat(scene: Scene) -> None:
    await scene.until(" done ")


async def clocks(scene: Scene) -> None:
    await scene.press("m")
    await scene.until("handbook's method")
    await scene.until(" done ")


async def readiness(scene: Scene) -> None:
    await scene.until("steps left")


async def tpu_vms(scene: Scene) -> None:
    await scene.press("2")
    await scene.until("READY")


async def runs(scene: Scene) -> None:
    await scene.press("4")
    await scene.until("before the u")  # the name may be cut
    await scene.press("down", "down")
    await scene.until("where it ran")


async def compare(scene: Scene) -> None:
    await scene.press("4")
    await scene.until("rehearsal")
    await scene.press("t")
    await scene.until("latency per iteration")


async def sweep(scene: Scene) -> None:
    await scene.press("4")
    await scene.until("knee")
    await scene.press("slash", *"knee", "enter", "enter")
    await scene.until("points")


async def tour(scene: Scene) -> None:
    await scene.until("1 of 6")
    await scene.press("n")
    await scene.until("Next")
    await scene.press("n", "n")
    await scene.until("von Neumann")
    await scene.until("Next")


async def settings(scene: Scene) -> None:
    await scene.press("comma")
    await scene.until("settings.toml")


@dataclass(frozen=True)
class Picture:
    """One picture: what leads to it, how the screen is opened, and whether runs are kept already, or torch_xla is needed."""

    act: Callable[[Scene], Awaitable[None]]
    options: Mapping[str, Any] = field(default_factory=dict)
    recorded: bool = False
    xla: bool = False

    @property
    def name(self) -> str:
        return self.act.__name__.replace("_", "-")


PICTURES = (
    Picture(heartbeat, {"start": True}),
    Picture(clocks, xla=True),
    Picture(readiness, {"demo": "fresh"}),
    Picture(tpu_vms, {"demo": "running"}),
    Picture(runs, recorded=True),
    Picture(compare, recorded=True, xla=True),
    Picture(sweep, recorded=True),
    Picture(tour, {"tour": True}),
    Picture(settings),
)


def wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(picture.name for picture in PICTURES))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--size", default="120x40", help="columns and rows of the terminal")
    parser.add_argument("--theme", default="", help="heartbeat-light, or another that ctrl+p, Theme lists")
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - {picture.name for picture in PICTURES}):
        parser.error(f"there is no picture {', '.join(unknown)}")
    return args


def prepare_home(home: Path, found: Path | None) -> None:
    """Point settings, caches and recordings into ``home``; torch_xla's environment, where there is one, is lent to it."""
    os.environ.update({f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")})
    if found is not None:
        cache = home / "cache" / APP
        cache.mkdir(parents=True)
        (cache / found.parents[2].name).symlink_to(found.parents[2])


def make_runs(*, xla: bool) -> None:
    """Make the runs that are compared, a process each."""
    for arguments in (*RECORDED, *([REHEARSAL] if xla else [])):
        print("  bench", *arguments, flush=True)
        subprocess.run([sys.executable, "-m", "heartbeat_tui", "bench", *arguments], check=True, capture_output=True)


async def take(picture: Picture, folder: Path, pilot: Pilot[object]) -> None:
    """Lead the app to the picture and take it."""
    scene = Scene(pilot)
    await picture.act(scene)
    await pilot.pause(1)
    scene.app.save_screenshot(f"{picture.name}.svg", str(folder))
    await asyncio.to_thread(scene.app.close_controllers)
    scene.app.exit()


def make_picture(picture: Picture, args: argparse.Namespace) -> None:
    """Open the screen as a picture wants it, and take the picture."""
    print(picture.name, flush=True)
    width, height = map(int, args.size.split("x"))
    environ = {"HEARTBEAT_BEAT_BACKEND": "xla"} if picture.xla and not picture.recorded else {}
    launcher = Launcher(load_settings(environ={**os.environ, **environ}))
    try:
        with make_app(launcher, launcher.config(), **picture.options) as app:
            if args.theme:
                app.theme = args.theme
            app.run(headless=True, size=(width, height), auto_pilot=partial(take, picture, args.folder))
    finally:
        launcher.close()


def main() -> int:
    """Take the pictures named, or all; recordings, caches and settings are of this hour alone."""
    args = wanted()
    chosen = [picture for picture in PICTURES if not args.names or picture.name in args.names]
    found, left = XlaEnvironment().find(), []
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        prepare_home(Path(home), found)
        made = False
        for picture in sorted(chosen, key=lambda picture: picture.recorded):  # those that show no runs before there are some
            if picture.xla and found is None:
                left.append(picture.name)
                continue
            if picture.recorded and not made:
                make_runs(xla=found is not None)
                made = True
            make_picture(picture, args)
    if left:
        print(f"Left as they are, for torch_xla is not here: {', '.join(left)}. heartbeat-tui backend install xla", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
