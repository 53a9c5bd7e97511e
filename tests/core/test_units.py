from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.units import (
    format_bytes,
    format_bytes_rate,
    format_count,
    format_interval,
    format_ns,
    format_rate,
    format_share,
    significant,
)


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 ns"),
        (0.5, "0.500 ns"),
        (69, "69.0 ns"),
        (5600, "5.60 µs"),
        (999_600, "1.00 ms"),
        (9_610_000, "9.61 ms"),
        (114_700_000, "115 ms"),
        (639e9, "639 s"),
        (3_600e9, "3,600 s"),
        (-9_610_000, "-9.61 ms"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_durations(ns: float, said: str) -> None:
    assert format_ns(ns) == said


def test_an_interval_has_one_unit_and_the_digits_that_tell_its_ends_apart() -> None:
    ends = ((117e6, 121e6), (9.57e6, 9.65e6), (9.9e5, 1.02e6), (5.0e5, 5.003e5), (1e6, 1e6))
    assert [format_interval(*each) for each in ends] == ["117–121 ms", "9.57–9.65 ms", "0.990–1.02 ms", "500.0–500.3 µs", "1.00 ms"]


def test_rates() -> None:
    assert format_rate(1.79e12) == "1.79 TFLOP/s"
    assert format_rate(3_067.4e12) == "3,067 TFLOP/s"
    assert format_rate(165e9) == "165 GFLOP/s"
    assert format_bytes_rate(29e9) == "29.0 GB/s"
    assert format_bytes_rate(1638e9) == "1,638 GB/s"
    assert format_bytes(256 * 2**20) == "256 MiB"


def test_counts_and_shares() -> None:
    assert format_count(999_999) == "999,999"
    assert format_count(3_000_000) == "3.00 million"
    assert format_count(10**12) == "1.00 trillion"
    assert [format_share(share) for share in (0.71, 1.034, 0.0531, 0)] == ["71 %", "103 %", "5.3 %", "0 %"]


@given(st.floats(1e-6, 1e15), st.integers(2, 6))
def test_what_is_shown_is_right_to_its_digits(value: float, digits: int) -> None:
    shown = float(significant(value, digits).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits))


@given(st.floats(1, 9e11))
def test_a_duration_below_a_second_never_takes_more_than_7_cells(ns: float) -> None:
    shown = format_ns(ns)
    assert len(shown) <= 7
    assert "," not in shown
