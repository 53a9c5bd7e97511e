from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from heartbeat_core.benchmark.effective_samples import effective_of, effective_samples, find_modes, interval_ranks
from heartbeat_core.benchmark.samples import SampleStore

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator], tuple[Floats, float]]
MEDIAN = 1e6  # ns


def independent(n: int) -> Draw:
    return lambda rng: (MEDIAN * rng.lognormal(0, 0.2, n), MEDIAN)


def resembling(n: int, rho: float) -> Draw:
    def draw(rng: np.random.Generator) -> tuple[Floats, float]:
        noise = rng.standard_normal(n)
        for i in range(1, n):
            noise[i] = rho * noise[i - 1] + math.sqrt(1 - rho * rho) * noise[i]
        return MEDIAN * (1 + 0.02 * noise), MEDIAN

    return draw


def dwelling(n: int, slow: float, fast: float, step: float) -> Draw:
    """Draw times of a machine that stays about so many samples in its slow mode and in its fast one."""
    share = slow / (slow + fast)

    def draw(rng: np.random.Generator) -> tuple[Floats, float]:
        state, level = rng.random() < share, np.ones(0)
        while len(level) < n:
            level = np.append(level, np.full(rng.geometric(1 / (slow if state else fast)), 1 + step * state))
            state = not state
        noise = 1 + 0.02 * rng.standard_normal(n)
        middle = 1 + step / 2 if slow == fast else 1 + 0.02 * 0.1397  # of bursts in a tenth of the time: Phi(0.1397) = 0.5 / 0.9
        return MEDIAN * level[:n] * noise, MEDIAN * middle

    return draw


def shown_and_covering(draw: Draw, runs: int = 300) -> tuple[float, float]:
    """Return in which share of runs there is an interval, and in which share of these it holds the median."""
    rng, shown, covering = np.random.default_rng(12), 0, 0
    for _ in range(runs):
        values, median = draw(rng)
        worth = effective_of(values)
        ranks = interval_ranks(len(values), worth.estimate) if worth.enough else None
        if ranks:
            ordered = np.sort(values)
            shown += 1
            covering += bool(ordered[ranks[0] - 1] <= median <= ordered[ranks[1] - 1])
    return shown / runs, covering / max(1, shown)


@pytest.mark.parametrize(("n", "ranks"), [(10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (100, (40, 61)), (2000, (956, 1045))])
def test_ranks_of_independent_samples(n: int, ranks: tuple[int, int]) -> None:
    assert interval_ranks(n, n) == ranks


@pytest.mark.parametrize("worth", [1, 5, 5.9])
def test_too_few_samples_have_no_ranks(worth: float) -> None:
    assert interval_ranks(5, 5) is None
    assert interval_ranks(1000, worth) is None


@pytest.mark.parametrize(
    ("draw", "least_shown"),
    [
        (independent(20), 0.1),
        (independent(30), 0.6),
        (independent(100), 0.95),
        (resembling(100, 0.6), 0.6),
        (resembling(300, 0.9), 0.3),
        (dwelling(300, 10, 90, 0.5), 0.2),
        (dwelling(1000, 10, 90, 0.5), 0.9),
    ],
)
def test_an_interval_that_is_shown_holds_the_median_as_often_as_it_says(draw: Draw, least_shown: float) -> None:
    shown, covering = shown_and_covering(draw)
    assert shown >= least_shown
    assert covering >= 0.88  # 0.9 with the error of so few runs


@pytest.mark.parametrize("step", [0.05, 0.1, 0.5])
def test_a_run_in_two_modes_has_no_interval_before_a_hundred_dwell_times(step: float) -> None:
    assert shown_and_covering(dwelling(300, 50, 50, step))[0] <= 0.03
    assert shown_and_covering(dwelling(1000, 50, 50, step))[0] <= 0.03


def test_a_run_of_many_dwell_times_has_one() -> None:
    shown, covering = shown_and_covering(dwelling(10_000, 50, 50, 0.1), runs=60)
    assert (shown, covering) >= (0.9, 0.88)


def test_too_short_a_run_of_resembling_samples_has_none() -> None:
    assert shown_and_covering(resembling(30, 0.9))[0] <= 0.02
    assert shown_and_covering(resembling(10, 0.0))[0] == 0


def test_modes_are_found_where_they_are() -> None:
    rng = np.random.default_rng(5)
    found = find_modes(dwelling(1000, 50, 50, 0.1)(rng)[0])
    assert found is not None
    assert 10 < found.dwells < 50
    assert find_modes(independent(1000)(rng)[0]) is None
    assert find_modes(MEDIAN * rng.choice([1.0, 1.1], 1000)) is None  # two modes, and each sample in either by chance


def test_very_many_samples_are_worth_what_their_blocks_show() -> None:
    """Above 8,192 the blocks of the samples are looked at, past the limit of a store its batches."""
    rng = np.random.default_rng(2)
    for draw, least, most in ((independent(20_000), 13_000, 20_000), (resembling(20_000, 0.9), 800, 2600)):
        values = draw(rng)[0].astype(np.int64)
        whole, counted = SampleStore(), SampleStore(limit=1000)
        for store in (whole, counted):
            store.extend(array("q", values.tobytes()))
        assert least < effective_samples(whole).estimate <= most
        assert effective_samples(counted).estimate <= 400


def test_samples_all_alike_are_worth_all_of_them() -> None:
    assert effective_of(np.full(9, 5)).estimate == 9
