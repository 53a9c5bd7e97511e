from __future__ import annotations

import json
from array import array
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import (
    KINDS,
    PHASES,
    SCHEMA,
    Environment,
    HandbookClock,
    Pause,
    Phase,
    Samples,
    Stage,
    Started,
    Unknown,
    decode,
)
from heartbeat_core.benchmark.report import report_json, report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.errors import HeartbeatError


def samples(phase: Phase, start: int, *total: int, **parts: list[int]) -> Samples:
    return Samples(0, phase, start, {"total": array("q", total), **{name: array("q", part) for name, part in parts.items()}})


def a_run() -> Series:
    """Return a series with a cold iteration, three of warm-up and four steady ones."""
    series = Series()
    series.apply(Started(0, SCHEMA, "0", 1, "2026-11-22T12:00:00+00:00", BenchmarkConfig(warmup=4, iterations=4).to_json()))
    series.apply(samples("cold", 0, 900))
    series.apply(samples("warm-up", 1, 300, 200, 150))
    series.apply(samples("steady", 4, 100, 101))
    series.apply(samples("steady", 6, 102, 103))
    return series


def test_the_phases_are_kept_apart() -> None:
    series = a_run()
    assert series.config == BenchmarkConfig(warmup=4, iterations=4)
    assert series.cold_ns == 900
    assert list(series.warmup.values()) == [300, 200, 150]
    assert list(series.steady.values()) == [100, 101, 102, 103]
    assert (series.boundary, series.count, series.last_ns) == (4, 8, 103)


def test_an_iteration_that_compiled_is_marked_and_left_out_of_the_figures() -> None:
    series = Series()
    series.apply(samples("cold", 0, 9_000, compile=[8_000], wait=[10]))
    series.apply(samples("steady", 1, 100, 7_000, 101, compile=[0, 6_900, 0], wait=[60, 70, 61]))
    assert series.compiles == [(0, 9_000), (2, 7_000)]
    assert (series.compile_count, series.compile_ns) == (2, 14_900)
    assert list(series.steady.values()) == [100, 101]
    assert list(series.parts["wait"].values()) == [60, 61]
    chart = series.chart(10)
    assert max(column.high_ns for column in chart.steady) == 7_000  # and still on the chart


def test_the_stage_under_way_is_the_last_one_begun() -> None:
    series = Series()
    assert series.stage is None
    series.apply(Stage(0, "import"))
    assert series.stage == "import"
    series.apply(Stage(1, "import", 1))
    assert series.stage is None
    series.apply(Stage(2, "device"))
    assert series.stage == "device"
    assert series.stages == {"import": 1, "device": None}


def test_pauses_add_up() -> None:
    series = a_run()
    series.apply(Pause(0, 5, 100))
    series.apply(Pause(0, 6, 20))
    assert series.paused_ns == 120


def test_a_record_of_an_unknown_kind_changes_nothing() -> None:
    series = a_run()
    series.apply(Unknown(0, {"type": "telegram", "at_ns": 0}))
    assert series.count == 8


def test_clocks_of_an_endless_run_stay_bounded() -> None:
    series = Series()
    for _ in range(2000):
        series.apply(HandbookClock(0, 1, 1, 1, 1, 1))
    assert len(series.clocks) == 1000


def test_samples_that_go_back_are_refused() -> None:
    series = a_run()
    with pytest.raises(HeartbeatError, match="samples that cannot be"):
        series.apply(samples("steady", 2, 100))


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 80])
def test_a_chart_is_never_wider_than_asked_for(columns: int) -> None:
    chart = a_run().chart(columns)
    assert 1 <= len(chart.warm) + len(chart.steady) <= columns
    assert chart.steady
    assert chart.boundary == 4


def test_a_chart_of_the_steady_state_leaves_out_the_rest() -> None:
    chart = a_run().chart(80, steady_only=True)
    assert chart.warm == ()
    assert [(column.first, column.low_ns) for column in chart.steady] == [(4, 100), (5, 101), (6, 102), (7, 103)]


def test_a_chart_of_nothing_is_empty() -> None:
    chart = Series().chart(80)
    assert (chart.warm, chart.steady, chart.boundary) == ((), (), None)


def test_before_the_steady_state_the_warm_up_has_the_whole_chart() -> None:
    series = Series()
    series.apply(samples("cold", 0, 9))
    series.apply(samples("warm-up", 1, 8, 7, 6))
    assert len(series.chart(4).warm) == 4


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(PHASES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
times = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8).map(lambda ns: array("q", ns))


@st.composite
def hostile_lines(draw: st.DrawFn) -> bytes:
    """Draw what a stream might hold that is JSON and a kind of record, and otherwise anything."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    values = {f.name: draw(json_values) for f in fields(KINDS[kind])}
    values["at_ns"] = draw(st.integers(-(2**63), 2**63 - 1))
    if kind == "started":
        values |= {"schema": 1, "version": "", "time": "", "pid": 1}
        values["plan"] = {f.name: draw(json_values) for f in fields(BenchmarkConfig) if draw(st.booleans())} or BenchmarkConfig().to_json()
    if kind == "samples":
        from heartbeat_core.benchmark.protocol import pack

        values |= {"phase": draw(st.sampled_from(PHASES)), "start": draw(st.integers(0, 2**62))}
        values["columns"] = {"total": pack(draw(times))}
    if kind == "handbook":
        values |= {name: draw(st.integers(-5, 2**62)) for name in ("products", "total_ns", "launched", "fence_ns", "idle_fence_ns")}
    return json.dumps({"type": kind, **values}).encode()


@given(st.lists(hostile_lines(), max_size=6))
def test_whatever_a_stream_holds_there_is_a_report_or_a_refusal(lines: list[bytes]) -> None:
    series = Series()
    for line in lines:
        try:
            series.apply(decode(line))
        except HeartbeatError:
            continue
    report = report_of(series)
    json.dumps(report_json(report, series), allow_nan=False)
    series.chart(20)


def test_an_environment_is_kept_as_sent() -> None:
    series = Series()
    values: dict[str, Any] = {"device": "cpu", "threads": 1, "new": [1, {"a": None}]}
    series.apply(Environment(0, values))
    assert series.environment == values
