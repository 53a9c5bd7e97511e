"""Owns what is being done to TPU VMs: each job in a thread of its own, its steps, how it ended, and the order to stop.

No Textual here. ``run`` lasts as long as its job and belongs in a thread; the rest returns at once.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_tui.vm_rows import key_of
from heartbeat_tui.vms_messages import Ending, Job

if TYPE_CHECKING:
    from heartbeat_core.checks.context import World
    from heartbeat_core.cloud.cancellation import Cancellation
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.vms.inventory import Change
    from heartbeat_core.vms.operation import OnStep, Patience, Step
    from heartbeat_core.vms.request import CreateRequest

Do = Callable[["CloudSession", "OnStep"], "Node | QueuedResource | None"]
MOST_STEPS = 500


class Jobs:
    """``news`` is called from any thread with a job that has changed; ``patience`` is how often and how long is asked."""

    def __init__(self, now: Callable[[], datetime], patience: Patience | None = None) -> None:
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

    def run(self, job: Job, world: World) -> None:
        """Do it, whatever comes of it; an error of ours is raised once it has been noted."""
        ending, made = Ending(), None
        try:
            made = self.do(job, world)
        except Exception as error:
            ending = self.ending_of(error)
            if not ending.explained:
                raise
        finally:
            self.update(job.id, ended=self.now(), ending=ending, made=made)

    def do(self, job: Job, world: World) -> Node | QueuedResource | None:
        session = world.open_session()
        try:
            narrow = session.narrow(cancellation=self.orders[job.id])
            return self.work[job.id](narrow, lambda step: self.took(job.id, step))
        finally:
            session.close()

    def took(self, number: int, step: Step) -> None:
        with self.lock:
            steps = (*self.jobs[number].steps, step)[-MOST_STEPS:]
        self.update(number, steps=steps)

    def update(self, number: int, **changes: object) -> None:
        with self.lock:
            job = self.jobs[number] = replace(self.jobs[number], **changes)  # type: ignore[arg-type]
        self.news(job)

    def ending_of(self, error: Exception) -> Ending:
        """Say how a job ended that did not end well."""
        from heartbeat_core.diagnosis.diagnose import diagnose_exception
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_core.vms.operation import INTERRUPTED, VmError

        if isinstance(error, VmError):
            return Ending(
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
        return Ending(error.title if isinstance(error, HeartbeatError) else found.title, cause, remedy, found.remedies, explained=ours)

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
