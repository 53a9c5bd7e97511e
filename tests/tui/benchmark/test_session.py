from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import parse_axes
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.session import BenchmarkSession

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRuns

    from heartbeat_core.benchmark.run import Source

PLAN = BenchmarkConfig()


def test_a_second_run_ends_the_first(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs()
    session = BenchmarkSession(fakes)
    session.start(PLAN)
    session.start(PLAN)
    assert fakes.runs[0].orders == ["close"]
    assert session.run is fakes.runs[1]
    assert session.active


def test_a_snapshot_is_given_once_for_each_change(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs(lambda run: run.open().warm_up().beat(10))
    session = BenchmarkSession(fakes)
    assert session.snapshot() is None
    session.start(PLAN)
    assert session.snapshot() is not None
    assert session.snapshot() is None
    fakes.run.beat(1)
    snapshot = session.snapshot()
    assert snapshot is not None
    assert snapshot.report.count == 16
    assert len(snapshot.chart(50, False).steady) == 11
    assert sum(each.count for each in snapshot.histogram(10)) == 11


def test_nothing_is_looked_at_while_the_session_rests(fake_runs: type[FakeRuns]) -> None:
    now = [100.0]
    fakes = fake_runs(lambda run: run.open())
    session = BenchmarkSession(fakes, clock=lambda: now[0])
    session.start(PLAN)
    assert session.snapshot() is not None
    session.rest(0.9)
    fakes.run.warm_up()
    now[0] += 0.8
    assert session.snapshot() is None
    now[0] += 0.2
    assert session.snapshot() is not None


def test_the_end_of_a_run_is_seen_even_after_a_rest(fake_runs: type[FakeRuns]) -> None:
    now = [100.0]
    fakes = fake_runs(lambda run: run.open().warm_up().beat(10))
    session = BenchmarkSession(fakes, clock=lambda: now[0])
    session.start(PLAN)
    assert session.snapshot() is not None
    session.rest(9.0)
    fakes.run.done()
    assert session.snapshot() is None
    assert not session.settled
    now[0] += 9.1
    snapshot = session.snapshot()
    assert snapshot is not None
    assert snapshot.report.state == "ended"
    assert session.settled


def test_both_clocks_are_read_on_the_same_work(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs()
    session = BenchmarkSession(fakes)
    session.compare(BenchmarkConfig(iterations=None, duration_s=3.0, method="pipelined"))
    assert fakes.run.config == BenchmarkConfig(iterations=100, method="handbook")
    assert not session.due
    fakes.run.open().handbook().done()
    assert session.due
    assert session.active
    session.follow()
    assert fakes.run.config == BenchmarkConfig(iterations=100)
    fakes.run.open().warm_up().beat(100).done()
    snapshot = session.snapshot()
    assert snapshot is not None
    assert snapshot.clocks is not None
    assert snapshot.clocks.handbook is not None
    assert snapshot.clocks.handbook.verdict.kind == "impossible"
    assert snapshot.clocks.synchronized is not None
    assert snapshot.clocks.synchronized.verdict.kind == "plausible"
    assert not session.active


def test_stopping_the_handbooks_clock_gives_up_the_other(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs()
    session = BenchmarkSession(fakes)
    session.compare(PLAN)
    session.stop()
    fakes.run.close()
    assert not session.due
    assert len(fakes.runs) == 1


def test_a_run_is_forgotten_only_when_it_is_over(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs()
    session = BenchmarkSession(fakes)
    session.start(PLAN)
    session.clear()
    assert session.run is fakes.run
    session.close()
    session.clear()
    assert session.run is None


def test_the_end_does_not_wait_for_a_connection_that_does_not_come_about(fake_runs: type[FakeRuns]) -> None:
    asked, given_up = threading.Event(), threading.Event()

    def begin(_plan: BenchmarkConfig) -> Source:
        asked.set()
        assert given_up.wait(60)
        raise HeartbeatError("given up", "", "", exit_code=130)

    session = BenchmarkSession(begin)
    session.give_up = given_up.set
    with ThreadPoolExecutor(max_workers=1) as pool:
        start = pool.submit(session.start, PLAN)
        assert asked.wait(60)
        session.close()
        with pytest.raises(HeartbeatError, match="given up"):
            start.result()
    assert session.run is None


def test_giving_up_a_point_of_a_sweep_gives_up_the_sweep() -> None:
    asked: list[BenchmarkConfig] = []

    def begin(plan: BenchmarkConfig, _label: Label) -> Source:
        asked.append(plan)
        raise HeartbeatError("given up", "", "", exit_code=130)

    with pytest.raises(HeartbeatError, match="given up"):
        BenchmarkSession(begin).sweep(PLAN, parse_axes(["batch=1,2,4"]))
    assert len(asked) == 1
