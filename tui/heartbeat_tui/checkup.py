"""Owns the checks: what asks them, what is being asked now, and the watch on one that is being mended.

No Textual here. ``ask``, ``aim``, ``watch`` and ``offers`` may wait for Google Cloud and belong in a thread; the rest returns at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from heartbeat_tui.checks_messages import Checklist, Offers, Watch

if TYPE_CHECKING:
    from heartbeat_core.checks.result import Result
    from heartbeat_core.checks.runner import Runner
    from heartbeat_core.cloud.session import CloudSession

Names = tuple[str, ...]
MOST_AFTER = 6  # looks at what waited for a check that was mended: much of that can never be told
# Seconds between two looks at a check that is being mended: an API takes minutes to be enabled everywhere.
DELAYS = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, *[30.0] * 20)


class OpenRunner(Protocol):
    """Looks around and makes a runner; may take a second and raise HeartbeatError."""

    def __call__(self, choices: Mapping[str, str], *, on_result: Callable[[Result], None], on_start: Callable[[str], None]) -> Runner: ...


class Checkup:
    """Asks the checks, one round at a time, and hands out what is known; ``news`` is called from any thread when that has changed."""

    def __init__(self, open_runner: OpenRunner, *, delays: Iterable[float] = DELAYS) -> None:
        self.open_runner, self.delays = open_runner, tuple(delays)
        self.news: Callable[[], object] = lambda: None
        self.choices: dict[str, str] = {}
        self.turn = threading.Lock()  # held while checks are asked
        self.lock = threading.Lock()
        self.opening = threading.Lock()  # held while a runner is made: another pane may want its world at the same time
        self.waiting: list[Names | None] = []  # rounds whose turn has not come
        self.runner: Runner | None = None
        self.asking: set[str] = set()
        self.rounds = 0
        self.watched: Watch | None = None
        self.unwatch = threading.Event()
        self.errands: set[CloudSession] = set()  # that ask what there is to choose from
        self.closed = False

    # -- what is known

    def checklist(self) -> Checklist | None:
        """Give all that is known now; None before the first round has begun."""
        runner = self.runner
        if runner is None:
            return None
        with self.lock:
            asking = frozenset(self.asking)
        return Checklist(
            readiness=runner.readiness(),
            checks=tuple(runner.checks.values()),
            asking=asking,
            busy=bool(self.rounds),
            watch=self.watched,
            endpoint=runner.world.endpoint,
        )

    @property
    def busy(self) -> bool:
        return bool(self.rounds)

    # -- asking

    def ask(self, names: Names | None = None) -> None:
        """Ask these checks, or all; wait for the turn where others are being asked. Raise HeartbeatError where nothing can be."""
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
        """Give the runner, made anew where the target has changed."""
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
        """Ask everything anew for another target; what was chosen before holds where this says nothing."""
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
        """Ask a check ever more seldom until it passes, and then what waited for it until that can be told; patience has an end."""
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
        """Name what to look at again: the check, or once it passes those that waited for it and could not be told."""
        runner = self.runner
        if runner is None:
            return ()
        if not runner.passed(check_id):
            return (check_id,)
        found = runner.readiness().results
        return tuple(result.id for result in found if result.id in waited and result.status == "unknown")

    # -- what there is to choose from

    def offers(self, project: str, zone: str) -> Offers:
        """Ask which projects, zones, types and runtimes there are; what cannot be told is empty, and why is said."""
        from heartbeat_core.cloud.errors import CloudError
        from heartbeat_core.cloud.projects import search_projects
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
            session = self.open().world.open_session()
        except CloudError as error:
            return Offers(problem=diagnose_exception(error, "call").title)
        with self.lock:
            self.errands.add(session)
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
                self.errands.discard(session)
            session.close()
        return Offers(**found, problem=problems[0] if problems else "")

    # -- the end

    def cancel(self) -> None:
        """End the round under way and the watch; what was not answered keeps its older answer."""
        self.unwatch.set()
        runner = self.runner
        if runner is not None:
            runner.cancel()

    def close(self) -> None:
        """End everything for good."""
        with self.lock:
            self.closed = True
            errands = tuple(self.errands)
        self.cancel()
        for errand in errands:
            errand.cancel()
