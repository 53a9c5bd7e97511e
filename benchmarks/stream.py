"""Stream: 1e5 samples a second for 10 s, with nothing lost, and what a sample costs the worker."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from array import array
from math import inf
from pathlib import Path

from benchmarks.figure import ROOT, Figure, finish, quiet
from benchmarks.paced import PARTS, row

from heartbeat_core.benchmark.config import BenchmarkConfig, MatMul
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.protocol import Samples, decode
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.target import LocalTarget

WARMUP, STEADY = 5, 1_000_000
ROUNDS = 15


class Kept:
    """Keeps the lines of the stream, to be looked at afterwards."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> str | None:
        self.lines.append(line)
        return None

    def close(self) -> list[str]:
        return []


def carry() -> list[Figure]:
    """Send a million samples of five columns through the worker's recorder, the pipe and the run's reader."""
    plan = BenchmarkConfig(workload=MatMul(8, 64, 64), warmup=WARMUP, iterations=STEADY)
    kept = Kept()
    with tempfile.TemporaryDirectory() as folder, ProcessLauncher() as spawner:
        python = Path(folder, "python")
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(ROOT / "benchmarks/paced.py"))} "$@"\n')
        python.chmod(0o755)
        with Run(plan, spawner, place=LocalTarget(str(python)), sinks=(kept,)) as run:
            run.wait()
    assert run.ending is not None
    assert run.ending.clean, run.ending
    batches = [record for record in map(decode, kept.lines) if isinstance(record, Samples)]
    steady = [batch for batch in batches if batch.phase == "steady"]
    seconds = (steady[-1].at_ns - steady[0].at_ns) / 1e9
    rate = sum(map(len, steady[1:])) / seconds
    return [
        Figure("samples lost, misplaced or changed", faults(run, batches), 0, note=f"of {run.series.count:,}"),
        Figure("samples a second", rate, inf, 99_500, note=f"for {seconds:.1f} s, 5 columns"),
    ]


def faults(run: Run, batches: list[Samples]) -> int:
    """Count the samples that the stream's reader does not hold as the worker made them."""
    made: list[tuple[int, ...]] = list(zip(*(row(number) for number in range(WARMUP + STEADY)), strict=True))
    wrong = abs(run.series.count - WARMUP - STEADY) + abs(sum(map(len, batches)) - WARMUP - STEADY)
    for batch in batches:
        for name, column in zip(("total", *PARTS), made, strict=True):
            expected = array("q", column[batch.start : batch.start + len(batch)])
            wrong += sum(got != made_so for got, made_so in zip(batch.columns[name], expected, strict=True))
    held: list[int] = run.series.steady.values().tolist()
    return wrong + sum(got != sent for got, sent in zip(held, made[0][WARMUP:], strict=True))


def cost(parts: int, most: float) -> Figure:
    """Measure what a sample costs in a loop of beats, µs."""
    command = [sys.executable, str(ROOT / "benchmarks/recorder_cost.py"), str(parts), str(ROUNDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    while os.read(process.stdout.fileno(), 1 << 20):
        pass
    costs_ns = sorted(json.load(process.stderr))
    process.wait()
    middle = statistics.quantiles(costs_ns, n=4)
    name = "cost of a sample, total alone" if not parts else f"cost of a sample, total and {parts} parts"
    note = f"middle half of {ROUNDS}: {middle[0] / 1e3:.3f} to {middle[2] / 1e3:.3f}"
    return Figure(name, statistics.median(costs_ns) / 1e3, most, unit="µs", note=note)


if __name__ == "__main__":
    with quiet():
        figures = [*carry(), cost(0, 1.0), cost(len(PARTS), 1.5)]
    finish(figures)
