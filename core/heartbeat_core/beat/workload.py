"""The work of one beat: how much there is to compute and to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from heartbeat_core.errors import HeartbeatError

Dtype = Literal["float32", "bfloat16"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
ITEM_BYTES: dict[Dtype, int] = {"float32": 4, "bfloat16": 2}

LARGEST_DIMENSION = 2**20
PROOF_CHUNK_BYTES = 32 * 2**20  # of the weights in float64, held at a time by the proof


@dataclass(frozen=True)
class MatMul:
    """The product [batch, hidden] x [hidden, intermediate] of a transformer's feed-forward layer."""

    batch: int = 128
    hidden: int = 4096
    intermediate: int = 16384
    dtype: Dtype = "float32"

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a dimension or the dtype makes no sense."""
        for name, value in (("batch", self.batch), ("hidden", self.hidden), ("intermediate", self.intermediate)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_DIMENSION:
                raise HeartbeatError(
                    f"{name} is {value!r}",
                    f"A dimension of the product is a whole number from 1 to {LARGEST_DIMENSION:,}.",
                    f"Give --{name} such a number; the handbook's shape is 128, 4096, 16384.",
                )
        if self.dtype not in DTYPES:
            raise HeartbeatError(
                f"dtype is {self.dtype!r}", "The beat is timed in float32 or bfloat16.", f"Use --dtype {DTYPES[0]} or {DTYPES[1]}."
            )

    @property
    def flops(self) -> int:
        """Count floating-point operations: a multiplication and an addition for each of batch*hidden*intermediate."""
        return 2 * self.batch * self.hidden * self.intermediate

    @property
    def input_bytes(self) -> int:
        return self.batch * self.hidden * ITEM_BYTES[self.dtype]

    @property
    def weight_bytes(self) -> int:
        return self.hidden * self.intermediate * ITEM_BYTES[self.dtype]

    @property
    def output_bytes(self) -> int:
        return self.batch * self.intermediate * ITEM_BYTES[self.dtype]

    @property
    def bytes(self) -> int:
        """Count the bytes that must move at least: both operands read once, the result written once."""
        return self.input_bytes + self.weight_bytes + self.output_bytes

    @property
    def intensity(self) -> float:
        """Give the arithmetic intensity, FLOP per byte."""
        return self.flops / self.bytes

    @property
    def shape(self) -> str:
        return f"[{self.batch}×{self.hidden}]·[{self.hidden}×{self.intermediate}]"

    @property
    def proof_columns(self) -> int:
        """Count the columns of the weights that the proof turns into float64 at a time."""
        return min(self.intermediate, max(1, PROOF_CHUNK_BYTES // (8 * self.hidden)))

    def peak_bytes(self, *, operand_copies: int, results: int) -> int:
        """Count the memory a run needs at its peak, in bytes.

        The operands, once for each copy (the host's and the device's); the results alive at once, with the one being
        made; float32 randoms before they become ``dtype``; the chunk of the proof in float64.
        """
        operands = operand_copies * (self.input_bytes + self.weight_bytes)
        outputs = (results + 1) * self.output_bytes
        drawing = 0 if self.dtype == "float32" else 4 * self.hidden * self.intermediate
        proof = 8 * self.hidden * (self.proof_columns + 1)
        return max(operands + drawing, operands + outputs + proof)
