"""Memory: the screen's process after a million samples, against an empty Textual app, and how much it grows to three million."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

from benchmarks.figure import Figure, finish, program
from benchmarks.terminal import EMPTY_APP, SCREENFUL, Terminal

from heartbeat_core.benchmark.protocol import Samples, StreamError, decode

MILLION = 1_000_000
SAMPLES = 3 * MILLION
LONGEST_S = 240.0
TAIL = 1 << 18  # bytes of the recording that hold its last records
TINY = ["--backend=cpu", "--batch=1", "--hidden=1", "--intermediate=1", f"--iterations={SAMPLES}"]  # some 300,000 products a second


def used_mib(pid: int) -> float:
    """Read the resident set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def empty_mib() -> float:
    """Read the resident set size of a Textual app with nothing in it, once it has drawn a screen."""
    with closing(Terminal([sys.executable, "-c", EMPTY_APP])) as terminal:
        terminal.wait_for(lambda drawn: len(drawn) >= SCREENFUL)
        return used_mib(terminal.process.pid)


def count_recorded(folder: Path) -> int:
    """Read from the newest recording how many samples the screen has been sent."""
    found = list(folder.rglob("*.jsonl"))
    if not found:
        return 0
    newest = max(found, key=lambda path: path.stat().st_mtime)
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - TAIL))
        lines = file.read().splitlines(keepends=True)
    for line in reversed(lines):
        try:
            record = decode(line)
        except StreamError:
            continue  # a line under way, or cut in two
        if isinstance(record, Samples):
            return record.start + len(record)
    return 0


def watch(terminal: Terminal, folder: Path) -> list[tuple[int, float]]:
    """Take (samples so far, MiB) until the run is over and its figures have been drawn."""
    taken: list[tuple[int, float]] = []
    deadline = monotonic() + LONGEST_S
    while "plausible" not in (drawn := terminal.text(max(0, len(terminal.drawn) - TAIL)).lower()) and "done" not in drawn:
        if monotonic() > deadline or terminal.closed:
            raise TimeoutError(f"the run did not end: {drawn[-2000:]}")
        taken.append((count_recorded(folder), used_mib(terminal.process.pid)))
        sleep(0.1)
    sleep(1)
    return [*taken, (SAMPLES, used_mib(terminal.process.pid))]


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
        with closing(Terminal([*program(), "--start", *TINY], environment)) as terminal:
            taken = watch(terminal, Path(home))
    empty = empty_mib()
    idle = max(mib for count, mib in taken if count == 0)
    before = max(mib for count, mib in taken if count <= MILLION)
    after = max(mib for count, mib in taken if count > MILLION)
    note = f"at most {before:.0f} MiB, {idle:.0f} before the run; an empty app {empty:.0f}"
    growth = f"{after - before:.0f} MiB; {taken[-1][1]:.0f} at the end"
    finish(
        [
            Figure("screen at 1e6 samples / an empty app, resident", before / empty, 3, note=note),
            Figure("growth from 1e6 to 3e6 samples / an empty app", (after - before) / empty, 0.3, note=growth),
        ]
    )


if __name__ == "__main__":
    main()
