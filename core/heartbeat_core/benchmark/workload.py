"""What one iteration computes: one product, or several steps that are timed together and each by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from heartbeat_core.benchmark.dtypes import DTYPES, TABLE, Dtype, DtypeInfo, draw, draw_weights
from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.benchmark.backends.base import Backend

LARGEST_DIMENSION = 2**20
CHECK_CHUNK_BYTES = 32 * 2**20  # of a matrix in float64, held at a time by the result check

Operands = tuple[Any, ...]  # a tensor for each step
StepFunction = Callable[[Any, Any], Any]  # from an input and weights to a result


@dataclass(frozen=True)
class Step:
    """A part of the work that can be timed by itself; ``bytes`` must move at least."""

    name: str
    flops: int
    bytes: int


@dataclass(frozen=True)
class Product:
    """One product, ``groups`` times [rows, inner] x [inner, columns], each group with matrices of its own.

    ``per_sequence`` is set where the right operand belongs to the sequences (a KV cache) and not to the model.
    """

    name: str
    rows: int
    inner: int
    columns: int
    dtype: Dtype
    groups: int = 1
    per_sequence: bool = False

    @property
    def numbers(self) -> DtypeInfo:
        """Return what is known of the dtype."""
        return TABLE[self.dtype]

    @property
    def flops(self) -> int:
        """Count operations: a multiplication and an addition for each of rows*inner*columns."""
        return 2 * self.groups * self.rows * self.inner * self.columns

    @property
    def left_bytes(self) -> int:
        return prod(self.left) * self.numbers.bytes

    @property
    def right_bytes(self) -> int:
        return prod(self.right) * self.numbers.bytes

    @property
    def result_bytes(self) -> int:
        return self.groups * self.rows * self.columns * self.numbers.result_bytes

    @property
    def bytes(self) -> int:
        """Count the bytes that must move at least: both operands read once, the result written once."""
        return self.left_bytes + self.right_bytes + self.result_bytes

    @property
    def left(self) -> tuple[int, ...]:
        """Return the shape of the left operand; one group has no dimension of its own."""
        return (self.rows, self.inner) if self.groups == 1 else (self.groups, self.rows, self.inner)

    @property
    def right(self) -> tuple[int, ...]:
        return (self.inner, self.columns) if self.groups == 1 else (self.groups, self.inner, self.columns)


class Workload(ABC):
    """What one iteration of a run computes, of one dtype for ``batch`` rows or sequences.

    A subclass is a frozen dataclass of what people choose; ``kind`` names it in JSON.
    """

    kind: ClassVar[str]
    smaller: ClassVar[str]  # the flags that make it smaller
    unit: ClassVar[str] = "product"  # what a step is called
    on_device: ClassVar[bool] = True  # it stays on the device, whose peaks bound it
    one_by_one: ClassVar[bool] = False  # each iteration must be done before the next, which writes over its results
    dtype: Dtype
    batch: int

    @property
    @abstractmethod
    def steps(self) -> tuple[Step | Product, ...]:
        """Return what is computed, in order."""

    @abstractmethod
    def named(self, left_out: Collection[str] = ()) -> str:
        """Name the work in a few words, without its dtype and without the values of the fields left out."""

    @property
    @abstractmethod
    def brief(self) -> str:
        """Name the work as shortly as a table needs."""

    @property
    @abstractmethod
    def input_bytes(self) -> int:
        """Count the bytes of one set of inputs, of which several take turns."""

    @property
    @abstractmethod
    def weight_bytes(self) -> int:
        """Count the bytes that are read whatever the batch is."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Count the rows of the results that the result check looks at."""

    @abstractmethod
    def peak_bytes(self, *, operand_copies: int, results: int, inputs: int, sets: int = 1) -> int:
        """Return the memory a run needs at its peak, in bytes.

        The operands, once for each copy (the host's and the device's), with ``inputs`` sets of inputs and ``sets`` of weights;
        ``results`` alive at once, with the one being made.
        """

    @abstractmethod
    def draw(self, torch: Any, inputs: int, sets: int) -> tuple[list[Operands], list[Operands]]:
        """Draw so many sets of inputs and of weights on the host, each with a tensor for each step."""

    @abstractmethod
    def functions(self, device: Backend) -> tuple[StepFunction, ...]:
        """Return for each step the function that computes it on the device from its input and its weights."""

    def weight_sets(self, cache_bytes: int) -> int:
        """Return how many sets of weights take turns, given the device's cache in bytes."""
        del cache_bytes
        return 1

    def must_move(self, cache_bytes: int) -> int:
        """Return the bytes that come from memory in each iteration, whatever caches of so many bytes keep from the last one."""
        return max(0, self.bytes - cache_bytes)

    def varied(self, values: Mapping[str, Any]) -> Workload:
        """Return the work with these values in place of its own; raise HeartbeatError where it has no such thing."""
        known = field_names(type(self))
        for name in values:
            if name not in known:
                raise HeartbeatError(f"this work has no {name}", f"It has {', '.join(known)}.", f"Leave out {name}.")
        return replace(self, **values)  # type: ignore[type-var] # subclasses are dataclasses

    def plain(self, names: Collection[str]) -> Workload:
        """Return the work with those of its fields that are named as they are by default, where they have one."""
        defaults = {field.name: field.default for field in fields(self) if field.name in names}  # type: ignore[arg-type]
        return self.varied({name: value for name, value in defaults.items() if value is not MISSING})

    @property
    def shape(self) -> str:
        return self.named()

    @property
    def parts(self) -> tuple[str, ...]:
        """Name the steps that are timed each by itself, beside the whole; none where there is one step."""
        return tuple(step.name for step in self.steps) if len(self.steps) > 1 else ()

    @property
    def flops(self) -> int:
        return sum(step.flops for step in self.steps)

    @property
    def bytes(self) -> int:
        """Count the bytes that must move at least in one iteration."""
        return sum(step.bytes for step in self.steps)

    @property
    def intensity(self) -> float:
        """Return the arithmetic intensity, FLOP per byte."""
        return self.flops / self.bytes

    def batch_at(self, intensity: float) -> float | None:
        """Return the batch at which the work has this intensity, FLOP per byte; None where no batch reaches it.

        FLOP grow with the batch, and so do all bytes but those of the weights: solved for the batch.
        """
        flops, moving = self.flops / self.batch, (self.bytes - self.weight_bytes) / self.batch
        left = flops - intensity * moving
        return intensity * self.weight_bytes / left if left > 0 else None

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload] # subclasses are dataclasses


class Products(Workload):
    """Products of matrices drawn at random; each has an input of its own, for results are not handed on."""

    @property
    @abstractmethod
    def steps(self) -> tuple[Product, ...]: ...

    @property
    def input_bytes(self) -> int:
        return sum(step.left_bytes for step in self.steps)

    @property
    def weight_bytes(self) -> int:
        return sum(step.right_bytes for step in self.steps if not step.per_sequence)

    @property
    def rows(self) -> int:
        return sum(step.groups * step.rows for step in self.steps)

    def peak_bytes(self, *, operand_copies: int, results: int, inputs: int, sets: int = 1) -> int:
        """Add to the operands and results: float32 randoms before they become ``dtype``, and two chunks of the result check in float64."""
        operands = operand_copies * (inputs * self.input_bytes + sets * sum(step.right_bytes for step in self.steps))
        results += len(self.parts) > 0  # those of the steps by themselves
        outputs = (results + 1) * sum(step.result_bytes for step in self.steps)
        drawing = 0 if self.dtype == "float32" else max(4 * prod(step.right) for step in self.steps)
        check = 2 * max(CHECK_CHUNK_BYTES, *(8 * max(step.inner, step.columns) for step in self.steps))
        return max(operands + drawing, operands + outputs + check)

    def draw(self, torch: Any, inputs: int, sets: int) -> tuple[list[Operands], list[Operands]]:
        left = [tuple(draw(torch, step.numbers, *step.left) for step in self.steps) for _ in range(inputs)]
        return left, [tuple(draw_weights(torch, step.numbers, *step.right) for step in self.steps) for _ in range(sets)]

    def functions(self, device: Backend) -> tuple[StepFunction, ...]:
        return tuple(device.product(step.numbers) for step in self.steps)


@dataclass(frozen=True)
class MatMul(Products):
    """The product [batch, hidden] x [hidden, intermediate] of a transformer's feed-forward layer."""

    kind: ClassVar[str] = "matmul"
    smaller: ClassVar[str] = "--batch, --hidden or --intermediate"
    batch: int = 128
    hidden: int = 4096
    intermediate: int = 16384
    dtype: Dtype = "float32"

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a dimension or the dtype makes no sense."""
        for name, value in (("batch", self.batch), ("hidden", self.hidden), ("intermediate", self.intermediate)):
            check_dimension(name, value, "the handbook's shape is 128, 4096, 16384")
        check_dtype(self.dtype)

    @property
    def steps(self) -> tuple[Product, ...]:
        return (Product("product", self.batch, self.hidden, self.intermediate, self.dtype),)

    def named(self, left_out: Collection[str] = ()) -> str:
        batch, hidden, intermediate = (
            name[0] if name in left_out else str(getattr(self, name)) for name in ("batch", "hidden", "intermediate")
        )
        return f"[{batch}×{hidden}]·[{hidden}×{intermediate}]"

    @property
    def brief(self) -> str:
        return f"{self.batch}×{self.hidden}×{self.intermediate}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # without its kind, as ever


def check_dimension(name: str, value: object, example: str) -> None:
    """Raise HeartbeatError where a value is no size of a matrix."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_DIMENSION:
        cause = f"A dimension of the product is a whole number from 1 to {LARGEST_DIMENSION:,}."
        raise HeartbeatError(f"{name} is {value!r}", cause, f"Give --{name} such a number; {example}.")


def check_dtype(dtype: str) -> None:
    """Raise HeartbeatError for a dtype that no product is computed in."""
    if dtype not in DTYPES:
        cause = f"A product is computed in {' or '.join((', '.join(DTYPES[:-1]), DTYPES[-1]))}."
        raise HeartbeatError(f"dtype is {dtype!r}", cause, f"Use --dtype {' or '.join(DTYPES[:2])}.")


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """Name the fields of a dataclass."""
    return tuple(field.name for field in fields(kind))


HANDBOOK = MatMul()
