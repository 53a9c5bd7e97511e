"""What owns the checks, without a screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.checks.result import Result
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.session import open_session as open_emulated
from heartbeat_tui.checks.monitor import MOST_AFTER, CheckMonitor, Watch

if TYPE_CHECKING:
    from tests.tui.checks.conftest import FakeRunner, FakeRunnerFactory

Survey = Callable[..., "FakeRunnerFactory"]


def test_nothing_is_known_before_anybody_asks(survey: Survey) -> None:
    fake = survey()
    monitor = CheckMonitor(fake)
    assert monitor.checklist() is None
    assert not fake.runners


def test_every_answer_is_news(survey: Survey, answers: tuple[Result, ...]) -> None:
    monitor = CheckMonitor(survey())
    news: list[int] = []

    def told() -> None:
        checklist = monitor.checklist()
        news.append(len(checklist.report.results) if checklist else 0)

    monitor.news = told
    monitor.ask()
    assert set(news) >= set(range(1, len(answers) + 1))
    checklist = monitor.checklist()
    assert checklist is not None
    assert not checklist.busy
    assert not checklist.asking


def test_the_same_question_does_not_queue_twice(survey: Survey) -> None:
    fake = survey()
    monitor = CheckMonitor(fake)
    monitor.waiting.append(("api.tpu",))
    monitor.ask(("api.tpu",))
    assert not fake.runners
    monitor.ask(("api.cloudquotas",))
    assert fake.runner.rounds == [("api.cloudquotas",)]


def test_another_target_is_asked_about_anew(survey: Survey) -> None:
    fake = survey()
    monitor = CheckMonitor(fake)
    monitor.ask()
    monitor.aim({"zone": "us-east5-a"})
    monitor.aim({"accelerator_type": "v6e-4"})
    assert len(fake.runners) == 3
    target = fake.runner.environment.target
    assert (target.zone.value, target.accelerator_type.value) == ("us-east5-a", "v6e-4")
    assert fake.runners[0].cancelled


def test_a_watch_ends_when_the_check_turns(survey: Survey, answers: tuple[Result, ...]) -> None:
    failed = next(answer for answer in answers if answer.id == "api.cloudquotas")

    def turns(runner: FakeRunner) -> None:
        runner.answers[failed.id] = [failed, failed, failed, replace(failed, status="pass")]

    fake = survey(prepare=turns)
    monitor = CheckMonitor(fake, delays=(0.0,) * 10)
    seen: list[Watch | None] = []
    monitor.news = lambda: seen.append(monitor.watched)
    monitor.ask()
    monitor.watch(failed.id)
    assert fake.runner.rounds == [None, *[(failed.id,)] * 3]
    assert Watch(failed.id, 2, 0.0) in seen
    assert monitor.watched is None


def test_a_watch_looks_on_at_what_waited_for_the_check_but_not_for_ever(survey: Survey, answers: tuple[Result, ...]) -> None:
    agent = next(answer for answer in answers if answer.id == "iam.service-agent")
    fake = survey()
    monitor = CheckMonitor(fake, delays=(0.0,) * 30)
    monitor.ask()
    fake.runner.select = lambda names=None: ("api.tpu", agent.id) if names == ("api.tpu",) else tuple(names or ())  # type: ignore[method-assign]
    monitor.watch("api.tpu")
    assert fake.runner.rounds.count((agent.id,)) == MOST_AFTER


def test_a_watch_has_an_end(survey: Survey) -> None:
    fake = survey()
    monitor = CheckMonitor(fake, delays=(0.0,) * 3)
    monitor.ask()
    monitor.watch("api.cloudquotas")
    assert fake.runner.rounds.count(("api.cloudquotas",)) == 4


def test_closing_ends_a_watch_and_all_asking(survey: Survey) -> None:
    fake = survey()
    monitor = CheckMonitor(fake, delays=(3600.0,))
    monitor.ask()
    watching = threading.Thread(target=monitor.watch, args=("api.cloudquotas",))
    watched = threading.Event()
    monitor.news = lambda: watched.set() if monitor.watched and monitor.watched.tries else None
    watching.start()
    assert watched.wait(30)
    monitor.close()
    watching.join(30)
    assert not watching.is_alive()
    rounds = len(fake.runner.rounds)
    monitor.ask()
    assert len(fake.runner.rounds) == rounds


@pytest.mark.parametrize("wanted", [("", ""), ("llm-dev", "us-central1-b")])
def test_what_there_is_to_choose_from_may_not_be_known(survey: Survey, wanted: tuple[str, str]) -> None:
    offers = CheckMonitor(survey()).offers(*wanted)
    assert not offers.zones
    assert offers.problem


def test_its_end_ends_every_question_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Semaphore(0)
    sessions: list[CloudSession] = []

    def open_session() -> CloudSession:
        sessions.append(open_emulated(endpoint="http://127.0.0.1:1", environ={}))
        return sessions[-1]

    def search_projects(session: CloudSession) -> tuple[()]:
        asked.release()
        session.cancellation.event.wait(30)
        return ()

    monkeypatch.setattr("heartbeat_core.cloud.projects.search_projects", search_projects)
    runner = SimpleNamespace(environment=SimpleNamespace(open_session=open_session), cancel=lambda: None)
    monitor = CheckMonitor(lambda *_, **__: runner)  # type: ignore[arg-type]
    asking = [threading.Thread(target=monitor.offers, args=("", "")) for _ in range(2)]
    for thread in asking:
        thread.start()
        assert asked.acquire(timeout=30)
    monitor.close()
    assert all(session.cancellation.cancelled for session in sessions)
    for thread in asking:
        thread.join(30)
    assert not monitor.queries
