from __future__ import annotations

import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.protocol import Samples, Started
from heartbeat_core.benchmark.report import report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.fleet.model import Fleet, HostSummary, summary_from_json

times = st.none() | st.floats(1, 1e12)
texts = st.text(max_size=20).map(sanitize_line)
summaries = st.builds(HostSummary, id=texts, name=texts, problem=texts, median_ns=times, low_ns=times, n=st.integers(0, 10**9))


@given(summaries)
def test_a_summary_is_read_as_it_was_written(host: HostSummary) -> None:
    assert summary_from_json(json.loads(json.dumps(host.to_json()))) == host


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": 2},
        {"n": 1.5},
        {"n": True},
        {"median_ns": "9"},
        {"state": "dancing"},
        {"quality": "good"},
        {"reasons": "r"},
        {"name": None},
    ],
)
def test_what_is_no_summary_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(HeartbeatError, match="the summary of a host cannot be read"):
        summary_from_json({**HostSummary("1", "a").to_json(), **changed})


def test_a_text_of_the_cluster_commands_no_terminal() -> None:
    read = summary_from_json(HostSummary("1", "a", problem="held by \x1b[2JEvil", reasons=("\x07",)).to_json())
    assert (read.problem, read.reasons) == ("held by  [2JEvil", (" ",))


def test_a_host_reports_what_its_report_says() -> None:
    series = Series()
    series.apply(Started(0, 1, "0", 1, "2026-11-30T12:00:00+00:00", series.config.to_json()))
    series.apply(Samples(1, "steady", 0, {"total": array("q", [1_000_000 + 7919 * i % 200 for i in range(200)])}))
    host = HostSummary("n1", "a:0", slice="a", problem="waits for a TPU").with_report(report_of(series), at_s=7.0)
    assert (host.state, host.n, host.at_s, host.slice) == ("beating", 200, 7.0, "a")
    assert host.low_ns is not None
    assert host.low_ns < 1_000_099.5 < host.high_ns  # type: ignore[operator]
    lost = host.with_report(report_of(series, ending=RunOutcome("lost", "the node died", "The cluster lost it.", "Start it.")), at_s=8.0)
    assert (lost.lost, lost.problem, lost.remedy) == (True, "the node died. The cluster lost it", "Start it.")
    assert Fleet((lost,)).median_ns is None
