from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.statistics import Statistics, least_for_quantile, summarize

TIMES = st.lists(st.integers(0, 10**12), min_size=1, max_size=400)


def stored(values: list[int], limit: int = 1_000_000) -> SampleStore:
    store = SampleStore(limit)
    store.extend(array("q", values))
    return store


def summary(values: list[int], products: int = 1) -> Statistics:
    return summarize(stored(values), products)


@given(TIMES)
def test_figures_are_numpys(values: list[int]) -> None:
    found = summary(values)
    assert found.n == len(values)
    assert found.exact
    assert found.median_ns == pytest.approx(np.median(values))
    assert found.mean_ns == pytest.approx(np.mean(values))
    assert (found.min_ns, found.max_ns) == (min(values), max(values))
    assert found.iqr_ns == pytest.approx(np.quantile(values, 0.75) - np.quantile(values, 0.25))
    for q, ns in found.quantiles:
        assert ns == pytest.approx(np.quantile(values, q))


@given(TIMES)
def test_the_interval_holds_the_median(values: list[int]) -> None:
    found = summary(values)
    if found.median_low_ns is None or found.median_high_ns is None:
        assert found.effective_n_low < 10
        assert found.median_low_ns is found.median_high_ns
    else:
        assert found.min_ns <= found.median_low_ns <= found.median_ns <= found.median_high_ns <= found.max_ns
        assert {found.median_low_ns, found.median_high_ns} <= set(values)


@given(TIMES)
def test_outliers_are_counted_as_hyperfine_counts_them(values: list[int]) -> None:
    median = float(np.median(values))
    deviations = sorted(abs(value - math.floor(median)) for value in values)
    deviation = max(1, deviations[(len(values) - 1) // 2])
    assert summary(values).outliers == sum(abs(value - median) / deviation > 14.826 for value in values)


def test_an_outlier_stays_in_the_figures() -> None:
    found = summary([1000, 1001, 999, 1002, 998, 1000, 50_000])
    assert found.outliers == 1
    assert found.max_ns == 50_000
    assert found.mean_ns > 7000


@given(TIMES, st.integers(1, 100))
def test_a_sample_of_many_products_is_shared_among_them(values: list[int], products: int) -> None:
    one, many = summary(values), summary(values, products)
    assert many.median_ns == pytest.approx(one.median_ns / products)
    assert many.max_ns == pytest.approx(one.max_ns / products)
    assert many.relative_iqr == one.relative_iqr
    assert many.outliers == one.outliers


@pytest.mark.parametrize(("q", "n"), [(0.5, 1), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_a_quantile_is_shown_from_so_many_samples_on(q: float, n: int) -> None:
    assert least_for_quantile(q) == n
    assert q in dict(summary(list(range(1, n + 1))).quantiles)
    if n > 1:
        assert q not in dict(summary(list(range(1, n))).quantiles)


def test_resembling_neighbours_widen_the_interval() -> None:
    """A series that drifts slowly says less of its median than its shuffled self."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1000, 500)
    for i in range(1, 500):
        noise[i] += 0.8 * noise[i - 1]
    drifting = (1_000_000 + noise).astype(int).tolist()
    shuffled = rng.permutation(drifting).tolist()
    wide, narrow = summary(drifting), summary(shuffled)
    assert wide.autocorrelation == pytest.approx(0.8, abs=0.1)
    assert wide.effective_n < narrow.effective_n / 4
    assert (wide.median_high_ns or 0) - (wide.median_low_ns or 0) > 1.5 * ((narrow.median_high_ns or 0) - (narrow.median_low_ns or 0))


@pytest.mark.parametrize(
    ("spread", "said"),
    [(0.04, None), (0.06, "12 % of the median: small differences mean little"), (0.2, "40 % of the median: the median can't be relied on")],
)
def test_a_wide_spread_is_warned_of_with_what_to_do(spread: float, said: str | None) -> None:
    middle = [round(10_000 * (1 + side * spread)) for side in (-1, 1)] * 50 + [10_000]
    found = summary(middle).warnings
    assert said in found[0] if said else not found


def test_a_clock_too_coarse_is_warned_of() -> None:
    assert "too coarse" in summary([0, 0, 0, 41]).warnings[0]


def test_nothing_has_no_summary() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarize(SampleStore())


@given(st.lists(st.integers(0, 10**15), min_size=60, max_size=300))
def test_past_the_limit_the_figures_keep_within_a_thousandth(values: list[int]) -> None:
    exact, counted = summary(values), summarize(stored(values, limit=50))
    assert not counted.exact
    assert (counted.n, counted.min_ns, counted.max_ns) == (exact.n, exact.min_ns, exact.max_ns)
    assert counted.mean_ns == exact.mean_ns
    assert counted.median_ns == pytest.approx(exact.median_ns, rel=1e-3)
    for (_, ns), (_, true_ns) in zip(counted.quantiles, exact.quantiles, strict=True):
        assert ns == pytest.approx(true_ns, rel=1e-3)
