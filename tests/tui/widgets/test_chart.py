from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.series import ChartData, EnvelopeColumn
from heartbeat_core.benchmark.statistics import Bin
from heartbeat_tui.widgets.chart import draw, scale_for
from heartbeat_tui.widgets.histogram import draw as draw_histogram

MS = 1_000_000
WARM = tuple(EnvelopeColumn(i, i, ns * MS, ns * MS) for i, ns in enumerate((61, 22, 14, 12, 11)))


def chart(steady: tuple[EnvelopeColumn, ...] = (), **changed: Any) -> ChartData:
    values: dict[str, Any] = {"warm": WARM, "steady": steady, "compiles": (), "boundary": 5 if steady else None, "products": 1}
    return ChartData(**{**values, **changed})


def flat(count: int, first: int = 5, ns: int = 9_600_000) -> tuple[EnvelopeColumn, ...]:
    return tuple(EnvelopeColumn(i, i, ns, ns) for i in range(first, first + count))


def lines(data: ChartData, width: int = 60, height: int = 14, **options: Any) -> list[str]:
    return str(draw(data, width, height, **options)).splitlines()


def test_phases_have_marks_of_their_own_and_a_boundary() -> None:
    drawn = "\n".join(lines(chart(flat(20))))
    assert drawn.count("◆") == 1
    assert drawn.count("◇") == 4
    assert drawn.count("┊") == 13
    assert "─ warm-up ─" in drawn
    assert "┴─ steady ─" in drawn
    assert any("\u2800" < character <= "\u28ff" for character in drawn)


def test_compile_iterations_are_crossed() -> None:
    drawn = "\n".join(lines(chart(flat(20), compiles=((1, 22 * MS), (9, 30 * MS)))))
    assert drawn.count("✕") == 2
    assert drawn.count("◇") == 3, "the mark of the compile iteration stands above that of its phase"


def test_no_line_is_wider_than_the_chart() -> None:
    for width in (16, 40, 61, 200):
        assert max(map(len, lines(chart(flat(500)), width))) <= width


def test_the_axis_waits_for_what_is_to_come() -> None:
    few = lines(chart(flat(10)), expected=100)
    many = lines(chart(flat(100)), expected=100)
    assert few[-1] == many[-1]
    assert few[-1].endswith("#105")
    assert max(len(line.rstrip("┄")) for line in few[:-1]) < max(len(line.rstrip("┄")) for line in many[:-1])


def test_steady_only_has_neither_warm_up_nor_boundary() -> None:
    drawn = "\n".join(lines(chart(flat(20), warm=())))
    assert "◆" not in drawn
    assert "┊" not in drawn
    assert "─ steady ─" in drawn


def test_samples_of_many_products_are_shown_per_product() -> None:
    per_window = lines(chart(flat(20, ns=96_000_000), warm=(), products=10), log=False)
    alone = lines(chart(flat(20), warm=()), log=False)
    assert per_window[:-1] == alone[:-1]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0, -1])
def test_what_no_axis_has_room_for_is_left_out(bad: float, log: bool) -> None:
    broken: Any = SimpleNamespace(first=12, last=12, low_ns=bad, high_ns=bad)
    data = chart((*flat(5), broken, *flat(5, first=13)), compiles=((14, bad),))
    without = chart((*flat(5), *flat(5, first=13)))
    assert lines(data, log=log, median_ns=bad) == lines(without, log=log)


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert not lines(chart(warm=()))
    assert not lines(chart(flat(20)), width=8)
    assert not lines(chart(flat(20)), height=2)


@given(
    st.lists(st.integers(1, 2**62), min_size=1, max_size=50),
    st.integers(1, 130),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_samples_fit_any_size(values: list[int], width: int, height: int, log: bool) -> None:
    steady = tuple(EnvelopeColumn(i, i, ns, ns) for i, ns in enumerate(values, 5))
    drawn = lines(chart(steady), width, height, log=log, median_ns=values[0])
    assert len(drawn) <= height
    assert all(len(line) <= width for line in drawn)


def test_a_histogram_is_written_in_the_unit_of_its_edges_not_of_an_outlier() -> None:
    bins = [*(Bin(2_500.0 + 20 * i, 2_520.0 + 20 * i, 5) for i in range(5)), Bin(2_600.0, 19_600_000.0, 1)]
    assert "2.50 ▏" in draw_histogram(bins, 60, {})[0].plain


@given(st.floats(1, 1e18), st.floats(1, 1e6), st.booleans(), st.integers(2, 12))
def test_a_scale_holds_its_values_and_its_ticks(low: float, factor: float, log: bool, ticks: int) -> None:
    high = low * factor
    scale = scale_for(low, high, log, ticks)
    assert scale.low <= low * (1 + 1e-9)
    assert scale.high >= high * (1 - 1e-9)
    assert 0 <= scale.at(low) <= scale.at(high) <= 1
    assert len(scale.ticks) <= 2 * ticks + 2
    assert all(scale.low * (1 - 1e-9) <= tick <= scale.high * (1 + 1e-9) for tick in scale.ticks)


@pytest.mark.parametrize(("low", "high"), [(107.13, 210.0), (1.0713, 2.1), (107.13, 300.0)])
def test_few_ticks_are_round_as_many_are(low: float, high: float) -> None:
    for ticks in range(2, 8):
        assert all(float(f"{tick:.3g}") == pytest.approx(tick) for tick in scale_for(low, high, True, ticks).ticks)
