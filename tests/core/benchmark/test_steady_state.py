from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.steady_state import SteadyState, mann_whitney, steady_state

BEAT = 9_600_000  # ns


def found_in(shape: NDArray[np.floating], noise: float = 0.02, seed: int = 11, limit: int = 1_000_000) -> SteadyState:
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


@pytest.mark.parametrize("at", [0.2, 0.35, 0.5, 0.65, 0.8])
@pytest.mark.parametrize("factor", [1.1, 0.9])
def test_a_step_is_seen_wherever_it_is(at: float, factor: float) -> None:
    found = [found_in(step(300, at, factor), seed=seed) for seed in range(20)]
    seen = [one for one in found if one.drifting or abs(one.start - at * 300) <= 10]
    assert len(seen) >= 19
    assert all(one.kind == "slowdown" for one in seen if factor > 1)  # a faster beginning is no warm-up
    assert all(one.kind in ("speed-up", "steady") for one in seen if factor < 1)


@pytest.mark.parametrize("n", [100, 1000, 30_000])
def test_a_throttled_machine_is_seen(n: int) -> None:
    slower, faster = found_in(step(n, 0.7, 1.1)), found_in(step(n, 0.7, 0.9))
    assert (slower.kind, faster.kind) == ("slowdown", "speed-up")
    assert slower.shift == pytest.approx(0.1, abs=0.02)
    assert faster.shift == pytest.approx(-0.1, abs=0.02)
    assert "% slower than before" in slower.sentence
    assert "% faster than before" in faster.sentence


def test_a_run_that_slows_down_bit_by_bit_is_a_slowdown() -> None:
    assert [found_in(np.linspace(1, 1.1, 300), seed=seed).kind for seed in range(20)].count("slowdown") >= 18


def test_a_series_that_keeps_changing_is_not_steady() -> None:
    assert found_in(np.linspace(2, 1, 300)).drifting


def test_a_shift_too_small_to_matter_is_no_slowdown() -> None:
    assert found_in(step(10_000, 0.7, 1.01)).kind == "steady"


@pytest.mark.parametrize("dwell", [0, 10, 50])
def test_samples_that_resemble_their_neighbours_do_not_drift(dwell: int) -> None:
    """``dwell`` is how long the machine stays in one of two modes, 0 for AR(1) noise of 0.9."""
    false_alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        if dwell:
            shape = 1 + 0.1 * (np.cumsum(rng.random(300) < 1 / dwell) % 2)
        else:
            noise = rng.standard_normal(300)
            for i in range(1, 300):
                noise[i] = 0.9 * noise[i - 1] + 0.44 * noise[i]
            shape = np.asarray(1 + 0.02 * noise, np.float64)
        false_alarms += found_in(shape, noise=0.02 if dwell else 1e-4, seed=seed).drifting
    assert false_alarms <= 8  # 5 % with the error of a hundred runs


def test_the_step_that_would_have_been_seen_is_seen() -> None:
    for n, noise in ((300, 0.02), (300, 0.2), (1000, 0.05)):
        smallest = found_in(np.ones(n), noise=noise).smallest_seen
        assert smallest is not None
        for at in (0.2, 0.5, 0.8):
            seen = [found_in(step(n, at, 1 + smallest), noise=noise, seed=seed).drifting for seed in range(40)]
            assert sum(seen) >= 30  # 90 % on average over the runs that state it


def test_too_few_samples_promise_nothing() -> None:
    found = found_in(np.ones(50))
    assert found.smallest_seen is None
    assert "would have been seen" not in found.sentence


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
