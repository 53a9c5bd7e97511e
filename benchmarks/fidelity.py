"""Fidelity: what measuring costs. The median of `bench`, and of the screen drawing live, against the handbook's bare loop."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from benchmarks.figure import ROOT, Figure, finish, interleave, program, quiet, ratio
from benchmarks.terminal import Terminal

from heartbeat_core.benchmark.protocol import Ended, Samples
from heartbeat_core.recordings.recording import read_records

WARMUP = 5
LONGEST_RUN_S = 120.0
SHAPES = {  # of the product: (iterations, rounds)
    (128, 4096, 16384): (40, 5),
    (128, 1024, 4096): (300, 7),
}
Shape = tuple[int, int, int]


def bare(shape: Shape, iterations: int) -> float:
    """Take the median of the handbook's loop in a process of its own, ns."""
    numbers = [str(number) for number in (*shape, WARMUP + iterations)]
    made = subprocess.run([sys.executable, ROOT / "benchmarks/handbook_cpu.py", *numbers], capture_output=True, check=True)
    times_ns: list[int] = json.loads(made.stdout)
    return statistics.median(times_ns[WARMUP:])


def flags(shape: Shape, iterations: int) -> list[str]:
    named = dict(zip(("batch", "hidden", "intermediate"), shape, strict=True)) | {"iterations": iterations, "warmup": WARMUP}
    return ["--backend", "cpu", *(f"--{name}={value}" for name, value in named.items())]


def bench(shape: Shape, iterations: int) -> float:
    """Take the median of `bench`, ns."""
    made = subprocess.run([*program(), "bench", *flags(shape, iterations), "--json", "--no-save"], capture_output=True, check=True)
    times_ns: list[int] = json.loads(made.stdout)["samples_ns"]["steady"]
    return statistics.median(times_ns)


def screen(home: Path, shape: Shape, iterations: int) -> float:
    """Take the median of a run that the screen draws live, from its recording, ns."""
    for old in home.rglob("*.jsonl"):
        old.unlink()
    environment = {"XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    deadline = monotonic() + LONGEST_RUN_S
    with closing(Terminal([*program(), "--start", *flags(shape, iterations)], environment)) as terminal:
        while (steady := recorded(home)) is None:
            if monotonic() > deadline or terminal.closed:
                raise TimeoutError(f"the run on the screen did not end: {terminal.text()[-2000:]}")
            sleep(0.5)
    assert len(steady) == iterations, f"{len(steady)} of {iterations} samples were recorded"
    return statistics.median(steady)


def recorded(home: Path) -> list[int] | None:
    """Read the steady samples of the one recording, None while it has no end."""
    records = [record for path in home.rglob("*.jsonl") for record, _line in read_records(path)]
    if not records or not isinstance(records[-1], Ended):
        return None
    batches = [record.columns["total"] for record in records if isinstance(record, Samples) and record.phase == "steady"]
    return [ns for batch in batches for ns in batch]


def measure(home: Path, shape: Shape, iterations: int, rounds: int) -> list[Figure]:
    runs: dict[str, Callable[[], float]] = {"bare": partial(bare, shape, iterations), "bench": partial(bench, shape, iterations)}
    runs["screen"] = partial(screen, home, shape, iterations)
    taken = interleave(rounds, runs)
    name = "×".join(str(number) for number in shape) + f" ({statistics.median(taken['bare']) / 1e6:.2f} ms)"
    return [
        ratio(f"bench / bare, {name}", taken["bench"], taken["bare"], most=1.03, least=0.97),
        ratio(f"screen / bare, {name}", taken["screen"], taken["bare"], most=1.05),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home, quiet():
        figures = [figure for shape, (iterations, rounds) in SHAPES.items() for figure in measure(Path(home), shape, iterations, rounds)]
    finish(figures)
