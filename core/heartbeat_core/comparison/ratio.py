"""By what a run is slower than another, and how sure that is.

Sources: Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008), which makes the
interval of a difference of the intervals of its parts (here: of the logarithms of two medians); Mann and Whitney (1947); Welch, "The
generalization of 'Student's' problem when several different population variances are involved" (1947).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev, variance
from typing import TYPE_CHECKING, Literal

from heartbeat_core.benchmark.samples import SampleStore, as_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TINY = 1e-300
TERMS = 300  # far more than the fraction takes


def two_sided_p(t: float, df: float) -> float:
    """Return the probability of a value at least as far from 0 as ``t``."""
    if t == 0:
        return 1.0
    return incomplete_beta(df / (df + t * t), df / 2, 0.5)


def quantile_95(df: float) -> float:
    """Return the t that 95 % of values stay within, on both sides of 0."""
    low, high = 0.0, 1e6
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, df) > 0.05 else (low, middle)
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges quickly
        return front * fraction(x, a, b) / a
    return 1 - front * fraction(1 - x, b, a) / b


def fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or TINY)
    value = d
    for m in range(1, TERMS):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + term * d or TINY)
            c = 1 + term / c or TINY
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


SURE_P = 0.05
LEAST = 2  # processes of which an interval can be made
MOST_NEEDED = 100  # processes a side; more are not proposed
TOO_FEW = "too few independent samples for an interval: it takes surely 10 on each side"
SURELY_OTHER = 1.5  # times: between two single processes less is no difference, for what varies from process to process is not known
MOST_LEFT_OUT = 5  # of so many processes one may be left out
FAR_OUT_P = 0.001  # of the others' spread putting one process so far away
LEAST_FAR_OUT = 0.02  # and so far it must lie from their mean
LEAST_APART = 10  # samples whose middle 90 % says something
APART_BY_SAMPLES = "the middle 90 % of the samples"
MANN_WHITNEY, WELCH, POOLED = "Mann–Whitney", "Welch's t", "Student's t, the spread of both taken from the one that was repeated"


@dataclass(frozen=True)
class ProcessTime:
    """The time of one product in one process, ns, with its 95 % interval where there are samples enough for one.

    ``worth`` is how many independent samples the ``samples`` are worth; ``lacking`` says why there is no interval, where samples
    enough would not make one.
    """

    ns: float
    low_ns: float | None
    high_ns: float | None
    worth: float
    samples: SampleStore | None = None
    products: int = 1  # that a sample spans
    lacking: str = ""


@dataclass(frozen=True)
class Interval:
    """A value that holds with 95 % confidence between ``low`` and ``high``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """Candidate over reference: above 1 is slower. The interval holds the true ratio with 95 % confidence.

    ``unit`` is what was counted: samples of one process each, or processes. ``lacking`` says why there is no interval, else empty.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    unit: Literal["sample", "process"]
    test: str
    lacking: str = ""

    @property
    def differs(self) -> bool:
        """Return whether the two surely differ: the interval and the test must agree, for each has its own blind spot."""
        if self.low is None or self.high is None or self.p_value is None:
            return False
        return (self.low > 1 or self.high < 1) and self.p_value < SURE_P

    @property
    def claimed(self) -> bool:
        """Return whether a difference is claimed: of one process on each side only where it is far beyond what processes vary by."""
        return self.differs and (self.unit == "process" or max(self.value, 1 / self.value) > SURELY_OTHER)


def ratio_of(reference: Sequence[ProcessTime], candidate: Sequence[ProcessTime]) -> Ratio:
    """Compare two runs by their samples, or several by their processes: what varies from process to process then counts as well.

    Raises ValueError where a side is empty or took no time.
    """
    if not (reference and candidate) or not all(timed.ns > 0 for timed in (*reference, *candidate)):
        raise ValueError("a ratio needs times above 0 on both sides")
    if len(reference) == len(candidate) == 1:
        return of_samples(reference[0], candidate[0])
    return of_processes([math.log(timed.ns) for timed in reference], [math.log(timed.ns) for timed in candidate])


def of_samples(reference: ProcessTime, candidate: ProcessTime) -> Ratio:
    value = candidate.ns / reference.ns
    p_value = compare_samples(reference, candidate)
    if not (reference.low_ns and reference.high_ns and candidate.low_ns and candidate.high_ns):
        apart = far_apart(reference, candidate)
        if apart is not None:
            return Ratio(value, *apart, p_value, "sample", APART_BY_SAMPLES)
        return Ratio(value, None, None, p_value, "sample", MANN_WHITNEY, reference.lacking or candidate.lacking or TOO_FEW)
    slowest = math.hypot(math.log(candidate.high_ns / candidate.ns), math.log(reference.ns / reference.low_ns))
    fastest = math.hypot(math.log(candidate.ns / candidate.low_ns), math.log(reference.high_ns / reference.ns))
    return Ratio(value, value * math.exp(-fastest), value * math.exp(slowest), p_value, "sample", MANN_WHITNEY)


def far_apart(reference: ProcessTime, candidate: ProcessTime) -> tuple[float, float] | None:
    """Return the ratios of the ends of the middle 90 % of the samples, where even these are far apart; None where they are not.

    Two devices differ so much that no interval of a median is needed.
    """
    if not reference.samples or not candidate.samples or reference.lacking or candidate.lacking:
        return None
    ends = []
    for timed in (reference, candidate):
        assert timed.samples is not None
        ordered = timed.samples.ordered()
        if ordered.n < LEAST_APART:
            return None
        ends.append((ordered.quantile(0.05) / timed.products, ordered.quantile(0.95) / timed.products))
    (first_low, first_high), (last_low, last_high) = ends
    if first_low <= 0 or not (last_low > SURELY_OTHER * first_high or SURELY_OTHER * last_high < first_low):
        return None
    return last_low / first_high, last_high / first_low


def far_out(logs: Sequence[float]) -> tuple[int, ...]:
    """Return the places of the processes that lie far out, by the logarithms of their times; those may be left out of a comparison.

    A process is far out where the others, by their own spread, would put one so far away once in a thousand. At most one in five is
    left out; where more are far out the spread is real.
    """
    found: list[int] = []
    while len(found) < len(logs) // MOST_LEFT_OUT:
        kept = [index for index in range(len(logs)) if index not in found]
        middle = median(logs[index] for index in kept)
        farthest = max(kept, key=lambda index: abs(logs[index] - middle))
        others = [logs[index] for index in kept if index != farthest]
        away, spread = abs(logs[farthest] - fmean(others)), stdev(others) * math.sqrt(1 + 1 / len(others))
        if away < LEAST_FAR_OUT or (spread and two_sided_p(away / spread, len(others) - 1) > FAR_OUT_P):
            break
        found.append(farthest)
    return tuple(sorted(found))


def processes_needed(ratio: Ratio, limit: float, processes: int) -> int | None:
    """Return how many processes a side would tell whether the ratio is above ``limit``; None where it is too near.

    By the spread between processes that the interval shows: reach = t s sqrt(2 / n).
    """
    room = abs(math.log(limit / ratio.value))
    if ratio.low is None or ratio.high is None or processes < LEAST:
        return None
    spread = math.log(ratio.high / ratio.low) / 2 / quantile_95(2 * processes - 2) / math.sqrt(2 / processes)
    enough = (n for n in range(processes + 1, MOST_NEEDED + 1) if quantile_95(2 * n - 2) * spread * math.sqrt(2 / n) < room)
    return next(enough, None)


def compare_samples(reference: ProcessTime, candidate: ProcessTime) -> float | None:
    """Return Mann and Whitney's two-sided p; z is shrunk by what the samples are worth. None where there are no samples."""
    if not reference.samples or not candidate.samples:
        return None
    from heartbeat_core.benchmark.steady_state import mann_whitney

    first, last = (times_of(timed) for timed in (reference, candidate))
    counted = 1 / len(first) + 1 / len(last)
    worth = 1 / min(len(first), reference.worth) + 1 / min(len(last), candidate.worth)
    return math.erfc(abs(mann_whitney(first, last)) * math.sqrt(counted / worth) / math.sqrt(2))


def times_of(timed: ProcessTime) -> NDArray[np.float64]:
    """Return the times of one product each, past the limit of a store the medians of its batches."""
    import numpy as np

    assert timed.samples is not None
    times = as_array(timed.samples.values()) if timed.samples.exact else timed.samples.batches()[0]
    return np.asarray(times / timed.products, np.float64)


def of_processes(reference: Sequence[float], candidate: Sequence[float]) -> Ratio:
    """Compare the logarithms of the times of several processes; the ratio is that of their geometric means."""
    difference = fmean(candidate) - fmean(reference)
    few = min(len(reference), len(candidate)) < 2
    error, df = pooled_error(reference, candidate) if few else welch_error(reference, candidate)
    return by_student(difference, error, df, POOLED if few else WELCH)


def of_rounds(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Compare processes that took turns, by the times of reference and candidate in each round: a drift meets both alike.

    Raises ValueError for fewer than two rounds.
    """
    if len(pairs) < LEAST:
        raise ValueError("it takes two rounds to compare them")
    logs = [math.log(candidate / reference) for reference, candidate in pairs]
    error = math.sqrt(variance(logs) / len(logs))
    return by_student(fmean(logs), error, len(logs) - 1, f"paired t over {len(logs)} rounds")


def by_student(difference: float, error: float, df: float, test: str) -> Ratio:
    """Make a ratio of the difference of two means of logarithms and its standard error."""
    value = math.exp(difference)
    if error == 0:  # all times alike to the nanosecond
        return Ratio(value, value, value, 1.0 if difference == 0 else 0.0, "process", test)
    reach = quantile_95(df) * error
    p_value = two_sided_p(difference / error, df)
    return Ratio(value, math.exp(difference - reach), math.exp(difference + reach), p_value, "process", test)


def welch_error(reference: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
    """Return the standard error of the difference of two means, and its degrees of freedom."""
    parts = [variance(values) / len(values) for values in (reference, candidate)]
    whole = sum(parts)
    if whole == 0:
        return 0.0, 1.0
    df = whole**2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, (reference, candidate), strict=True))
    return math.sqrt(whole), df


def pooled_error(reference: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
    """Do the same where one side has a single process, which is taken to vary as the others do."""
    repeated = max(reference, candidate, key=len)
    return math.sqrt(variance(repeated) * (1 / len(reference) + 1 / len(candidate))), len(repeated) - 1


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return the geometric mean of independent values with its 95 % interval, by Student's t on the logarithms; None under two."""
    if len(values) < LEAST:
        return None
    logs = [math.log(value) for value in values]
    centre, reach = fmean(logs), quantile_95(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return Interval(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))
