"""Charts as plotext draws them, read back as styled lines."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.charts.spec import Axis, Band, Caption, ChartSpec, Curve, Level, RuleLine
from heartbeat_tui.plotting import render

LINE = Curve((0.0, 5.0, 10.0), (1.0, 10.0, 100.0), "steady", joined=True)
SPEC = ChartSpec(
    "latency, ms",
    Axis(0.0, 10.0, ticks=((0.0, "0"), (5.0, "5"), (10.0, "10"))),
    Axis(1.0, 100.0, True, ((1.0, "1"), (10.0, "10"), (100.0, "100"))),
    bands=(Band((2.0, 4.0), (2.0, 2.0), (20.0, 20.0), "band"),),
    rules=(RuleLine(3.0, "boundary", vertical=True),),
    curves=(LINE, Curve((1.0,), (50.0,), "cold", marker="◆")),
    captions=(Caption(10.0, 30.0, "median 30", "caption"),),
    legend=(("●", "one run", "series-0"),),
    levels=(Level(0.0, 5.0, 0.0), Level(5.0, 10.0, 1.0)),
    levels_name="duty",
)


def styles_of(spec: ChartSpec, width: int = 60, height: int = 14) -> set[str]:
    return {style for line in render(spec, width, height) for _, style in line}


def test_every_part_is_drawn_in_its_style() -> None:
    assert styles_of(SPEC) >= {"axis", "steady", "cold", "band", "caption", "series-0", "levels"}
    text = "\n".join("".join(text for text, _ in line) for line in render(SPEC, 60, 14))
    assert text.startswith("● one run")
    for part in ("◆", "median 30", "100", "duty", "▁▁▁", "███"):
        assert part in text
    assert "\x1b" not in text


def test_a_band_covers_its_range_and_neither_the_line_nor_a_caption() -> None:
    x = tuple(float(at) for at in range(11))
    band = Band(x, (2.0,) * 11, (60.0,) * 11, "band")
    line, name = Curve(x, (10.0,) * 11, "steady", joined=True), Caption(10.0, 30.0, "p95 of all", "caption")
    bare, drawn = (render(ChartSpec("", SPEC.x, SPEC.y, bands=bands, curves=(line,), captions=(name,)), 60, 14) for bands in ((), (band,)))
    for style in ("steady", "caption"):
        assert [[run for run in row if run[1] == style and run[0].strip()] for row in drawn] == [
            [run for run in row if run[1] == style and run[0].strip()] for row in bare
        ]
    rows = [number for number, row in enumerate(drawn) if any(style == "band" for _, style in row)]
    assert (rows[0], rows[-1]) == (1, 10)  # of twelve, from 60 to 2 on a scale from 100 to 1


def test_a_line_rises_from_the_lower_left_to_the_upper_right() -> None:
    spec = ChartSpec("", SPEC.x, SPEC.y, curves=(LINE,))
    lines = ["".join(text for text, _ in line) for line in render(spec, 40, 12)]
    dots = {x: y for y, line in enumerate(lines) for x, character in enumerate(line) if "\u2800" < character <= "\u28ff"}
    heights = [dots[x] for x in sorted(dots)]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) > 30


@given(st.integers(1, 140), st.integers(1, 50), st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_any_values_fit_any_size(width: int, height: int, values: list[float]) -> None:
    curve = Curve(tuple(float(i) for i in range(len(values))), tuple(values), "steady", joined=True)
    lines = render(ChartSpec("", SPEC.x, Axis(1.0, 100.0, True), curves=(curve,)), width, height)
    assert len(lines) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in lines)


def test_there_is_nothing_without_room() -> None:
    assert render(SPEC, 5, 14) == ()
    assert render(SPEC, 60, 4) == ()


def test_charts_drawn_in_several_threads_do_not_mix() -> None:
    """plotext has one figure for the whole process."""
    specs = [ChartSpec("", SPEC.x, SPEC.y, curves=(Curve((5.0,), (10.0,), "steady", marker=marker),)) for marker in "◆◇"]
    alone = [render(spec, 40, 10) for spec in specs]
    with ThreadPoolExecutor(2) as pool:
        drawn = list(pool.map(lambda number: render(specs[number % 2], 40, 10), range(40)))
    assert drawn == [alone[number % 2] for number in range(40)]


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_an_axis_refuses_no_chart(value: float) -> None:
    """What is not finite never reaches a spec; a rule at such a place is left out."""
    assert render(ChartSpec("", SPEC.x, SPEC.y, rules=(RuleLine(value, "median"),), curves=(LINE,)), 40, 10)
