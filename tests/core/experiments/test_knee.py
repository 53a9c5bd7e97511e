"""The knee, found again in points made from a known one."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.roofline import MeasuredPeaks, Roof, floor, roof_of_chip, roof_of_peaks
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.experiments.knee import MeasuredPoint, envelope, find_knee, knee_notes, knee_serving, knee_summary

GB_PER_S = 30.0
BATCHES = tuple(2**power for power in range(13))
Points = list[MeasuredPoint]


def made(
    knee: float, *, sharpness: float = 16, noise: float = 0, seed: int = 0, dtype: Dtype = "float32", batches: tuple[int, ...] = BATCHES
) -> Points:
    """Make the points of a machine whose memory and arithmetic take equally long at the batch ``knee``."""
    chance = random.Random(seed)
    at_knee = 2 * knee * 4096 * 16384 / ((4 if dtype == "float32" else 2) * (knee * 4096 + 4096 * 16384 + knee * 16384))
    points = []
    for batch in batches:
        work = MatMul(batch, dtype=dtype)
        moving, computing = work.bytes / GB_PER_S, work.flops / (GB_PER_S * at_knee)
        most = max(moving, computing)
        ns = most * ((moving / most) ** sharpness + (computing / most) ** sharpness) ** (1 / sharpness)
        points.append(MeasuredPoint(work, ns * math.exp(chance.uniform(-noise, noise))))
    return points


@given(st.floats(6, 700), st.sampled_from((1.0, 2.0, 4.0, 16.0)), st.sampled_from(("float32", "bfloat16")))
def test_a_knee_is_found_where_it_was_put(knee: float, sharpness: float, dtype: Dtype) -> None:
    found = find_knee(made(knee, sharpness=sharpness, dtype=dtype))
    assert found.kind == "knee"
    assert found.batch == pytest.approx(knee, rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= knee <= found.high <= 4 * found.low
    assert found.bytes_per_s == pytest.approx(GB_PER_S * 1e9, rel=0.1)


@given(st.floats(6, 700), st.sampled_from((1.0, 4.0, 16.0)), st.floats(0, 0.1), st.integers(0, 2**32))
def test_noise_moves_it_by_less_than_a_doubling_and_its_bracket_grows_with_it(
    knee: float, sharpness: float, noise: float, seed: int
) -> None:
    found = find_knee(made(knee, sharpness=sharpness, noise=noise, seed=seed))
    assert found.kind == "knee"
    assert found.batch is not None
    assert abs(math.log2(found.batch / knee)) < 1
    assert found.low is not None
    assert found.high is not None
    assert found.low / 2 <= knee <= found.high * 2
    assert {found.low, found.high} <= set(BATCHES)


def test_brackets_hold_the_knee_nineteen_times_of_twenty() -> None:
    """A bound of 100 draws from a binomial of 95 %: 89 or more with a probability of 99 %."""
    chance = random.Random(4)
    held = 0
    for seed in range(100):
        knee = 2 ** chance.uniform(2.6, 9.4)
        found = find_knee(made(knee, sharpness=chance.choice((1.0, 2.0, 16.0)), noise=0.1, seed=seed))
        held += found.low is not None and found.high is not None and found.low <= knee <= found.high
    assert held >= 89


@given(st.sampled_from((1e6, 1e7)), st.floats(0, 0.1), st.integers(0, 2**32))
def test_where_memory_always_sets_the_limit_there_is_none(knee: float, noise: float, seed: int) -> None:
    found = find_knee(made(knee, noise=noise, seed=seed, batches=BATCHES[:9]))
    assert found.kind == "memory"
    assert found.batch is None
    assert "No knee from batch 1 to 256" in knee_summary(found)


@given(st.floats(0.01, 0.3), st.floats(0, 0.1), st.integers(0, 2**32))
def test_where_arithmetic_always_sets_the_limit_there_is_none(knee: float, noise: float, seed: int) -> None:
    assert find_knee(made(knee, noise=noise, seed=seed)).kind == "compute"


def test_times_that_follow_neither_name_no_knee() -> None:
    chance = random.Random(5)
    found = find_knee([MeasuredPoint(MatMul(batch), 1e6 * batch**0.5 * math.exp(chance.uniform(-0.1, 0.1))) for batch in BATCHES])
    assert found.kind == "unclear"
    assert "No knee can be named" in knee_summary(found)
    assert knee_serving(found) == ""


def test_a_knee_with_a_single_point_beyond_it_is_not_named() -> None:
    points = made(80, batches=(*BATCHES[:7], 512))
    found = find_knee(points)
    assert (found.kind, found.batch) == ("edge", None)
    assert "Sweep further" in knee_summary(found)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_points_are_said_to_be_few(count: int) -> None:
    found = find_knee(made(64, batches=BATCHES[:count]))
    assert found.kind == "few"
    assert f"{count} were measured" in knee_summary(found)


@given(st.floats(1e-3, 1e3))
def test_a_faster_clock_moves_no_knee(factor: float) -> None:
    points = made(64, noise=0.05)
    scaled = [MeasuredPoint(point.workload, point.ns * factor) for point in points]
    assert find_knee(scaled).batch == pytest.approx(find_knee(points).batch, rel=0.01)


def test_the_order_of_the_points_does_not_matter() -> None:
    points = made(64, noise=0.05)
    assert find_knee(points[::-1]) == find_knee(points)


def test_a_batch_that_takes_longer_than_a_larger_one_counts_as_that_and_is_named() -> None:
    points = made(100)
    points[2] = MeasuredPoint(points[2].workload, 3 * points[2].ns)
    found = find_knee(points)
    assert found.kind == "knee"
    assert found.batch == pytest.approx(100, rel=0.1)
    assert found.padded == (4,)
    assert any("Batch 4 took longer" in note for note in knee_notes(found))


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=13))
def test_the_envelope_never_falls_and_never_exceeds(times: list[float]) -> None:
    points = [MeasuredPoint(MatMul(batch), ns) for batch, ns in zip(BATCHES, times, strict=False)]
    least = [point.ns for point in envelope(points)]
    assert least == sorted(least)
    assert all(low <= point.ns for low, point in zip(least, points, strict=True))


@given(st.floats(0.3, 200), st.sampled_from(("float32", "bfloat16")))
def test_the_batch_of_an_intensity_has_that_intensity(intensity: float, dtype: Dtype) -> None:
    batch = MatMul(dtype=dtype).batch_at(intensity)
    assert batch is not None
    flops = 2 * batch * 4096 * 16384
    moved = (4 if dtype == "float32" else 2) * (batch * 4096 + 4096 * 16384 + batch * 16384)
    assert flops / moved == pytest.approx(intensity)


def test_an_intensity_that_no_batch_reaches_has_none() -> None:
    small = MatMul(1, 16, 16)
    assert small.batch_at(1000) is None
    roof = Roof(1e12, 1e9, None, "made up", True)
    assert "memory would set the limit at every batch" in knee_summary(
        find_knee([MeasuredPoint(MatMul(b, 16, 16), 1e3 * b) for b in BATCHES], roof)
    )


@pytest.mark.parametrize("name", ["v5e", "v6e", "v4"])
def test_at_the_knee_of_a_chips_roof_both_floors_are_equal(name: str) -> None:
    chip = chip_by_name(name)
    assert chip is not None
    roof = roof_of_chip(chip, "bfloat16")
    found = find_knee(made(64, dtype="bfloat16"), roof)
    assert found.roof_batch is not None
    under = floor(MatMul(round(found.roof_batch), dtype="bfloat16"), roof)
    assert under.compute_ns == pytest.approx(under.memory_ns, rel=0.01)
    assert f"The peak of a {name} alone would put it at" in knee_summary(found)


def test_it_says_what_the_knee_means_for_serving() -> None:
    found = find_knee(made(100))
    assert "about 100, between 64 and 128" in knee_summary(found)
    assert "by the 13 points measured" in knee_summary(found)
    said = knee_serving(found)
    assert "up to 64 rows a product cost 1.0 times the time of 1" in said
    assert "from 128 on 32 times the rows took 32 times the time" in said


def test_caches_and_whatever_else_is_flat_are_not_taken_for_memory() -> None:
    cached = find_knee(made(100), roof_of_peaks(MeasuredPeaks(1e12, 30e9, "2026-11-22"), 2**30))
    assert any("fit into the caches" in note for note in knee_notes(cached))
    slow = find_knee(made(100), roof_of_peaks(MeasuredPeaks(1e12, 900e9, "2026-11-22"), 2**20))
    assert any("something else" in note for note in knee_notes(slow))
    assert "memory sets the time" not in knee_summary(slow)
    assert "below it the time hardly grows" in knee_summary(slow)
    plain = find_knee(made(100), roof_of_peaks(MeasuredPeaks(1e12, 30e9, "2026-11-22"), 2**20))
    assert knee_notes(plain) == ()


def test_the_cost_of_a_call_does_not_move_the_knee_where_it_is_measured() -> None:
    """A v6e in bfloat16 whose products cost 100 µs to start, as much as moving the weights takes: 1.7 to 2.4 times off without it."""
    chip = chip_by_name("v6e")
    assert chip is not None
    roof = roof_of_chip(chip, "bfloat16")
    true = MatMul(1, dtype="bfloat16").batch_at(roof.flops_per_s / roof.bytes_per_s)
    assert true is not None
    chance, near, held = random.Random(8), 0, 0
    for _ in range(60):
        points = []
        for batch in BATCHES:
            work = MatMul(batch, dtype="bfloat16")
            ns = 1e5 + floor(work, roof).ns
            points.append(MeasuredPoint(work, ns * math.exp(chance.gauss(0, 0.02))))
        found = find_knee(points, roof, call_ns=1e5 * math.exp(chance.gauss(0, 0.02)))
        near += found.batch is not None and 1 / 1.3 < found.batch / true < 1.3
        held += found.low is not None and found.high is not None and found.low <= true <= found.high
    assert near >= 54
    assert held >= 54
