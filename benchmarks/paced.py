"""The real worker with an iteration that computes nothing: samples known beforehand, at a fixed rate.

Run as a script it stands in for the Python of a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark import worker
from heartbeat_core.benchmark.backends import cpu
from heartbeat_core.benchmark.workload import Operands

SPACING_NS = "PACED_SPACING_NS"  # names the variable with the time from one sample to the next
PARTS = ("trace", "compile", "dispatch", "wait")


def row(number: int) -> tuple[int, ...]:
    """Make the sample of this number, its total first; none compiles, so that all count as steady."""
    return 9_000 + number * 7919 % 1009, number, 0, number * 31 % 4093, 2**40 + number


class Paced(cpu.CpuBackend):
    """Holds each iteration until its time has come."""

    parts = PARTS
    spacing_ns = int(os.environ.get(SPACING_NS, "0"))
    number = 0
    due = 0

    def turn(self) -> int:
        return 0  # one input, never rewritten: what is measured here is the stream

    def place(self, inputs: list[Operands], weights: list[Operands], functions: tuple[Callable[[Any, Any], Any], ...], seed: int) -> None:
        super().place(inputs, weights, functions, seed)
        self.result = self.compute(*self.operands)  # for the result check

    def iterate(self) -> tuple[int, ...]:
        self.due = self.due + self.spacing_ns if self.number else perf_counter_ns()
        while perf_counter_ns() < self.due:
            pass
        self.number += 1
        return row(self.number - 1)


if __name__ == "__main__":
    vars(cpu)["CpuBackend"] = Paced
    worker.main()
