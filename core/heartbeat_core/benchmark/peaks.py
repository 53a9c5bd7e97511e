"""The peaks measured here: the greatest rates of products, memory and transfers, and the time of a call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import TABLE, DtypeInfo, draw, draw_weights
from heartbeat_core.benchmark.host import available_bytes
from heartbeat_core.benchmark.protocol import PeaksMeasured

SIDES = (128, 256, 512, 1024, 2048, 4096, 8192)  # a small product does not fill a large machine
PRODUCTS_S, EACH_S = 3.0, 0.5  # of a calibration
LEAST_REPEATS = 3
LEAST_STREAM_BYTES = 2**30  # caches of 300 MiB exist: less would measure the cache
STREAM_CACHES = 4  # times the last-level cache
QUICK_STREAM_BYTES = 2**27
TRANSFER_BYTES = 2**24
WIDE = 4096  # columns of the matrix of the GEMV


def calibrate(backend: Backend, config: BenchmarkConfig, cache_bytes: int | None) -> PeaksMeasured:
    """Measure the peaks for a dtype: FLOP/s of products, bytes/s of memory."""
    numbers = TABLE[config.workload.dtype]
    streamed = TABLE["float32"] if numbers.eight_bits else numbers  # torch adds and multiplies no vectors of 8 bits
    size = stream_bytes(backend, cache_bytes, LEAST_STREAM_BYTES)
    return PeaksMeasured(0, product_rate(backend, numbers, PRODUCTS_S), memory_rate(backend, streamed, size, EACH_S))


def measure_peaks(backend: Backend, config: BenchmarkConfig, cache_bytes: int | None, seconds: float) -> dict[str, Any]:
    """Measure all peaks in about so many seconds: FLOP/s by dtype, bytes/s of memory and of transfers, nanoseconds of a call."""
    dtypes = [name for name, why in backend.dtypes().items() if not why]
    each = seconds / (len(dtypes) + 5)
    size = stream_bytes(backend, cache_bytes, QUICK_STREAM_BYTES)
    found: dict[str, Any] = {
        "flops_per_s": {name: product_rate(backend, TABLE[name], each) for name in dtypes},
        "bytes_per_s": memory_rate(backend, TABLE["float32"], size, each / 3),
        "call_ns": backend.time_calls(),
    }
    return found if BACKENDS[config.backend].host_only else {**found, **transfer_rates(backend, each)}


def product_rate(backend: Backend, numbers: DtypeInfo, seconds: float) -> float:
    """Return the FLOP/s of the fastest square product, the sides growing as far as the time allows."""
    product, rate, end = backend.product(numbers), 0.0, perf_counter_ns() + int(1e9 * seconds)
    for side in SIDES:
        begun = perf_counter_ns()
        first, second = (made(backend.torch, numbers, side, side).to(backend.device) for made in (draw, draw_weights))
        drawn = perf_counter_ns()
        least = best(backend, product, first, second, 0.0)
        rate = max(rate, 2 * side**3 / least)
        next_ns = 4 * (drawn - begun) + 8 * 1e9 * least * (LEAST_REPEATS + 1)  # a side twice as long
        if perf_counter_ns() + next_ns > end or 12 * side**2 * numbers.bytes > quarter_of_memory(backend):
            break
    return max(rate, 2 * side**3 / best(backend, product, first, second, (end - perf_counter_ns()) / 1e9))


def memory_rate(backend: Backend, numbers: DtypeInfo, size: int, seconds: float) -> float:
    """Return the bytes/s of memory as the best of GEMV, sum and copy, each of them for so many seconds."""
    torch, dtype = backend.torch, getattr(backend.torch, numbers.torch_name)
    count = max(1, size // numbers.bytes // WIDE) * WIDE
    moved = count * numbers.bytes
    stream, vector = (torch.ones(length, dtype=dtype).to(backend.device) for length in (count, WIDE))
    rates = [
        moved / best(backend, torch.mv, stream.view(-1, WIDE), vector, seconds),
        moved / best(backend, lambda values, _: values.sum(), stream, vector, seconds),
    ]
    if backend.eager:  # a lazy device may alias a copy
        half = count // 2
        rates.append(
            2 * half * numbers.bytes
            / best(backend, lambda source, target: target.copy_(source), stream[:half], stream[half : 2 * half], seconds)
        )  # fmt: skip
    return max(rates)


def transfer_rates(backend: Backend, seconds: float) -> dict[str, float]:
    """Return the bytes/s from the host to the device and back, from pinned memory too where the backend has it."""
    host = backend.torch.ones(TRANSFER_BYTES // 4 // WIDE, WIDE)
    kinds = {"": host}
    with contextlib.suppress(RuntimeError):  # which a backend without pinned memory raises
        kinds["_pinned"] = host.pin_memory()
    found = {}
    for kind, array in kinds.items():
        placed, back = backend.upload(array), backend.torch.empty_like(array, pin_memory=bool(kind))
        found[f"to_device{kind}_bytes_per_s"] = TRANSFER_BYTES / best(backend, lambda one, _: backend.upload(one), array, None, seconds)
        found[f"to_host{kind}_bytes_per_s"] = TRANSFER_BYTES / best(backend, lambda one, to: to.copy_(one), placed, back, seconds)
    return found


def quarter_of_memory(backend: Backend) -> int:
    """Return a quarter of the bytes that are free, of host and device the lesser."""
    free = [bound for bound in (backend.device_memory(), available_bytes()) if bound is not None]
    return min((each // (4 * backend.host_copies()) for each in free), default=2**62)


def stream_bytes(backend: Backend, cache_bytes: int | None, least: int) -> int:
    """Return how much memory to stream through: far more than any cache holds, and at most a quarter of what is free."""
    return min(max(least, STREAM_CACHES * (cache_bytes or 0)), quarter_of_memory(backend))


def best(backend: Backend, work: Callable[[Any, Any], Any], first: Any, second: Any, seconds: float) -> float:
    """Return the least time of the work in seconds, of at least three tries and of all within the time given, the first left out."""
    backend.fenced(work, first, second)
    end = perf_counter_ns() + int(1e9 * seconds)
    times: list[int] = []
    while len(times) < LEAST_REPEATS or perf_counter_ns() < end:
        times.append(backend.fenced(work, first, second))
    return max(1, min(times)) / 1e9
