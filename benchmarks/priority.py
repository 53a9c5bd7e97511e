"""Priority: beside a run the screen answers and draws nearly as an empty Textual app does, and every worker keeps its full priority."""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from math import inf
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.figure import Figure, finish, quiet
from benchmarks.terminal import Terminal

KEYS = 40
WATCH_S = 10.0
QUICK = ("--hidden=1024", "--intermediate=4096")  # so that there are new figures for each frame on a slow machine too
# A Textual app with one line that changes at each key.
EMPTY_APP = """
from itertools import count
from textual.app import App
from textual.widgets import Label

class Empty(App):
    keys = count(1)

    def compose(self):
        yield Label("key 0", id="key")

    def on_key(self):
        self.query_one("#key").update(f"key {next(self.keys)} ")

Empty().run()
"""
# The program, which notes after each drawing of a chart: perf_counter, and the processor time that all of them took so far.
METERED = """
import os, time
from heartbeat_tui.cli import main
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.histogram import Histogram

log, spent = open(os.environ["CHARTS_LOG"], "w", buffering=1), 0.0

def meter(kind, name):
    draw = getattr(kind, name)

    def metered(*args, **options):
        global spent
        begun = time.thread_time()
        try:
            return draw(*args, **options)
        finally:
            spent += time.thread_time() - begun
            print(time.perf_counter(), spent, file=log)

    setattr(kind, name, metered)

for kind, name in ((Chart, "draw"), (Chart, "render_lines"), (Histogram, "show"), (Histogram, "render_lines")):
    meter(kind, name)
main()
"""
WITHOUT_RIGHTS = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE)
os.execvp(sys.argv[1], sys.argv[1:])
"""  # even root then cannot take its niceness back: that must not be what helps
ZOOM, COLD = "z", "◆"  # the key that shows the steady state alone, and what only the whole run shows: the cold iteration
LIVE = "so far"  # beside the count of samples, which every frame with a new one draws: rows that stay are not drawn


def nicest(pid: int) -> int:
    """Return the niceness farthest from 0 of the threads of the children of ``pid``."""
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


def count_frames(terminal: Terminal, first: int, words: str) -> int:
    """Count the frames with these words, from one on."""
    marks = terminal.frames[max(0, first - 1) :]
    return sum(words in terminal.text(begun, ended) for (_, begun), (_, ended) in pairwise(marks))


def charts_share(log: Path, begun: float, ended: float) -> float:
    """Return the share of a core that all charts of the pane took between two times of ``perf_counter``."""
    rows = [tuple(map(float, line.split())) for line in log.read_text().splitlines() if line.count(".") == 2]
    spent = [cpu_s for at, cpu_s in rows if begun <= at <= ended]
    return (spent[-1] - spent[0]) / (ended - begun)


def answer_ms(terminal: Terminal, key: str, shown: str) -> float:
    """Press a key; wait until its effect is drawn."""
    sleep(random.uniform(0.1, 0.4))
    since, start = len(terminal.drawn), perf_counter()
    terminal.press(key)
    return 1e3 * (terminal.wait_for_text(shown, since=since, timeout_s=10) - start)


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def main() -> None:
    command = [sys.executable, "-c", WITHOUT_RIGHTS, sys.executable, "-c", METERED, "--start", "--backend=cpu", "--until-stopped", *QUICK]
    with tempfile.TemporaryDirectory() as home, quiet():
        log = Path(home) / "charts"
        environment = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")} | {"CHARTS_LOG": str(log)}
        with closing(Terminal(command, environment)) as terminal, closing(Terminal([sys.executable, "-c", EMPTY_APP])) as empty:
            begin(terminal, 0)
            empty.wait_for_text("key 0")
            # as low as the screen puts itself, so that programs beside them keep both waiting alike
            os.setpriority(os.PRIO_PROCESS, empty.process.pid, os.getpriority(os.PRIO_PROCESS, terminal.process.pid))
            first = nicest(terminal.process.pid)
            since, begun = len(terminal.frames), perf_counter()
            sleep(WATCH_S)
            frames, share = count_frames(terminal, since, LIVE), charts_share(log, begun, perf_counter())
            answers, answers_empty = [], []
            for number in range(KEYS):
                terminal.press(ZOOM)  # the steady state alone
                answers_empty.append(answer_ms(empty, ZOOM, f"key {number + 1} "))
                answers.append(answer_ms(terminal, ZOOM, COLD))  # the whole run
            terminal.press("s")
            terminal.wait_for_text("Again")
            start = len(terminal.drawn)
            terminal.press("r")
            begin(terminal, start)
            second = nicest(terminal.process.pid)
    note = f"{p95(answers):.0f} ms, median {statistics.median(answers):.0f}; empty app {p95(answers_empty):.0f} ms"
    finish(
        [
            Figure("keys answered, p95 / an empty app's", p95(answers) / p95(answers_empty), 2.5, note=note),
            Figure("frames with new figures", frames / WATCH_S, inf, 1.0, unit="a second"),
            Figure("processor time of all charts of the pane, of a core", share, 0.04),
            Figure("niceness of the worker, first run", first, 0, 0, note="all its threads; without the right to raise it"),
            Figure("niceness of the worker, second run", second, 0, 0),
        ]
    )


if __name__ == "__main__":
    main()
