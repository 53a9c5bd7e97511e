"""Runs checks: concurrently, in the order of what they depend on, each under a limit of its own; answers stream in."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heartbeat_core.checks.check import LIMIT_S, Check, Finding, unknown
from heartbeat_core.checks.context import Blocked, CheckEnvironment, Context, SharedQueries
from heartbeat_core.checks.result import CheckReport, Result
from heartbeat_core.cloud.cancellation import Cancellation

if TYPE_CHECKING:
    from heartbeat_core.cloud.auth import Principal
    from heartbeat_core.diagnosis.model import Diagnosis


# Diagnoses that say which other check has to be mended first.
BLOCKERS = {
    "billing-disabled": "project.billing",
    "credentials-expired": "account.adc",
    "credentials-file": "account.adc",
    "credentials-missing": "account.adc",
    "project-denied": "project.exists",
    "project-suspended": "project.exists",
    "quota-project-denied": "account.quota-project",
    "quota-project-foreign": "account.quota-project",
    "quota-project-unset": "account.quota-project",
    "scopes": "host.scopes",
}
NO_RIGHT = ("forbidden", "permission", "tpu-permission")
# The least role that lets one look, by the first part of the permission.
LOOKING = {
    "billing": "roles/billing.viewer",
    "cloudquotas": "roles/cloudquotas.viewer",
    "compute": "roles/compute.viewer",
    "iam": "roles/iam.serviceAccountViewer",
    "resourcemanager": "roles/browser",
    "serviceusage": "roles/serviceusage.serviceUsageViewer",
    "tpu": "roles/tpu.viewer",
}


@dataclass(frozen=True)
class Failure:
    """``finding`` holds unless ``blocker`` is a check that failed, which then is what has to be mended."""

    finding: Finding
    diagnosis: Diagnosis | None = None
    blocker: str = ""


def failure_of(error: BaseException, check: Check, words: Mapping[str, str]) -> Failure:
    """Read what a check raised."""
    from heartbeat_core.cloud.errors import CloudError  # here, and below: most checks raise nothing
    from heartbeat_core.diagnosis.diagnose import diagnose_exception

    if isinstance(error, Blocked):
        return Failure(unknown(str(error)), blocker=error.by)
    diagnosis = diagnose_exception(error, "call", words)
    if diagnosis.id in NO_RIGHT:
        permission = (error.metadata.get("permission") if isinstance(error, CloudError) else None) or check.permission
        # whoever may not even see the project learns nothing of its APIs
        return Failure(no_right(diagnosis, permission, words), diagnosis, "project.exists" if check.group == "api" else "")
    cause = diagnosis.cause if diagnosis.cause == diagnosis.evidence else f"{diagnosis.cause} {diagnosis.evidence}"
    finding = unknown(f"could not tell: {diagnosis.title}", cause.strip(), *diagnosis.remedies, link=diagnosis.link)
    return Failure(finding, diagnosis, blocker_of(error, diagnosis))


def no_right(diagnosis: Diagnosis, permission: str, words: Mapping[str, str]) -> Finding:
    """Say that one may not look, and which role would let one."""
    from heartbeat_core.diagnosis.remedies import grant_role

    role = LOOKING.get(permission.partition(".")[0])
    remedies = (grant_role({**words, "role": role}),) if role else diagnosis.remedies
    why = f"Whoever asks must have {permission}. {diagnosis.evidence}" if permission else f"{diagnosis.cause} {diagnosis.evidence}"
    return unknown("could not tell: you may not look", why, *remedies, link=diagnosis.link)


def blocker_of(error: BaseException, diagnosis: Diagnosis) -> str:
    from heartbeat_core.cloud.errors import CloudError

    if diagnosis.id == "api-disabled" and isinstance(error, CloudError):
        service = error.metadata.get("service") or error.service
        return f"api.{service.partition('.')[0]}"
    return BLOCKERS.get(diagnosis.id, "")


OnResult = Callable[[Result], None]
STOPS = ("fail", "blocked")  # what depends on these is not asked


class Runner:
    """Keeps the latest answer to every check; ``run`` asks some or all of them again.

    ``on_result`` is called with each answer as it comes, from the thread that runs, and ``on_start`` with the id of each
    check that begins. One ``run`` at a time; ``cancel`` may come from any thread.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        environment: CheckEnvironment,
        *,
        on_result: OnResult | None = None,
        on_start: Callable[[str], None] | None = None,
        limit_s: float | None = None,
    ) -> None:
        self.checks = {check.id: replace(check, limit_s=limit_s) if limit_s else check for check in checks}
        check_order(self.checks)
        self.environment = environment
        self.on_result = on_result or (lambda _: None)
        self.on_start = on_start or (lambda _: None)
        self.results: dict[str, Result] = {}
        self.principal: Principal | None = None
        self.lock = threading.Lock()
        self.round: CheckRound | None = None

    def select(self, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """List the checks to ask for ``names``, of checks or of groups; None for all.

        With them go those they need that have not passed, and those that wait for them.
        """
        if names is None:
            return tuple(self.checks)
        wanted = set(names)
        chosen = {check.id for check in self.checks.values() if check.id in wanted or check.group in wanted}
        todo = list(chosen)
        while todo:
            check = self.checks[todo.pop()]
            more = {need for need in check.needs if need in self.checks and not self.passed(need)}
            more |= {result.id for result in self.results.values() if check.id in result.blocked_by}
            todo += more - chosen
            chosen |= more
        return tuple(name for name in self.checks if name in chosen)

    def passed(self, check_id: str) -> bool:
        result = self.results.get(check_id)
        return result is not None and result.status in ("pass", "warn", "not_applicable")

    def run(self, names: Iterable[str] | None = None) -> CheckReport:
        """Ask, and return when all is answered or ``cancel`` was called; what was not answered keeps its older answer."""
        chosen = self.select(names)
        with self.lock:
            if self.round:
                raise RuntimeError("these checks are being run")
            self.round = CheckRound(self, chosen)
        try:
            self.round.run()
        finally:
            self.round.end()
            with self.lock:
                self.principal = self.round.shared.principal or self.principal
                self.round = None
        return self.report()

    def start(self, names: Iterable[str] | None = None) -> threading.Thread:
        """Run in a thread of its own."""
        thread = threading.Thread(target=self.run, args=(names,), name="readiness", daemon=True)
        thread.start()
        return thread

    def cancel(self) -> None:
        """End the run under way at once."""
        with self.lock:
            if self.round:
                self.round.cancel()

    def report(self, names: Iterable[str] | None = None) -> CheckReport:
        """Give the answers so far in the order of the checks, all or those of ``names``."""
        kept = None if names is None else set(names)
        with self.lock:
            results = tuple(self.results[name] for name in self.checks if name in self.results and (kept is None or name in kept))
        return CheckReport(results, self.environment.target, self.principal)


@dataclass
class Running:
    context: Context
    began: float
    due: float


@dataclass
class DeferredFinding:
    """A finding that waits for another check, which may turn out to be what blocks it."""

    result: Result
    failure: Failure


class CheckRound:
    """One run of a runner: what waits, what runs, what is held back until another check is answered."""

    def __init__(self, runner: Runner, names: Iterable[str]) -> None:
        self.runner = runner
        self.waiting = {name: runner.checks[name] for name in names}
        self.running: dict[str, Running] = {}
        self.held: dict[str, DeferredFinding] = {}
        self.done: dict[str, Result] = {}
        self.cancellation = Cancellation()
        limit_s = max((check.limit_s for check in runner.checks.values()), default=LIMIT_S)
        self.shared = SharedQueries(runner.environment, self.cancellation, limit_s)
        self.events: queue.SimpleQueue[tuple[str, Context, Finding | BaseException] | None] = queue.SimpleQueue()

    def run(self) -> None:
        while self.advance():
            left_s = min((running.due for running in self.running.values()), default=time.monotonic()) - time.monotonic()
            try:
                event = self.events.get(timeout=max(0.0, left_s))
            except queue.Empty:
                self.give_up_late()
                continue
            if event is None:
                return
            self.take(*event)

    def cancel(self) -> None:
        self.cancellation.cancel()
        self.events.put(None)

    def end(self) -> None:
        """Leave nothing behind that asks on."""
        self.cancellation.cancel()
        for running in self.running.values():
            running.context.cancellation.cancel()
        self.shared.close()

    def advance(self) -> bool:
        """Start and settle what can be; say whether anything is still to come."""
        moved = True
        while moved and not self.cancellation.cancelled:
            begun = [self.begin(check) for check in list(self.waiting.values())]
            released = [self.release(name) for name in list(self.held)]
            moved = True in (*begun, *released)
            if self.held and not (moved or self.running):  # they wait for one another
                self.settle(self.held.pop(next(iter(self.held))).result)
                moved = True
        return bool(self.running) and not self.cancellation.cancelled

    def begin(self, check: Check) -> bool:
        """Start a check if what it needs is answered, or settle it as blocked."""
        if any(need in self.waiting or need in self.running or need in self.held for need in check.needs):
            return False
        del self.waiting[check.id]
        known = [result for need in check.needs if (result := self.done.get(need) or self.runner.results.get(need))]
        blockers = roots(known)
        if blockers:
            self.settle(blocked(check, blockers))
            return True
        context = Context(self.shared, check.limit_s)
        began = time.monotonic()
        self.running[check.id] = Running(context, began, began + check.limit_s)
        self.runner.on_start(check.id)
        threading.Thread(target=self.ask, args=(check, context), name=check.id, daemon=True).start()
        return True

    def ask(self, check: Check, context: Context) -> None:
        """Answer one check, in a thread of its own."""
        try:
            outcome: Finding | BaseException = check.ask(context)
        except BaseException as error:  # noqa: BLE001  # whatever goes wrong is an answer: that it could not be told
            outcome = error
        self.events.put((check.id, context, outcome))

    def take(self, name: str, context: Context, outcome: Finding | BaseException) -> None:
        """Take in an outcome, unless it comes too late."""
        running = self.running.get(name)
        if running is None or running.context is not context:
            return
        del self.running[name]
        check, took = self.runner.checks[name], time.monotonic() - running.began
        if isinstance(outcome, Finding):
            self.settle(result_of(check, outcome, context, took))
            return
        failure = failure_of(outcome, check, context.words)
        result = result_of(check, failure.finding, context, took)
        if failure.blocker and failure.blocker != name:
            self.held[name] = DeferredFinding(result, failure)
            self.want(failure.blocker)
        else:
            self.settle(result)

    def want(self, blocker: str) -> None:
        """Ask a check that was not asked for, because another one may be blocked by it."""
        asked = blocker in {*self.waiting, *self.running, *self.held, *self.done}
        if not asked and blocker in self.runner.checks and not self.runner.passed(blocker):
            for name in self.runner.select([blocker]):
                if name not in {*self.running, *self.held, *self.done}:
                    self.waiting.setdefault(name, self.runner.checks[name])

    def release(self, name: str) -> bool:
        """Settle a finding that was held, once the check it waits for is answered."""
        held = self.held[name]
        blocker = held.failure.blocker
        if blocker in self.waiting or blocker in self.running or blocker in self.held:
            return False
        del self.held[name]
        found = self.done.get(blocker) or self.runner.results.get(blocker)
        if found and found.status in STOPS:
            why = held.failure.diagnosis.title if held.failure.diagnosis else held.failure.finding.summary
            stopped = blocked(self.runner.checks[name], roots([found]), f"{why[0].upper()}{why[1:]}.")
            self.settle(replace(stopped, evidence=held.result.evidence, took_ms=held.result.took_ms))
        else:
            self.settle(held.result)
        return True

    def give_up_late(self) -> None:
        """Answer for the checks whose time is over."""
        now = time.monotonic()
        for name in [name for name, running in self.running.items() if running.due <= now]:
            running, check = self.running.pop(name), self.runner.checks[name]
            running.context.cancellation.cancel()
            failure = failure_of(TimeoutError(f"no answer within {check.limit_s:.3g} s"), check, running.context.words)
            self.settle(result_of(check, failure.finding, running.context, now - running.began))

    def settle(self, result: Result) -> None:
        self.done[result.id] = result
        with self.runner.lock:
            self.runner.results[result.id] = result
        self.runner.on_result(result)


def result_of(check: Check, finding: Finding, context: Context, took_s: float) -> Result:
    return Result(
        id=check.id,
        group=check.group,
        question=check.question,
        status=finding.status,
        summary=finding.summary,
        why=finding.why,
        evidence=context.evidence,
        remedies=finding.remedies,
        permission=check.permission,
        link=finding.link or check.link,
        took_ms=1e3 * took_s,
    )


def blocked(check: Check, by: tuple[str, ...], why: str = "") -> Result:
    summary = f"not asked: {' and '.join(by)} first"
    return Result(
        check.id, check.group, check.question, "blocked", summary, why, blocked_by=by, permission=check.permission, link=check.link
    )


def roots(results: Iterable[Result]) -> tuple[str, ...]:
    """Name what has to be mended before anything else: of what is blocked itself, what blocks it."""
    found = (name for result in results if result.status in STOPS for name in (result.blocked_by or (result.id,)))
    return tuple(dict.fromkeys(found))


def check_order(checks: dict[str, Check]) -> None:
    """Raise ValueError where checks need one another in a circle, or one that does not exist."""
    seen: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"{' needs '.join([*path, name])}")
        if name in seen or name not in checks:
            return
        for need in checks[name].needs:
            visit(need, (*path, name))
        seen.add(name)

    for name in checks:
        visit(name, ())
