"""Order, limits, cancellation, and that nothing a check does can break the rest. Checks here wait for events, never for time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from heartbeat_core.checks.check import Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Blocked, Context
from heartbeat_core.checks.result import CheckReport, Result
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.errors import CloudError

PATIENCE_S = 60.0
Ask = Callable[[Context], Finding]


def says(finding: Finding) -> Ask:
    return lambda _: finding


def raises(error: BaseException) -> Ask:
    def ask(_: Context) -> Finding:
        raise error

    return ask


def check(name: str, ask: Ask | None = None, *needs: str, **more: Any) -> Check:
    return Check(name, name, f"{name}?", ask or says(passed("yes")), needs, **more)


def statuses(readiness: CheckReport) -> dict[str, str]:
    return {result.id: result.status for result in readiness.results}


@pytest.fixture
def run(world: Any) -> Callable[..., CheckReport]:
    return lambda *checks, names=None, **options: Runner(checks, world(), **options).run(names)


def test_a_check_is_asked_after_what_it_needs(world: Any) -> None:
    order: list[str] = []
    lock = threading.Lock()

    def told(name: str) -> Ask:
        def ask(_: Context) -> Finding:
            with lock:
                order.append(name)
            return passed("yes")

        return ask

    checks = [check("a.3", told("a.3"), "a.2"), check("a.2", told("a.2"), "a.1"), check("a.1", told("a.1"))]
    assert Runner(checks, world()).run().ready
    assert order == ["a.1", "a.2", "a.3"]


def test_checks_that_do_not_depend_on_one_another_run_at_once(run: Any) -> None:
    together = threading.Barrier(3)

    def ask(_: Context) -> Finding:
        together.wait(PATIENCE_S)
        return passed("yes")

    assert run(*(check(f"a.{number}", ask) for number in range(3))).ready


@pytest.mark.parametrize(
    ("finding", "after"),
    [
        (passed("yes"), "pass"),
        (warned("well"), "pass"),
        (unknown("perhaps"), "pass"),
        (not_applicable("no"), "pass"),
        (failed("no"), "blocked"),
    ],
)
def test_only_a_failure_blocks(run: Any, finding: Finding, after: str) -> None:
    readiness = run(check("a.1", says(finding)), check("a.2", None, "a.1"), check("a.3", None, "a.2"))
    assert statuses(readiness) == {"a.1": finding.status, "a.2": after, "a.3": after}
    if after == "blocked":
        assert {result.blocked_by for result in readiness.results[1:]} == {("a.1",)}  # the root of it, not the step between


def test_answers_stream_in_while_others_are_awaited(world: Any) -> None:
    got_quick = threading.Event()
    came: list[str] = []

    def slow(_: Context) -> Finding:
        assert got_quick.wait(PATIENCE_S)
        return passed("yes")

    def on_result(result: Result) -> None:
        came.append(result.id)
        got_quick.set()

    Runner([check("a.slow", slow), check("a.quick")], world(), on_result=on_result).run()
    assert came == ["a.quick", "a.slow"]


def test_a_check_that_takes_too_long_is_unknown_and_delays_no_other(run: Any) -> None:
    never = threading.Event()
    readiness = run(
        check("a.hangs", lambda _: passed("late") if never.wait(PATIENCE_S) else failed("never"), limit_s=0.02),
        check("a.quick"),
        check("a.after", None, "a.hangs"),
    )
    never.set()
    assert statuses(readiness) == {"a.hangs": "unknown", "a.quick": "pass", "a.after": "pass"}
    assert readiness.ready is None
    assert "timed out" in readiness.results[0].summary


def test_an_answer_that_comes_too_late_changes_nothing(world: Any) -> None:
    release, done = threading.Event(), threading.Event()

    def late(_: Context) -> Finding:
        release.wait(PATIENCE_S)
        return passed("late")

    def after(_: Context) -> Finding:
        release.set()
        done.wait(PATIENCE_S)
        return passed("yes")

    def on_result(result: Result) -> None:
        if result.id == "a.late":
            assert result.status == "unknown"
            done.set()

    runner = Runner([check("a.late", late, limit_s=0.02), check("a.after", after, "a.late")], world(), on_result=on_result)
    assert statuses(runner.run()) == {"a.late": "unknown", "a.after": "pass"}


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), SystemExit(3), MemoryError(), AssertionError()])
def test_a_check_that_breaks_is_unknown_with_what_broke_it(run: Any, error: BaseException) -> None:
    readiness = run(check("a.broken", raises(error)), check("a.sound"))
    assert statuses(readiness) == {"a.broken": "unknown", "a.sound": "pass"}
    assert type(error).__name__ in readiness.results[0].why


def disabled(service: str) -> CloudError:
    return CloudError(
        "refused", "off", service=service, status=403, reason="SERVICE_DISABLED", metadata={"service": f"{service}.googleapis.com"}
    )


def test_a_refusal_is_blocked_by_the_check_it_points_to(run: Any) -> None:
    readiness = run(check("quota.a", raises(disabled("tpu"))), check("api.tpu", says(failed("off"))))
    assert statuses(readiness) == {"quota.a": "blocked", "api.tpu": "fail"}
    assert readiness.results[0].blocked_by == ("api.tpu",)


def test_a_refusal_is_unknown_where_that_check_has_passed(run: Any) -> None:
    assert statuses(run(check("quota.a", raises(disabled("tpu"))), check("api.tpu"))) == {"quota.a": "unknown", "api.tpu": "pass"}
    assert statuses(run(check("quota.a", raises(disabled("tpu"))))) == {"quota.a": "unknown"}  # or where there is none


def test_the_check_a_refusal_points_to_is_asked_without_being_named(run: Any) -> None:
    checks = [check("quota.a", raises(disabled("tpu"))), check("api.tpu", says(failed("off")), "account.a"), check("account.a")]
    assert statuses(run(*checks, names=["quota"])) == {"quota.a": "blocked", "api.tpu": "fail", "account.a": "pass"}


def test_two_that_point_to_one_another_come_to_an_end(run: Any) -> None:
    readiness = run(check("project.exists", raises(disabled("tpu"))), check("api.tpu", raises(Blocked("project.exists", "no project"))))
    assert set(statuses(readiness).values()) == {"unknown"}


def test_one_that_points_to_what_waits_for_it_comes_to_an_end(run: Any) -> None:
    readiness = run(check("project.exists", raises(disabled("tpu"))), check("api.tpu", None, "project.exists"))
    assert statuses(readiness) == {"project.exists": "unknown", "api.tpu": "pass"}


def test_a_circle_of_needs_is_refused(world: Any) -> None:
    with pytest.raises(ValueError, match=r"a\.1 needs a\.2 needs a\.1"):
        Runner([check("a.1", None, "a.2"), check("a.2", None, "a.1")], world())


def test_cancelling_ends_all_at_once_and_keeps_what_was_answered(world: Any) -> None:
    hanging, never = threading.Event(), threading.Event()

    def hang(_: Context) -> Finding:
        hanging.set()
        never.wait(PATIENCE_S)
        return passed("late")

    runner = Runner([check("a.quick"), check("a.hangs", hang, "a.quick"), check("a.waits", None, "a.hangs")], world())
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    assert hanging.wait(PATIENCE_S)
    runner.cancel()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    never.set()
    assert statuses(runner.report()) == {"a.quick": "pass"}


def test_cancelling_when_nothing_runs_does_nothing(world: Any) -> None:
    runner = Runner([check("a.1")], world())
    runner.cancel()
    assert runner.run().ready
    runner.cancel()


def test_one_round_at_a_time(world: Any) -> None:
    inside: list[type[BaseException]] = []

    def ask(_: Context) -> Finding:
        try:
            runner.run()
        except RuntimeError as error:
            inside.append(type(error))
        return passed("yes")

    runner = Runner([check("a.1", ask)], world())
    runner.run()
    assert inside == [RuntimeError]


def test_checking_one_again_asks_also_what_it_blocked(world: Any) -> None:
    answers = [passed("mended"), failed("no")]
    begun: list[str] = []
    checks = [
        check("a.1", lambda _: answers.pop()), check("a.2", None, "a.1"), check("a.3", None, "a.2"), check("a.4"),
    ]  # fmt: skip
    runner = Runner(checks, world(), on_start=begun.append)
    assert statuses(runner.run()) == {"a.1": "fail", "a.2": "blocked", "a.3": "blocked", "a.4": "pass"}
    begun.clear()
    assert runner.run(["a.1"]).ready
    assert begun == ["a.1", "a.2", "a.3"]


def test_a_check_alone_brings_what_it_needs_unless_that_has_passed(world: Any) -> None:
    begun: list[str] = []
    runner = Runner([check("a.1"), check("b.1", None, "a.1"), check("b.2")], world(), on_start=begun.append)
    runner.run(["b.1"])
    assert begun == ["a.1", "b.1"]
    begun.clear()
    runner.run(["b"])
    assert sorted(begun) == ["b.1", "b.2"]


def test_a_limit_for_all_takes_the_place_of_each_ones_own(world: Any) -> None:
    runner = Runner([check("a.1", limit_s=60.0)], world(), limit_s=0.5)
    assert runner.checks["a.1"].limit_s == 0.5


def test_an_answer_that_several_want_is_asked_for_once_and_fails_for_all(world: Any) -> None:
    asked: list[str] = []

    def ask(context: Context) -> Finding:
        def work(_: object) -> str:
            asked.append("once")
            raise CloudError("timed out", "too late", service="tpu")

        return passed(context.fetch_once("key", work))

    readiness = Runner([check(f"a.{number}", ask) for number in range(5)], world()).run()
    assert asked == ["once"]
    assert set(statuses(readiness).values()) == {"unknown"}
