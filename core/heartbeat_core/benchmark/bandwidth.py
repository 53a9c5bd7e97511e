"""Workloads that move data and compute little: through the device's memory (stream), and between host and device (transfer)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from heartbeat_core.benchmark.dtypes import TABLE, Dtype, draw
from heartbeat_core.benchmark.workload import CHECK_CHUNK_BYTES, Operands, Step, StepFunction, Workload
from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.benchmark.backends.base import Backend

HostMemory = Literal["pageable", "pinned"]
HOST_MEMORIES: tuple[HostMemory, ...] = get_args(HostMemory)
STREAMED: tuple[Dtype, ...] = ("float32", "bfloat16", "float16")
SCALAR = 3.0  # STREAM's
COLUMNS = 4096
CACHES = 4  # an array is as large as so many caches at least, as STREAM asks for
LARGEST_MIB = 2**17


class Passes(Workload):
    """Passes over arrays of ``mib`` MiB each, whose results are known; each pass has an input of its own.

    Where a device computes at once, the results of a pass are written into two buffers in turn: new memory would cost more than the pass.
    """

    smaller: ClassVar[str] = "--mib"
    one_by_one: ClassVar[bool] = True
    unit: ClassVar[str] = "pass"
    mib: int
    batch: int = 1

    def __post_init__(self) -> None:
        """Raise HeartbeatError where the size makes no sense."""
        if isinstance(self.mib, bool) or not isinstance(self.mib, int) or not 1 <= self.mib <= LARGEST_MIB:
            cause = f"An array has a whole number of MiB from 1 to {LARGEST_MIB:,}."
            raise HeartbeatError(f"mib is {self.mib!r}", cause, "Give --mib 128, or four times the device's cache.")

    @property
    def size(self) -> int:
        """Return the bytes of one array."""
        return self.mib * 2**20

    @property
    def rows(self) -> int:
        return self.size // TABLE[self.dtype].bytes // COLUMNS

    @property
    def brief(self) -> str:
        return f"{self.kind} {self.mib} MiB"

    @property
    def input_bytes(self) -> int:
        return len(self.steps) * self.size

    @property
    def weight_bytes(self) -> int:
        return self.size

    def peak_bytes(self, *, operand_copies: int, results: int, inputs: int, sets: int = 1) -> int:
        """Add to the operands two results of each pass, and chunks of the result check."""
        del results, sets
        return operand_copies * (inputs * self.input_bytes + self.weight_bytes) + 2 * self.input_bytes + 3 * CHECK_CHUNK_BYTES

    def draw(self, torch: Any, inputs: int, sets: int) -> tuple[list[Operands], list[Operands]]:
        def drawn() -> Any:
            return self.allocated(draw(torch, TABLE[self.dtype], self.rows, COLUMNS))

        second = drawn()
        return [tuple(drawn() for _ in self.steps) for _ in range(inputs)], [(second,) * len(self.steps)] * sets

    def allocated(self, array: Any) -> Any:
        """Return the array in the kind of host memory that the work asks for."""
        return array

    @abstractmethod
    def expected(self, device: Backend) -> tuple[StepFunction, ...]:
        """Return for each pass what gives its result in float32, from the rows of its input and of the second array."""


@dataclass(frozen=True)
class Stream(Passes):
    """Copy, scale and triad, as STREAM has them: c = a, b = s·a, d = b + s·a, each array read or written once.

    Source: McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers" (1995). As there, the bytes that a
    processor reads in order to write are not counted.
    """

    kind: ClassVar[str] = "stream"
    mib: int = 128
    dtype: Dtype = "float32"

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a value makes no sense."""
        super().__post_init__()
        if self.dtype not in STREAMED:
            cause = f"torch adds and scales arrays of {', '.join(STREAMED)}."
            raise HeartbeatError(f"a stream in {self.dtype}", cause, "Leave out --dtype: the bytes alone count.")

    @property
    def steps(self) -> tuple[Step, ...]:
        numbers = self.rows * COLUMNS
        return Step("copy", 0, 2 * self.size), Step("scale", numbers, 2 * self.size), Step("triad", 2 * numbers, 3 * self.size)

    def in_cache(self, cache_bytes: int) -> str:
        """Return in a sentence that a cache of so many bytes holds much of the arrays; empty where it cannot."""
        if self.size >= CACHES * cache_bytes:
            return ""
        most = f"{cache_bytes / 2**20:,.0f} MiB"
        return f"arrays of {self.mib} MiB, less than {CACHES} times the cache of {most}: it is measured in part. Give --mib more"

    def named(self, left_out: Collection[str] = ()) -> str:
        size = "" if "mib" in left_out else f" of {self.mib} MiB"
        return f"copy, scale and triad of arrays{size}"

    def functions(self, device: Backend) -> tuple[StepFunction, ...]:
        torch = device.torch
        if not device.eager:  # a lazy device drops a copy; a change of sign moves the same bytes
            return (
                lambda first, _: torch.neg(first),
                lambda first, _: torch.mul(first, SCALAR),
                lambda first, second: torch.add(second, first, alpha=SCALAR),
            )
        return (
            in_turn(lambda first, _, out: out.copy_(first)),
            in_turn(lambda first, _, out: torch.mul(first, SCALAR, out=out)),
            in_turn(lambda first, second, out: torch.add(second, first, alpha=SCALAR, out=out)),
        )

    def expected(self, device: Backend) -> tuple[StepFunction, ...]:
        sign = 1 if device.eager else -1
        return lambda first, _: sign * first, lambda first, _: SCALAR * first, lambda first, second: second + SCALAR * first


@dataclass(frozen=True)
class Transfer(Passes):
    """An array from the host to the device, and another one back."""

    kind: ClassVar[str] = "transfer"
    on_device: ClassVar[bool] = False
    mib: int = 128
    host_memory: HostMemory = "pageable"
    dtype = "float32"  # of no meaning: bytes are moved

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a value makes no sense."""
        super().__post_init__()
        if self.host_memory not in HOST_MEMORIES:
            cause = f"It is {' or '.join(HOST_MEMORIES)}."
            raise HeartbeatError(f"host_memory is {self.host_memory!r}", cause, "Try --host-memory pinned.")

    @property
    def steps(self) -> tuple[Step, ...]:
        return Step("to_device", 0, self.size), Step("to_host", 0, self.size)

    def named(self, left_out: Collection[str] = ()) -> str:
        size = "arrays" if "mib" in left_out else f"{self.mib} MiB"
        return f"{size} to the device and back" + ("" if "host_memory" in left_out else f", {self.host_memory} memory")

    def allocated(self, array: Any) -> Any:
        """Raise HeartbeatError where there is no pinned memory."""
        if self.host_memory == "pageable":
            return array
        try:
            return array.pin_memory()
        except RuntimeError as error:
            cause = str(error).partition("\n")[0]
            raise HeartbeatError("this backend has no pinned memory", cause, "Leave out --host-memory pinned.") from error

    def functions(self, device: Backend) -> tuple[StepFunction, ...]:
        torch, pinned = device.torch, self.host_memory == "pinned"

        def on_host() -> Any:
            return device.host_inputs[device.turned % len(device.host_inputs)][0]

        if not device.eager:
            return lambda _, __: device.upload(on_host()), lambda first, _: first.cpu()
        return (
            in_turn(lambda _, __, out: out.copy_(on_host(), non_blocking=pinned)),
            in_turn(lambda first, _, out: out.copy_(first, non_blocking=pinned), lambda first: self.allocated(torch.empty(first.shape))),
        )

    def expected(self, device: Backend) -> tuple[StepFunction, ...]:
        del device
        return (lambda first, _: first,) * 2


def in_turn(work: Callable[[Any, Any, Any], Any], made: Callable[[Any], Any] = lambda first: first.new_empty(first.shape)) -> StepFunction:
    """Return a function that writes the results of the work into two buffers in turn; ``made`` makes one like the input."""
    buffers: list[Any] = []

    def compute(first: Any, second: Any) -> Any:
        if len(buffers) < 2:
            buffers.append(made(first))
        buffers.reverse()
        return work(first, second, buffers[0])

    return compute
