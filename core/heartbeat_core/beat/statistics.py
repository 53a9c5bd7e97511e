"""What a run's samples say: the typical time, how sure it is, how far it spreads.

Sources: Conover, "Practical Nonparametric Statistics" (order-statistic intervals); torch.utils.benchmark (warnings on the
interquartile range); hyperfine (outliers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heartbeat_core.beat.store import PRECISION, Ordered, SampleStore
from heartbeat_core.beat.units import significant

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


def outliers(ordered: Ordered, median: float) -> int:
    """Count samples more than 14.826 median absolute deviations from the median; the clock's step, 1 ns, is the least deviation."""
    reach = OUTLYING * max(1, ordered.deviation(math.floor(median)))
    return ordered.n - ordered.within(median - reach, median + reach)


def warnings(median: float, relative_iqr: float) -> tuple[str, ...]:
    """Say what makes the figures doubtful and what to do about it."""
    if not median:
        return ("The median is 0 ns: the clock is too coarse for this product. Try a larger shape, or --method pipelined.",)
    if relative_iqr < WORRYING:
        return ()
    spread = f"The middle half of the samples spans {significant(100 * relative_iqr, 2)} % of the median"
    if relative_iqr < BAD:
        return (f"{spread}: small differences mean little. Close other programs, or run longer.",)
    return (f"{spread}: the median can't be relied on. Run again on a quiet machine, with more --warmup.",)
