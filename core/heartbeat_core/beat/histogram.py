"""How samples are distributed, in bins with round edges; what lies far from the middle is gathered at both ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heartbeat_core.beat.store import Counted, SampleStore, as_array

if TYPE_CHECKING:
    from heartbeat_core.beat.statistics import Statistics

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
        assert isinstance(ordered, Counted)
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
    """Give from where to where most of the samples lie."""
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
