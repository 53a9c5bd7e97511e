from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from tests.core.comparison.test_compare import steady

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label, Record
from heartbeat_core.charts.trend import trend_chart
from heartbeat_core.comparison.trend import like_runs, named_runs, trend_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from tests.core.conftest import Write

Keep = Callable[..., None]


@pytest.fixture
def keep(write: Write, records: Callable[..., list[Record]]) -> Keep:
    """Record runs of one benchmark, one on each day, of these medians."""

    def kept(medians: Sequence[float], *, name: str = "nightly", repeats: int = 1, **options: object) -> None:
        for day, median in enumerate(medians, 1):
            for turn in range(repeats):
                group = f"day {day}" if repeats > 1 else ""
                made = records(steady(median, seed=10 * day + turn), time=f"2026-11-{day:02}T03:0{turn}:00+00:00", **options)
                write([*made, Label(9, name, group=group)])

    return kept


def test_a_trend_points_out_where_a_benchmark_became_slower_and_by_how_much(keep: Keep, index: Index) -> None:
    keep([1e6, 1.002e6, 1e6, 1.2e6, 1.2e6], repeats=3)
    trend = trend_of(named_runs(index.entries(), "nightly"), index.peak_cache, "nightly")
    assert [point.change for point in trend.points] == ["", "", "", "slower", ""]
    assert trend.points[3].certain
    assert "more time than the 9 runs before" in trend.points[3].sentence
    assert trend.to_json()["points"][3]["change"] == "slower"
    spec = trend_chart(trend, 80, 20)
    assert spec is not None
    assert [curve.marker for curve in spec.curves if curve.style == "knee"] == ["▲"]


def test_a_change_of_single_processes_is_shown_as_not_certain(keep: Keep, index: Index) -> None:
    keep([1e6, 1e6, 1e6, 0.7e6])
    trend = trend_of(index.entries(), index.peak_cache, "all")
    assert [(point.change, point.certain) for point in trend.points] == [("", False)] * 3 + [("faster", False)]
    assert "Not certain" in trend.points[3].sentence


def test_runs_of_other_work_are_no_trend(keep: Keep, index: Index) -> None:
    keep([1e6])
    keep([1e6], name="other", plan=BenchmarkConfig(iterations=30, warmup=1, method="pipelined"))
    with pytest.raises(HeartbeatError, match="not one benchmark"):
        trend_of(index.entries(), index.peak_cache, "all")
    assert len(like_runs(index.entries(), named_runs(index.entries(), "other")[0])) == 1
    with pytest.raises(HeartbeatError, match="there is no run 'no such'"):
        named_runs(index.entries(), "no such")
