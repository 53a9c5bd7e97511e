"""Several processes of a run: what their medians say together."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Samples, Started
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.comparison.ratio import mean_interval
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.experiment import Trial, TrialFinished, TrialResult, TrialStarted, carry_out
from heartbeat_core.experiments.repeat import Candidate, Repeat, ratio_of, repeat_json, shuffled

Begin = Callable[..., Run]
BEAT = "start(); beat(0, 9000, phase='cold'); beat(1, *[1000 + index % 9 for index in range(30)]); tell('ended', reason='done')"


def report_of_process(plan: BenchmarkConfig, ns: int) -> Report:
    series = Series()
    series.apply(Started(0, SCHEMA, "0", 1, "2026-11-22T12:00:00+00:00", plan.to_json()))
    series.apply(Samples(2, "steady", 1, {"total": array("q", [ns + index % 3 for index in range(30)])}))
    series.apply(Ended(3, "done"))
    return report_of(series, ending=RunOutcome("done"))


def candidate(*times: int, name: str = "one") -> Candidate:
    plan = BenchmarkConfig()
    turns = (Trial(name, plan, round=round_) for round_ in range(1, len(times) + 1))
    return Candidate(name, {}, plan, tuple(TrialResult(turn, report_of_process(plan, ns)) for turn, ns in zip(turns, times, strict=True)))


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_the_interval_holds_the_true_value_nineteen_times_of_twenty(count: int) -> None:
    """Lognormal processes that differ by 5 %; the bounds hold 99.9 % of draws from a binomial of 95 %."""
    chance = random.Random(count)
    held = 0
    for _ in range(500):
        found = mean_interval([1000 * math.exp(chance.gauss(0, 0.05)) for _ in range(count)])
        assert found is not None
        held += found.low <= 1000 <= found.high
    assert 459 <= held <= 491


def test_a_single_process_has_no_interval() -> None:
    assert mean_interval([1.0]) is None
    assert candidate(1000).typical is None
    assert candidate(1000).between is None


def test_both_levels_of_spread_are_separated() -> None:
    """The samples of a process differ by 2 ns, processes by 100."""
    one = candidate(1000, 1100, 1000, 1100)
    assert one.typical is not None
    assert one.typical.value == pytest.approx(math.sqrt(1001 * 1101), rel=1e-6)
    assert one.between == pytest.approx(0.056, abs=0.002)
    assert one.within is not None
    assert one.within < 0.002
    assert one.too_narrow is not None
    assert one.too_narrow > 50


@given(st.integers(1, 5), st.integers(2, 9), st.integers(0, 10**9))
def test_every_round_has_every_candidate_once(candidates: int, repeat: int, seed: int) -> None:
    turns = shuffled(candidates, repeat, seed)
    assert turns == shuffled(candidates, repeat, seed)
    assert [round_ for round_, _ in turns] == sorted([*range(1, repeat + 1)] * candidates)
    for round_ in range(1, repeat + 1):
        assert sorted(index for at, index in turns if at == round_) == list(range(candidates))


def test_orders_differ_from_round_to_round() -> None:
    turns = shuffled(4, 20, 1)
    orders = {tuple(index for at, index in turns if at == round_) for round_ in range(1, 21)}
    assert len(orders) > 5


def test_a_drift_that_meets_both_alike_leaves_the_ratio_alone() -> None:
    slow = candidate(2000, 4000, 8000, 16000, name="slow")
    found = ratio_of(candidate(1000, 2000, 4000, 8000), slow)
    assert found is not None
    assert found.interval.value == pytest.approx(2, rel=0.01)
    assert found.interval.high - found.interval.low < 0.01
    assert found.sentence.startswith("2 times as long")
    other_way = ratio_of(slow, candidate(1000, 2000, 4000, 8000))
    assert other_way is not None
    assert other_way.sentence.startswith("2 times as fast")


def test_no_difference_says_what_is_ruled_out() -> None:
    found = ratio_of(candidate(1000, 1100, 1050), candidate(1050, 1080, 1020))
    assert found is not None
    assert "no difference that 3 pairs" in found.sentence
    assert "is ruled out" in found.sentence


def test_rounds_that_one_side_lacks_do_not_count() -> None:
    full = candidate(1000, 1000, 1000)
    failed = HeartbeatError("it crashed", "", "", exit_code=1)
    failure = TrialResult(Trial("torn", BenchmarkConfig(), round=1), error=failed)
    torn = Candidate("torn", {}, BenchmarkConfig(), (failure, *candidate(0, 3000, 3000).processes[1:]))
    found = ratio_of(full, torn)
    assert found is not None
    assert found.pairs == 2
    assert torn.error is failed


@pytest.mark.parametrize(
    ("repeat", "candidates", "says"),
    [(1, [], "repeat is 1"), (101, [], "repeat is 101"), (2, [{"backend": "cpu"}], "do not differ"), (2, [{"batch": 2**30}], "batch is")],
)
def test_a_repeat_that_makes_no_sense_is_refused(repeat: int, candidates: list[dict[str, str | int]], says: str) -> None:
    with pytest.raises(HeartbeatError, match=says):
        Repeat(BenchmarkConfig(), repeat, candidates)


def test_a_repeat_has_an_end() -> None:
    with pytest.raises(HeartbeatError, match="needs an end"):
        Repeat(BenchmarkConfig(iterations=None), 5)


def test_candidates_take_turns_in_processes_of_their_own(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(BEAT)
    course = Repeat(BenchmarkConfig(iterations=30, warmup=1), 3, [{"dtype": "bfloat16"}], seed=3)
    news = list(carry_out(course, lambda plan, label: begin(plan, python=python)))
    assert [type(each) for each in news] == [TrialStarted, TrialFinished] * 6
    pids = {each.source.series.started.pid for each in news if isinstance(each, TrialStarted) and each.source.series.started}
    assert len(pids) == 6
    assert [len(one.measured) for one in course.candidates] == [3, 3]
    assert [one.name for one in course.candidates] == ["float32", "bfloat16"]
    assert [one.config.workload.dtype for one in course.candidates] == ["float32", "bfloat16"]
    assert sorted(course.order) == ["bfloat16"] * 3 + ["float32"] * 3
    assert Repeat(BenchmarkConfig(iterations=30, warmup=1), 3, [{"dtype": "bfloat16"}], seed=3).order == course.order
    (ratio,) = course.ratios()
    assert ratio.pairs == 3
    made = repeat_json(course)
    assert made["seed"] == 3
    assert made["candidates"][0]["typical_ns"]["value"] == pytest.approx(1004, rel=0.01)
    assert made["comparisons"][0]["pairs"] == 3


def test_a_candidate_that_cannot_run_is_said_and_the_rest_goes_on(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    body = (
        "start()\nif order['plan']['backend'] == 'xla': tell('failed', kind='backend', title='no device', cause='c', remedy='r')\n"
        "else: beat(1, *[1000] * 30); tell('ended', reason='done')"
    )
    python = fake_worker(body)
    course = Repeat(BenchmarkConfig(iterations=30, warmup=1), 4, [{"backend": "xla"}])
    over = [each for each in carry_out(course, lambda plan, label: begin(plan, python=python)) if isinstance(each, TrialFinished)]
    assert len(over) == 5  # it is not tried again
    reference, xla = course.candidates
    assert len(reference.measured) == 4
    assert xla.error is not None
    assert (xla.error.title, xla.error.exit_code) == ("no device", 3)
    assert course.ratios() == ()


def test_a_candidate_that_crashes_once_is_tried_again(begin: Begin, fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    mark = tmp_path / "crashed"
    body = (
        f"start()\nimport pathlib; mark = pathlib.Path({str(mark)!r})\nif not mark.exists(): mark.touch(); die(signal.SIGSEGV)\n"
        "beat(1, *[1000] * 30); tell('ended', reason='done')"
    )
    python = fake_worker(body)
    course = Repeat(BenchmarkConfig(iterations=30, warmup=1), 3)
    assert len(list(carry_out(course, lambda plan, label: begin(plan, python=python)))) == 6
    (only,) = course.candidates
    assert len(only.measured) == 2
    assert only.error is not None


def test_a_leg_cut_short_does_not_count(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker("start(); beat(1, *[1000] * 30)\nif sys.stdin.readline(): tell('ended', reason='stopped')")
    course = Repeat(BenchmarkConfig(iterations=30, warmup=1), 3)
    for news in carry_out(course, lambda plan, label: begin(plan, python=python)):
        if isinstance(news, TrialStarted):
            course.stop()
            news.source.stop()
    (only,) = course.candidates
    assert only.processes == ()
