"""The table of dtypes: what a product of each reads and writes, and the error that its result check allows.

A named tuple, as of the backends: ``--help`` reads the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

Dtype = Literal["float32", "bfloat16", "float16", "int8", "float8_e4m3"]

IMPLIES = (  # the greatest error of a row up to here implies
    (5e-6, "float32"),  # measured: 1.3e-6 at K = 4,096
    (1e-4, "three bfloat16 passes"),
    (2e-3, "TF32"),  # inputs rounded to 11 bits: 3e-4 for one element, five times that at most of a million rows
    (2e-2, "bfloat16"),  # inputs rounded to 8 bits: 2.3e-3 for one element
)
COARSEST = IMPLIES[-1][0]
FLOAT32 = IMPLIES[1][0]  # with room for long sums; bfloat16 errs 30 times as much


class DtypeInfo(NamedTuple):
    """What the program knows of a dtype. The sums of all are held in 32 bits; ``result`` is what a product writes."""

    name: Dtype
    torch_name: str
    bytes: int  # of an element of an operand
    result: str  # torch's name
    result_bytes: int
    bound: float  # of the error of a row, see verification.py
    precision: str  # how a product is computed
    scale: float = 1.0  # the operands are drawn from a normal distribution of this deviation
    implies: str = ""  # what an error within the bound implies, where IMPLIES has no word for it

    @property
    def eight_bits(self) -> bool:
        """Return whether an operand has 8 bits: ``torch.matmul`` would write its result in 8 bits too."""
        return self.bytes == 1


# Bounds, measured with torch 2.13 on an AMD EPYC (AVX2) and with torch_xla 2.9 on its CPU, 2026-11-30: docs/statistics.md. int8: sums
# of whole numbers are exact, so the error is float64's own. Its operands are normal, as weights are, and rarely cut off at ±127.
ROWS = (
    DtypeInfo("float32", "float32", 4, "float32", 4, COARSEST, "full float32"),
    DtypeInfo("bfloat16", "bfloat16", 2, "bfloat16", 2, COARSEST, "bfloat16"),
    DtypeInfo("float16", "float16", 2, "float16", 2, IMPLIES[2][0], "float16", implies="float16"),
    DtypeInfo("int8", "int8", 1, "int32", 4, 1e-11, "int8, exact sums in int32", 32.0, implies="exact"),
    DtypeInfo(
        "float8_e4m3", "float8_e4m3fn", 1, "bfloat16", 2, COARSEST, "float8_e4m3, results in bfloat16", implies="float8_e4m3"
    ),
)  # fmt: skip
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
TABLE: dict[str, DtypeInfo] = {row.name: row for row in ROWS}


def draw(torch: Any, info: DtypeInfo, *shape: int, generator: Any = None) -> Any:
    """Draw a matrix or a row of random numbers on the host, in the dtype."""
    values = torch.randn(*shape, dtype=torch.float32, generator=generator)
    if info.scale != 1:
        values.mul_(info.scale).round_().clamp_(-127, 127)
    return values.to(getattr(torch, info.torch_name))


def draw_weights(torch: Any, info: DtypeInfo, *shape: int) -> Any:
    """Draw weights; of 8 bits a column is contiguous, as the matrix units of GPUs take them."""
    return draw(torch, info, *reversed(shape)).t() if info.eight_bits else draw(torch, info, *shape)


def redraw(torch: Any, row: Any, generator: Any) -> Any:
    """Draw a row anew in place, in its own dtype; return it."""
    info = next(info for info in ROWS if getattr(torch, info.torch_name) == row.dtype)
    return row.copy_(draw(torch, info, *row.shape, generator=generator))


def product_of(torch: Any, info: DtypeInfo, device: Any) -> Callable[[Any, Any], Any]:
    """Return torch's product of two matrices of the dtype."""
    if info.name == "int8":
        int_product: Callable[[Any, Any], Any] = torch._int_mm  # noqa: SLF001 - what torchao and vLLM call; nothing public gives int32
        return int_product
    if info.name == "float8_e4m3":
        scaled, one, result = torch._scaled_mm, torch.ones((), device=device), getattr(torch, info.result)  # noqa: SLF001 - likewise
        return lambda first, second: scaled(first, second, one, one, out_dtype=result)
    product: Callable[[Any, Any], Any] = torch.matmul
    return product


def side(dimension: int) -> int:
    """Return a small dimension that a product accepts where it accepts this one: some need more than 16, or multiples of 8 or 16."""
    return dimension if dimension < 64 else 32 + dimension % 32
