"""The proof of execution: one row of the result against float64.

An error raised on a device may not surface at a fence, and a clock cannot tell work from none; a right result can.
Measured: float32 errs by 5e-7 of max|reference|, inputs rounded to bfloat16 by 3e-3 (timing.md); TF32 lies between.
"""

from __future__ import annotations

import math
import random
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Proof

IMPLIES = (  # errors up to here, relative to max|reference|, imply
    (5e-6, "float32"),
    (1e-4, "three bfloat16 passes"),
    (1.5e-3, "TF32"),
    (2e-2, "bfloat16"),
)


COARSEST = IMPLIES[-1][0]
FLOAT32 = IMPLIES[1][0]  # with room for long sums; bfloat16 errs 30 times as much


def prove(plan: BenchmarkConfig, inputs: Any, weights: Any, row_of_result: Any, row: int, *, at_ns: int, most: float = COARSEST) -> Proof:
    """Compare one row of the result, shape [intermediate], with its float64 reference, in chunks of columns.

    ``most`` is the error that the precision the run claims may have.
    """
    reference_max = error_max = 0.0
    first = inputs[row].double()
    step = plan.workload.proof_columns
    for start in range(0, plan.workload.intermediate, step):
        reference = first @ weights[:, start : start + step].double()
        difference = (row_of_result[start : start + step] - reference).abs().max().item()
        # max() would drop a NaN that is its second argument
        error_max = difference if math.isnan(difference) else max(difference, error_max)
        if math.isnan(error_max):
            break
        reference_max = max(reference_max, reference.abs().max().item())
    error = error_max / reference_max if reference_max else error_max
    if not math.isfinite(error):
        return Proof(at_ns, row, None, "no number", passed=False)
    implied = next((name for bound, name in IMPLIES if error <= bound), "no known precision")
    return Proof(at_ns, row, error, implied, passed=error <= most)


def choose_row(plan: BenchmarkConfig) -> int:
    """Choose the row by the plan's seed."""
    return random.Random(plan.seed).randrange(plan.workload.batch)
