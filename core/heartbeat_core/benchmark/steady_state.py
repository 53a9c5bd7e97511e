"""Whether a run kept its speed: where its steady state begins, and whether it became slower or faster.

Sources: White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997), for MSER;
Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28 (1979); Mann and Whitney (1947).
False alarms and power stand in docs/statistics.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heartbeat_core.benchmark.effective_samples import Modes, correlation_time, find_modes, rank_correlation
from heartbeat_core.benchmark.samples import SampleStore, as_array
from heartbeat_core.units import format_count, significant

Values = NDArray[Any]
Kind = Literal["steady", "undetermined", "not steady", "slowdown", "speed-up"]

LEAST = 20  # samples
MOST_RAW = 8192  # samples that are compared one by one; above, their batch medians
SMALLEST_SHIFT = 0.02
SURE = 4.0  # z of the change that is found, after it was looked for everywhere; from simulations
SURE_WITHIN = 4.0  # z, not shrunk, of a change back within one of the parts
PURE = 0.95  # of a part that must lie in one mode
MARGIN = 0.1  # of the run at either end, in which no change is looked for
TOO_LATE = 0.45  # of the batches
POWER_90 = 1.28  # standard errors beyond SURE for a power of 90 %
EDGE = 0.2 * 0.8  # the shares before and after a step at 20 or 80 % of the run
LEAST_FOR_POWER = 100  # effective samples


@dataclass(frozen=True)
class SteadyState:
    """``start`` is the index of the first steady sample, of those given; ``shift`` that of the change found, relative.

    ``smallest_seen`` is the step, anywhere from 20 to 80 % of the run, that would be seen nine times of ten; None where none is sure.
    """

    kind: Kind
    start: int
    shift: float | None
    sentence: str
    smallest_seen: float | None = None

    @property
    def drifting(self) -> bool:
        """Return whether the run changed its speed."""
        return self.kind in ("slowdown", "speed-up", "not steady")


@dataclass(frozen=True)
class Change:
    """The most likely change: the values from ``at`` on differ by ``shift`` from those before.

    ``z`` is that of independent values; ``tau`` values in a row are worth one of these.
    """

    at: int
    shift: float
    z: float
    tau: float

    @property
    def real(self) -> bool:
        return abs(self.z) > SURE * math.sqrt(self.tau) and abs(self.shift) > SMALLEST_SHIFT


def steady_state(samples: SampleStore) -> SteadyState:
    """Find the steady state in samples that hold no warm-up and no compile iteration."""
    n = len(samples)
    if n < LEAST:
        return SteadyState("undetermined", 0, None, f"too early to tell: {n} of the {LEAST} samples that it takes")
    medians, size = samples.batches()
    cut = cut_warm_up(medians)
    modes = find_modes(medians) if cut else None
    if modes is not None and modes.dwells > 2 and modes.slow[cut // modes.scale :].mean() > 1 - PURE:
        cut = 0  # it comes back to the slow mode
    raw = samples.exact and n <= MOST_RAW
    values, each = (as_array(samples.values()), 1) if raw else (medians, size)
    late = cut >= TOO_LATE * len(medians)
    start = 0 if late else cut * size // each
    change = find_change(values[start:])
    if change is None and late:
        return SteadyState("not steady", 0, None, f"not steady: the times still change after half of the {format_count(n)} samples")
    if change is not None:
        word, kind = ("slower", "slowdown") if change.shift > 0 else ("faster", "speed-up")
        at = (start + change.at) * each + 1
        sentence = f"from sample {format_count(at)} on the run is {significant(100 * abs(change.shift), 2)} % {word} than before"
        return SteadyState(kind, start * each, change.shift, sentence)  # type: ignore[arg-type]  # one of the two words
    since = "steady from the first sample"
    if start:  # nothing is left out of the figures but what was asked for
        since = f"steady only since sample {format_count(start * each + 1)}, more warm-up would leave out what came before"
    seen = smallest_seen(values[start:])
    power = "" if seen is None else f"; a lasting step of {significant(100 * seen, 2)} % would have been seen"
    return SteadyState("steady", start * each, 0.0, since + power, seen)


def find_change(values: Values) -> Change | None:
    """Find a lasting change of speed; None where there is none.

    The split is the one with the greatest z of Mann and Whitney between what comes before and after. The z is shrunk by the
    autocorrelation that is left when the change is taken out. Where one of the parts changes back, the run goes to and fro between
    modes, and that is no lasting change.
    """
    found = strongest_change(values)
    if found is None:
        return None
    modes = find_modes(values)
    if modes is not None and not lasting(modes):
        return None
    found = replace(found, tau=min(found.tau, time_of(without_trend(values))))  # it may be no step but a slope
    if not found.real:
        return None
    for part in (values[: found.at], values[found.at :]):
        inner = strongest_change(part, margin=3)
        if inner is None or inner.shift * found.shift >= 0:
            continue
        if abs(inner.z) > SURE_WITHIN and abs(inner.shift) > abs(found.shift) / 2:
            return None
    return found


def lasting(modes: Modes) -> bool:
    """Return whether a run in two modes changed once: nearly all before some sample lies in one mode, after it in the other."""
    n = len(modes.slow)
    before = np.arange(1, n)
    slow = np.cumsum(modes.slow)
    first, last = slow[:-1] / before, (slow[-1] - slow[:-1]) / (n - before)
    pure = np.minimum(np.maximum(first, 1 - first), np.maximum(last, 1 - last))
    return bool((pure[math.floor(MARGIN * n) : n - math.floor(MARGIN * n)] >= PURE).any())


def strongest_change(values: Values, *, margin: int | None = None) -> Change | None:
    """Return the most likely change of the values, real or not; None where there are too few."""
    n = len(values)
    margin = margin or max(5, math.floor(MARGIN * n))
    if n < 2 * margin + 1:
        return None
    ranks = np.empty(n)
    ranks[np.argsort(values, kind="stable")] = np.arange(n) - (n - 1) / 2
    before = np.arange(1, n)
    z = -np.cumsum(ranks)[:-1] / np.sqrt(before * (n - before) * (n + 1) / 12)
    at = int(np.argmax(np.abs(z[margin - 1 : n - margin]))) + margin
    first, last = float(np.median(values[:at])), float(np.median(values[at:]))
    if first <= 0 or last <= 0:
        return None
    return Change(at, last / first - 1, float(z[at - 1]), time_of(np.concatenate((values[:at] / first, values[at:] / last))))


def without_trend(values: Values) -> Values:
    """Take a straight line out of values: what becomes slower bit by bit has no step."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float((places * (values - values.mean())).sum() / (places * places).sum())
    return np.asarray(values - slope * places)


def time_of(values: Values) -> float:
    """Return how many of these values in a row are worth one independent value: at least 1."""
    rho = rank_correlation(values)
    rho = min(0.999, max(0.0, rho + math.sqrt(max(0.0, 1 - rho * rho) / len(values))))
    return max((1 + rho) / (1 - rho), correlation_time(np.sign(values - np.median(values)))[0])


def smallest_seen(values: Values) -> float | None:
    """Return the step, relative, that would be seen nine times of ten, by the spread and what the values are worth; None where too little.

    A step of d standard deviations at 20 % of n independent values has a z of about (Phi(d / sqrt 2) - 1/2) sqrt(12 * 0.16 n).
    """
    worth = len(values) / time_of(values)
    median = float(np.median(values))
    if worth < LEAST_FOR_POWER or median <= 0:
        return None
    sigma = 1.4826 * float(np.median(np.abs(values - median))) / median
    wins = 0.5 + (SURE + POWER_90) / math.sqrt(12 * EDGE * worth)
    step = math.sqrt(2) * NormalDist().inv_cdf(min(wins, 0.999)) * sigma
    short = POWER_90 * 1.2533 * sigma / math.sqrt(EDGE * worth)  # by which the step that is measured may fall short
    return max(step * (1 + step / 2), SMALLEST_SHIFT + short)  # the spread grows with the time


def cut_warm_up(medians: Values) -> int:
    """Count the batches to leave out at the start: where the mean of the rest is surest (MSER), if they really were slower.

    The step between the medians before and after must exceed 2 % and three standard errors of the median before it, widened by the
    autocorrelation of the rest; without this gate MSER trims a third of a flat series. A beginning that was faster is a slowdown.
    """
    m = len(medians)
    y = (medians - np.median(medians))[::-1]  # centred, so that squares keep their digits; reversed, so that sums run over y[d:]
    count = np.arange(1, m + 1)
    variance = np.cumsum(y * y) / count - (np.cumsum(y) / count) ** 2
    d = int(np.argmin((variance / count)[::-1][: m // 2 + 1]))
    if d == 0:
        return 0
    before, after = float(np.median(medians[:d])), float(np.median(medians[d:]))
    sigma = 1.4826 * float(np.median(np.abs(medians[d:] - after)))
    error = 1.2533 * sigma * math.sqrt(time_of(medians[d:]) / d)
    return d if before - after > max(SMALLEST_SHIFT * after, 3 * error) else 0


def mann_whitney(first: Values, last: Values) -> float:
    """Return z, positive where ``last`` tends to be larger: the normal approximation, corrected for ties."""
    ordered = np.sort(first)
    wins = np.searchsorted(ordered, last, "left").sum() + np.searchsorted(ordered, last, "right").sum()
    a, b = len(first), len(last)
    n = a + b
    ties = np.unique(np.concatenate((first, last)), return_counts=True)[1].astype(np.float64)
    variance = a * b / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    return float(wins - a * b) / 2 / math.sqrt(variance) if variance > 0 else 0.0
