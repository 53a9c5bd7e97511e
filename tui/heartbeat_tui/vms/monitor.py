"""Owns the looks at the TPU VMs: the last good one, what has changed since, and how long until the next.

No Textual here. ``look`` waits for Google Cloud and belongs in a thread; the rest returns at once.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from heartbeat_tui.vms.model import InventoryView, Job, JobOutcome, LogLine
from heartbeat_tui.vms.rows import key_of

if TYPE_CHECKING:
    from heartbeat_core.checks.context import CheckEnvironment
    from heartbeat_core.cloud.cancellation import Cancellation
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.target import TargetOffers
    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.diagnosis.model import Diagnosis
    from heartbeat_core.vms.inventory import Change, History, Inventory, Transition
    from heartbeat_core.vms.operation import OnStep, OperationStep, PollPolicy
    from heartbeat_core.vms.quota_headroom import QuotaHeadroom
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.vms.model import Job
    from heartbeat_tui.vms.rows import VmRow


Do = Callable[["CloudSession", "OnStep"], "Node | QueuedResource | None"]
MOST_STEPS = 500


class Jobs:
    """``news`` is called from any thread with a job that has changed; ``patience`` is how often and how long is asked."""

    def __init__(self, now: Callable[[], datetime], patience: PollPolicy | None = None) -> None:
        self.now, self.patience = now, patience
        self.news: Callable[[Job], object] = lambda _: None
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.jobs: dict[int, Job] = {}
        self.work: dict[int, Do] = {}
        self.orders: dict[int, Cancellation] = {}

    # -- what there is to do

    def create(self, request: CreateRequest, zones: tuple[str, ...] = ()) -> Job:
        """Prepare to create one; with ``zones`` to go round them until there is capacity."""
        from heartbeat_core.vms.create import create
        from heartbeat_core.vms.zone_search import keep_trying

        def do(session: CloudSession, on_step: OnStep) -> Node | QueuedResource:
            if zones:
                return keep_trying(session, request, (request.zone, *zones), on_step, self.patience)
            return create(session, request, on_step, self.patience)

        key = key_of("queued" if request.queued else "node", request.zone, request.name)
        return self.add(Job(0, "create", key, request.name, request.gist(), request.command(), self.now(), zones=zones), do)

    def change(self, action: Change, thing: Node | QueuedResource, project: str) -> Job:
        """Prepare to start, stop or delete one."""
        from heartbeat_core.cloud.tpu import Node as NodeType
        from heartbeat_core.vms.inventory import command_of
        from heartbeat_core.vms.power import carry_out

        def do(session: CloudSession, on_step: OnStep) -> None:
            carry_out(session, project, thing, action, on_step, self.patience)

        key = key_of("node" if isinstance(thing, NodeType) else "queued", thing.zone, thing.id)
        gist = f"{action} {thing.id} in {thing.zone}"
        return self.add(Job(0, action, key, thing.id, gist, command_of(action, thing, project), self.now()), do)

    def add(self, job: Job, do: Do) -> Job:
        from heartbeat_core.cloud.cancellation import Cancellation

        with self.lock:
            job = replace(job, id=next(self.numbers))
            self.jobs[job.id], self.work[job.id], self.orders[job.id] = job, do, Cancellation()
        self.news(job)
        return job

    # -- doing it

    def run(self, job: Job, environment: CheckEnvironment) -> None:
        """Do it, whatever comes of it; an error of ours is raised once it has been noted."""
        ending, made = JobOutcome(), None
        try:
            made = self.do(job, environment)
        except Exception as error:
            ending = self.ending_of(error)
            if not ending.explained:
                raise
        finally:
            self.update(job.id, ended=self.now(), ending=ending, made=made)

    def do(self, job: Job, environment: CheckEnvironment) -> Node | QueuedResource | None:
        session = environment.open_session()
        try:
            narrow = session.child_session(cancellation=self.orders[job.id])
            return self.work[job.id](narrow, lambda step: self.took(job.id, step))
        finally:
            session.close()

    def took(self, number: int, step: OperationStep) -> None:
        with self.lock:
            steps = (*self.jobs[number].steps, step)[-MOST_STEPS:]
        self.update(number, steps=steps)

    def update(self, number: int, **changes: object) -> None:
        with self.lock:
            job = self.jobs[number] = replace(self.jobs[number], **changes)  # type: ignore[arg-type]
        self.news(job)

    def ending_of(self, error: Exception) -> JobOutcome:
        """Say how a job ended that did not end well."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_core.vms.operation import INTERRUPTED, VmError

        if isinstance(error, VmError):
            return JobOutcome(
                error.title,
                error.cause,
                error.remedy,
                error.diagnosis.remedies if error.diagnosis else (),
                error.commands,
                interrupted=error.exit_code == INTERRUPTED,
                goes_on=error.fate in ("going on", "unknown"),
            )
        found = diagnose_exception(error, "call")
        ours = isinstance(error, HeartbeatError)
        cause, remedy = (error.cause, error.remedy) if isinstance(error, HeartbeatError) else (found.cause, "")
        return JobOutcome(error.title if isinstance(error, HeartbeatError) else found.title, cause, remedy, found.remedies, explained=ours)

    # -- what is known, and the end

    def all(self) -> tuple[Job, ...]:
        """List all there were, the newest last."""
        with self.lock:
            return tuple(self.jobs.values())

    def under_way(self) -> tuple[Job, ...]:
        return tuple(job for job in self.all() if job.ended is None)

    def stop(self, number: int) -> None:
        """Stop one; what Google has taken on goes on without us, and its ending says so."""
        with self.lock:
            order = self.orders.get(number)
        if order is not None:
            self.update(number, stopping=True)
            order.cancel()

    def close(self) -> None:
        for job in self.under_way():
            self.orders[job.id].cancel()


EVERYWHERE = "-"
EVERY_S = 5.0
LONGEST_S = 60.0
FRESH_S = 12.0  # for so long a row says what has changed
MOST_LINES = 500
SILENT = ("no answer now: as it was before", "attention")
HURRIED = ("accepted", "arrived", "state", "done")  # steps that change what a look sees


def clock() -> datetime:
    return datetime.now(timezone.utc)


class InventoryMonitor:
    """Looks, one at a time, and hands out what is known; ``news`` is called from any thread when that has changed.

    ``environment`` may take a second, give another one where the target was changed, and raise HeartbeatError; ``offers`` asks what
    there is to choose from in a project and zone.
    """

    def __init__(
        self,
        environment: Callable[[], CheckEnvironment],
        offers: Callable[[str, str], TargetOffers],
        *,
        every_s: float = EVERY_S,
        now: Callable[[], datetime] = clock,
        patience: PollPolicy | None = None,
    ) -> None:
        self.open_environment, self.offers, self.every_s, self.now = environment, offers, every_s, now
        self.jobs = Jobs(now, patience)
        self.jobs.news = self.job_told
        self.hurry = False
        self.told: dict[int, object] = {}  # of each job, what was told of it last
        self.last_request: CreateRequest | None = None
        self.news: Callable[[], object] = lambda: None
        self.turn = threading.Lock()  # held while one look is taken
        self.lock = threading.Lock()
        self.pricing = threading.Lock()
        self.environment: CheckEnvironment | None = None
        self.session: CloudSession | None = None
        self.history: History | None = None
        self.shown = InventoryView()
        self.changed: dict[str, tuple[datetime, str, str]] = {}  # key -> when, text, ink
        self.made: dict[str, tuple[Node | QueuedResource, VmRow]] = {}  # rows of before, to be used again
        self.log: deque[LogLine] = deque(maxlen=MOST_LINES)
        self.waiting = 0  # looks whose turn has not come
        self.fails = 0
        self.closed = False

    # -- what is known

    def view(self) -> InventoryView:
        """Give all that is known now."""
        with self.lock:
            return self.shown

    # -- looking

    def look(self) -> float:
        """Ask once; what goes wrong is told in the view. Return how many seconds to wait before the next look."""
        from heartbeat_core.cloud.errors import CloudError
        from heartbeat_core.errors import HeartbeatError

        with self.lock:
            if self.waiting:  # the look that waits will see whatever this one would
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
                found = self.take(session, project, zone)
            except HeartbeatError as error:
                if isinstance(error, CloudError) and error.kind == "cancelled":
                    return self.every_s
                self.failed(error)
            else:
                if zone == self.view().zone:  # another may have been chosen meanwhile
                    self.took(found, project)
            return self.view().wait_s or self.every_s

    def open(self) -> tuple[CloudSession, str]:
        """Give the session and the project to ask about, both anew where the target was changed."""
        from heartbeat_core.errors import HeartbeatError

        environment = self.open_environment()
        if environment is not self.environment:
            self.forget(environment)
        if not environment.target.project.value:
            raise HeartbeatError(
                "no project was chosen",
                "The Cloud TPU API lists the TPU VMs of one project.",
                "Press 1 for Readiness, then t to choose one.",
            )
        if self.session is None:
            self.session = environment.open_session()
        return self.session, environment.target.project.value

    def take(self, session: CloudSession, project: str, zone: str) -> Inventory:
        from heartbeat_core.vms.inventory import fetch_inventory

        return fetch_inventory(session, project, zone)

    def forget(self, environment: CheckEnvironment) -> None:
        """Begin anew for another target; of the same project, what is known stays until the next answer."""
        same = self.environment is not None and self.environment.target.project.value == environment.target.project.value
        self.environment = environment
        if self.session is not None:
            self.session.close()
            self.session = None
        if not same:
            self.history = None
            self.put(rows=None, nodes={}, queued={}, unreachable=(), seen=None, problem=None, unpriced="", elsewhere=())
        self.put(project=environment.target.project.value or "", endpoint=environment.endpoint)

    def took(self, look: Inventory, project: str) -> None:
        """Take in a good answer."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception
        from heartbeat_core.vms.inventory import History

        self.fails = 0
        history = self.history = self.history or History()
        for change in history.add(look):
            self.note(change)
        look = history.last or look
        nodes = {key_of("node", node.zone, node.id): node for node in look.nodes}
        queued = {key_of("queued", each.zone, each.id): each for each in look.queued}
        self.put(
            rows=self.rows_of(look),
            nodes=nodes,
            queued=queued,
            unreachable=look.unreachable,
            seen=look.at,
            problem=None,
            queued_problem=diagnose_exception(look.queued_problem, "call") if look.queued_problem else None,
            wait_s=0.0,
            project=project,
            elsewhere=tuple(
                row for row in self.view().elsewhere if look.zone not in (EVERYWHERE, row.zone) or look.is_silent(row.kind, row.zone)
            ),
        )

    def rows_of(self, look: Inventory) -> tuple[VmRow, ...]:
        """Make the rows; of what has not changed the same ones as before."""
        from heartbeat_tui.vms.rows import node_row, queued_row

        made: dict[str, tuple[Node | QueuedResource, VmRow]] = {}
        since = self.now() - timedelta(seconds=FRESH_S)
        self.changed = {key: change for key, change in self.changed.items() if change[0] > since}
        for node in look.nodes:
            key = key_of("node", node.zone, node.id)
            old = self.made.get(key)
            made[key] = (node, old[1] if old is not None and old[0] == node else node_row(node))
        for waiting in look.queued:
            key = key_of("queued", waiting.zone, waiting.id)
            old = self.made.get(key)
            made[key] = (waiting, old[1] if old is not None and old[0] == waiting else queued_row(waiting))
        now = self.now()
        self.made = {key: (each, self.priced(row, each, now)) for key, (each, row) in made.items()}
        return tuple(self.noted(row, look) for _, row in self.made.values())

    def noted(self, row: VmRow, look: Inventory) -> VmRow:
        """Add what is to be said of a row: that it is old, or else what has changed a moment ago."""
        if look.is_silent(row.kind, row.zone):
            return replace(row, note=SILENT)
        change = self.changed.get(row.key)
        return row if change is None else replace(row, note=change[1:])

    def priced(self, row: VmRow, node: Node | QueuedResource, now: datetime) -> VmRow:
        """Add what a node costs; the same row where that is the same to the cent."""
        from heartbeat_core.cloud.tpu import Node as NodeType
        from heartbeat_core.vms.pricing import cost_so_far, rate_of

        rates = self.view().rates
        if rates is None or not isinstance(node, NodeType):
            return row
        rate = rate_of(rates, node)
        if rate is None or not rate.running:
            return row if row.per_hour is None else replace(row, per_hour=None, so_far=None)
        so_far = cost_so_far(rates, node, now)
        cents = None if so_far is None else math.ceil(100 * so_far) / 100  # upward: it is an upper bound
        return row if (row.per_hour, row.so_far) == (rate.per_hour, cents) else replace(row, per_hour=rate.per_hour, so_far=cents)

    # -- prices

    @property
    def wants_prices(self) -> bool:
        view = self.view()
        return view.rates is None and not view.unpriced and not self.closed

    def price(self, *, again: bool = False) -> None:
        """Find what TPUs cost; why that cannot be told is in the view, and it is asked ``again`` only on demand."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_core.vms.pricing import find_rates

        with self.pricing:
            if again:
                self.put(unpriced="")
            if not self.wants_prices or self.session is None:
                return
            try:
                self.put(rates=find_rates(self.session.child_session()))
            except HeartbeatError as error:
                self.put(unpriced=diagnose_exception(error, "call").title)
        with self.turn:
            now = self.now()
            self.made = {key: (each, self.priced(row, each, now)) for key, (each, row) in self.made.items()}
            look = self.history.last if self.history is not None else None
            if look is not None:
                self.put(rows=tuple(self.noted(row, look) for _, row in self.made.values()))

    def note(self, change: Transition) -> None:
        """Write down what has changed, for the log and for its row."""
        from heartbeat_tui.vms.rows import STATES
        from heartbeat_tui.vms.text import change_words

        kind = STATES.get(change.after or "", ("", "attention"))[1] if change.after else "quiet"
        in_log, in_row = change_words(change)
        self.write([LogLine(change.at, change.name, in_log, kind)])
        self.changed[key_of(change.kind, change.zone, change.name)] = (self.now(), in_row, kind)

    def failed(self, error: BaseException) -> None:
        """Keep what is known, say what went wrong, and wait longer each time."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception

        self.fails += 1
        wait_s = min(LONGEST_S, self.every_s * 2.0 ** min(self.fails, 10)) * random.uniform(0.9, 1.0)
        known = self.environment.target.known() if self.environment is not None else {}
        problem: Diagnosis = diagnose_exception(error, "call", known)
        self.put(problem=problem, wait_s=wait_s)

    def show_zone(self, zone: str) -> None:
        """List another zone from the next look on; what is known of others is kept, for it goes on costing."""
        view = self.view()
        if view.zone != zone:
            self.history = None
            self.put(zone=zone, rows=None, seen=None, elsewhere=(*(view.rows or ()), *view.elsewhere))

    def write(self, lines: Iterable[LogLine]) -> None:
        with self.lock:
            self.log.extend(lines)

    def put(self, **changes: object) -> None:
        """Show what has changed, beside the newest of log and jobs: whoever comes last must not show what was before."""
        with self.lock:
            self.shown = replace(self.shown, log=tuple(self.log), jobs=self.jobs.all(), **changes)  # type: ignore[arg-type]
        self.news()

    # -- for a new one

    def room(self, request: CreateRequest) -> tuple[QuotaHeadroom, ...]:
        """Say how much quota is left for it, or why that cannot be told; empty where no quota of it is known. For a thread."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_core.vms.inventory import fetch_inventory
        from heartbeat_core.vms.quota_headroom import find_room, no_room

        session = self.session
        if session is None:
            return no_room(request, "nobody was asked yet")
        try:
            errand = session.child_session()
            return find_room(errand, request, fetch_inventory(errand, request.project, EVERYWHERE))
        except HeartbeatError as error:
            return no_room(request, diagnose_exception(error, "call").title)

    # -- jobs

    def job_told(self, job: Job) -> None:
        """Show how a job goes; have a look where it has changed something."""
        from heartbeat_tui.vms.text import job_log

        if job.ended is not None or (job.steps and job.steps[-1].what in HURRIED):
            self.hurry = True
        newest = job.ended or (job.steps[-1] if job.steps else None)
        if newest is not self.told.get(job.id):  # an order to stop is no step
            self.told[job.id] = newest
            self.write(job_log(job, self.now()))
        self.put()

    def take_hurry(self) -> bool:
        """Say once that a look is due at once."""
        hurry, self.hurry = self.hurry, False
        return hurry

    # -- the end

    def close(self) -> None:
        """End the look and the jobs under way; what Google has taken on goes on."""
        self.closed = True
        self.jobs.close()
        session = self.session
        if session is not None:
            session.cancel()
