"""Priority: on two busy cores the screen stays usable, and every worker keeps its full priority."""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
from contextlib import closing
from itertools import pairwise
from math import inf
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.figure import Figure, finish, program, quiet
from benchmarks.terminal import Terminal

KEYS = 60
WATCH_S = 10.0
WITHOUT_RIGHTS = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE)
os.execvp(sys.argv[1], sys.argv[1:])
"""  # even root then cannot take its niceness back: that must not be what helps
LIVE = "so far"  # beside the count of samples, which every frame with a new one draws: rows that stay are not drawn


def nicest(pid: int) -> int:
    """Give the highest niceness of the threads of the children of ``pid``, recursively."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            threads = Path(f"/proc/{child}/task").iterdir()
            found += [os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in threads]
    if not found:
        raise RuntimeError(f"process {pid} has no worker")
    return max(found, key=abs)


def begin(terminal: Terminal, since: int) -> None:
    """Wait until the run's figures have been drawn a few times."""
    terminal.wait_for(lambda drawn: drawn.count(LIVE) >= 4, since=since)


def frames_a_second(terminal: Terminal) -> tuple[float, float]:
    """Count the frames that show new figures: a second, and in the worst second."""
    start, first = perf_counter(), len(terminal.frames)
    sleep(WATCH_S)
    marks = terminal.frames[max(0, first - 1) :]
    live = [now - start for (_, begun), (now, ended) in pairwise(marks) if LIVE in terminal.text(begun, ended)]
    worst = min(sum(second <= at < second + 1 for at in live) for second in range(int(WATCH_S)))
    return len(live) / WATCH_S, worst


def answer_ms(terminal: Terminal, shown: str) -> float:
    """Change the scale of the chart; wait until its title says so."""
    sleep(random.uniform(0.1, 0.4))
    since, start = len(terminal.drawn), perf_counter()
    terminal.press("l")
    return 1e3 * (terminal.wait_for_text(shown, since=since, timeout_s=10) - start)


def main() -> None:
    command = [sys.executable, "-c", WITHOUT_RIGHTS, *program(), "--start", "--backend=cpu", "--until-stopped"]
    with tempfile.TemporaryDirectory() as home, quiet():
        environment = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
        with closing(Terminal(command, environment)) as terminal:
            begin(terminal, 0)
            first = nicest(terminal.process.pid)
            frames, worst = frames_a_second(terminal)
            answers = [answer_ms(terminal, shown) for shown in ("(linear)", "(log)") * (KEYS // 2)]
            terminal.press("s")
            terminal.wait_for_text("Again")
            since = len(terminal.drawn)
            terminal.press("r")
            begin(terminal, since)
            second = nicest(terminal.process.pid)
    slowest = f"median {statistics.median(answers):.0f}, slowest {max(answers):.0f}"
    finish(
        [
            Figure("keys answered, p95", statistics.quantiles(answers, n=20)[-1], 50, unit="ms", note=slowest),
            Figure("frames with new figures a second", frames, inf, 2, note=f"{worst} in the worst second"),
            Figure("niceness of the worker, first run", first, 0, 0, note="all its threads; without the right to raise it"),
            Figure("niceness of the worker, second run", second, 0, 0),
        ]
    )


if __name__ == "__main__":
    main()
