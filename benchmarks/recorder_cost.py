"""What recording adds to a loop of iterations: nanoseconds a sample, one loop with and one without, in turns, as JSON on stderr.

The time is the processor's, spent in this thread, so that other programs cannot add to it.
stdout takes the stream, as the worker's does; whoever starts this reads it.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter_ns, thread_time_ns

from heartbeat_core.benchmark.protocol import Pause, Samples, encode
from heartbeat_core.benchmark.timing import Recorder, Steps, repeat
from heartbeat_core.benchmark.verification import Inspector

TURNS = 350  # about 3 µs: more would drown the difference in noise, less would fill batches as no device does
SAMPLES = 20_000  # in each loop


class GoOn:
    """Nobody wants anything of these loops."""

    attention = False

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


def recorded_ns(recorder: Recorder, columns: int) -> int:
    inspector = Inspector.__new__(Inspector)
    inspector.due = False  # it has inspected what it would
    start = thread_time_ns()
    repeat(Steps(int, lambda: iteration_of(columns), tuple), SAMPLES, None, recorder, GoOn(), inspector)
    recorder.flush()
    return thread_time_ns() - start


def main(parts: int, rounds: int) -> None:
    output = os.fdopen(1, "wb", buffering=0)  # as the worker's

    def emit(record: Samples | Pause) -> None:
        output.write(encode(record))

    recorder = Recorder(tuple(f"part {number}" for number in range(parts)), emit, perf_counter_ns)
    pairs = [(recorded_ns(recorder, parts + 1), bare_ns(parts + 1)) for _ in range(rounds)]
    json.dump([(recorded - bare) / SAMPLES for recorded, bare in pairs], sys.stderr)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
