from __future__ import annotations

from array import array

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import HandbookClock, Samples
from heartbeat_core.benchmark.report import Report, explain_gap, report_of
from heartbeat_core.benchmark.series import Series

MS = 10**6


def handbook(launched: int, fence_ns: int, total_ns: int = 100 * MS) -> Report:
    series = Series(config=BenchmarkConfig(method="handbook"))
    series.apply(HandbookClock(0, 100, total_ns, launched, fence_ns, 1000))
    return report_of(series)


def honest(ns: int) -> Report:
    series = Series()
    series.apply(Samples(0, "steady", 0, {"total": array("q", [ns] * 30)}))
    return report_of(series)


@pytest.mark.parametrize(
    ("report", "says", "never"),
    [
        (handbook(1, 121 * MS), ("dropped", "does not wait"), ()),
        (handbook(1, 0), ("dropped",), ("does not wait",)),
        (handbook(100, 121 * MS), ("went on for another 121 ms",), ("dropped",)),
        (handbook(100, 0), ("agree within",), ("dropped", "does not wait for the device")),
    ],
)
def test_the_gap_is_explained_by_what_the_counters_showed(report: Report, says: tuple[str, ...], never: tuple[str, ...]) -> None:
    told = explain_gap(report, honest(MS))
    assert all(words in told for words in says)
    assert not any(words in told for words in never)


def test_clocks_that_differ_for_no_reason_we_know_are_said_to_differ() -> None:
    assert "100 % more time an iteration" in explain_gap(handbook(100, 0, total_ns=200 * MS), honest(MS))


def test_noisy_samples_show_no_difference_and_no_agreement() -> None:
    series = Series()
    series.apply(Samples(0, "steady", 0, {"total": array("q", [MS // 4, 2 * MS] * 15)}))
    told = explain_gap(handbook(100, 0, total_ns=300 * MS), report_of(series))
    assert "differ by 167 %, which is within the spread of the samples" in told
    assert "agree" not in told


def test_one_clock_alone_is_explained_too() -> None:
    assert "All products were launched" in explain_gap(handbook(100, 0), None)


def test_without_a_reading_there_is_nothing_to_explain() -> None:
    assert "not been measured" in explain_gap(honest(MS), honest(MS))
