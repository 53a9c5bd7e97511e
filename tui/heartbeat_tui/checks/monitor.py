"""The monitor of the checks: it runs them, keeps the newest results, and watches one that is being fixed.

``ask``, ``aim``, ``watch`` and ``offers`` may wait for Google Cloud and belong in a thread; the rest returns immediately.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import CheckReport, Result
    from heartbeat_core.checks.runner import Runner
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.target import Target, TargetOffers
    from heartbeat_core.emulator.process import EmulatorProcess
    from heartbeat_core.settings import Settings


Names = tuple[str, ...]
MOST_AFTER = 6  # repeats of the checks that waited for a fixed one: some stay unknown
# Seconds between two runs of a watched check: enabling an API takes a few minutes to propagate.
DELAYS = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, *[30.0] * 20)


class CheckMonitor:
    """Runs the checks, one round at a time, and keeps what is known; ``news`` is called from any thread when that changes.

    ``open_runner`` detects the environment and returns a runner, as RunnerFactory does; it may take a second and raise HeartbeatError.
    """

    def __init__(self, open_runner: Callable[..., Runner], *, delays: Iterable[float] = DELAYS) -> None:
        self.open_runner, self.delays = open_runner, tuple(delays)
        self.news: Callable[[], object] = lambda: None
        self.choices: dict[str, str] = {}
        self.turn = threading.Lock()  # held while checks run
        self.lock = threading.Lock()
        self.opening = threading.Lock()  # held while a runner is made: another pane may need its environment at the same time
        self.waiting: list[Names | None] = []  # rounds that wait for their turn
        self.runner: Runner | None = None
        self.asking: set[str] = set()
        self.rounds = 0
        self.watched: Watch | None = None
        self.unwatch = threading.Event()
        self.queries: set[CloudSession] = set()  # of queries for the target form
        self.closed = False

    # -- what is known

    def checklist(self) -> Checklist | None:
        """Return what is known now; None before the first round begins."""
        runner = self.runner
        if runner is None:
            return None
        with self.lock:
            asking = frozenset(self.asking)
        return Checklist(
            report=runner.report(),
            checks=tuple(runner.checks.values()),
            asking=asking,
            busy=bool(self.rounds),
            watch=self.watched,
            endpoint=runner.environment.endpoint,
        )

    # -- checking

    def ask(self, names: Names | None = None) -> None:
        """Run these checks, or all, after those that run already; raise HeartbeatError where none can run."""
        with self.lock:
            if self.closed or names in self.waiting:
                return
            self.waiting.append(names)
            self.rounds += 1
        try:
            with self.turn:
                with self.lock:
                    self.waiting.remove(names)
                if not self.closed:
                    self.open().run(names)
        finally:
            with self.lock:
                self.rounds -= 1
                if not self.rounds:
                    self.asking.clear()
            self.news()

    def open(self) -> Runner:
        """Return the runner, a new one where the target has changed."""
        with self.opening:
            with self.lock:
                runner, choices = self.runner, dict(self.choices)
            if runner is None:
                runner = self.open_runner(choices, on_result=self.answered, on_start=self.began)
                with self.lock:
                    self.runner = runner
                    self.asking.clear()
        self.news()
        return runner

    def aim(self, choices: Mapping[str, str]) -> None:
        """Run all checks for another target; earlier choices hold where this has none."""
        with self.lock:
            self.choices.update(choices)
            old, self.runner = self.runner, None
        self.unwatch.set()
        if old is not None:
            old.cancel()
        self.ask()

    def began(self, check_id: str) -> None:
        with self.lock:
            self.asking.add(check_id)
        self.news()

    def answered(self, result: Result) -> None:
        with self.lock:
            self.asking.discard(result.id)
        self.news()

    # -- watching

    def watch(self, check_id: str) -> None:
        """Repeat a check at growing intervals until it passes, then the checks that waited for it; give up after a while."""
        self.unwatch.set()  # one watch at a time
        self.unwatch = over = threading.Event()
        runner = self.runner
        waited = runner.select((check_id,)) if runner else ()
        after = 0
        try:
            for tries, delay_s in enumerate((0.0, *self.delays)):
                due = self.due(check_id, waited) if tries else (check_id,)
                after += due != (check_id,)
                if not due or after > MOST_AFTER:
                    self.check_other_apis(check_id)
                    return
                self.watched = Watch(check_id, tries, delay_s)
                self.news()
                if over.wait(delay_s) or self.closed:
                    return
                self.ask(due)
        finally:
            if self.unwatch is over:
                self.watched = None
            self.news()

    def due(self, check_id: str, waited: Names) -> Names:
        """Return what to repeat: the check, or once it passes those that waited for it and are unknown."""
        runner = self.runner
        if runner is None:
            return ()
        if not runner.passed(check_id):
            return (check_id,)
        found = runner.report().results
        return tuple(result.id for result in found if result.id in waited and result.status == "unknown")

    def check_other_apis(self, check_id: str) -> None:
        """Check the other APIs once: one command may have enabled them too."""
        apis = [result for result in self.runner.report().results if result.group == "api"] if self.runner else []
        if check_id.startswith("api.") and any(result.status in ("fail", "warn") for result in apis):
            self.ask(tuple(result.id for result in apis))

    # -- options of the target

    def offers(self, project: str, zone: str) -> TargetOffers:
        """Return the projects, zones, types and runtimes there are; what cannot be read is empty, with the problem."""
        from heartbeat_core.cloud.errors import CloudError
        from heartbeat_core.cloud.projects import search_projects
        from heartbeat_core.cloud.target import TargetOffers
        from heartbeat_core.cloud.tpu import list_accelerator_types, list_runtime_versions, list_zones
        from heartbeat_core.diagnosis.diagnose import diagnose_exception

        problems: list[str] = []
        found: dict[str, Names] = {}

        def note(name: str, ask: Callable[[], Iterable[str]]) -> None:
            try:
                found[name] = tuple(dict.fromkeys(ask()))
            except CloudError as error:
                problems.append(diagnose_exception(error, "call").title)

        try:
            session = self.open().environment.open_session()
        except CloudError as error:
            return TargetOffers(problem=diagnose_exception(error, "call").title)
        with self.lock:
            self.queries.add(session)
            if self.closed:
                session.cancel()
        try:
            note("projects", lambda: (each.id for each in search_projects(session)))
            if project:
                note("zones", lambda: list_zones(session, project))
            if project and zone:
                note("accelerator_types", lambda: list_accelerator_types(session, project, zone))
                note("runtime_versions", lambda: list_runtime_versions(session, project, zone))
        finally:
            with self.lock:
                self.queries.discard(session)
            session.close()
        return TargetOffers(**found, problem=problems[0] if problems else "")

    def cancel(self) -> None:
        """Cancel the current round and the watch; a check without a new result keeps its older one."""
        self.unwatch.set()
        runner = self.runner
        if runner is not None:
            runner.cancel()

    def close(self) -> None:
        with self.lock:
            self.closed = True
            queries = tuple(self.queries)
        self.cancel()
        for query in queries:
            query.cancel()


CHOSEN_HERE = "chosen here"


class IdentityCache:
    """Opens sessions; each knows the principal that an earlier one with the same credentials found out."""

    def __init__(self, open_session: Callable[[], CloudSession]) -> None:
        self.open_session = open_session
        self.last: CloudSession | None = None

    def __call__(self) -> CloudSession:
        last, session = self.last, self.open_session()
        if last is not None and session.principal.name is None and same_credentials(last, session):
            session.connection.learn(last.principal.name)
        self.last = session
        return session


def same_credentials(one: CloudSession, other: CloudSession) -> bool:
    keys = [
        (each.principal.sort, each.principal.source, getattr(each.credentials, "refresh_token", None)) for each in (one.login, other.login)
    ]
    return keys[0] == keys[1]


class RunnerFactory:
    """Makes runners for Google Cloud, or for an emulator with the scenario ``demo``, started with the first runner.

    The emulator's clock runs ``speed`` times as fast as ours.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, str | None], *, demo: str | None = None, speed: float = 1.0) -> None:
        self.settings, self.flags, self.demo, self.speed = settings, dict(flags), demo, speed
        self.lock = threading.Lock()
        self.emulator: EmulatorProcess | None = None
        self.closed = False

    def __call__(self, choices: Mapping[str, str], *, on_result: Callable[[Result], None], on_start: Callable[[str], None]) -> Runner:
        """Return a runner of all checks; raise HeartbeatError for an invalid scenario or endpoint."""
        from heartbeat_core.checks.context import demo_environ, detect_environment
        from heartbeat_core.checks.registry import checks_for
        from heartbeat_core.checks.runner import Runner
        from heartbeat_core.cloud.gcloud_config import SourcedValue
        from heartbeat_core.emulator.scenario import load_scenario
        from heartbeat_core.settings import CloudSettings

        if self.demo is None:
            environment = detect_environment(self.flags, settings=self.settings)
        else:
            project = SourcedValue(load_scenario(self.demo).project.id or None, "the demo")  # which may not exist yet
            settings = replace(self.settings, cloud=CloudSettings(), sources={})
            environment = detect_environment(self.flags, endpoint=self.url(), settings=settings, environ=demo_environ(), project=project)
        environment = replace(
            environment, target=chosen_here(environment.target, choices), open_session=IdentityCache(environment.open_session)
        )
        return Runner(checks_for(), environment, on_result=on_result, on_start=on_start)

    def url(self) -> str:
        """Return the emulator's address; start it where it does not run."""
        from heartbeat_core.emulator.process import start_emulator
        from heartbeat_core.errors import HeartbeatError

        with self.lock:
            if self.closed:
                raise HeartbeatError("the demo has ended", "Its emulator was closed with the screen.", "Start it again.")
            if self.emulator is None:
                self.emulator = start_emulator(self.demo or "", speed=self.speed)
            return self.emulator.url

    def close(self) -> None:
        with self.lock:
            self.closed = True
            if self.emulator is not None:
                self.emulator.close()
                self.emulator = None


def chosen_here(target: Target, choices: Mapping[str, str]) -> Target:
    from heartbeat_core.cloud.gcloud_config import SourcedValue

    return replace(target, **{name: SourcedValue(value or None, CHOSEN_HERE) for name, value in choices.items()})


@dataclass(frozen=True)
class Watch:
    """A check that repeats until it passes: how often it ran, and the wait before the next run."""

    check_id: str
    tries: int
    wait_s: float


@dataclass(frozen=True)
class Checklist:
    """The checks at one moment: all of them, the results so far, and those that run."""

    report: CheckReport
    checks: tuple[Check, ...]
    asking: frozenset[str] = frozenset()
    busy: bool = False
    watch: Watch | None = None
    endpoint: str | None = None
