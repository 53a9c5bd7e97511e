from __future__ import annotations

import random
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.samples import BATCHES, PRECISION, SampleStore

LONGEST = 2**63 - 1
PARTS = st.lists(st.lists(st.integers(0, LONGEST), max_size=50), min_size=1, max_size=20)


def filled(parts: list[list[int]], limit: int) -> SampleStore:
    store = SampleStore(limit)
    for part in parts:
        store.extend(array("q", part))
    return store


@given(PARTS, st.integers(1, 400))
def test_what_is_exact_stays_exact(parts: list[list[int]], limit: int) -> None:
    values = [value for part in parts for value in part]
    store = filled(parts, limit)
    assert len(store) == len(values)
    assert store.total == sum(values)
    assert store.minimum == min(values, default=None)
    assert store.maximum == max(values, default=None)
    assert store.exact == (len(values) <= limit)
    if store.exact:
        assert store.values().tolist() == values
    else:
        with pytest.raises(ValueError, match="only their histogram"):
            store.values()


@given(st.lists(st.integers(0, 2**52), min_size=2, max_size=200), st.floats(0, 1))
def test_a_quantile_is_numpys_and_the_histograms_within_a_thousandth(values: list[int], q: float) -> None:
    true = float(np.quantile(values, q))
    assert filled([values], limit=200).quantile(q) == pytest.approx(true, rel=1e-9)
    assert filled([values], limit=1).quantile(q) == pytest.approx(true, rel=1e-3)


@given(st.integers(0, LONGEST))
def test_a_bucket_is_never_further_from_its_sample_than_promised(value: int) -> None:
    store = filled([[0, value, LONGEST]], limit=1)  # between others, so that minimum and maximum do not help
    assert abs(store.ordered().at(2) - value) <= PRECISION * value


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200), st.integers(0, 5000), st.integers(0, 5000))
def test_counts_and_deviations_are_those_of_a_plain_list(values: list[int], low: int, centre: int) -> None:
    kept, counted = filled([values], limit=200).ordered(), filled([[v % 1000 for v in values]], limit=0).ordered()
    small = [v % 1000 for v in values]  # the histogram is exact below 1024
    for ordered, plain in ((kept, values), (counted, small)):
        assert ordered.within(low, low + 700.5) == sum(low <= v <= low + 700.5 for v in plain)
        assert ordered.deviation(centre) == sorted(abs(v - centre) for v in plain)[(len(plain) - 1) // 2]
        assert [ordered.at(rank) for rank in range(1, len(plain) + 1)] == sorted(plain)


def test_a_rank_outside_means_the_nearest() -> None:
    ordered = filled([[3, 1, 2]], limit=10).ordered()
    assert (ordered.at(0), ordered.at(99)) == (1, 3)


def test_a_view_stays_as_it_is_while_more_come() -> None:
    store = SampleStore()
    store.extend(array("q", [1, 2, 3]))
    view = store.values()
    array_seen = np.frombuffer(view, np.int64)
    for _ in range(100):
        store.extend(array("q", range(1000)))
    assert view.tolist() == array_seen.tolist() == [1, 2, 3]
    with pytest.raises(TypeError):
        view[0] = 0


def test_a_view_outlives_the_exact_part() -> None:
    store = SampleStore(limit=3)
    store.extend(array("q", [1, 2, 3]))
    view = store.values()
    store.extend(array("q", [4]))
    assert view.tolist() == [1, 2, 3]
    assert not store.exact


def test_negative_times_are_refused_whole() -> None:
    store = SampleStore()
    with pytest.raises(ValueError, match="backwards"):
        store.extend(array("q", [5, -1]))
    assert len(store) == 0


def test_autocorrelation_is_the_textbooks_and_survives_the_limit() -> None:
    rng = random.Random(5)
    values = [1000]
    for _ in range(70_000):  # more than the part that is taken at a time
        values.append(max(0, round(1000 + 0.6 * (values[-1] - 1000) + rng.gauss(0, 100))))
    centred = np.array(values) - np.mean(values)
    true = float((centred[:-1] * centred[1:]).sum() / (centred**2).sum())
    store = SampleStore(limit=len(values))
    store.extend(array("q", values))
    assert store.autocorrelation() == pytest.approx(true)
    store.extend(array("q", [10**9]))
    assert store.autocorrelation() == pytest.approx(true)


@pytest.mark.parametrize("values", [[], [1], [1, 2], [7] * 50])
def test_without_variation_there_is_no_autocorrelation(values: list[int]) -> None:
    assert filled([values], limit=100).autocorrelation() is None


@given(st.integers(1, 3000))
def test_batches_are_at_most_400_equal_medians(n: int) -> None:
    values = [(i * 7919) % 10_007 for i in range(n)]
    medians, size = filled([values], limit=3000).batches()
    assert len(medians) <= BATCHES
    assert len(medians) == n // size
    assert list(medians) == [np.median(values[i * size : (i + 1) * size]) for i in range(len(medians))]


@given(st.integers(1200, 20_000), st.integers(40, 999))
def test_batches_go_on_past_the_limit(n: int, step: int) -> None:
    """On a ramp the median of a batch is its middle, however it was merged and however the samples came."""
    store = SampleStore(limit=1000)
    for start in range(0, n, step):
        store.extend(array("q", range(start, min(n, start + step))))
    medians, size = store.batches()
    assert BATCHES // 2 - 1 <= len(medians) <= BATCHES
    assert len(medians) * size <= n < (len(medians) + 1) * size
    assert list(medians) == [i * size + (size - 1) / 2 for i in range(len(medians))]


def test_memory_is_let_go_past_the_limit() -> None:
    store = SampleStore(limit=10_000)
    for _ in range(100):
        store.extend(array("q", range(1000)))
    assert len(store) == 100_000
    assert len(store._buffer) == 0
    assert store.quantile(0.5) == pytest.approx(499.5, rel=1e-3)
