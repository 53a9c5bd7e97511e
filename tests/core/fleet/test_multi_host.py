from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from heartbeat_core.benchmark.report import report_of
from heartbeat_core.benchmark.run import HostLine
from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.statistics import Statistics, summarize
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.multi_host import spread_of
from heartbeat_core.remote.hosts import HostSelector, RemoteTarget, parse_on


def figures() -> Statistics:
    store = SampleStore()
    store.extend(array("q", range(1, 101)))
    return summarize(store)


FIGURES = figures()


def line(name: str, median_ns: float, half_ns: float, ending: RunOutcome | None = None) -> HostLine:
    stats = replace(FIGURES, median_ns=median_ns, median_low_ns=median_ns - half_ns, median_high_ns=median_ns + half_ns)
    return HostLine(name, replace(report_of(Series()), statistics=stats, ending=ending), Series().chart)


def test_a_host_that_surely_lags_behind_is_pointed_out() -> None:
    spread = spread_of([line("a:0", 100.0, 1), line("a:1", 102.0, 1), line("a:2", 120.0, 2)])
    assert spread is not None
    assert (spread.slow, round(spread.times, 3), round(spread.share, 2)) == ("a:2", 1.176, 0.2)
    assert "a:2 is slow: 1.18 × the next one" in spread.sentence


@pytest.mark.parametrize(
    "lines",
    [
        [line("a:0", 100.0, 1), line("a:1", 104.0, 1)],  # apart, and not by much
        [line("a:0", 100.0, 30), line("a:1", 120.0, 30)],  # by much, and not surely
        [line("a:0", 100.0, 1), line("a:1", 101.0, 1), line("a:2", 200.0, 1, RunOutcome("lost", "gone"))],  # cut off
    ],
)
def test_no_host_is_blamed_for_noise(lines: list[HostLine]) -> None:
    spread = spread_of(lines)
    assert spread is not None
    assert spread.slow is None
    assert "No host lags behind" in spread.sentence


def test_one_host_alone_is_compared_with_none() -> None:
    assert spread_of([line("a", 100.0, 1)]) is None
    assert spread_of([]) is None


def test_on_names_a_vm_and_which_of_its_hosts() -> None:
    assert parse_on("llm-tpu-vm") == HostSelector("llm-tpu-vm")
    assert parse_on("llm-tpu-vm:3") == HostSelector("llm-tpu-vm", 3)
    assert parse_on("a:all") == HostSelector("a", None, all=True)
    for wrong in ("", "A", "a:", "a:b", "a:-1", "-a", "a b", "--zone=x", "a;b"):
        with pytest.raises(HeartbeatError, match="names no TPU VM"):
            parse_on(wrong)


def test_an_end_without_a_reason_is_read_from_the_exit_code() -> None:
    from heartbeat_core.benchmark.protocol import Failed, Started
    from heartbeat_core.benchmark.target import WorkerExit
    from heartbeat_core.remote.hosts import Host

    there = RemoteTarget(Host("vm", 0, ("ssh", "host"), {}, "f", "f/venv/bin/python"))
    began = Series()
    began.apply(Started(0, 1, "0", 1, "2026-11-24T12:00:00+00:00", began.config.to_json()))
    lost = there.explain(began, WorkerExit(255, ("client_loop: send disconnect: Broken pipe",)))
    assert (lost.kind, lost.exit_code) == ("lost", 1)
    never = there.explain(Series(), WorkerExit(255, ("ada@203.0.113.7: Permission denied (publickey).",)))
    assert (never.kind, never.exit_code) == ("unavailable", 3)
    assert "does not accept your key" in never.title
    missing = there.explain(Series(), WorkerExit(127, ("sh: 1: f/venv/bin/python: not found",)))
    assert (missing.kind, missing.remedy) == ("unavailable", "heartbeat-tui vms setup vm")
    assert there.explain(began, WorkerExit(99)).kind == "out of memory"
    began.apply(Failed(0, "backend", "torch is not installed for this Python", "c", "Install it."))
    assert there.explain(began, WorkerExit(0)).remedy.startswith("Install it. On vm, heartbeat-tui vms setup vm")
    began.failed = None
    assert there.explain(began, WorkerExit(139)).kind == "crashed"
    assert there.explain(began, WorkerExit(137)).kind == "killed"
