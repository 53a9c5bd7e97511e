"""torch on the CPU: the call returns when the product is done."""

from __future__ import annotations

import os
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.backends.base import Backend, import_torch, refuse_precision
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import FLOAT32, TABLE
from heartbeat_core.benchmark.host import cache_bytes, cpu_quota

LARGEST_HEAP_BLOCK = 31 * 2**20  # bytes; glibc maps larger ones anew each time, whatever was freed before


class CpuBackend(Backend):
    """The host's own processor."""

    def __init__(self) -> None:
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")  # plugins for other devices cost seconds
        self.torch = import_torch()

    def open(self, config: BenchmarkConfig) -> dict[str, Any]:
        refuse_precision(config, "The CPU computes each dtype in full.")
        if config.threads is not None:
            self.torch.set_num_threads(config.threads)
        elif (quota := cpu_quota()) is not None and quota < self.torch.get_num_threads():
            self.torch.set_num_threads(max(1, int(quota)))  # more would be kept waiting by the control group
        steady_heap()
        self.error_bound = FLOAT32
        self.device = self.torch.device("cpu")
        return {
            "device": "cpu",
            "torch": self.torch.__version__,
            "threads": self.torch.get_num_threads(),
            "precision": TABLE[config.workload.dtype].precision,
            "cache_bytes": cache_bytes(),
        }

    def iterate(self) -> tuple[int, ...]:
        first, second = self.operands
        start = perf_counter_ns()
        self.result = self.compute(first, second)
        return (perf_counter_ns() - start,)

    def fence(self) -> None:
        return


def steady_heap() -> None:
    """Let glibc keep the memory of freed results, as it does for the bare loop more often than not.

    It learns from the largest block it has seen freed. Without that it depends on chance, the heap's layout, whether each
    result's pages go back to the kernel and come anew with the next: 5 % of a 7 ms product.
    """
    bytes(LARGEST_HEAP_BLOCK)
