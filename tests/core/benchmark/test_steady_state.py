from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.statistics import SteadyState, mann_whitney, steady_state

BEAT = 9_600_000  # ns


def found_in(shape: NDArray[np.float64], noise: float = 0.02, seed: int = 11, limit: int = 1_000_000) -> SteadyState:
    """Judge a series of this shape around 9.6 ms, with lognormal noise."""
    values = BEAT * shape * np.random.default_rng(seed).lognormal(0, noise, len(shape))
    store = SampleStore(limit)
    store.extend(array("q", values.astype(np.int64).tobytes()))
    return steady_state(store)


def step(n: int, at: float, factor: float) -> NDArray[np.float64]:
    return np.where(np.arange(n) < at * n, 1.0, factor)


@pytest.mark.parametrize("n", [20, 50, 100, 1000, 30_000])
def test_a_flat_series_is_steady_from_its_first_sample(n: int) -> None:
    found = [found_in(np.ones(n), seed=seed) for seed in range(20)]
    assert [one.kind for one in found].count("steady") >= 19
    assert [one.start for one in found].count(0) >= 19  # MSER alone would trim a third of it


@pytest.mark.parametrize("n", [1, 19])
def test_under_20_samples_nothing_is_said(n: int) -> None:
    found = found_in(np.ones(n))
    assert (found.kind, found.start, found.shift) == ("undetermined", 0, None)
    assert f"{n} of the 20 samples" in found.sentence


@pytest.mark.parametrize("n", [100, 400, 5000, 100_000])
def test_a_warm_up_is_cut_where_it_ends(n: int) -> None:
    decay = 1 + np.exp(-np.arange(n) / (n / 40))
    found = found_in(decay)
    assert found.kind == "steady"
    assert 0.04 * n < found.start < 0.3 * n
    assert f"since sample {found.start + 1:,}" in found.sentence
    assert "more warm-up" in found.sentence


def test_the_power_is_that_of_the_samples_compared() -> None:
    found = found_in(step(100, 0.2, 0.5))
    assert found.start == 20
    assert "70 % of the time" in found.sentence  # of 80 samples, not of 100


@pytest.mark.parametrize("n", [100, 1000, 30_000])
def test_a_throttled_machine_is_seen(n: int) -> None:
    slower, faster = found_in(step(n, 0.7, 1.1)), found_in(step(n, 0.7, 0.9))
    assert (slower.kind, faster.kind) == ("slowdown", "speed-up")
    assert slower.shift == pytest.approx(0.1, abs=0.02)
    assert faster.shift == pytest.approx(-0.1, abs=0.02)
    assert "% slower than the first" in slower.sentence
    assert "% faster than the first" in faster.sentence


def test_a_series_that_keeps_changing_is_not_steady() -> None:
    found = found_in(np.linspace(2, 1, 300))
    assert (found.kind, found.start) == ("not steady", 0)


def test_a_shift_too_small_to_matter_is_no_slowdown() -> None:
    assert found_in(step(10_000, 0.7, 1.01)).kind == "steady"


def test_the_sentence_says_what_so_many_samples_can_show() -> None:
    assert "10 % slowdown would be seen 99 % of the time" in found_in(np.ones(100)).sentence
    assert "70 % of the time" in found_in(np.ones(99)).sentence
    assert "hardly be seen" in found_in(np.ones(20)).sentence


@pytest.mark.parametrize(("n", "times"), [(100, 0.99), (50, 0.5)])
def test_the_sentence_says_it_truly(n: int, times: float) -> None:
    seen = [found_in(step(n, 0.66, 1.1), noise=0.04, seed=seed).kind != "steady" for seed in range(100)]
    assert sum(seen) / len(seen) >= times


def test_twenty_samples_hardly_show_a_throttle() -> None:
    seen = [found_in(step(20, 0.66, 1.1), noise=0.04, seed=seed).kind != "steady" for seed in range(100)]
    assert sum(seen) <= 5


def test_past_the_limit_a_slowdown_is_still_seen() -> None:
    assert found_in(np.ones(20_000), limit=2000).kind == "steady"
    assert found_in(step(20_000, 0.7, 1.1), limit=2000).kind == "slowdown"


@pytest.mark.parametrize("value", [0, 1, 10**12])
def test_samples_all_alike_are_steady(value: int) -> None:
    store = SampleStore()
    store.extend(array("q", [value] * 60))
    assert (steady_state(store).kind, steady_state(store).shift) == ("steady", 0)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_mann_whitney_is_the_textbooks(first: list[int], last: list[int]) -> None:
    pooled = np.array(first + last)
    n, a, b = len(pooled), len(first), len(last)
    ranks = np.array([(pooled < value).sum() + ((pooled == value).sum() + 1) / 2 for value in pooled])
    u = ranks[a:].sum() - b * (b + 1) / 2
    # given the ties, the sum of b of the ranks drawn without replacement has this variance
    variance = a * b / n * ranks.var(ddof=1)
    expected = (u - a * b / 2) / np.sqrt(variance) if variance > 0 else 0
    assert mann_whitney(np.array(first), np.array(last)) == pytest.approx(expected, abs=1e-9)
