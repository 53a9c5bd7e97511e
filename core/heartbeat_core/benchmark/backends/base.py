"""The interface of a backend: a device that computes the product, and the fence that waits for it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar

from heartbeat_core.benchmark.backends import BACKENDS, load
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.errors import HeartbeatError

IMPLIES = (  # the greatest error of a row up to here implies
    (5e-6, "float32"),  # measured: 1.3e-6 at K = 4,096
    (1e-4, "three bfloat16 passes"),
    (2e-3, "TF32"),  # inputs rounded to 11 bits: 3e-4 for one element, five times that at most of a million rows
    (2e-2, "bfloat16"),  # inputs rounded to 8 bits: 2.3e-3 for one element
)
COARSEST = IMPLIES[-1][0]
FLOAT32 = IMPLIES[1][0]  # with room for long sums; bfloat16 errs 30 times as much
TRACE, OPERATORS, HLO = "trace.json", "operators.txt", "hlo.txt"  # the files of a profile


class BackendUnavailable(HeartbeatError):
    """This backend cannot run here."""

    def __init__(self, title: str, cause: str, remedy: str) -> None:
        super().__init__(title, cause, remedy, exit_code=3)


class Backend(ABC):
    """One device. Made by importing its libraries; ``open`` touches the device; ``place`` gives it the operands.

    The inputs take turns, and one row of each is rewritten before it is used again: neither a result that was kept nor
    one of another input is right. The weights stay.
    """

    parts: ClassVar[tuple[str, ...]] = ()  # the columns into which one iteration splits, after its total
    eager: ClassVar[bool] = True  # a product is launched by the call itself, never traced first
    error_bound: float = COARSEST  # what the result check allows; ``open`` sets it by the precision the device claims
    torch: Any
    device: Any
    operands: tuple[Any, Any]  # of the next product: one of ``inputs``, and the weights
    inputs: list[Any]
    host_inputs: list[Any]  # the same numbers on the host
    result: Any = None
    turned = 0

    @abstractmethod
    def open(self, config: BenchmarkConfig) -> dict[str, Any]:
        """Open the device, set threads and precision; return what is known of it.

        Raise BackendUnavailable where the device cannot be used, HeartbeatError where the config cannot be met.
        """

    @abstractmethod
    def iterate(self) -> tuple[int, ...]:
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
        """Read from the device's driver how its memory is filled; None where it does not tell."""
        return None

    def place(self, inputs: list[Any], weights: Any, seed: int) -> None:
        """Bring the operands to the device and wait until they are there; ``seed`` gives the rows rewritten later."""
        self.host_inputs = inputs
        self.inputs = [each.to(self.device) for each in inputs]
        self.weights = weights.to(self.device)
        self.operands = (self.inputs[0], self.weights)
        self.generator = self.torch.Generator().manual_seed(seed)
        self.chance = random.Random(seed)
        self.fence()
        for index in range(len(inputs)):
            self.rewrite(index)  # what compiles for this does so now
        self.read(self.inputs[0])  # and what a first read sets up

    def turn(self) -> int:
        """Take the next input for the next product, one row rewritten; return the number of the input."""
        index = self.turned = (self.turned + 1) % len(self.inputs)
        self.rewrite(index)
        self.operands = (self.inputs[index], self.weights)
        return index

    def rewrite(self, index: int) -> None:
        """Draw a row of an input anew, and wait until the device has it.

        The row is chosen at random, for a product that knew it could compute this row alone; on a lazy device, where each row would
        be a program of its own, it is the last.
        """
        number = self.chance.randrange(len(self.inputs[index])) if self.eager else -1
        row = self.host_inputs[index][number].normal_(generator=self.generator)
        if self.inputs[index] is not self.host_inputs[index]:
            self.write_row(index, number, row)
            self.fence()

    def write_row(self, index: int, number: int, row: Any) -> None:
        """Copy a row of an input from the host to the device."""
        self.inputs[index][number].copy_(row)

    def read(self, result: Any) -> Any:
        """Copy a matrix from the device to the host."""
        return result.cpu()

    def enqueue(self, first: Any) -> Any:
        """Start the product of an input without waiting; return its result."""
        return self.torch.matmul(first, self.weights)

    def step(self) -> None:
        """Run what ends the handbook's loop: ``xm.mark_step()`` on torch_xla, nothing elsewhere."""
        return

    def read_compiles(self) -> int:
        """Return the nanoseconds spent compiling since the last call, 0 where nothing compiles."""
        return 0

    def launched(self) -> int | None:
        """Read the device's own count of products launched, None where nothing counts."""
        return None

    def fenced(self, work: Callable[[Any, Any], Any], first: Any, second: Any) -> int:
        """Time any work on the device, fenced, in nanoseconds."""
        start = perf_counter_ns()
        self.result = work(first, second)
        self.fence()
        return perf_counter_ns() - start

    def profile(self, folder: Path, iterations: int) -> None:
        """Profile some iterations and write what was seen into the folder; raise what the profiler raises."""
        profile_with_torch(self, folder, iterations)


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


def error_bound(config: BenchmarkConfig, *, exact: bool) -> float:
    """Return the error that the result check allows, where float32 is computed ``exact`` or in some coarser way."""
    return FLOAT32 if exact and config.workload.dtype == "float32" else COARSEST


def refuse_precision(config: BenchmarkConfig, allowed: tuple[str, ...], why: str) -> None:
    """Raise HeartbeatError where the backend does not have the precision asked for."""
    if config.precision not in allowed:
        raise HeartbeatError(f"the {config.backend} backend has no precision {config.precision!r}", why, "Use --precision default.")


def profile_with_torch(backend: Backend, folder: Path, iterations: int) -> None:
    """Profile some iterations with torch: a trace in Chrome's format, and a table of the operators."""
    from torch.profiler import profile, supported_activities

    with profile(activities=supported_activities()) as profiler:
        for _ in range(iterations):
            backend.iterate()
    profiler.export_chrome_trace(str(folder / TRACE))
    table = profiler.key_averages().table(row_limit=30)
    (folder / OPERATORS).write_text(f"{iterations} iterations\n{table}")


def load_backend(name: str) -> Backend:
    """Import a backend with its libraries; raise BackendUnavailable where they are missing."""
    backend: Backend = load(BACKENDS[name].implementation)()
    return backend
