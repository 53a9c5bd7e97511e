"""What a run's samples say: the typical time, how sure it is, how far it spreads.

Sources: Conover, "Practical Nonparametric Statistics" (order-statistic intervals); torch.utils.benchmark (warnings on the
interquartile range); hyperfine (outliers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.benchmark.samples import PRECISION, CountedSamples, OrderStatistics, SampleStore, as_array
from heartbeat_core.units import format_count, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[Any]


QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
LEAST_FOR_INTERVAL = 6  # of five independent samples even minimum..maximum covers the median with less than 95 %
OUTLYING = 14.826  # median absolute deviations; ten standard deviations, were the samples normal
WORRYING, BAD = 0.10, 0.25  # interquartile range over median


@dataclass(frozen=True)
class Statistics:
    """Times of one iteration, in nanoseconds.

    ``exact`` is False where quantiles come from a histogram, within 0.1 %. ``median_low_ns``..``median_high_ns`` hold
    the true median with 95 % confidence, None under ``effective_n`` = 6: what n samples are worth that resemble their
    neighbours. ``quantiles`` are (q, ns), only those that n allows. Outliers are counted and left in every figure.
    """

    n: int
    exact: bool
    median_ns: float
    median_low_ns: float | None
    median_high_ns: float | None
    mean_ns: float
    min_ns: float
    max_ns: float
    iqr_ns: float
    relative_iqr: float
    quantiles: tuple[tuple[float, float], ...]
    outliers: int
    autocorrelation: float | None
    effective_n: float
    warnings: tuple[str, ...]


def summarize(samples: SampleStore, products: int = 1) -> Statistics:
    """Summarize samples that span ``products`` iterations each; raise ValueError where there are none."""
    ordered = samples.ordered()
    n = ordered.n
    shown = tuple(q for q in QUANTILES if n >= least_for_quantile(q))
    autocorrelation = samples.autocorrelation()
    worth = effective_n(n, autocorrelation)
    interval = interval_ranks(n, worth)
    blur = 0.0 if samples.exact else PRECISION  # what the histogram adds to the interval
    ordered.place([rank for q in (0.25, 0.75, *shown) for rank in ordered.ranks(q)] + list(interval or ()))
    median = ordered.quantile(0.5)
    iqr = ordered.quantile(0.75) - ordered.quantile(0.25)
    relative_iqr = iqr / median if median else 0.0
    return Statistics(
        n=n,
        exact=samples.exact,
        median_ns=median / products,
        median_low_ns=ordered.at(interval[0]) * (1 - blur) / products if interval else None,
        median_high_ns=ordered.at(interval[1]) * (1 + blur) / products if interval else None,
        mean_ns=samples.total / n / products,
        min_ns=(samples.minimum or 0) / products,
        max_ns=(samples.maximum or 0) / products,
        iqr_ns=iqr / products,
        relative_iqr=relative_iqr,
        quantiles=tuple((q, ordered.quantile(q) / products) for q in shown),
        outliers=outliers(ordered, median),
        autocorrelation=autocorrelation,
        effective_n=worth,
        warnings=warnings(median, relative_iqr),
    )


def least_for_quantile(q: float) -> int:
    """Count the samples of which one lies beyond q with 95 % probability: 1 - q**n >= 0.95. The median is always given."""
    return 1 if q == 0.5 else math.ceil(math.log(0.05) / math.log(q))


def effective_n(n: int, autocorrelation: float | None) -> float:
    """Count the independent samples that tell as much as n of an AR(1) series: n (1 - rho) / (1 + rho), where rho > 0."""
    rho = max(0.0, autocorrelation or 0.0)
    return max(1.0, n * (1 - rho) / (1 + rho))


def interval_ranks(n: int, worth: float) -> tuple[int, int] | None:
    """Name the two of n samples that hold the median between them with 95 % confidence, whatever the distribution.

    Ranks n/2 -/+ 0.98 sqrt(n), the binomial's normal approximation; n samples that are worth fewer leave the middle
    where it is and widen the interval by sqrt(n / worth). None where they are worth fewer than 6.
    """
    if min(n, worth) < LEAST_FOR_INTERVAL:
        return None
    half = 0.98 * n / math.sqrt(worth)
    return max(1, math.floor(n / 2 - half)), min(n, math.ceil(n / 2 + 1 + half))


def outliers(ordered: OrderStatistics, median: float) -> int:
    """Count samples more than 14.826 median absolute deviations from the median; the clock's step, 1 ns, is the least deviation."""
    reach = OUTLYING * max(1, ordered.deviation(math.floor(median)))
    return ordered.n - ordered.within(median - reach, median + reach)


def warnings(median: float, relative_iqr: float) -> tuple[str, ...]:
    """State what makes the figures doubtful and what to do about it."""
    if not median:
        return ("The median is 0 ns: the clock is too coarse for this product. Try a larger shape, or --method pipelined.",)
    if relative_iqr < WORRYING:
        return ()
    spread = f"The middle half of the samples spans {significant(100 * relative_iqr, 2)} % of the median"
    if relative_iqr < BAD:
        return (f"{spread}: small differences mean little. Close other programs, or run longer.",)
    return (f"{spread}: the median can't be relied on. Run again on a quiet machine, with more --warmup.",)


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
    """State how likely this many samples show a throttled machine; from simulations."""
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
    """Return z, positive where ``last`` tends to be larger: the normal approximation, corrected for ties."""
    import numpy as np

    ordered = np.sort(first)
    wins = np.searchsorted(ordered, last, "left").sum() + np.searchsorted(ordered, last, "right").sum()
    a, b = len(first), len(last)
    n = a + b
    ties = np.unique(np.concatenate((first, last)), return_counts=True)[1].astype(np.float64)
    variance = a * b / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    return float(wins - a * b) / 2 / math.sqrt(variance) if variance > 0 else 0.0


NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
REACH = 2.5  # interquartile ranges on both sides of the median; 3.4 standard deviations, were the samples normal


@dataclass(frozen=True)
class Bin:
    """``count`` samples from ``low_ns`` up to ``high_ns``, nanoseconds per product; the last bin includes its upper edge."""

    low_ns: float
    high_ns: float
    count: int


def histogram(samples: SampleStore, statistics: Statistics, bins: int, products: int = 1) -> tuple[Bin, ...]:
    """Count the samples in at most ``bins`` bins, 4 or more; ``statistics`` are those of the samples."""
    return counted(samples, edges_for(statistics, max(4, bins)), products)


def counted(samples: SampleStore, edges: Sequence[float], products: int = 1) -> tuple[Bin, ...]:
    """Count the samples between these edges, nanoseconds per product."""
    # NumPy takes 80 ms to import, and nothing needs it before there are samples
    import numpy as np

    if samples.exact:
        values, weights = as_array(samples.values()), None
    else:
        ordered = samples.ordered()
        assert isinstance(ordered, CountedSamples)
        values, weights = ordered.values, ordered.counts()
    places = np.searchsorted(np.array(edges[1:-1]) * products, values, side="right")
    counts = np.bincount(places, weights=weights, minlength=len(edges) - 1)
    return tuple(Bin(low, high, int(count)) for low, high, count in zip(edges, edges[1:], counts, strict=False))


def common_edges(statistics: Sequence[Statistics], bins: int) -> list[float] | None:
    """Choose edges that several samples share; None where they lie so far apart that one of them would fill a single bin."""
    ranges = [middle_of(each) for each in statistics]
    low, high = min(each[0] for each in ranges), max(each[1] for each in ranges)
    least, most = min(each.min_ns for each in statistics), max(each.max_ns for each in statistics)
    edges = fit_edges(low, high, least, most, max(4, bins))
    if len(edges) < 4:
        return None
    step = edges[2] - edges[1]  # the outermost bins may be wider
    return edges if all(step <= end - begin for begin, end in ranges) else None


def middle_of(statistics: Statistics) -> tuple[float, float]:
    """Return from where to where most of the samples lie."""
    median = statistics.median_ns
    spread = max(statistics.iqr_ns, 0.001 * median, 1.0)
    return max(statistics.min_ns, median - REACH * spread), min(statistics.max_ns, median + REACH * spread)


def edges_for(statistics: Statistics, bins: int) -> list[float]:
    """Choose round edges around the middle of the samples, and one more at each end where samples lie beyond."""
    low, high = middle_of(statistics)
    return fit_edges(low, high, statistics.min_ns, statistics.max_ns, bins)


def fit_edges(low: float, high: float, least: float, most: float, bins: int) -> list[float]:
    step = round_step(max(high - low, 0.002 * high, 1.0) / bins)
    edges = edges_of(low, high, step, least, most)
    while len(edges) > bins + 1:
        step = round_step(1.01 * step)
        edges = edges_of(low, high, step, least, most)
    return edges


def edges_of(low: float, high: float, step: float, least: float, most: float) -> list[float]:
    first = math.floor(low / step)
    last = max(first + 1, math.ceil(high / step))
    edges = [step * i for i in range(first, last + 1)]
    if least < edges[0]:
        edges.insert(0, least)
    if most > edges[-1]:
        edges.append(most)
    return edges


def round_step(step: float) -> float:
    """Round a step up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * nice for nice in NICE if power * nice >= step * (1 - 1e-9))
