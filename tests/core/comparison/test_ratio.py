from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.statistics import summarize
from heartbeat_core.comparison.ratio import (
    ProcessTime,
    Ratio,
    far_out,
    incomplete_beta,
    of_processes,
    quantile_95,
    ratio_of,
    two_sided_p,
)

samples = st.lists(st.integers(1_000, 10_000_000), min_size=8, max_size=60)
times = st.lists(st.floats(1e3, 1e9), min_size=1, max_size=6)


def timed(values: Sequence[int], products: int = 1) -> ProcessTime:
    store = SampleStore()
    store.extend(array("q", values))
    found = summarize(store, products)
    return ProcessTime(found.median_ns, found.median_low_ns, found.median_high_ns, found.effective_n, store, products)


def noisy(seed: int, n: int = 100, centre: float = 1e7, spread: float = 0.05) -> list[int]:
    chance = random.Random(seed)
    return [max(1, round(centre * math.exp(chance.gauss(0, spread)))) for _ in range(n)]


@pytest.mark.parametrize(("df", "t"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (120, 1.9799)])
def test_the_quantiles_are_those_of_the_tables(df: int, t: float) -> None:
    assert quantile_95(df) == pytest.approx(t, abs=1e-4)
    assert two_sided_p(t, df) == pytest.approx(0.05, abs=1e-5)


@given(st.floats(0.01, 0.99), st.floats(0.5, 50), st.floats(0.5, 50))
def test_the_incomplete_beta_function_has_its_symmetry(x: float, a: float, b: float) -> None:
    assert incomplete_beta(x, a, b) == pytest.approx(1 - incomplete_beta(1 - x, b, a), abs=1e-9)


@given(samples, samples)
def test_an_interval_holds_its_ratio_and_turns_over_with_the_sides(left: list[int], right: list[int]) -> None:
    there, back = ratio_of([timed(left)], [timed(right)]), ratio_of([timed(right)], [timed(left)])
    assert there.value == pytest.approx(1 / back.value)
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.low is None) == (back.high is None)
    if there.low is not None and there.high is not None and back.low is not None and back.high is not None:
        assert there.low <= there.value <= there.high
        assert there.low == pytest.approx(1 / back.high)
        assert there.high == pytest.approx(1 / back.low)


@given(times, times)
def test_so_do_the_intervals_of_processes(left: list[float], right: list[float]) -> None:
    if len(left) + len(right) < 3:
        return
    there, back = (
        of_processes([math.log(ns) for ns in one], [math.log(ns) for ns in other]) for one, other in ((left, right), (right, left))
    )
    assert there.low is not None
    assert there.high is not None
    assert there.low <= there.value * (1 + 1e-12)
    assert there.value <= there.high * (1 + 1e-12)
    assert there.value == pytest.approx(1 / back.value)
    assert there.p_value == pytest.approx(back.p_value)


@given(samples, samples, st.integers(2, 50))
def test_a_ratio_does_not_depend_on_the_unit_of_time(left: list[int], right: list[int], factor: int) -> None:
    scaled = ratio_of([timed([factor * ns for ns in left])], [timed([factor * ns for ns in right])])
    plain = ratio_of([timed(left)], [timed(right)])
    assert scaled.value == pytest.approx(plain.value)
    assert scaled.p_value == pytest.approx(plain.p_value)
    assert scaled.low == (None if plain.low is None else pytest.approx(plain.low))


def test_equal_runs_differ_as_seldom_as_promised_and_a_tenth_is_found() -> None:
    equal = [ratio_of([timed(noisy(2 * i))], [timed(noisy(2 * i + 1))]) for i in range(400)]
    slower = [ratio_of([timed(noisy(2 * i))], [timed(noisy(2 * i + 1, centre=1.1e7))]) for i in range(100)]
    assert sum(ratio.differs for ratio in equal) <= 20
    assert sum(ratio.differs and ratio.value > 1.05 for ratio in slower) >= 96  # a few have too few independent samples, by chance
    held = sum(1 for ratio in equal if ratio.low and ratio.high and ratio.low <= 1 <= ratio.high)
    assert held >= 380  # 95 % confidence, and a little on the safe side


def test_samples_that_resemble_their_neighbours_are_worth_fewer() -> None:
    chance = random.Random(7)

    def wandering() -> list[int]:
        level, found = 0.0, []
        for _ in range(100):
            level = 0.8 * level + chance.gauss(0, 0.03)
            found.append(round(1e7 * math.exp(level)))
        return found

    equal = [ratio_of([timed(wandering())], [timed(wandering())]) for _ in range(200)]
    assert sum(ratio.differs for ratio in equal) <= 20
    as_if_independent = [ratio_of(*([replace(one, worth=100) for one in (timed(wandering()),)] for _ in range(2))) for _ in range(200)]
    assert sum((ratio.p_value or 1) < 0.05 for ratio in as_if_independent) > 40  # what would be believed without that


def test_a_machine_that_is_slow_for_a_while_makes_samples_worth_fewer() -> None:
    chance = random.Random(3)

    def in_spells() -> list[int]:
        return [
            ns for _ in range(10) for centre in [1e7 * chance.choice((1, 1.1))] for ns in noisy(chance.randrange(10**6), 10, centre, 0.01)
        ]

    equal = [ratio_of([timed(in_spells())], [timed(in_spells())]) for _ in range(200)]
    assert sum(ratio.differs for ratio in equal) <= 20


def test_processes_that_vary_are_not_made_up_for_by_many_samples() -> None:
    reference = [timed(noisy(i, 400, centre)) for i, centre in enumerate((1.00e7, 1.06e7, 1.02e7))]
    candidate = [timed(noisy(i + 9, 400, centre)) for i, centre in enumerate((1.05e7, 1.07e7, 1.01e7))]
    assert ratio_of(reference[:1], candidate[:1]).differs  # by samples alone, one would swear it
    together = ratio_of(reference, candidate)
    assert together.unit == "process"
    assert not together.differs
    assert ratio_of(reference, [timed(noisy(i, 400, 1.4e7 + i * 1e5)) for i in range(3)]).differs


def test_a_single_baseline_is_taken_to_vary_as_the_repeated_candidate_does() -> None:
    ratio = ratio_of([timed(noisy(1))], [timed(noisy(i, centre=centre)) for i, centre in enumerate((1.2e7, 1.21e7, 1.22e7))])
    assert (ratio.unit, ratio.differs) == ("process", True)
    assert "repeated" in ratio.test


def test_too_few_samples_have_a_ratio_without_an_interval() -> None:
    ratio = ratio_of([timed([5, 5, 5])], [timed([6, 6, 6])])
    assert (ratio.value, ratio.low, ratio.differs) == (1.2, None, False)
    assert "too few" in ratio.lacking


def test_windows_of_products_are_compared_by_the_product() -> None:
    one, ten = noisy(1), [10 * ns for ns in noisy(2)]
    ratio = ratio_of([timed(one)], [timed(ten, products=10)])
    assert ratio.value == pytest.approx(1, abs=0.03)
    assert not ratio.differs


@pytest.mark.parametrize(("reference", "candidate"), [([], [5]), ([0], [5]), ([5], [0])])
def test_a_ratio_needs_times(reference: list[int], candidate: list[int]) -> None:
    with pytest.raises(ValueError, match="times above 0"):
        ratio_of([timed([ns] * 9) for ns in reference], [timed([ns] * 9) for ns in candidate])


def test_times_alike_to_the_nanosecond_have_no_spread() -> None:
    assert of_processes([1.0, 1.0], [1.0, 1.0]) == Ratio(1.0, 1.0, 1.0, 1.0, "process", "Welch's t")
    assert of_processes([1.0, 1.0], [2.0, 2.0]).differs


def test_a_check_raises_few_false_alarms_and_finds_what_matters_even_where_a_process_was_disturbed() -> None:
    """Five processes a side, whose times vary by 1 % between them, and 5 % allowed."""
    chance = random.Random(5)

    def alarms(slowdown: float, *, disturbed: bool) -> float:
        found = 0
        for _ in range(400):
            sides = [[centre + chance.gauss(0, 0.01) for _ in range(5)] for centre in (0, math.log(1 + slowdown))]
            for side in sides if disturbed else ():
                side[chance.randrange(5)] += math.log(1.5)
            kept = [[log for index, log in enumerate(side) if index not in far_out(side)] for side in sides]
            found += (of_processes(*kept).low or 0) > 1.05
        return found / 400

    for disturbed in (False, True):
        assert alarms(0, disturbed=disturbed) <= 0.02
        assert alarms(0.05, disturbed=disturbed) <= 0.045  # 2.5 % with the error of so few
        assert alarms(0.12, disturbed=disturbed) >= 0.8
