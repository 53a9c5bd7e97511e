"""What recording and ``json.dumps`` add to a loop of iterations: nanoseconds a sample, in turns with a bare loop, as JSON on stderr.

The time is the processor's, spent in this thread, so that other programs cannot add to it.
stdout takes what is written, as the worker's does; the parent process reads it.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter_ns, thread_time_ns
from typing import Any, BinaryIO

from heartbeat_core.benchmark.control import ControlChannel
from heartbeat_core.benchmark.protocol import Pause, Samples, encode
from heartbeat_core.benchmark.timing import Measurement, Recorder, Steps
from heartbeat_core.benchmark.verification import Inspector

TURNS = 350  # about 3 µs: more would drown the difference in noise, less would fill batches as no device does
SAMPLES = 20_000  # in each loop


class GoOn(ControlChannel):
    """Gives these loops no orders."""

    def __init__(self) -> None:
        self.attention = False

    def proceed(self, recorder: Recorder) -> bool:
        del recorder
        return True


def iteration_of(columns: int) -> tuple[int, ...]:
    """Take the time of an iteration."""
    for _ in range(TURNS):
        pass
    return (9_000,) * columns


def bare_ns(columns: int) -> int:
    start = thread_time_ns()
    for _ in range(SAMPLES):
        iteration_of(columns)
    return thread_time_ns() - start


def dumped_ns(output: BinaryIO, columns: int) -> int:
    """Write each sample as a line of JSON, through a buffer."""
    names = names_of(columns)
    start = thread_time_ns()
    output.writelines(json.dumps(dict(zip(names, iteration_of(columns), strict=True))).encode() + b"\n" for _ in range(SAMPLES))
    output.flush()
    return thread_time_ns() - start


def names_of(columns: int) -> tuple[str, ...]:
    return ("total", *(f"part {number}" for number in range(1, columns)))


def recorded_ns(recorder: Recorder, columns: int) -> int:
    inspector = Inspector.__new__(Inspector)
    inspector.due = False  # it has inspected what it would
    nothing: Any = None  # no device computes anything here
    measurement = Measurement(nothing, nothing, recorder, GoOn(), inspector, nothing)
    start = thread_time_ns()
    measurement.repeat(Steps(int, lambda: iteration_of(columns), tuple), SAMPLES)
    recorder.flush()
    return thread_time_ns() - start


def main(parts: int, rounds: int) -> None:
    output = os.fdopen(1, "wb", buffering=0)  # as the worker's

    def emit(record: Samples | Pause) -> None:
        output.write(encode(record))

    columns = parts + 1
    recorder = Recorder(names_of(columns)[1:], emit, perf_counter_ns)
    with os.fdopen(os.dup(1), "wb") as buffered:
        taken = [(recorded_ns(recorder, columns), dumped_ns(buffered, columns), bare_ns(columns)) for _ in range(rounds)]
    json.dump([((recorded - bare) / SAMPLES, (dumped - bare) / SAMPLES) for recorded, dumped, bare in taken], sys.stderr)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
