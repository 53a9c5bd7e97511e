"""The ceiling of this machine: the best that the same backend was seen to do, in about a second.

Compute: a square product, the kindest shape. Memory: the sum over a tensor too large for any cache, read once.
"""

from __future__ import annotations

from time import perf_counter_ns

from heartbeat_core.beat.backends.base import Backend
from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.records import CeilingMeasured
from heartbeat_core.beat.workload import ITEM_BYTES

SQUARE = 2048
STREAM_BYTES = 256 * 2**20
EACH_NS = 600_000_000
LEAST_REPEATS = 3


def calibrate(backend: Backend, plan: Plan, *, at_ns: int) -> CeilingMeasured:
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
