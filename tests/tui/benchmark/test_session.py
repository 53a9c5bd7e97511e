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
    from tests.tui.conftest import Stand

    from heartbeat_core.benchmark.run import Source

PLAN = BenchmarkConfig()


def test_a_second_run_ends_the_first(make_stand: type[Stand]) -> None:
    stand = make_stand()
    conductor = BenchmarkSession(stand)
    conductor.start(PLAN)
    conductor.start(PLAN)
    assert stand.runs[0].orders == ["close"]
    assert conductor.run is stand.runs[1]
    assert conductor.active


def test_a_snapshot_is_given_once_for_each_change(make_stand: type[Stand]) -> None:
    stand = make_stand(lambda run: run.open().warm_up().beat(10))
    conductor = BenchmarkSession(stand)
    assert conductor.snapshot() is None
    conductor.start(PLAN)
    assert conductor.snapshot() is not None
    assert conductor.snapshot() is None
    stand.run.beat(1)
    snapshot = conductor.snapshot()
    assert snapshot is not None
    assert snapshot.report.count == 16
    assert len(snapshot.chart(50, False).steady) == 11
    assert sum(each.count for each in snapshot.histogram(10)) == 11


def test_nothing_is_looked_at_while_the_session_rests(make_stand: type[Stand]) -> None:
    now = [100.0]
    stand = make_stand(lambda run: run.open())
    conductor = BenchmarkSession(stand, clock=lambda: now[0])
    conductor.start(PLAN)
    assert conductor.snapshot() is not None
    conductor.rest(0.9)
    stand.run.warm_up()
    now[0] += 0.8
    assert conductor.snapshot() is None
    now[0] += 0.2
    assert conductor.snapshot() is not None


def test_the_end_of_a_run_is_seen_even_after_a_rest(make_stand: type[Stand]) -> None:
    now = [100.0]
    stand = make_stand(lambda run: run.open().warm_up().beat(10))
    conductor = BenchmarkSession(stand, clock=lambda: now[0])
    conductor.start(PLAN)
    assert conductor.snapshot() is not None
    conductor.rest(9.0)
    stand.run.done()
    assert conductor.snapshot() is None
    assert not conductor.settled
    now[0] += 9.1
    snapshot = conductor.snapshot()
    assert snapshot is not None
    assert snapshot.report.state == "ended"
    assert conductor.settled


def test_both_clocks_are_read_on_the_same_work(make_stand: type[Stand]) -> None:
    stand = make_stand()
    conductor = BenchmarkSession(stand)
    conductor.compare(BenchmarkConfig(iterations=None, duration_s=3.0, method="pipelined"))
    assert stand.run.config == BenchmarkConfig(iterations=100, method="handbook")
    assert not conductor.due
    stand.run.open().handbook().done()
    assert conductor.due
    assert conductor.active
    conductor.follow()
    assert stand.run.config == BenchmarkConfig(iterations=100)
    stand.run.open().warm_up().beat(100).done()
    snapshot = conductor.snapshot()
    assert snapshot is not None
    assert snapshot.clocks is not None
    assert snapshot.clocks.handbook is not None
    assert snapshot.clocks.handbook.verdict.kind == "impossible"
    assert snapshot.clocks.synchronized is not None
    assert snapshot.clocks.synchronized.verdict.kind == "plausible"
    assert not conductor.active


def test_stopping_the_handbooks_clock_gives_up_the_other(make_stand: type[Stand]) -> None:
    stand = make_stand()
    conductor = BenchmarkSession(stand)
    conductor.compare(PLAN)
    conductor.stop()
    stand.run.close()
    assert not conductor.due
    assert len(stand.runs) == 1


def test_a_run_is_forgotten_only_when_it_is_over(make_stand: type[Stand]) -> None:
    stand = make_stand()
    conductor = BenchmarkSession(stand)
    conductor.start(PLAN)
    conductor.clear()
    assert conductor.run is stand.run
    conductor.close()
    conductor.clear()
    assert conductor.run is None


def test_the_end_does_not_wait_for_a_connection_that_does_not_come_about(make_stand: type[Stand]) -> None:
    asked, given_up = threading.Event(), threading.Event()

    def begin(_plan: BenchmarkConfig) -> Source:
        asked.set()
        assert given_up.wait(60)
        raise HeartbeatError("given up", "", "", exit_code=130)

    conductor = BenchmarkSession(begin)
    conductor.give_up = given_up.set
    with ThreadPoolExecutor(max_workers=1) as pool:
        start = pool.submit(conductor.start, PLAN)
        assert asked.wait(60)
        conductor.close()
        with pytest.raises(HeartbeatError, match="given up"):
            start.result()
    assert conductor.run is None


def test_giving_up_a_point_of_a_sweep_gives_up_the_sweep() -> None:
    asked: list[BenchmarkConfig] = []

    def begin(plan: BenchmarkConfig, _label: Label) -> Source:
        asked.append(plan)
        raise HeartbeatError("given up", "", "", exit_code=130)

    with pytest.raises(HeartbeatError, match="given up"):
        BenchmarkSession(begin).sweep(PLAN, parse_axes(["batch=1,2,4"]))
    assert len(asked) == 1
