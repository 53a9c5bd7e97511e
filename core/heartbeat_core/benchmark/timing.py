"""The timing methods.

synchronized  each iteration is one product and the fence that waits for it: latency.
pipelined     a window of products is enqueued, then waited for once: throughput.
handbook      the handbook's loop and its two reads of the clock, which wait for nothing.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.control import ControlChannel
from heartbeat_core.benchmark.protocol import HandbookClock, Pause, Phase, Samples
from heartbeat_core.benchmark.verification import Inspector

FLUSH_NS = 33_000_000
CAPACITY = 8192  # samples; at 1e5 a second a flush holds 3,300


class Recorder:
    """Takes the samples of one phase after another and emits them in batches, outside of the timed interval."""

    def __init__(self, parts: tuple[str, ...], emit: Callable[[Samples | Pause], None], now: Callable[[], int]) -> None:
        self.names = ("total", *parts)
        self.emit = emit
        self.now = now
        row = struct.Struct(f"{len(self.names)}q")
        self.pack_into, self.row_bytes = row.pack_into, row.size
        self.buffer = bytearray(CAPACITY * row.size)
        self.view = memoryview(self.buffer).cast("q")
        self.offset = 0
        self.start = 0
        self.phase: Phase = "cold"
        self.seen_ns = perf_counter_ns()  # when the last sample came
        self.due = self.seen_ns + FLUSH_NS

    def begin(self, phase: Phase) -> None:
        """Start a phase; emit what the last one left."""
        self.flush()
        self.phase = phase

    def add(self, row: tuple[int, ...]) -> None:
        """Take one sample, nanoseconds: the total and then the parts."""
        self.pack_into(self.buffer, self.offset, *row)
        self.offset += self.row_bytes
        self.seen_ns = perf_counter_ns()
        if self.seen_ns >= self.due or self.offset == len(self.buffer):
            self.flush()

    def paused(self, start_ns: int) -> None:
        """Record a pause that began at ``start_ns`` on the performance counter and is over now."""
        self.emit(Pause(self.now(), self.taken, perf_counter_ns() - start_ns))

    @property
    def taken(self) -> int:
        return self.start + self.offset // self.row_bytes

    def flush(self) -> None:
        """Emit what is there."""
        if self.offset:
            width = len(self.names)
            rows = self.view[: self.offset // 8]
            columns = {name: array("q", rows[i::width].tobytes()) for i, name in enumerate(self.names)}
            samples = Samples(self.now(), self.phase, self.start, columns)
            self.start, self.offset = self.taken, 0
            self.emit(samples)
        self.due = perf_counter_ns() + FLUSH_NS


Iteration = Callable[[], tuple[int, ...]]
Results = Callable[[], Sequence[tuple[int, Any]]]  # of the newest sample: the number of the turn, the result


@dataclass(frozen=True)
class Steps:
    """The steps of one sample: what precedes it untimed, the timed iteration, and where its results are found."""

    prepare: Callable[[], object]
    iterate: Iteration
    results: Results


def steps_of(backend: Backend, config: BenchmarkConfig) -> Steps:
    """Return the steps of a timing method; the handbook's loop has its own."""
    if config.method == "pipelined":
        return pipelined(backend, config.window)
    if config.workload.parts:
        return whole_and_steps(backend)
    return Steps(backend.turn, backend.iterate, lambda: ((backend.turned, backend.result),))


@dataclass(frozen=True)
class Measurement:
    """Takes the samples that a config asks for; one and the last are inspected."""

    backend: Backend
    config: BenchmarkConfig
    recorder: Recorder
    control: ControlChannel
    inspector: Inspector
    emit: Callable[[HandbookClock], None]

    def take(self) -> bool:
        """Take the samples by the method of the config; return whether all were taken."""
        if self.config.method == "handbook":
            complete = self.by_the_handbook()
            self.inspector.inspect(((0, self.backend.result),))
            return complete
        steps = steps_of(self.backend, self.config)
        complete = self.in_phases(steps)
        self.inspector.inspect(steps.results())
        return complete

    def in_phases(self, steps: Steps) -> bool:
        """Run the cold iteration, the rest of the warm-up, then the steady phase until its end."""
        config, begin = self.config, self.recorder.begin
        warmup, wanted = config.warmup_samples, config.samples_wanted
        begin("cold")
        if not self.repeat(steps, 1):
            return False
        begin("warm-up")
        if warmup > 1 and not self.repeat(steps, warmup - 1):
            return False
        begin("steady")
        if wanted is not None and warmup == 0:
            wanted -= 1  # without a warm-up the cold iteration is one of those asked for
        deadline = None if config.duration_s is None else perf_counter_ns() + int(config.duration_s * 1e9)
        return self.repeat(steps, wanted, deadline)

    def repeat(self, steps: Steps, count: int | None, deadline: int | None = None) -> bool:
        """Iterate ``count`` times, or until the deadline; return whether it came so far."""
        recorder, control, inspector = self.recorder, self.control, self.inspector
        prepare, iterate, add, done = steps.prepare, steps.iterate, recorder.add, 0
        while done != count:
            prepare()
            add(iterate())
            done += 1
            if inspector.due:
                inspector.after_sample(recorder.taken - 1, steps.results)
            if control.attention:
                asked = perf_counter_ns()
                if not control.proceed(recorder):
                    return False
                if deadline is not None:
                    deadline += perf_counter_ns() - asked  # a pause is no part of the duration
            if deadline is not None and perf_counter_ns() >= deadline:
                break
        return True

    def by_the_handbook(self) -> bool:
        """Reproduce the handbook's two listings (section 1.6): with ``warmup`` 0 the first, with 5 the second.

        Only the fence that follows each reading is ours; the counters are read after it, outside of the timed interval.
        """
        backend, config, recorder = self.backend, self.config, self.recorder
        products = config.iterations or 1
        matmul, step = backend.compute, backend.step
        input_tensor, weight_matrix = backend.operands
        for _ in range(config.warmup):
            _ = matmul(input_tensor, weight_matrix)
        if config.warmup:
            step()
            backend.fence()
        backend.read_compiles()
        recorder.begin("steady" if config.warmup else "cold")
        for reading in range(config.repeats):
            before = backend.launched()
            start_time = perf_counter_ns()
            for _ in range(products):
                output_tensor = matmul(input_tensor, weight_matrix)
            step()
            end_time = perf_counter_ns()
            backend.fence()
            fenced = perf_counter_ns()
            backend.fence()
            idle = perf_counter_ns()
            after = backend.launched()
            launched = products if before is None or after is None else after - before
            backend.result = output_tensor
            compile_ns = backend.read_compiles()
            recorder.add((end_time - start_time,) if backend.eager else (end_time - start_time, compile_ns))
            recorder.flush()
            recorder.begin("steady")
            self.emit(HandbookClock(recorder.now(), products, end_time - start_time, launched, fenced - end_time, idle - fenced))
            if self.inspector.due:
                self.inspector.after_sample(reading, lambda: ((0, backend.result),))
            if self.control.attention and not self.control.proceed(recorder):
                return False
        return True


def parts_of(backend: Backend, config: BenchmarkConfig) -> tuple[str, ...]:
    """Name the parts that this method can tell apart: with one fence for many products, fewer."""
    if config.method == "synchronized":
        return (*backend.parts, *config.workload.parts)
    known = ("compile",) if config.method == "handbook" else ("compile", "dispatch", "wait")
    return tuple(part for part in backend.parts if part in known)


def pipelined(backend: Backend, window: int) -> Steps:
    """Return the steps of ``window`` products kept alive, with one fence at the end.

    Each product of a window has an input of its own where they fit, else the inputs take turns within it. All are
    rewritten before the next window.
    """
    parts = [part for part in backend.parts if part != "trace"]
    kept: list[object] = []
    turns: list[int] = []

    def prepare() -> None:
        for index in range(len(backend.inputs)):
            backend.rewrite(index)
        turns[:] = range(backend.turned, backend.turned + window)
        backend.turned += window

    def iterate() -> tuple[int, ...]:
        operands, enqueue = [backend.operands_of(turn) for turn in turns], backend.enqueue
        kept.clear()
        start = perf_counter_ns()
        for inputs, weights in operands:
            kept.append(enqueue(inputs, weights))
        enqueued = perf_counter_ns()
        backend.fence()
        end = perf_counter_ns()
        backend.result = kept[-1]
        compile_ns = backend.read_compiles()
        times = {"compile": compile_ns, "dispatch": max(0, enqueued - start - compile_ns), "wait": end - enqueued}
        return end - start, *(times[part] for part in parts)

    return Steps(prepare, iterate, lambda: tuple(zip(turns, kept, strict=True)))


def whole_and_steps(backend: Backend) -> Steps:
    """Return the steps of one pass through all steps of the work, timed as a whole, and then of each by itself, on the next operands."""
    kept: list[tuple[int, Any]] = []

    def iterate() -> tuple[int, ...]:
        kept.clear()
        whole = backend.iterate()
        kept.append((backend.turned, backend.result))
        backend.turn()
        apart = backend.iterate_steps()
        kept.append((backend.turned, backend.result))
        return *whole, *apart

    return Steps(backend.turn, iterate, lambda: kept)
