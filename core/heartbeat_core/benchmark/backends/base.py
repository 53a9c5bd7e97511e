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
from heartbeat_core.benchmark.dtypes import COARSEST, DTYPES, TABLE, DtypeInfo, draw, draw_weights, product_of, redraw, side
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.workload import Operands, Product, StepFunction
from heartbeat_core.errors import HeartbeatError

CALLS = 111  # of a 2×2 product, the first tenth left out
TRACE, OPERATORS, HLO = "trace.json", "operators.txt", "hlo.txt"  # the files of a profile


class BackendUnavailable(HeartbeatError):
    """This backend cannot run here."""

    def __init__(self, title: str, cause: str, remedy: str) -> None:
        super().__init__(title, cause, remedy, exit_code=3)


class Backend(ABC):
    """One device. Made by importing its libraries; ``open`` touches the device; ``place`` gives it the operands.

    The inputs take turns, and one row of each is rewritten before it is used again: neither a result that was kept nor
    one of another input is right. The weights stay as they are; where there are several sets of them they take turns too.
    """

    parts: ClassVar[tuple[str, ...]] = ()  # the columns into which one iteration splits, after its total
    eager: ClassVar[bool] = True  # a product is launched by the call itself, never traced first
    error_bound: float = COARSEST  # of float32 products, in the result check; ``open`` sets it by the precision the device claims
    torch: Any
    device: Any
    compute: StepFunction  # the work, from its operands to its result
    functions: tuple[StepFunction, ...]  # the same, step by step
    operands: tuple[Any, Any]  # of the next iteration: inputs and weights, a tensor each, or a tuple of one for each step
    inputs: list[Operands]
    weights: list[Operands]  # sets of them, which take turns
    host_inputs: list[Operands]  # the same numbers on the host
    result: Any = None  # a tensor, or a tuple of one for each step
    turned = 0  # turns since the beginning: the number of the operands

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

    def product(self, info: DtypeInfo) -> StepFunction:
        """Return the device's product of two matrices of a dtype."""
        return product_of(self.torch, info, self.device)

    def upload(self, array: Any) -> Any:
        """Bring an array of the host to the device."""
        return array.to(self.device)

    def ensure_products(self, config: BenchmarkConfig) -> None:
        """Raise HeartbeatError where the device has no product of the dtype; float32 and bfloat16 are everywhere."""
        for each in config.workload.steps:
            if not isinstance(each, Product) or each.dtype in ("float32", "bfloat16"):
                continue
            if why := self.refusal(each.numbers, each.rows, each.inner, each.columns):
                shape = f"[{each.rows}×{each.inner}]·[{each.inner}×{each.columns}]"
                remedy = "Use --dtype bfloat16; `heartbeat-tui devices` shows the dtypes of each backend."
                raise HeartbeatError(f"the {config.backend} backend cannot multiply {shape} in {each.dtype}", why, remedy)

    def refusal(self, info: DtypeInfo, rows: int = 32, inner: int = 32, columns: int = 32) -> str:
        """Compute a small product of a dtype; return why the device cannot, empty where it can.

        Raise nothing: libraries refuse a dtype by errors of many types.
        """
        torch, inner = self.torch, side(inner)
        try:
            first, second = draw(torch, info, side(rows), inner), draw_weights(torch, info, inner, side(columns))
            result = self.product(info)(first.to(self.device), second.to(self.device))
            self.fence()
        except Exception as error:  # noqa: BLE001 - the reason is what is asked for
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        wanted = getattr(torch, info.result)
        return "" if result.dtype == wanted else f"The result is {result.dtype}, not {wanted}."

    def dtypes(self) -> dict[str, str]:
        """Return why each dtype cannot be used, empty for those that can."""
        return {name: self.refusal(TABLE[name]) for name in DTYPES}

    def host_copies(self) -> int:
        """Count the copies of the operands that stand in the host's memory."""
        return 1

    def device_memory(self) -> int | None:
        """Return the device's own free memory in bytes, None where it is the host's or unknown."""
        return None

    def chip_reading(self) -> ChipReading | None:
        """Read from the device's driver how its memory is filled; None where it does not tell."""
        return None

    def place(self, inputs: list[Operands], weights: list[Operands], functions: tuple[StepFunction, ...], seed: int) -> None:
        """Bring the operands to the device and wait until they are there; ``seed`` gives the rows rewritten later."""
        self.functions, self.compute = functions, functions[0] if len(functions) == 1 else self.compute_steps
        self.host_inputs = inputs
        self.inputs = [tuple(each.to(self.device) for each in one) for one in inputs]
        self.weights = [tuple(each.to(self.device) for each in one) for one in weights]
        self.operands = self.operands_of(0)
        self.generator = self.torch.Generator().manual_seed(seed)
        self.chance = random.Random(seed)
        self.fence()
        for index in range(len(inputs)):
            self.rewrite(index)  # what compiles for this does so now
        self.read(self.inputs[0])  # and what a first read sets up

    def compute_steps(self, inputs: Operands, weights: Operands) -> Operands:
        """Compute all steps of the work, one after the other, without a wait between them."""
        return tuple([function(first, second) for function, first, second in zip(self.functions, inputs, weights, strict=True)])

    def operands_of(self, turn: int) -> tuple[Any, Any]:
        inputs, weights = self.inputs[turn % len(self.inputs)], self.weights[turn % len(self.weights)]
        return (inputs[0], weights[0]) if len(inputs) == 1 else (inputs, weights)

    def turn(self) -> int:
        """Take the next operands for the next iteration, a row of each input rewritten; return the number of the turn."""
        self.turned += 1
        self.rewrite(self.turned % len(self.inputs))
        self.operands = self.operands_of(self.turned)
        return self.turned

    def rewrite(self, index: int) -> None:
        """Draw a row of an input anew, for each step, and wait until the device has it.

        The row is chosen at random, for a product that knew it could compute this row alone; on a lazy device, where each row would
        be a program of its own, it is the last.
        """
        for placed, host in zip(self.inputs[index], self.host_inputs[index], strict=True):
            rows = host.flatten(0, -2)
            number = self.chance.randrange(len(rows)) if self.eager else -1
            row = redraw(self.torch, rows[number], self.generator)
            if placed is not host:
                self.write_row(placed.flatten(0, -2), number, row)
        if placed is not host:
            self.fence()

    def write_row(self, rows: Any, number: int, row: Any) -> None:
        """Copy a row from the host into a matrix of the device."""
        rows[number].copy_(row)

    def iterate_steps(self) -> tuple[int, ...]:
        """Compute each step of the next operands by itself and wait for it; return the nanoseconds of each."""
        times, results = [], []
        for function, first, second in zip(self.functions, *self.operands, strict=True):
            times.append(self.fenced(function, first, second))
            results.append(self.result)
        self.result = tuple(results)
        self.read_compiles()  # of the first time; they are no part of the next iteration
        return tuple(times)

    def bound(self, dtype: str) -> float:
        """Return the error of a row that the result check allows."""
        return self.error_bound if dtype == "float32" else TABLE[dtype].bound

    def read(self, result: Any) -> Any:
        """Copy a result from the device to the host, of several steps each."""
        return tuple(each.cpu() for each in result) if isinstance(result, tuple) else result.cpu()

    def enqueue(self, inputs: Any, weights: Any) -> Any:
        """Start the work on its operands without waiting; return its result."""
        return self.compute(inputs, weights)

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

    def time_calls(self) -> int:
        """Return the median time of a 2×2 product that is waited for, in nanoseconds."""
        small = self.torch.ones(2, 2).to(self.device)
        times = [self.fenced(self.torch.matmul, small, small) for _ in range(CALLS)]
        return sorted(times[CALLS // 10 :])[(CALLS - CALLS // 10) // 2]

    def profile(self, folder: Path, iterations: int) -> None:
        """Profile some iterations, a trace in Chrome's format and a table of the operators; raise what the profiler raises."""
        from torch.profiler import profile, supported_activities

        with profile(activities=supported_activities()) as profiler:
            for _ in range(iterations):
                self.iterate()
        profiler.export_chrome_trace(str(folder / TRACE))
        table = profiler.key_averages().table(row_limit=30)
        (folder / OPERATORS).write_text(f"{iterations} iterations\n{table}")


def import_torch() -> Any:
    """Import torch; raise BackendUnavailable where it is missing or broken."""
    remedy = "Install it: pip install torch (see the README for a CPU build)."
    try:
        import torch
    except (ImportError, OSError) as error:  # the latter from a shared library that it loads by itself
        missing = isinstance(error, ImportError) and error.name == "torch"
        title = "torch is not installed for this Python" if missing else "torch is installed for this Python and cannot be imported"
        raise BackendUnavailable(title, str(error), remedy) from error
    return torch


def refuse_precision(config: BenchmarkConfig, why: str) -> None:
    """Raise HeartbeatError where another precision than the default is asked for."""
    if config.precision != "default":
        raise HeartbeatError(f"the {config.backend} backend has no precision {config.precision!r}", why, "Use --precision default.")


def load_backend(name: str) -> Backend:
    """Import a backend with its libraries; raise BackendUnavailable where they are missing."""
    backend: Backend = load(BACKENDS[name].implementation)()
    return backend
