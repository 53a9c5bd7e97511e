"""torch_xla 2.9: a TPU through PJRT, or the CPU as a rehearsal.

The fence is ``torch_xla.sync()`` and then ``xm.wait_device_ops()``: neither ``mark_step`` nor ``sync(wait=True)`` waits
for the device. Nothing here has been run on TPU hardware yet.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.backends.base import HLO, Backend, BackendUnavailable, import_torch, refuse_precision
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import COARSEST, FLOAT32, TABLE, DtypeInfo
from heartbeat_core.benchmark.host import cache_bytes
from heartbeat_core.benchmark.tpu_chips import PASSES, hidden_bus, hidden_tpus, scan_tpus
from heartbeat_core.benchmark.workload import Operands, StepFunction

INSTALL = "Install the pinned pair: heartbeat-tui backend install xla"
BF16_FLAGS = ("XLA_USE_BF16", "XLA_DOWNCAST_BF16")


class XlaBackend(Backend):
    """The device that PJRT shows: chosen by PJRT_DEVICE, else the TPU where the PCI bus has one, else the CPU."""

    parts = ("trace", "compile", "dispatch", "wait")
    eager = False

    def __init__(self) -> None:
        self.tpus = scan_tpus()
        if not self.tpus and "PJRT_DEVICE" not in os.environ and (files := hidden_tpus()):
            raise BackendUnavailable(*hidden_bus(files))  # without the bus torch_xla would take the CPU
        choose_device(bool(self.tpus))
        self.torch = import_torch()
        # checked before the import, which fails on a wrong pair with a symbol that says nothing
        if installed := installed_version("torch_xla"):
            ensure_pair(self.torch.__version__, installed)
        try:
            import torch_xla
            import torch_xla.core.xla_model as xm
            from torch_xla.debug import metrics
        except ImportError as error:
            title = "is installed for this Python and cannot be imported" if installed else "is not installed for this Python"
            raise BackendUnavailable(f"torch_xla {title}", str(error), INSTALL) from error
        self.torch_xla, self.xm, self.metrics = torch_xla, xm, metrics
        self.sync, self.wait = torch_xla.sync, xm.wait_device_ops
        self.compiled = self.compile_ns = self.rewrites = 0

    def open(self, config: BenchmarkConfig) -> dict[str, Any]:
        ensure_pair(self.torch.__version__, self.torch_xla.__version__)
        try:
            self.device = self.torch_xla.device()
            self.hardware = str(self.xm.xla_device_hw(self.device))
        except (RuntimeError, OSError) as error:
            raise BackendUnavailable(
                f"torch_xla cannot use PJRT_DEVICE={os.environ['PJRT_DEVICE']}",
                str(error).splitlines()[0],
                "Run `heartbeat-tui devices`, or unset PJRT_DEVICE to let the machine decide.",
            ) from error
        on_tpu = self.hardware == "TPU"
        if not on_tpu:
            refuse_precision(config, "On the CPU torch_xla computes full float32; 3 and 6 passes are the TPU's.")
        if on_tpu and config.precision != "default":
            self.torch_xla.backends.set_mat_mul_precision(config.precision)
        self.metrics.clear_metrics()
        self.error_bound = FLOAT32 if not bf16_forced() and not (on_tpu and config.precision == "default") else COARSEST
        return {
            "device": str(self.device),
            "hardware": self.hardware,
            "chip": self.tpus[0].chip.name if on_tpu and self.tpus and self.tpus[0].chip else None,
            "rehearsal": not on_tpu,
            "torch": self.torch.__version__,
            "torch_xla": self.torch_xla.__version__,
            "libtpu": installed_version("libtpu"),
            "pjrt_device": os.environ["PJRT_DEVICE"],
            "precision": describe_precision(config, on_tpu),
            "cache_bytes": None if on_tpu else cache_bytes(),
            **{name: os.environ[name] for name in bf16_forced()},
        }

    def product(self, info: DtypeInfo) -> StepFunction:
        """Return XLA's own product where torch's would not be XLA's.

        torch_xla 2.9 computes ``torch._int_mm`` and ``torch._scaled_mm`` on the host. Its float16 is 100 times as slow on the CPU
        as sums in float32, and as coarse as bfloat16 (measured, 2026-11-30).
        """
        if info.name in ("float32", "bfloat16"):
            return super().product(info)
        dot, torch = self.torch_xla._XLAC._xla_dot_general, self.torch  # noqa: SLF001 - nothing public gives it
        sums, result = torch.int32 if info.name == "int8" else torch.float32, getattr(torch, info.result)
        none: list[int] = []
        dimensions = {2: (([1], [0]), (none, none)), 3: (([2], [1]), ([0], [0]))}
        return lambda first, second: dot(first, second, dimensions[first.dim()], None, sums).to(result)

    def upload(self, array: Any) -> Any:
        return self.xm.send_cpu_data_to_device([array], self.device)[0]

    def host_copies(self) -> int:
        return 1 if self.hardware == "TPU" else 2

    def place(self, inputs: list[Operands], weights: list[Operands], functions: tuple[StepFunction, ...], seed: int) -> None:
        super().place(inputs, weights, functions, seed)
        self.read_compiles()

    def rewrite(self, index: int) -> None:
        """Rewrite rows by a program of its own, launched before the product's; which rows is part of the program."""
        super().rewrite(index)
        self.rewrites += 1

    def write_row(self, rows: Any, number: int, row: Any) -> None:
        rows[number] = row.to(self.device)

    def iterate(self) -> tuple[int, ...]:
        first, second = self.operands
        start = perf_counter_ns()
        self.result = self.compute(first, second)
        traced = perf_counter_ns()
        self.sync()
        dispatched = perf_counter_ns()
        self.wait()
        end = perf_counter_ns()
        compile_ns = self.read_compiles()
        return end - start, traced - start, compile_ns, max(0, dispatched - traced - compile_ns), end - dispatched

    def read_compiles(self) -> int:
        """Return the nanoseconds spent compiling since the last call; a counter says whether there were any."""
        compiled = self.metrics.counter_value("UncachedCompile") or 0
        if compiled == self.compiled:
            return 0
        before, self.compiled = self.compile_ns, compiled
        data = self.metrics.metric_data("CompileTime")
        self.compile_ns = int(data[1]) if data else 0
        return self.compile_ns - before

    def profile(self, folder: Path, iterations: int) -> None:
        """Write the HLO of one iteration, then what torch_xla's profiler sees of some."""
        from torch_xla.debug import profiler

        result = self.compute(*self.operands)
        (folder / HLO).write_text(self.torch_xla._XLAC._get_xla_tensors_hlo(list(result) if isinstance(result, tuple) else [result]))  # noqa: SLF001  # nothing public gives it
        self.fence()
        profiler.start_trace(str(folder))
        try:
            for _ in range(iterations):
                self.iterate()
        finally:
            profiler.stop_trace()

    def enqueue(self, inputs: Any, weights: Any) -> Any:
        result = self.compute(inputs, weights)
        self.sync()
        return result

    def step(self) -> None:
        self.sync()  # what xm.mark_step() is since 2.9, less its deprecation warning

    def fence(self) -> None:
        self.sync()
        self.wait()

    def launched(self) -> int | None:
        count = self.metrics.counter_value("ExecuteComputation")
        return int(count or 0) - self.rewrites


def choose_device(has_tpu: bool) -> None:
    """Set PJRT_DEVICE before torch_xla is imported; raise BackendUnavailable for a TPU that is not there.

    libtpu without a chip blocks for 639 s with the interpreter's lock held, so it is not loaded without one.
    """
    wanted = os.environ.setdefault("PJRT_DEVICE", "TPU" if has_tpu else "CPU")
    if wanted == "TPU" and not has_tpu:
        raise BackendUnavailable(
            "there is no TPU on this machine",
            "PJRT_DEVICE=TPU, and the PCI bus shows no TPU chip.",
            "Unset PJRT_DEVICE for a rehearsal on the CPU, or run on a TPU VM.",
        )
    if not has_tpu:
        os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")


def installed_version(package: str) -> str | None:
    """Read a version from the package's metadata, None where there is none; importing libtpu would look for a TPU."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def bf16_forced() -> list[str]:
    """List the variables that have float32 computed in bfloat16: set, and not to "off"."""
    return [name for name in BF16_FLAGS if os.environ.get(name, "0").lower() not in ("", "0", "false")]


def ensure_pair(torch_version: str, xla_version: str) -> None:
    """Raise BackendUnavailable where torch and torch_xla are not of one minor release: their binaries would not match."""
    if torch_version.split(".")[:2] != xla_version.split(".")[:2]:
        raise BackendUnavailable(
            f"torch {torch_version} does not match torch_xla {xla_version}",
            "torch_xla is built against the torch of the same minor release and does not say so to pip.",
            INSTALL,
        )


def describe_precision(config: BenchmarkConfig, on_tpu: bool) -> str:
    if config.workload.dtype != "float32":
        return TABLE[config.workload.dtype].precision
    if forced := bf16_forced():
        return f"float32 turned into bfloat16 by {forced[0]}"
    if not on_tpu:
        return "full float32"
    passes = PASSES[config.precision]
    return f"float32 in {passes} bfloat16 pass{'es' if passes > 1 else ''} ({config.precision})"
