"""What a backend is: a place where the product can be computed and a way to wait for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.verification import COARSEST, FLOAT32
from heartbeat_core.errors import HeartbeatError

TRACE, OPERATORS, HLO = "trace.json", "operators.txt", "hlo.txt"  # the files of a profile


class BackendUnavailable(HeartbeatError):
    """This backend cannot run here."""

    def __init__(self, title: str, cause: str, remedy: str) -> None:
        super().__init__(title, cause, remedy, exit_code=3)


class Backend(ABC):
    """One device. Made by importing its libraries; ``open`` touches the device; ``place`` gives it the operands."""

    parts: ClassVar[tuple[str, ...]] = ()  # the columns into which one beat splits, after its total
    eager: ClassVar[bool] = True  # a product is launched by the call itself, never traced first
    error_bound: float = COARSEST  # what the proof allows; ``open`` sets it by the precision the device claims
    torch: Any
    device: Any
    operands: tuple[Any, Any]
    result: Any = None

    @abstractmethod
    def open(self, plan: BenchmarkConfig) -> dict[str, Any]:
        """Take hold of the device, set threads and precision; return what is known of it.

        Raises BackendUnavailable where the device cannot be used, HeartbeatError where the plan cannot be met.
        """

    @abstractmethod
    def beat(self) -> tuple[int, ...]:
        """Compute one product and wait for it; return nanoseconds: the total, then each of ``parts``."""

    @abstractmethod
    def fence(self) -> None:
        """Return when the device has nothing left to do."""

    def host_copies(self) -> int:
        """Count the copies of the operands that stand in the host's memory."""
        return 1

    def device_memory(self) -> int | None:
        """Return the device's own free memory in bytes, None where it is the host's or unknown."""
        return None

    def chip_reading(self) -> ChipReading | None:
        """Ask the device's own driver how its memory is filled; None where nobody tells a process that of its device."""
        return None

    def place(self, first: Any, second: Any) -> None:
        """Bring both operands to the device and wait until they are there."""
        self.operands = (first.to(self.device), second.to(self.device))
        self.fence()

    def enqueue(self) -> Any:
        """Hand one product to the device without waiting; return its result."""
        return self.torch.matmul(*self.operands)

    def step(self) -> None:
        """Do what ends the handbook's loop: ``xm.mark_step()`` on torch_xla, nothing elsewhere."""
        return

    def read_compiles(self) -> int:
        """Return the nanoseconds spent compiling since the last call, 0 where nothing compiles."""
        return 0

    def executed(self) -> int | None:
        """Read the device's own count of executed products, None where nothing counts."""
        return None

    def fenced(self, work: Callable[[Any, Any], Any], first: Any, second: Any) -> int:
        """Time any work on the device, fenced, in nanoseconds."""
        start = perf_counter_ns()
        self.result = work(first, second)
        self.fence()
        return perf_counter_ns() - start

    def profile(self, folder: Path, beats: int) -> None:
        """Let a profiler watch some beats and write what it saw into the folder; raise whatever the profiler raises."""
        profile_with_torch(self, folder, beats)

    def row(self, index: int) -> Any:
        """Copy one row of the last result to the host, in float64."""
        return self.result[index].cpu().double()


def import_torch() -> Any:
    """Import torch; raise BackendUnavailable where it is missing or broken."""
    remedy = "Install it: pip install torch (see the README for a CPU build)."
    try:
        import torch
    except ImportError as error:
        missing = error.name == "torch"
        title = "torch is not installed for this Python" if missing else "torch is installed for this Python and cannot be imported"
        raise BackendUnavailable(title, str(error), remedy) from error
    except OSError as error:  # a shared library it loads by itself
        raise BackendUnavailable("torch is installed for this Python and cannot be imported", str(error), remedy) from error
    return torch


def error_bound(plan: BenchmarkConfig, *, exact: bool) -> float:
    """Give the error that the proof may find, where float32 is computed ``exact`` or in some coarser way."""
    return FLOAT32 if exact and plan.workload.dtype == "float32" else COARSEST


def refuse_precision(plan: BenchmarkConfig, allowed: tuple[str, ...], why: str) -> None:
    """Raise HeartbeatError where the backend does not have the precision asked for."""
    if plan.precision not in allowed:
        raise HeartbeatError(f"the {plan.backend} backend has no precision {plan.precision!r}", why, "Use --precision default.")


def profile_with_torch(backend: Backend, folder: Path, beats: int) -> None:
    """Let torch's own profiler watch some beats: a trace in Chrome's format, and a table of the operators."""
    from torch.profiler import profile, supported_activities

    with profile(activities=supported_activities()) as profiler:
        for _ in range(beats):
            backend.beat()
    profiler.export_chrome_trace(str(folder / TRACE))
    table = profiler.key_averages().table(row_limit=30)
    (folder / OPERATORS).write_text(f"{beats} beats\n{table}")
