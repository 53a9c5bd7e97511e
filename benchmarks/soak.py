"""Soak: a live run with the screen, resized and switched from pane to pane: memory, keys, descriptors, and what is left at the end.

Five minutes, or an hour with --hour.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import statistics
import struct
import subprocess
import tempfile
import termios
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, perf_counter, sleep

from benchmarks.figure import Figure, finish, program, quiet
from benchmarks.memory import MILLION, count_recorded, used_mib
from benchmarks.terminal import Terminal

# The handbook's product, a tenth of a second or two, so that there are few samples. The screen keeps each of the first million, by design:
# what they take is subtracted, and shown.
SAMPLE_MIB = 75 / 2**20
WORK = ["--backend=cpu", "--threads=1"]
SIZES = ((120, 40), (160, 50), (100, 38), (140, 44))
RESIZE_S, ENDING_S, KEY_MS = 10.0, 10.0, 200
# One round: a key, and what is drawn then. The runs that are compared were recorded before.
ROUND = (
    ("1", "Re-check"), ("2", "events"), ("4", "Compare"), (" ", ""), ("\x1b[B", ""), (" ", ""), ("c", "▲"), ("\x1b", "Compare"),
    (" ", ""), ("\x1b[A", ""), (" ", ""), ("3", "it/s"), ("z", ""), ("z", ""),
)  # fmt: skip


def resize(terminal: Terminal, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    terminal.process.send_signal(signal.SIGWINCH)


def press(terminal: Terminal, key: str, shown: str) -> float | None:
    """Press a key; return the milliseconds until its effect is drawn, None where none is awaited."""
    with terminal.changed:
        terminal.drawn.clear()
        terminal.frames.clear()
    start = perf_counter()
    terminal.press(key)
    if not shown:
        sleep(0.2)
        return None
    return 1e3 * (terminal.wait_for_text(shown, timeout_s=20) - start)


def children_of(pid: int) -> set[int]:
    """Find all processes below one."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found |= {child} | children_of(child)
    return found


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def soak(terminal: Terminal, home: Path, seconds: float) -> tuple[list[tuple[float, float, int]], list[tuple[float, str]], set[int]]:
    """Go round the panes for so long.

    Return for each round MiB, MiB of these that samples take, and descriptors; milliseconds and name of each key; all processes seen.
    """
    pid, rounds, keys, seen = terminal.process.pid, list[tuple[float, float, int]](), list[tuple[float, str]](), set[int]()
    end, next_resize, turn = monotonic() + seconds, monotonic() + RESIZE_S, 0
    while monotonic() < end:
        for key, shown in ROUND:
            took = press(terminal, key, shown)
            if took is not None and rounds:  # the first round makes the panes
                keys.append((took, key))
            sleep(0.3)
            if monotonic() > next_resize:
                turn, next_resize = turn + 1, monotonic() + RESIZE_S
                resize(terminal, *SIZES[turn % len(SIZES)])
                sleep(0.5)
        seen |= children_of(pid)
        rounds.append((used_mib(pid), SAMPLE_MIB * min(count_recorded(home), MILLION), descriptors(pid)))
    return rounds, keys, seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hour", action="store_true", help="an hour instead of five minutes")
    seconds = 3600 if parser.parse_args().hour else 300
    with tempfile.TemporaryDirectory() as home, quiet():
        environment = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
        for _ in range(2):  # to be compared
            command = [*program(), "bench", "--iterations=30", *WORK]
            subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)
        with closing(Terminal([*program(), "--start", "--until-stopped", *WORK], environment)) as terminal:
            terminal.wait_for_text("it/s")
            rounds, keys, seen = soak(terminal, Path(home), seconds)
            pid = terminal.process.pid
        left, deadline = seen | {pid}, monotonic() + ENDING_S
        while left and monotonic() < deadline:
            left = {child for child in left if Path(f"/proc/{child}").exists()}
            sleep(0.1)
    settled = rounds[len(rounds) // 2 :]  # by then each pane has been drawn in each size, and caches are full
    early, late = (
        statistics.median(mib - samples for mib, samples, _ in part)
        for part in (settled[: len(settled) // 3], settled[-len(settled) // 3 :])
    )
    mib, samples, _ = settled[-1]
    grown = f"{early:.0f} to {late:.0f} MiB in {len(rounds)} rounds; {mib:.0f} MiB at the end, of which samples {samples:.1f}"
    times = sorted(took for took, _ in keys)
    slowest, key = max(keys)
    over = sum(took > KEY_MS for took in times)
    note = (
        f"{key!r} of {len(keys)} keys: median {statistics.median(times):.0f}, 99 % under {times[len(times) * 99 // 100]:.0f}, {over} over"
    )
    finish(
        [
            Figure("growth of memory without samples", late - early, 5, unit="MiB", note=grown),
            Figure("the slowest key", slowest, KEY_MS, unit="ms", note=note),
            Figure("descriptors more than in the middle", settled[-1][2] - settled[0][2], 0, note=f"{settled[-1][2]} at the end"),
            Figure("processes left", len(left), 0, note=f"of {len(seen) + 1}"),
        ]
    )


if __name__ == "__main__":
    main()
