"""torch.accelerator: CUDA, MPS, XPU, and TorchTPU's "tpu" where its plugin is installed."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.backends.base import Backend, BackendUnavailable, import_torch, refuse_precision
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import COARSEST, FLOAT32, TABLE
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.tpu_chips import scan_tpus

CUDA_PRECISION = {"default": "highest", "high": "high", "highest": "highest"}  # of torch.set_float32_matmul_precision


class AcceleratorBackend(Backend):
    """The current accelerator of this torch: a launch returns immediately, ``torch.accelerator.synchronize`` waits."""

    parts = ("dispatch", "wait")

    def __init__(self) -> None:
        self.torch = import_torch()

    def open(self, config: BenchmarkConfig) -> dict[str, Any]:
        torch = self.torch
        if not hasattr(torch, "accelerator") or not torch.accelerator.is_available():
            raise BackendUnavailable(
                "this torch sees no accelerator",
                f"torch {torch.__version__} was asked for CUDA, MPS, XPU and plugins; none is available.",
                "Install a build of torch for your device, or use --backend cpu.",
            )
        self.device = torch.accelerator.current_accelerator()
        self.synchronize = torch.accelerator.synchronize
        kind = self.device.type
        if kind == "cuda":
            torch.set_float32_matmul_precision(CUDA_PRECISION[config.precision])
        else:
            refuse_precision(config, f"torch offers no choice on {kind}.")
        self.error_bound = FLOAT32 if kind == "cuda" and config.precision != "high" else COARSEST
        tpus = scan_tpus() if kind == "tpu" else ()
        return {
            "device": str(self.device),
            "hardware": self.hardware_name(kind),
            "chip": tpus[0].chip.name if tpus and tpus[0].chip else None,
            "cache_bytes": torch.cuda.get_device_properties().L2_cache_size if kind == "cuda" else None,
            "torch": torch.__version__,
            "precision": self.describe_precision(config, kind),
        }

    def hardware_name(self, kind: str) -> str:
        module = getattr(self.torch, kind, None)
        name = getattr(module, "get_device_name", None)
        return str(name()) if name else kind.upper()

    def describe_precision(self, config: BenchmarkConfig, kind: str) -> str:
        if config.workload.dtype != "float32":
            return TABLE[config.workload.dtype].precision
        if kind == "cuda":
            return "float32 in TF32 (high)" if config.precision == "high" else "full float32"
        return "float32, the device's default"

    def device_memory(self) -> int | None:
        if self.device.type == "cuda":
            free, _total = self.torch.cuda.mem_get_info()
            return int(free)
        return None

    def chip_reading(self) -> ChipReading | None:
        if self.device.type != "cuda":
            return None
        free, total = self.torch.cuda.mem_get_info()  # of the whole device, other programs included
        return ChipReading(self.device.index or 0, int(total - free), int(total), None)

    def iterate(self) -> tuple[int, ...]:
        first, second = self.operands
        start = perf_counter_ns()
        self.result = self.compute(first, second)
        dispatched = perf_counter_ns()
        self.synchronize()
        end = perf_counter_ns()
        return end - start, dispatched - start, end - dispatched

    def fence(self) -> None:
        self.synchronize()
