"""Run checks concurrently, in the order of their needs, each under its own time limit; results stream in."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from heartbeat_core.checks.check import LIMIT_S, Check, Finding, unknown
from heartbeat_core.checks.context import DENIED, Blocked, CheckEnvironment, Context, SharedQueries
from heartbeat_core.checks.result import CheckReport, Result
from heartbeat_core.cloud.auth import Principal
from heartbeat_core.cloud.cancellation import Cancellation
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import Evidence
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Diagnosis

# Diagnoses that name the check to fix first.
BLOCKERS = {
    "billing-disabled": "project.billing",
    **dict.fromkeys(
        (
            "account-state", "credentials-clock", "credentials-expired", "credentials-file", "credentials-impersonation",
            "credentials-key", "credentials-missing", "credentials-reauthentication", "credentials-workforce",
            "credentials-workload-identity",
        ),
        "account.adc",
    ),
    "project-denied": "project.exists",
    "project-suspended": "project.exists",
    "quota-project-denied": "account.quota-project",
    "quota-project-foreign": "account.quota-project",
    "quota-project-unset": "account.quota-project",
    "scopes": "host.scopes",
}  # fmt: skip
# The smallest role with read access, by the first part of the permission.
VIEWER_ROLES = {
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
    """What an exception in a check means: ``finding``, unless the check ``blocker`` failed and has to be fixed first, for ``cause``."""

    finding: Finding
    cause: str = ""
    blocker: str = ""


def failure_of(error: BaseException, check: Check, words: Mapping[str, str]) -> Failure:
    from heartbeat_core.diagnosis.diagnose import diagnose_exception  # here: most checks raise nothing

    if isinstance(error, Blocked):
        return Failure(unknown(str(error)), str(error), error.by)
    diagnosis = diagnose_exception(error, "call", words)
    if diagnosis.id in DENIED:
        permission = (error.metadata.get("permission") if isinstance(error, CloudError) else None) or check.permission
        # without access to the project its APIs cannot be read
        return Failure(denied(diagnosis, permission, words), diagnosis.title, "project.exists" if check.group == "api" else "")
    finding = unknown(f"could not tell: {diagnosis.title}", diagnosis.why, *diagnosis.remedies, link=diagnosis.link)
    return Failure(finding, diagnosis.title, blocker_of(error, diagnosis))


def denied(diagnosis: Diagnosis, permission: str, words: Mapping[str, str]) -> Finding:
    """Return the finding of a denied read, with the role that allows it."""
    role = VIEWER_ROLES.get(permission.partition(".")[0])
    remedies = (do.grant_role({**words, "role": role}),) if role else diagnosis.remedies
    why = f"This check needs {permission}. {diagnosis.evidence}" if permission else diagnosis.why
    return unknown("could not tell: permission denied", why, *remedies, link=diagnosis.link)


def blocker_of(error: BaseException, diagnosis: Diagnosis) -> str:
    if diagnosis.id == "api-disabled" and isinstance(error, CloudError):
        service = error.metadata.get("service") or error.service
        return f"api.{service.partition('.')[0]}"
    return BLOCKERS.get(diagnosis.id, "")


OnResult = Callable[[Result], None]
STOPS = ("fail", "blocked")  # checks that need one of these do not run


class Runner:
    """Keeps the latest result of every check; ``run`` repeats some or all of them.

    ``on_result`` is called with each result and ``on_start`` with the id of each check that begins, in the running thread.
    One ``run`` at a time; ``cancel`` may be called from any thread.
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
        """Return the checks to run for ``names``, of checks or of groups; None for all.

        They include those they need that have not passed, and those that wait for them.
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
        """Run the checks until all have a result or ``cancel`` is called; a check that did not run keeps its older result."""
        chosen = self.select(names)
        with self.lock:
            if self.round:
                raise RuntimeError("these checks are running")
            self.round = CheckRound(self, chosen)
        try:
            self.round.run()
        finally:
            self.round.end()
            with self.lock:
                self.principal = self.round.shared.principal or self.principal
                self.round = None
        return self.report()

    def cancel(self) -> None:
        with self.lock:
            if self.round:
                self.round.cancel()

    def report(self, names: Iterable[str] | None = None) -> CheckReport:
        """Return the results so far in the order of the checks, all or those of ``names``."""
        kept = None if names is None else set(names)
        with self.lock:
            results = tuple(self.results[name] for name in self.checks if name in self.results and (kept is None or name in kept))
        return CheckReport(results, self.environment.target, self.principal)


class CheckRound:
    """One run of a runner: what waits, what runs, what is held back until another check is answered."""

    def __init__(self, runner: Runner, names: Iterable[str]) -> None:
        self.runner = runner
        self.waiting = {name: runner.checks[name] for name in names}
        self.running: dict[str, Context] = {}
        self.held: dict[str, tuple[Result, Failure]] = {}  # what waits for another check, which may block it
        self.done: set[str] = set()
        self.cancellation = Cancellation()
        limit_s = max((check.limit_s for check in runner.checks.values()), default=LIMIT_S)
        self.shared = SharedQueries(runner.environment, self.cancellation, limit_s)
        self.events: queue.SimpleQueue[tuple[str, Context, Finding | BaseException] | None] = queue.SimpleQueue()

    def run(self) -> None:
        while self.advance():
            try:
                event = self.events.get(timeout=min(context.deadline.left_s for context in self.running.values()))
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
        """Cancel every call and close the session."""
        self.cancellation.cancel()
        for context in self.running.values():
            context.cancellation.cancel()
        self.shared.close()

    def advance(self) -> bool:
        """Start and settle what can be; return whether any check still runs."""
        moved = True
        while moved and not self.cancellation.cancelled:
            begun = [self.begin(check) for check in list(self.waiting.values())]
            released = [self.release(name) for name in list(self.held)]
            moved = True in (*begun, *released)
            if self.held and not (moved or self.running):  # they wait for one another
                self.settle(self.held.pop(next(iter(self.held)))[0])
                moved = True
        return bool(self.running) and not self.cancellation.cancelled

    def begin(self, check: Check) -> bool:
        """Start a check whose needs have results, or settle it as blocked; return whether either was done."""
        if any(need in self.waiting or need in self.running or need in self.held for need in check.needs):
            return False
        del self.waiting[check.id]
        known = [result for need in check.needs if (result := self.runner.results.get(need))]
        blockers = roots(known)
        if blockers:
            self.settle(blocked(check, blockers))
            return True
        context = self.running[check.id] = Context(self.shared, check.limit_s)
        self.runner.on_start(check.id)
        threading.Thread(target=self.run_check, args=(check, context), name=check.id, daemon=True).start()
        return True

    def run_check(self, check: Check, context: Context) -> None:
        try:
            outcome: Finding | BaseException = check.run(context)
        except BaseException as error:  # noqa: BLE001  # every error is a result: unknown
            outcome = error
        self.events.put((check.id, context, outcome))

    def take(self, name: str, context: Context, outcome: Finding | BaseException) -> None:
        """Settle an outcome, unless it comes too late."""
        if self.running.get(name) is not context:
            return
        del self.running[name]
        check, took_ms = self.runner.checks[name], 1e3 * context.took_s
        failure = Failure(outcome) if isinstance(outcome, Finding) else failure_of(outcome, check, context.words)
        result = result_of(check, failure.finding, context.evidence, took_ms)
        if failure.blocker and failure.blocker != name:
            self.held[name] = result, failure
            self.want(failure.blocker)
        else:
            self.settle(result)

    def want(self, blocker: str) -> None:
        """Add a check that may block another one."""
        known = blocker in {*self.waiting, *self.running, *self.held, *self.done}
        if not known and blocker in self.runner.checks and not self.runner.passed(blocker):
            for name in self.runner.select([blocker]):
                if name not in {*self.running, *self.held, *self.done}:
                    self.waiting.setdefault(name, self.runner.checks[name])

    def release(self, name: str) -> bool:
        """Settle a deferred finding, once the check it waits for has a result; return whether it was."""
        result, failure = self.held[name]
        blocker = failure.blocker
        if blocker in self.waiting or blocker in self.running or blocker in self.held:
            return False
        del self.held[name]
        found = self.runner.results.get(blocker)
        if found and found.status in STOPS:
            why = f"{failure.cause[0].upper()}{failure.cause[1:]}."
            stopped = blocked(self.runner.checks[name], roots([found]), why)
            result = replace(stopped, evidence=result.evidence, took_ms=result.took_ms)
        self.settle(result)
        return True

    def give_up_late(self) -> None:
        """Settle the checks whose time is over as unknown."""
        late = [(name, context) for name, context in self.running.items() if not context.deadline.left_s]
        for name, context in late:  # while they are settled, others may answer in time
            context.cancellation.cancel()
            self.take(name, context, TimeoutError(f"no answer within {context.limit_s:.3g} s"))

    def settle(self, result: Result) -> None:
        self.done.add(result.id)
        with self.runner.lock:
            self.runner.results[result.id] = result
        self.runner.on_result(result)


def result_of(check: Check, finding: Finding, evidence: tuple[Evidence, ...] = (), took_ms: float = 0.0) -> Result:
    return Result(
        check.id, check.group, check.question, finding.status, finding.summary, finding.why, evidence, finding.remedies,
        permission=check.permission, link=finding.link or check.link, took_ms=took_ms, title=check.title,
    )  # fmt: skip


def blocked(check: Check, by: tuple[str, ...], why: str = "") -> Result:
    return replace(result_of(check, Finding("blocked", f"waits for {' and '.join(by)}", why)), blocked_by=by)


def roots(results: Iterable[Result]) -> tuple[str, ...]:
    """Return the ids of the checks to fix first: for a blocked result those that block it."""
    found = (name for result in results if result.status in STOPS for name in (result.blocked_by or (result.id,)))
    return tuple(dict.fromkeys(found))


def check_order(checks: Mapping[str, Check]) -> None:
    """Raise ValueError where checks need one another in a cycle."""
    try:
        TopologicalSorter({name: check.needs for name, check in checks.items()}).prepare()
    except CycleError as error:
        raise ValueError(" needs ".join(reversed(error.args[1]))) from error
