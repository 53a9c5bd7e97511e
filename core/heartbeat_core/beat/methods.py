"""How the clock is read.

synchronized  every product is waited for: latency.
pipelined     a window of products is handed over, then waited for once: throughput.
handbook      the handbook's loop and its two reads of the clock, which wait for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Protocol

from heartbeat_core.beat.backends.base import Backend
from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.recorder import Recorder
from heartbeat_core.beat.records import HandbookClock


class Control(Protocol):
    """The wishes of whoever started the run."""

    attention: bool  # set once something is wanted; read after every beat

    def proceed(self, recorder: Recorder) -> bool:
        """Sit out a pause; tell whether to go on."""


Beat = Callable[[], tuple[int, ...]]


def measure(backend: Backend, plan: Plan, recorder: Recorder, control: Control, tell: Callable[[HandbookClock], None]) -> bool:
    """Beat as the plan says; tell whether it was carried out to its end."""
    if plan.method == "handbook":
        return handbook(backend, plan, recorder, control, tell)
    if plan.method == "pipelined":
        return in_phases(pipelined_beat(backend, plan.window), plan, recorder, control)
    return in_phases(backend.beat, plan, recorder, control)


def in_phases(beat: Beat, plan: Plan, recorder: Recorder, control: Control) -> bool:
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


def parts_of(backend: Backend, plan: Plan) -> tuple[str, ...]:
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


def handbook(backend: Backend, plan: Plan, recorder: Recorder, control: Control, tell: Callable[[HandbookClock], None]) -> bool:
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
