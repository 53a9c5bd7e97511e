"""How the clock is read.

synchronized  every product is waited for: latency.
pipelined     a window of products is handed over, then waited for once: throughput.
handbook      the handbook's loop and its two reads of the clock, which wait for nothing.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from time import perf_counter_ns
from typing import Protocol

from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import ITEM_BYTES, BenchmarkConfig
from heartbeat_core.benchmark.protocol import CeilingMeasured, HandbookClock, Pause, Phase, Samples

FLUSH_NS = 33_000_000
CAPACITY = 8192  # samples; at 1e5 a second a flush holds 3,300


class Recorder:
    """Take the samples of one phase after another; hand them on in batches, outside of the timed interval."""

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
        self.due = perf_counter_ns() + FLUSH_NS

    def begin(self, phase: Phase) -> None:
        """Start a phase; what the last one left is handed on."""
        self.flush()
        self.phase = phase

    def add(self, row: tuple[int, ...]) -> None:
        """Take one sample, nanoseconds: the total and then the parts."""
        self.pack_into(self.buffer, self.offset, *row)
        self.offset += self.row_bytes
        if perf_counter_ns() >= self.due or self.offset == len(self.buffer):
            self.flush()

    def paused(self, start_ns: int) -> None:
        """Note a pause that began at ``start_ns`` on the performance counter and is over now."""
        self.emit(Pause(self.now(), self.taken, perf_counter_ns() - start_ns))

    @property
    def taken(self) -> int:
        return self.start + self.offset // self.row_bytes

    def flush(self) -> None:
        """Hand on what is there."""
        if self.offset:
            width = len(self.names)
            rows = self.view[: self.offset // 8]
            columns = {name: array("q", rows[i::width].tobytes()) for i, name in enumerate(self.names)}
            samples = Samples(self.now(), self.phase, self.start, columns)
            self.start, self.offset = self.taken, 0
            self.emit(samples)
        self.due = perf_counter_ns() + FLUSH_NS


class Control(Protocol):
    """The wishes of whoever started the run."""

    attention: bool  # set once something is wanted; read after every beat

    def proceed(self, recorder: Recorder) -> bool:
        """Sit out a pause; tell whether to go on."""


Beat = Callable[[], tuple[int, ...]]


def measure(backend: Backend, plan: BenchmarkConfig, recorder: Recorder, control: Control, tell: Callable[[HandbookClock], None]) -> bool:
    """Beat as the plan says; tell whether it was carried out to its end."""
    if plan.method == "handbook":
        return handbook(backend, plan, recorder, control, tell)
    if plan.method == "pipelined":
        return in_phases(pipelined_beat(backend, plan.window), plan, recorder, control)
    return in_phases(backend.beat, plan, recorder, control)


def in_phases(beat: Beat, plan: BenchmarkConfig, recorder: Recorder, control: Control) -> bool:
    """Run the cold beat, the rest of the warm-up, then the steady phase until its end."""
    warmup = -(-plan.warmup // plan.products_per_sample)
    wanted = plan.samples_wanted
    recorder.begin("cold")
    if not repeat(beat, 1, None, recorder, control):
        return False
    recorder.begin("warm-up")
    if warmup > 1 and not repeat(beat, warmup - 1, None, recorder, control):
        return False
    recorder.begin("steady")
    if wanted is not None and warmup == 0:
        wanted -= 1  # without a warm-up the cold beat is one of those asked for
    deadline = None if plan.duration_s is None else perf_counter_ns() + int(plan.duration_s * 1e9)
    return repeat(beat, wanted, deadline, recorder, control)


def repeat(beat: Beat, count: int | None, deadline: int | None, recorder: Recorder, control: Control) -> bool:
    """Beat ``count`` times, or until the deadline; tell whether it came so far."""
    add, done = recorder.add, 0
    while done != count:
        add(beat())
        done += 1
        if control.attention:
            asked = perf_counter_ns()
            if not control.proceed(recorder):
                return False
            if deadline is not None:
                deadline += perf_counter_ns() - asked  # a pause is no part of the duration
        if deadline is not None and perf_counter_ns() >= deadline:
            break
    return True


def parts_of(backend: Backend, plan: BenchmarkConfig) -> tuple[str, ...]:
    """Name the parts that this method can tell apart: with one fence for many products, fewer."""
    if plan.method == "synchronized":
        return backend.parts
    told = ("compile",) if plan.method == "handbook" else ("compile", "dispatch", "wait")
    return tuple(part for part in backend.parts if part in told)


def pipelined_beat(backend: Backend, window: int) -> Beat:
    """Make a beat of ``window`` products kept alive, with one fence at the end."""
    parts = [part for part in backend.parts if part != "trace"]
    kept: list[object] = []

    def beat() -> tuple[int, ...]:
        kept.clear()
        start = perf_counter_ns()
        for _ in range(window):
            kept.append(backend.enqueue())  # noqa: PERF401 - a comprehension would free the last window inside the timed interval
        enqueued = perf_counter_ns()
        backend.fence()
        end = perf_counter_ns()
        backend.result = kept[-1]
        compile_ns = backend.read_compiles()
        told = {"compile": compile_ns, "dispatch": max(0, enqueued - start - compile_ns), "wait": end - enqueued}
        return end - start, *(told[part] for part in parts)

    return beat


def handbook(backend: Backend, plan: BenchmarkConfig, recorder: Recorder, control: Control, tell: Callable[[HandbookClock], None]) -> bool:
    """Reproduce the handbook's two listings (section 1.6): with ``warmup`` 0 the first, with 5 the second.

    Only the fence that follows each reading is ours; the counters are read after it, outside of the timed interval.
    """
    products = plan.iterations or 1
    matmul, step = backend.torch.matmul, backend.step
    input_tensor, weight_matrix = backend.operands
    for _ in range(plan.warmup):
        _ = matmul(input_tensor, weight_matrix)
    if plan.warmup:
        step()
        backend.fence()
    backend.read_compiles()
    recorder.begin("steady" if plan.warmup else "cold")
    for _reading in range(plan.repeats):
        before = backend.executed()
        start_time = perf_counter_ns()
        for _ in range(products):
            output_tensor = matmul(input_tensor, weight_matrix)
        step()
        end_time = perf_counter_ns()
        backend.fence()
        fenced = perf_counter_ns()
        backend.fence()
        idle = perf_counter_ns()
        after = backend.executed()
        launched = products if before is None or after is None else after - before
        backend.result = output_tensor
        compile_ns = backend.read_compiles()
        recorder.add((end_time - start_time,) if backend.eager else (end_time - start_time, compile_ns))
        recorder.flush()
        recorder.begin("steady")
        tell(HandbookClock(recorder.now(), products, end_time - start_time, launched, fenced - end_time, idle - fenced))
        if control.attention and not control.proceed(recorder):
            return False
    return True


SQUARE = 2048
STREAM_BYTES = 256 * 2**20
EACH_NS = 600_000_000
LEAST_REPEATS = 3


def calibrate(backend: Backend, plan: BenchmarkConfig, *, at_ns: int) -> CeilingMeasured:
    """Measure FLOP/s and bytes/s, each the best of what fits into 0.6 s, with at least three tries."""
    torch, dtype = backend.torch, plan.workload.dtype
    square = torch.randn(SQUARE, SQUARE).to(getattr(torch, dtype)).to(backend.device)
    flops = 2 * SQUARE**3 / best(backend, torch.matmul, square)
    stream = torch.ones(STREAM_BYTES // ITEM_BYTES[dtype], dtype=getattr(torch, dtype)).to(backend.device)
    moved = STREAM_BYTES / best(backend, lambda one, _two: one.sum(), stream)
    return CeilingMeasured(at_ns, flops, moved)


def best(backend: Backend, work: object, operand: object) -> float:
    """Return the least seconds of the work, the first try left out."""
    backend.fenced(work, operand, operand)  # type: ignore[arg-type]
    end = perf_counter_ns() + EACH_NS
    times: list[int] = []
    while len(times) < LEAST_REPEATS or perf_counter_ns() < end:
        times.append(backend.fenced(work, operand, operand))  # type: ignore[arg-type]
    return min(times) / 1e9
