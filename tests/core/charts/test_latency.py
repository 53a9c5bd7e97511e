"""What the charts of latencies show, as data."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from heartbeat_core.benchmark.envelope import EnvelopeColumn
from heartbeat_core.benchmark.protocol import Samples
from heartbeat_core.benchmark.series import ChartData, DutyColumn, Series
from heartbeat_core.charts.latency import OverlayCurve, host_curves, latency_chart, overlay_chart
from heartbeat_core.charts.spec import ChartSpec

MS = 1_000_000


def column(index: int, ns: float, last: int | None = None, high: float = 0.0) -> EnvelopeColumn:
    return EnvelopeColumn(index, index if last is None else last, int(ns), int(high or ns), ns, ns, max(ns, 0.9 * high))


WARM = tuple(column(i, ns * MS) for i, ns in enumerate((61, 22, 14, 12, 11)))


def chart(steady: tuple[Any, ...] = (), **changed: Any) -> ChartData:
    values: dict[str, Any] = {"warm": WARM, "steady": steady, "compiles": (), "boundary": 5 if steady else None, "products": 1}
    return ChartData(**{**values, **changed})


def flat(count: int, first: int = 5, ns: float = 9.6 * MS) -> tuple[EnvelopeColumn, ...]:
    return tuple(column(i, ns) for i in range(first, first + count))


def spec_of(data: ChartData, width: int = 80, height: int = 14, **options: Any) -> ChartSpec:
    spec = latency_chart(lambda *_: data, width, height, **options)
    assert spec is not None
    return spec


def count(spec: ChartSpec, style: str) -> int:
    return sum(len(curve.x) for curve in spec.curves if curve.style == style)


def test_phases_have_marks_of_their_own_and_a_boundary() -> None:
    spec = spec_of(chart(flat(20)))
    assert (count(spec, "cold"), count(spec, "warm"), count(spec, "steady")) == (1, 4, 20)
    assert [rule.at for rule in spec.rules if rule.vertical] == [0.0]
    assert "warm-up" in [label for _, label in spec.x.ticks]
    assert all(x < 0 for curve in spec.curves if curve.style in ("cold", "warm") for x in curve.x)


def test_few_samples_are_joined_and_of_many_the_median_a_band_and_the_greatest_are_shown() -> None:
    few = spec_of(chart(flat(30)))
    assert not few.bands
    assert next(curve for curve in few.curves if curve.style == "steady").joined
    many = spec_of(chart(tuple(column(5 + 100 * i, 9.6 * MS, 104 + 100 * i, 30 * MS) for i in range(60))))
    (band,) = many.bands
    assert len(band.x) == count(many, "steady") == 60
    assert count(many, "greatest") == 60


def test_the_median_and_p95_are_named_at_their_right_ends() -> None:
    spec = spec_of(chart(flat(30)), median_ns=9.6 * MS, p95_ns=30 * MS)
    assert [caption.text for caption in spec.captions] == ["p95 30.0", "median 9.60"]
    assert spec.title == "latency per iteration, ms (log)"


def test_compile_iterations_are_crossed() -> None:
    assert count(spec_of(chart(flat(20), compiles=((1, 22 * MS), (9, 30 * MS)))), "compile") == 2


def test_the_axis_waits_for_what_is_to_come() -> None:
    few, many = spec_of(chart(flat(10)), expected=100), spec_of(chart(flat(100)), expected=100)
    assert few.x == many.x
    assert [label for _, label in few.x.ticks] == ["warm-up", "20", "40", "60", "80", "100"]


def test_steady_only_has_neither_warm_up_nor_boundary() -> None:
    spec = spec_of(chart(flat(20), warm=()))
    assert spec.x.low == 0
    assert not [rule for rule in spec.rules if rule.vertical]


def test_samples_of_many_products_are_shown_per_iteration() -> None:
    windows, alone = spec_of(chart(flat(20, ns=96.0 * MS), warm=(), products=10)), spec_of(chart(flat(20), warm=()))
    assert windows.y == alone.y


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0, -1])
def test_what_no_axis_has_room_for_is_left_out(bad: float) -> None:
    broken: Any = SimpleNamespace(first=10, last=10, low_ns=bad, high_ns=bad, p5_ns=bad, median_ns=bad, p95_ns=bad)
    data = chart((*flat(5), broken, *flat(5, first=11)), compiles=((14, bad),))
    assert spec_of(data, median_ns=bad) == spec_of(chart((*flat(5), *flat(5, first=11))))


def test_there_is_no_chart_without_samples_or_room() -> None:
    assert latency_chart(lambda *_: chart(warm=()), 80, 14) is None
    assert latency_chart(lambda *_: chart(flat(20)), 8, 14) is None
    assert latency_chart(lambda *_: chart(flat(20)), 80, 2) is None


def test_the_duty_cycle_stands_below_the_samples_it_was_measured_at() -> None:
    duty = (DutyColumn(0, 4, 10.0), DutyColumn(5, 14, 90.0), DutyColumn(15, 24, None))
    spec = spec_of(chart(flat(20), duty=duty))
    assert [level.share for level in spec.levels] == [0.1, 0.9]
    assert spec.levels[1].start >= 0
    assert not spec_of(chart(flat(20), duty=duty), height=6).levels
    assert [level.share for level in spec_of(chart(flat(20), duty=duty, warm=())).levels] == [0.9]


def run_of(*ns: int) -> Callable[[int, bool], ChartData]:
    series = Series()
    series.apply(Samples(0, "cold", 0, {"total": array("q", [10 * ns[0]])}))
    series.apply(Samples(1, "steady", 1, {"total": array("q", ns)}))
    return lambda columns, steady_only: series.chart(columns, steady_only=steady_only)


def overlaid(*curves: OverlayCurve, **options: Any) -> ChartSpec:
    spec = overlay_chart(curves, 60, 14, **options)
    assert spec is not None
    return spec


def test_each_run_is_a_line_with_a_marker_and_a_name_of_its_own() -> None:
    spec = overlaid(OverlayCurve(0, "slow", run_of(*[9 * MS] * 40)), OverlayCurve(1, "quick", run_of(*[3 * MS] * 400)))
    assert spec.legend == (("●", "slow", "series-0"), ("▲", "quick", "series-1"))
    for number, ns in ((0, 9 * MS), (1, 3 * MS)):
        line, markers = (curve for curve in spec.curves if curve.style == f"series-{number}")
        assert line.joined
        assert set(line.y) == {float(ns)}
        assert len(markers.x) >= 3


def test_iterations_that_took_very_long_do_not_flatten_the_others() -> None:
    some = [9 * MS + number % 7 for number in range(100)]
    some[50] = 9000 * MS
    spec = overlaid(OverlayCurve(0, "one", run_of(*some)), OverlayCurve(1, "two", run_of(*[8 * MS] * 100)))
    assert spec.y.high < 20 * MS
    assert "↑ above the axis" in spec.title
    assert [curve.marker for curve in spec.curves].count("↑") == 1


def test_the_whole_run_shows_the_first_iteration() -> None:
    curve = OverlayCurve(0, "one", run_of(*[9 * MS] * 10))
    assert overlaid(curve).x.ticks[0][1] == "first steady iteration"
    assert overlaid(curve, steady_only=False).x.ticks[0][1] == "first iteration"


def test_of_many_hosts_the_shown_one_stands_out_among_the_slowest() -> None:
    hosts: list[Any] = [
        SimpleNamespace(
            name=f"slice:{number}",
            report=SimpleNamespace(statistics=SimpleNamespace(median_ns=number)),
            chart=run_of(*[9 * MS] * 40),
            shown=number == 2,
        )
        for number in range(12)
    ]
    spec = overlaid(*host_curves(hosts), expected=80)
    assert [name for _, name, _ in spec.legend] == [":2", ":5", ":6", ":7", ":8", ":9", ":10", ":11"]
    assert spec.legend[0] == ("▸●", ":2", "steady")
    assert [style for _, _, style in spec.legend].count("steady") == 1
    line = next(curve for curve in spec.curves if curve.style == "steady")
    assert 0.49 < line.x[-1] < 0.5  # 40 of 80 samples have come
    assert [label for _, label in spec.x.ticks] == ["20", "40", "60", "80"]


def test_nothing_is_laid_over_without_samples_or_room() -> None:
    assert overlay_chart([OverlayCurve(0, "one", run_of(MS))], 10, 14) is None
    assert (
        overlay_chart([OverlayCurve(0, "one", lambda columns, steady_only: Series().chart(columns, steady_only=steady_only))], 60, 14)
        is None
    )
