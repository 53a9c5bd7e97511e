"""Whether a run had settled, where, and whether it slowed down later.

Sources: White, "An effective truncation heuristic for bias reduction in simulation output" (MSER), Simulation 69 (1997);
Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the other" (1947).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.beat.store import SampleStore, as_array
from heartbeat_core.beat.units import format_count, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[Any]

Kind = Literal["steady", "undetermined", "not steady", "slowdown", "speed-up"]

LEAST = 20  # samples
MOST_RAW = 20_000  # samples that are compared one by one; above, their batch medians
SMALLEST_SHIFT = 0.02
SURE = 4.0  # |z| of Mann and Whitney
TOO_LATE = 0.45  # of the batches


@dataclass(frozen=True)
class SteadyState:
    """``start`` is the index of the first steady sample, of those given; ``shift`` the last third against the first, relative."""

    kind: Kind
    start: int
    shift: float | None
    sentence: str


def steady_state(samples: SampleStore) -> SteadyState:
    """Find the steady state in samples that hold no warm-up and no compile iteration."""
    n = len(samples)
    if n < LEAST:
        return SteadyState("undetermined", 0, None, f"too early to tell: {n} of the {LEAST} samples that it takes")
    medians, size = samples.batches()
    cut = cut_warm_up(medians)
    late = cut >= TOO_LATE * len(medians)
    start = 0 if late else cut * size
    raw = samples.exact and n <= MOST_RAW
    shift, z = compare_thirds(as_array(samples.values())[start:] if raw else medians[start // size :])
    if late:
        return SteadyState("not steady", 0, shift, f"not steady: the times still change after half of the {format_count(n)} samples")
    if abs(shift) > SMALLEST_SHIFT and abs(z) > SURE:
        kind: Kind = "slowdown" if shift > 0 else "speed-up"
        word = "slower" if shift > 0 else "faster"
        return SteadyState(kind, start, shift, f"the last third is {significant(100 * abs(shift), 2)} % {word} than the first")
    since = "steady from the first sample"
    if start:  # nothing is left out of the figures but what was asked for
        since = f"steady only since sample {format_count(start + 1)}, more warm-up would leave out what came before"
    return SteadyState("steady", start, shift, f"{since}; {power(n - start)}")


def power(n: int) -> str:
    """Say how likely this many samples show a throttled machine; from simulations."""
    if n >= 100:
        return "a 10 % slowdown would be seen 99 % of the time"
    if n >= 50:
        return "a 10 % slowdown would be seen 70 % of the time, with 100 samples 99 %"
    return "a 10 % slowdown would hardly be seen: 1 % of the time with 20 samples, 70 % with 50"


def cut_warm_up(medians: Values) -> int:
    """Count the batches to leave out at the start: where the mean of the rest is surest (MSER), if that is a real step.

    The step between the medians before and after must exceed 2 % and three standard errors of the median before it;
    without this gate MSER trims a third of a flat series.
    """
    import numpy as np

    m = len(medians)
    y = (medians - np.median(medians))[::-1]  # centred, so that squares keep their digits; reversed, so that sums run over y[d:]
    count = np.arange(1, m + 1)
    variance = np.cumsum(y * y) / count - (np.cumsum(y) / count) ** 2
    d = int(np.argmin((variance / count)[::-1][: m // 2 + 1]))
    if d == 0:
        return 0
    before, after = float(np.median(medians[:d])), float(np.median(medians[d:]))
    sigma = 1.4826 * float(np.median(np.abs(medians[d:] - after)))
    return d if abs(before - after) > max(SMALLEST_SHIFT * after, 3 * 1.2533 * sigma / math.sqrt(d)) else 0


def compare_thirds(values: Values) -> tuple[float, float]:
    """Compare the last third with the first: the relative shift of the median, and z of Mann and Whitney."""
    import numpy as np

    third = len(values) // 3
    if third == 0:
        return 0.0, 0.0
    first, last = values[:third], values[-third:]
    before, after = float(np.median(first)), float(np.median(last))
    return (after - before) / before if before else 0.0, mann_whitney(first, last)


def mann_whitney(first: Values, last: Values) -> float:
    """Give z, positive where ``last`` tends to be larger: the normal approximation, corrected for ties."""
    import numpy as np

    ordered = np.sort(first)
    wins = np.searchsorted(ordered, last, "left").sum() + np.searchsorted(ordered, last, "right").sum()
    a, b = len(first), len(last)
    n = a + b
    ties = np.unique(np.concatenate((first, last)), return_counts=True)[1].astype(np.float64)
    variance = a * b / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    return float(wins - a * b) / 2 / math.sqrt(variance) if variance > 0 else 0.0
