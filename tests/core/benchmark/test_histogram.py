from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.statistics import histogram, summarize


def store_of(values: list[int], limit: int = 1_000_000) -> SampleStore:
    store = SampleStore(limit=limit)
    store.extend(array("q", values))
    return store


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=200), st.integers(4, 40), st.sampled_from([50, 1000]))
def test_every_sample_is_counted_once(values: list[int], bins: int, limit: int) -> None:
    store = store_of(values, limit)
    counted = histogram(store, summarize(store), bins)
    assert sum(each.count for each in counted) == len(values)
    assert len(counted) <= bins
    assert all(left.high_ns == right.low_ns for left, right in pairwise(counted))


def test_edges_are_round_and_an_outlier_does_not_flatten_the_rest() -> None:
    store = store_of([9_400_000 + 1_000 * i for i in range(400)] + [60_000_000])
    counted = histogram(store, summarize(store), 20)
    assert counted[-1].high_ns == 60_000_000
    assert counted[-1].count == 1
    assert [each.low_ns for each in counted[1:4]] == [9_450_000, 9_500_000, 9_550_000]
    assert counted[2].count == 50


def test_bins_are_per_product() -> None:
    store = store_of([96_000_000] * 50)
    (found,) = [each for each in histogram(store, summarize(store, 10), 8, products=10) if each.count]
    assert found.low_ns <= 9_600_000 <= found.high_ns
