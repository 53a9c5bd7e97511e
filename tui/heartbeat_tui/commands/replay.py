"""``heartbeat-tui replay``: watch a recorded run again."""

from __future__ import annotations

import argparse
import shlex
from contextlib import closing
from pathlib import Path

from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import load_settings


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = "Play a recording in the Heartbeat pane."
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording, .jsonl")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="times its own pace, default 1")


def run(args: argparse.Namespace) -> int:
    """Open the screen on a recording; raise HeartbeatError where it cannot be read."""
    with closing(Launcher(load_settings())) as launcher:
        config = launcher.replay(args.file, args.speed).config
        from heartbeat_tui.bootstrap import open_screen

        instead = shlex.join(("heartbeat-tui", "bench", "--from", str(args.file)))
        return open_screen(launcher, config, instead=instead, replay=lambda: launcher.replay(args.file, args.speed).start())
