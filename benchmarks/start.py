"""Start: how soon `--help` answers and the screen is drawn, against Python and Textual with nothing in them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import partial
from time import perf_counter

from benchmarks.figure import finish, interleave, program, quiet, ratio
from benchmarks.terminal import EMPTY_APP, SCREENFUL, Terminal

ROUNDS = 15
FILLED = "One iteration is"  # the last words of the idle pane


def run_s(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def first_frame_s(command: list[str], home: str) -> float:
    """Wait until a whole screen has been drawn, be it of spaces."""
    with closing(Terminal(command, at_home(home))) as terminal:
        return terminal.wait_for(lambda drawn: len(drawn) >= SCREENFUL) - terminal.started


def filled_s(command: list[str], home: str) -> float:
    with closing(Terminal(command, at_home(home))) as terminal:
        return terminal.wait_for_text(FILLED) - terminal.started


def at_home(home: str) -> dict[str, str]:
    """Keep the user's own settings and recordings out of it."""
    return {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}


def main() -> None:
    python, screen = [sys.executable, "-c"], program()
    with tempfile.TemporaryDirectory() as home, quiet():
        quick = interleave(2 * ROUNDS, {"pass": partial(run_s, [*python, "pass"]), "--help": partial(run_s, [*screen, "--help"])})
        frames = interleave(
            ROUNDS,
            {
                "empty": partial(first_frame_s, [*python, EMPTY_APP], home),
                "skeleton": partial(first_frame_s, screen, home),
                "filled": partial(filled_s, screen, home),
            },
        )
    finish(
        [
            ratio("--help / python -c pass", quick["--help"], quick["pass"], most=4),
            ratio("first frame / that of an empty app", frames["skeleton"], frames["empty"], most=1.4),
            ratio("filled pane / first frame of an empty app", frames["filled"], frames["empty"], most=2),
        ]
    )


if __name__ == "__main__":
    os.environ.pop("NO_COLOR", None)
    main()
