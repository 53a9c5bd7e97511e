"""The tour: from its start to its last step, every step run for real, against the handbook's bare loop on the CPU."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

from benchmarks.figure import ROOT, Figure, finish, program, quiet

from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.tour.tour import steps

WORK = MatMul()  # the handbook's


def waited_for() -> list[int]:
    """Return how many of the handbook's products each step waits for; those of its own timing method are not computed one by one."""
    configs = [step.config for step in steps() if step.config is not None and step.config.workload == WORK]
    return [config.warmup + (config.iterations or 0) for config in configs if config.method == "synchronized"]


def bare_s(count: int) -> float:
    """Compute so many of the handbook's products in its loop, in a process of its own."""
    start = perf_counter()
    numbers = [str(number) for number in (WORK.batch, WORK.hidden, WORK.intermediate, count)]
    subprocess.run([sys.executable, str(ROOT / "benchmarks/handbook_cpu.py"), *numbers], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def tour_s() -> float:
    start = perf_counter()
    done = subprocess.run([*program(), "tour", "--text"], check=True, capture_output=True, text=True)
    if "recording is replayed" in done.stderr:
        raise SystemExit("torch_xla is missing: heartbeat-tui backend install xla")
    return perf_counter() - start


def main() -> None:
    first, *others = waited_for()
    with quiet():
        before, took, after = bare_s(first), tour_s(), bare_s(sum(others))
    bare = before + after
    finish([Figure("the whole tour / its products in a bare loop", took / bare, most=4, note=f"{took:.0f} s, the loop {bare:.0f} s")])


if __name__ == "__main__":
    main()
