"""What a run's samples say: the typical time, how sure it is, how far it spreads.

Sources: Conover, "Practical Nonparametric Statistics" (order-statistic intervals); torch.utils.benchmark (warnings on the
interquartile range); hyperfine (outliers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heartbeat_core.benchmark.effective_samples import effective_samples, interval_ranks
from heartbeat_core.benchmark.samples import LONGEST, PRECISION, CountedSamples, OrderStatistics, SampleStore, as_array
from heartbeat_core.units import significant

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
OUTLYING = 14.826  # median absolute deviations; ten standard deviations, were the samples normal
WORRYING, BAD = 0.10, 0.25  # interquartile range over median


@dataclass(frozen=True)
class Statistics:
    """Times of one iteration, in nanoseconds.

    ``exact`` is False where quantiles come from a histogram, within 0.1 %. ``median_low_ns``..``median_high_ns`` hold
    the true median with 95 % confidence; None where n samples, which resemble their neighbours, are not surely worth ten
    independent ones. ``effective_n`` is what they are worth, ``effective_n_low`` what they are surely worth. ``modes`` tells
    that the run goes to and fro between two, which lie ``modes_apart`` from one another, relative. ``quantiles`` are (q, ns),
    only those that n allows. Outliers are counted and left in every figure.
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
    effective_n_low: float
    modes: bool
    modes_apart: float
    warnings: tuple[str, ...]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the ends of the 95 % interval of the median, in nanoseconds, where there is one."""
        return None if self.median_low_ns is None or self.median_high_ns is None else (self.median_low_ns, self.median_high_ns)

    @property
    def p95_ns(self) -> float | None:
        return dict(self.quantiles).get(0.95)


def summarize(samples: SampleStore, products: int = 1) -> Statistics:
    """Summarize samples that span ``products`` iterations each; raise ValueError where there are none."""
    ordered = samples.ordered()
    n = ordered.n
    shown = tuple(q for q in QUANTILES if n >= least_for_quantile(q))
    worth = effective_samples(samples)
    interval = interval_ranks(n, worth.estimate) if worth.enough else None
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
        autocorrelation=samples.autocorrelation(),
        effective_n=worth.estimate,
        effective_n_low=worth.low,
        modes=worth.modes_apart > 0,
        modes_apart=worth.modes_apart,
        warnings=warnings(median, relative_iqr),
    )


def least_for_quantile(q: float) -> int:
    """Count the samples of which one lies beyond q with 95 % probability: 1 - q**n >= 0.95. The median is always given."""
    return 1 if q == 0.5 else math.ceil(math.log(0.05) / math.log(q))


def outliers(ordered: OrderStatistics, median: float) -> int:
    """Count samples more than 14.826 median absolute deviations from the median; the clock's step, 1 ns, is the least deviation."""
    centre = min(LONGEST, math.floor(median))  # the float nearest to the longest sample is longer than that
    reach = OUTLYING * max(1, ordered.deviation(centre))
    return ordered.n - ordered.within(median - reach, median + reach)


def warnings(median: float, relative_iqr: float) -> tuple[str, ...]:
    """State what makes the figures doubtful and what to do about it."""
    if not median:
        return ("The median is 0 ns: the clock is too coarse for this product. Try a larger shape, or --method pipelined.",)
    if relative_iqr < WORRYING:
        return ()
    spread = f"IQR {significant(100 * relative_iqr, 2)} % of the median"
    if relative_iqr < BAD:
        return (f"{spread}: small differences mean little. Close other programs, or run longer.",)
    return (f"{spread}: the median can't be relied on. Run again on a quiet machine, with more --warmup.",)


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
    return counted(samples, edges_for([statistics], bins), products)


def counted(samples: SampleStore, edges: Sequence[float], products: int = 1) -> tuple[Bin, ...]:
    """Count the samples between these edges, nanoseconds per product."""
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
    edges = edges_for(statistics, bins)
    if len(edges) < 4:
        return None
    step = edges[2] - edges[1]  # the outermost bins may be wider
    return edges if all(step <= end - begin for begin, end in map(middle_of, statistics)) else None


def middle_of(statistics: Statistics) -> tuple[float, float]:
    """Return from where to where most of the samples lie."""
    median = statistics.median_ns
    spread = max(statistics.iqr_ns, 0.001 * median, 1.0)
    return max(statistics.min_ns, median - REACH * spread), min(statistics.max_ns, median + REACH * spread)


def edges_for(statistics: Sequence[Statistics], bins: int) -> list[float]:
    """Choose round edges of at most so many bins, 4 or more, around the middle of the samples, and one more at each end beyond it."""
    lows, highs = zip(*map(middle_of, statistics), strict=True)
    low, high, bins = min(lows), max(highs), max(4, bins)
    least, most = min(each.min_ns for each in statistics), max(each.max_ns for each in statistics)
    step = round_step(max(high - low, 0.002 * high, 1.0) / bins)
    while True:
        first = math.floor(low / step)
        edges = [step * i for i in range(first, max(first + 1, math.ceil(high / step)) + 1)]
        if least < edges[0]:
            edges.insert(0, least)
        if most > edges[-1]:
            edges.append(most)
        if len(edges) <= bins + 1:
            return edges
        step = round_step(1.01 * step)


def round_step(step: float) -> float:
    """Round a step up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * nice for nice in NICE if power * nice >= step * (1 - 1e-9))
