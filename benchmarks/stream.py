"""Stream: a million samples, sent a third as fast as ``json.dumps`` writes them, none lost, and what one costs the worker."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from array import array
from contextlib import closing
from math import inf
from pathlib import Path

from benchmarks.figure import ROOT, Figure, finish, quiet, ratio
from benchmarks.paced import PARTS, SPACING_NS, row

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.protocol import Samples, decode
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.target import LocalTarget
from heartbeat_core.benchmark.workload import MatMul

WARMUP, STEADY = 5, 1_000_000
SPACING = 3  # from one sample to the next, times what json.dumps takes for one
ROUNDS = 15


class Kept:
    """Keeps the lines of the stream."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> str | None:
        self.lines.append(line)
        return None

    def close(self) -> list[str]:
        return []


def carry(spacing_ns: int) -> list[Figure]:
    """Send a million samples of five columns, so far apart, through the worker's recorder, the pipe and the run's reader."""
    config = BenchmarkConfig(workload=MatMul(8, 64, 64), warmup=WARMUP, iterations=STEADY)
    kept = Kept()
    with tempfile.TemporaryDirectory() as folder, ProcessLauncher() as process_launcher:
        python = Path(folder, "python")
        paced = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'benchmarks/paced.py'))}"
        python.write_text(f'#!/bin/sh\n{SPACING_NS}={spacing_ns} exec {paced} "$@"\n')
        python.chmod(0o755)
        with closing(Run(config, process_launcher, place=LocalTarget(str(python)), sinks=(kept,))) as run:
            run.wait()
    assert run.ending is not None
    assert run.ending.clean, run.ending
    batches = [record for record in map(decode, kept.lines) if isinstance(record, Samples)]
    steady = [batch for batch in batches if batch.phase == "steady"]
    seconds = (steady[-1].at_ns - steady[0].at_ns) / 1e9
    rate = sum(map(len, steady[1:])) / seconds
    return [
        Figure("samples lost, misplaced or changed", faults(run, batches), 0, note=f"of {run.series.count:,}"),
        Figure("rate of samples / rate they are due at", rate * spacing_ns / 1e9, inf, 0.995, note=f"{rate:,.0f} a second"),
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


def costs(parts: int) -> list[tuple[float, float]]:
    """Measure what a sample costs in a loop of iterations, recorded and written with ``json.dumps``, ns."""
    command = [sys.executable, str(ROOT / "benchmarks/recorder_cost.py"), str(parts), str(ROUNDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while os.read(process.stdout.fileno(), 1 << 20):
            pass
        found: list[tuple[float, float]] = json.load(process.stderr)
    return found


def cost(name: str, found: list[tuple[float, float]]) -> Figure:
    recorded, dumped = zip(*found, strict=True)
    note = f"{statistics.median(recorded) / 1e3:.2f} µs, json.dumps {statistics.median(dumped) / 1e3:.2f} µs"
    return ratio(f"cost of a sample, {name} / json.dumps", recorded, dumped, most=0.5, note=note)


if __name__ == "__main__":
    with quiet():
        alone, parted = costs(0), costs(len(PARTS))
        spacing_ns = round(SPACING * statistics.median(dumped for _, dumped in parted))
        figures = [*carry(spacing_ns), cost("total alone", alone), cost(f"{len(PARTS)} parts", parted)]
    finish(figures)
