from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.protocol import Samples
from heartbeat_core.benchmark.series import ChartData, Series
from heartbeat_tui.widgets.chart import ChartPicture
from heartbeat_tui.widgets.overlay_chart import LEAST, OverlayCurve, draw

MS = 1_000_000


def chart(*ns: int) -> Callable[[int, bool], ChartData]:
    series = Series()
    series.apply(Samples(0, "cold", 0, {"total": array("q", [10 * ns[0]])}))
    series.apply(Samples(1, "steady", 1, {"total": array("q", ns)}))
    return lambda columns, steady_only: series.chart(columns, steady_only=steady_only)


def lines(picture: ChartPicture) -> list[str]:
    return str(picture).splitlines()


def rows_of(picture: ChartPicture, marker: str) -> set[int]:
    return {y for y, line in enumerate(lines(picture)) if y and marker in line}


def test_the_quicker_run_lies_below_the_slower_one_each_with_its_marker() -> None:
    picture = draw([OverlayCurve(0, "slow", chart(*[9 * MS] * 40)), OverlayCurve(1, "quick", chart(*[3 * MS] * 400))], 60, 14)
    assert lines(picture)[0].split() == ["●", "slow", "▲", "quick"]
    assert max(rows_of(picture, "●")) < min(rows_of(picture, "▲"))
    assert picture.unit == "ms"


def test_without_colour_equal_runs_are_still_told_apart() -> None:
    picture = draw([OverlayCurve(0, "one", chart(*[9 * MS] * 40)), OverlayCurve(1, "two", chart(*[9 * MS] * 40))], 60, 14)
    line = next(line for line in lines(picture)[1:] if "●" in line)
    assert line.count("●") >= 3
    assert line.count("▲") >= 3


def test_runs_of_one_side_share_marker_and_name() -> None:
    picture = draw(
        [
            OverlayCurve(0, "all", chart(*[9 * MS] * 9)),
            OverlayCurve(0, "all", chart(*[8 * MS] * 9)),
            OverlayCurve(1, "other", chart(MS, MS)),
        ],
        60,
        14,
    )
    assert lines(picture)[0].split() == ["●", "all", "▲", "other"]


def test_beats_that_took_very_long_do_not_flatten_the_others() -> None:
    some = [9 * MS + number % 7 for number in range(100)]
    some[50] = 9000 * MS
    picture = draw([OverlayCurve(0, "one", chart(*some)), OverlayCurve(1, "two", chart(*[8 * MS] * 100))], 80, 14)
    assert "↑" in lines(picture)[1]
    assert "↑ longer than the axis" in lines(picture)[-1]
    assert rows_of(picture, "●").isdisjoint(rows_of(picture, "▲"))


def test_the_whole_run_shows_the_first_beat() -> None:
    curves = [OverlayCurve(0, "one", chart(*[9 * MS] * 10))]
    assert "first steady beat" in lines(draw(curves, 60, 14))[-1]
    whole = draw(curves, 60, 14, steady_only=False)
    assert "─ first beat" in lines(whole)[-1]


def test_there_is_nothing_to_draw_without_room_or_samples() -> None:
    assert draw([OverlayCurve(0, "one", chart(MS))], LEAST[0] - 1, 14).lines == ()
    assert draw([OverlayCurve(0, "one", lambda columns, steady_only: Series().chart(columns, steady_only=steady_only))], 60, 14).lines == ()


@given(
    st.lists(st.lists(st.integers(0, 2**62), min_size=1, max_size=50), min_size=1, max_size=9),
    st.integers(LEAST[0], 200),
    st.integers(LEAST[1], 60),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_samples_it_stays_within_its_room(
    runs: Sequence[Sequence[int]], width: int, height: int, log: bool, steady_only: bool
) -> None:
    curves = [OverlayCurve(number, f"run {number}", chart(*(min(ns, 2**58) for ns in run))) for number, run in enumerate(runs)]
    picture = draw(curves, width, height, log=log, steady_only=steady_only)
    assert len(picture.lines) in (0, height)
    assert all(sum(len(text) for text, _ in line) <= width for line in picture.lines[1:])
