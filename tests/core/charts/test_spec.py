"""Axes and their ticks."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.charts.spec import Axis, count_ticks, linear_ticks, log_ticks, tick_label, value_axis

POSITIVE = st.floats(1e-3, 1e15)


def is_round(value: float) -> bool:
    mantissa = value / 10.0 ** math.floor(math.log10(value) + 1e-9)
    return any(mantissa == pytest.approx(step) for step in (1, 2, 3, 5, 10))


@given(POSITIVE, st.floats(1.0, 1e6), st.integers(2, 60), st.booleans())
def test_an_axis_holds_its_values_and_its_ticks(low: float, factor: float, rows: int, log: bool) -> None:
    axis, _ = value_axis((low, low * factor), rows, log=log)
    assert 0 < axis.low <= low * (1 + 1e-9)
    assert axis.high >= low * factor * (1 - 1e-9)
    assert math.isfinite(axis.high)
    assert all(axis.low * (1 - 1e-9) <= tick <= axis.high * (1 + 1e-9) for tick, _ in axis.ticks)
    assert [tick for tick, _ in axis.ticks] == sorted({tick for tick, _ in axis.ticks})


@given(st.floats(1, 1e9), st.floats(3, 1e6), st.integers(3, 12))
def test_the_ticks_of_a_wide_logarithmic_axis_are_round_and_few(low: float, factor: float, most: int) -> None:
    ticks = log_ticks(low, low * factor, most)
    assert len(ticks) <= most + 1
    if factor > 10:
        assert all(is_round(tick) for tick in ticks)


@given(st.floats(0, 1e6), st.floats(1, 1e6), st.integers(1, 20))
def test_linear_ticks_are_evenly_far_apart(low: float, length: float, most: int) -> None:
    ticks = linear_ticks(low, low + length, most)
    assert len(ticks) <= most + 1
    gaps = [right - left for left, right in itertools.pairwise(ticks)]
    assert all(gap == pytest.approx(gaps[0], rel=1e-3) for gap in gaps)


def test_a_flat_series_is_not_blown_up() -> None:
    axis, unit = value_axis((9.60e6, 9.61e6), 12, log=True)
    assert unit == "ms"
    assert axis.high - axis.low > 0.018 * 9.6e6
    assert not axis.log


def test_values_outside_stay_at_the_edge() -> None:
    assert Axis(1, 100, log=True).place(1e9) == 2
    assert Axis(1, 100).place(-5) == 1


def test_counts_are_whole_numbers() -> None:
    assert count_ticks(1, 3, 10) == ((1.0, "1"), (2.0, "2"), (3.0, "3"))
    assert tick_label(1500) == "1,500"
    assert tick_label(0.5) == "0.5"
