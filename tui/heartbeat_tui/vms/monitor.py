"""Owns what is known of the TPU VMs, and the jobs on them: the newest inventory, its history, and the time until the next.

``look``, ``price``, ``room`` and ``Jobs.run`` wait for Google Cloud and belong in a thread; the rest returns immediately.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.checks.registry import check_create
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.cloud.cancellation import Cancellation
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.target import TargetOffers
from heartbeat_core.cloud.tpu import EVERYWHERE
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.errors import INTERRUPTED, HeartbeatError
from heartbeat_core.vms.create import create
from heartbeat_core.vms.inventory import History, Inventory, Transition, fetch_inventory
from heartbeat_core.vms.operation import OnStep, OperationStep, PollPolicy, VmError, is_cancelled
from heartbeat_core.vms.power import carry_out
from heartbeat_core.vms.pricing import find_rates
from heartbeat_core.vms.quota_headroom import QuotaHeadroom, find_headroom, unknown_headroom
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.vocabulary import Change, Resource, command_of, key_of
from heartbeat_core.vms.zone_search import search_zones
from heartbeat_tui.vms.model import InventoryView, Job, JobOutcome

Work = Callable[["CloudSession", "OnStep"], object]
EVERY_S = 5.0
LONGEST_S = 60.0
MOST_STEPS, MOST_EVENTS = 500, 500
VISIBLE = ("accepted", "arrived", "state", "done")  # steps after which a new inventory shows something new
LOGGED = ("zone", "failed", "waiting")  # steps that are events of their own
clock = partial(datetime.now, timezone.utc)


class Jobs:
    """The operations that were begun here; ``on_change`` is called from any thread with a job that has changed."""

    def __init__(self, now: Callable[[], datetime], on_change: Callable[[Job], object], policy: PollPolicy | None = None) -> None:
        self.now, self.on_change, self.policy = now, on_change, policy
        self.lock = threading.Lock()
        self.jobs: dict[int, Job] = {}
        self.work: dict[int, Work] = {}
        self.cancellations: dict[int, Cancellation] = {}

    # -- preparing

    def create(self, request: CreateRequest, zones: tuple[str, ...] = ()) -> Job:
        """Prepare to create one; with ``zones`` to try them in turn until there is capacity."""

        def work(session: CloudSession, on_step: OnStep) -> object:
            if zones:
                return search_zones(session, request, (request.zone, *zones), on_step, self.policy)
            return create(session, request, on_step, self.policy)

        key = key_of("queued" if request.queued else "node", request.zone, request.name)
        return self.add(Job(0, "create", key, request.name, request.summary(), request.command(), self.now(), zones=zones), work)

    def change(self, action: Change, resource: Resource, project: str) -> Job:
        def work(session: CloudSession, on_step: OnStep) -> None:
            carry_out(session, project, resource, action, on_step, self.policy)

        key = key_of(resource.kind, resource.zone, resource.id)
        summary = f"{action} {resource.id} in {resource.zone}"
        return self.add(Job(0, action, key, resource.id, summary, command_of(action, resource, project), self.now()), work)

    def add(self, job: Job, work: Work) -> Job:
        with self.lock:
            job = replace(job, id=len(self.jobs) + 1)
            self.jobs[job.id], self.work[job.id], self.cancellations[job.id] = job, work, Cancellation()
        self.on_change(job)
        return job

    # -- running

    def run(self, job: Job, environment: CheckEnvironment) -> None:
        """Carry out a job and keep its outcome; raise an error of our own once that is kept."""
        outcome = JobOutcome()
        try:
            session = environment.open_session()
            try:
                child = session.child_session(cancellation=self.cancellations[job.id])
                self.work[job.id](child, partial(self.add_step, job.id))
            finally:
                session.close()
        except Exception as error:
            outcome = outcome_of(error)
            if not outcome.expected:
                raise
        finally:
            self.update(job.id, ended=self.now(), outcome=outcome)

    def add_step(self, number: int, step: OperationStep) -> None:
        with self.lock:
            steps = (*self.jobs[number].steps, step)[-MOST_STEPS:]
        self.update(number, steps=steps)

    def update(self, number: int, **changes: object) -> None:
        with self.lock:
            job = self.jobs[number] = replace(self.jobs[number], **changes)  # type: ignore[arg-type]
        self.on_change(job)

    # -- reading and stopping

    def all(self) -> tuple[Job, ...]:
        with self.lock:
            return tuple(self.jobs.values())

    def under_way(self) -> tuple[Job, ...]:
        return tuple(job for job in self.all() if job.ended is None)

    def stop(self, number: int) -> None:
        """Stop one; a request that Google has accepted goes on, and the outcome says so."""
        self.update(number, stopping=True)
        self.cancellations[number].cancel()

    def close(self) -> None:
        for job in self.under_way():
            self.cancellations[job.id].cancel()


def outcome_of(error: Exception) -> JobOutcome:
    if isinstance(error, VmError):
        remedies = error.diagnosis.remedies if error.diagnosis else ()
        interrupted, goes_on = error.exit_code == INTERRUPTED, error.outcome in ("going on", "unknown")
        return JobOutcome(error.title, error.cause, error.remedy, remedies, error.commands, interrupted, goes_on)
    found = diagnose_exception(error, "call")
    if isinstance(error, HeartbeatError):
        return JobOutcome(error.title, error.cause, error.remedy, found.remedies)
    return JobOutcome(found.title, found.cause, "", found.remedies, expected=False)


class InventoryMonitor:
    """Keeps the newest inventory and what happened; ``news`` is called from any thread when that has changed.

    ``environment`` may take a second, return another one if the target was changed, and raise HeartbeatError; ``offers`` returns
    what there is to choose from in a project and zone.
    """

    def __init__(
        self,
        environment: Callable[[], CheckEnvironment],
        offers: Callable[[str, str], TargetOffers],
        *,
        every_s: float = EVERY_S,
        now: Callable[[], datetime] = clock,
        policy: PollPolicy | None = None,
    ) -> None:
        self.open_environment, self.offers, self.every_s, self.now = environment, offers, every_s, now
        self.jobs = Jobs(now, self.job_changed, policy)
        self.look_due = False
        self.noted: dict[int, object] = {}  # of each job, its newest step or end
        self.last_request: CreateRequest | None = None
        self.news: Callable[[], object] = lambda: None
        self.turn = threading.Lock()  # held while Google is asked
        self.lock = threading.Lock()
        self.pricing = threading.Lock()
        self.environment: CheckEnvironment | None = None
        self.session: CloudSession | None = None
        self.history: History | None = None
        self.shown = InventoryView()
        self.events: deque[Transition | Job] = deque(maxlen=MOST_EVENTS)
        self.waiting = 0  # calls of ``look`` that wait for their turn
        self.failures = 0
        self.closed = False

    def view(self) -> InventoryView:
        with self.lock:
            return self.shown

    # -- looking

    def look(self) -> float:
        """Ask Google once; a problem is in the view. Return the seconds to wait before the next time."""
        with self.lock:
            if self.waiting:  # the call that waits will see whatever this one would
                return self.every_s
            self.waiting += 1
        with self.turn:
            with self.lock:
                self.waiting -= 1
            if self.closed:
                return LONGEST_S
            zone = self.view().zone
            try:
                session, project = self.open()
                inventory = fetch_inventory(session, project, zone)
            except HeartbeatError as error:
                if is_cancelled(error):
                    return self.every_s
                self.keep_problem(error)
            else:
                if zone == self.view().zone:  # another may have been chosen meanwhile
                    self.keep(inventory)
            return self.view().wait_s or self.every_s

    def open(self) -> tuple[CloudSession, str]:
        """Return the session and the project to ask about, both new if the target was changed."""
        environment = self.open_environment()
        if environment is not self.environment:
            self.change_target(environment)
        if not environment.target.project.value:
            cause = "The Cloud TPU API lists the TPU VMs of one project."
            raise HeartbeatError("no project is chosen", cause, "Press 1 for Readiness, then t to choose one.")
        if self.session is None:
            self.session = environment.open_session()
        return self.session, environment.target.project.value

    def change_target(self, environment: CheckEnvironment) -> None:
        """Begin anew with another target; if the project is the same, what is known stays until the next answer."""
        same = self.environment is not None and self.environment.target.project.value == environment.target.project.value
        self.environment = environment
        if self.session is not None:
            self.session.close()
            self.session = None
        if not same:
            self.history = None
            self.put(inventory=None, problem=None, unpriced="", other_zones=())
        self.put(project=environment.target.project.value or "", endpoint=environment.endpoint)

    def keep(self, inventory: Inventory) -> None:
        self.failures = 0
        history = self.history = self.history or History()
        with self.lock:
            self.events.extend(history.add(inventory))
        others = tuple(
            each
            for each in self.view().other_zones
            if inventory.zone not in (EVERYWHERE, each.zone) or inventory.is_silent(each.kind, each.zone)
        )
        self.put(inventory=history.last, problem=None, wait_s=0.0, project=inventory.project, other_zones=others)

    def keep_problem(self, error: HeartbeatError) -> None:
        """Keep why Google did not answer, and wait longer each time; the inventory stays as it was."""
        self.failures += 1
        wait_s = min(LONGEST_S, self.every_s * 2.0 ** min(self.failures, 10)) * random.uniform(0.9, 1.0)
        known = self.environment.target.known() if self.environment is not None else {}
        self.put(problem=diagnose_exception(error, "call", known), wait_s=wait_s)

    def show_zone(self, zone: str) -> None:
        """List another zone from the next look on; the resources of others are kept, for they are charged all the same."""
        view = self.view()
        if view.zone != zone:
            self.history = None
            listed = (*view.inventory.nodes, *view.inventory.queued) if view.inventory else ()
            self.put(zone=zone, inventory=None, other_zones=(*listed, *view.other_zones))

    def put(self, **changes: object) -> None:
        """Show what has changed, with the newest events and jobs: the last caller must not show an older state of these."""
        with self.lock:
            self.shown = replace(self.shown, events=tuple(self.events), jobs=self.jobs.all(), **changes)  # type: ignore[arg-type]
        self.news()

    # -- prices and quota

    def price(self, *, again: bool = False) -> None:
        """Fetch prices once; why there are none is in the view, and they are asked for ``again`` only on demand."""
        with self.pricing:
            if again:
                self.put(unpriced="")
            view = self.view()
            if view.rates is not None or view.unpriced or self.closed or self.session is None:
                return
            try:
                self.put(rates=find_rates(self.session.child_session()))
            except HeartbeatError as error:
                self.put(unpriced=diagnose_exception(error, "call").title)

    def check(self, request: CreateRequest) -> CheckReport | None:
        """Run the readiness checks of what the request uses; None before Google was asked anything."""
        return check_create(self.environment, request.parts, "the form") if self.environment is not None else None

    def room(self, request: CreateRequest) -> tuple[QuotaHeadroom, ...]:
        """Return the quota headroom for a request, or why it is not known; nothing if no quota of it is known."""
        session = self.session
        if session is None:
            return unknown_headroom(request, "Google has not been asked yet")
        try:
            child = session.child_session()
            return find_headroom(child, request, fetch_inventory(child, request.project))
        except HeartbeatError as error:
            return unknown_headroom(request, diagnose_exception(error, "call").title)

    # -- jobs

    def job_changed(self, job: Job) -> None:
        """Show a job, and have a new inventory read if it has changed something."""
        newest = job.ended or (job.steps[-1] if job.steps else None)
        if job.ended is not None or (job.steps and job.steps[-1].what in VISIBLE):
            self.look_due = True
        if newest is not self.noted.get(job.id):  # an order to stop is no step
            self.noted[job.id] = newest
            if job.ended is not None or job.steps[-1].what in LOGGED:
                with self.lock:
                    self.events.append(job)
        self.put()

    def take_hurry(self) -> bool:
        """Return whether an inventory is due now, once."""
        due, self.look_due = self.look_due, False
        return due

    def close(self) -> None:
        """Cancel the question and the jobs under way; requests that Google has accepted go on."""
        self.closed = True
        self.jobs.close()
        if self.session is not None:
            self.session.cancel()
