"""Creates a TPU VM, or queues for one: never two of them, and never one that nobody knows of.

The Cloud TPU API has no id of requests. What makes a request one and the same is the name of the node in its zone: it is looked up
before, and after every answer that was lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import (
    GONE,
    Node,
    Operation,
    OperationError,
    QueuedResource,
    create_node,
    create_queued_resource,
    get_node,
    get_queued_resource,
)
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Diagnosis, Origin, Remedy
from heartbeat_core.vms.inventory import command_of
from heartbeat_core.vms.operation import (
    COULD_NOT_TELL,
    INTERRUPTED,
    NO,
    UNNAMED,
    FoundResource,
    Lost,
    Missing,
    OnStep,
    PollPolicy,
    VmError,
    VmOperation,
    unheard,
)
from heartbeat_core.vms.request import CreateRequest

# Diagnoses of what may be otherwise in a while, by themselves: no capacity now, or an API that failed or was asked too often.
PASSING = frozenset({
    "stockout", "capacity-or-quota", "create-rate", "rate-limit", "too-many", "google-failed", "unreachable", "timed-out", "cut", "garbled",
})  # fmt: skip
OUT_OF_STOCK = ("stockout", "capacity-or-quota")
PASSING_CODES = (4, 10, 13, 14)  # gRPC's numbers for out of time, aborted, internal, unavailable
QUEUE_FAILED = ("FAILED", "SUSPENDED")


def create(
    session: CloudSession, request: CreateRequest, on_step: OnStep = unheard, patience: PollPolicy | None = None, *, wait: bool = True
) -> Node | QueuedResource:
    """Create a TPU VM and watch it until it is READY, of a queued one until it is ACTIVE; raise VmError, or HeartbeatError for a bad wish.

    Without ``wait`` only until Google has taken the request; what is there by then is given. It can be stopped by ``session``'s
    cancellation at any moment: what VmError then says is what goes on without us.
    """
    for problem in request.problems().values():
        raise problem
    return Creation(session, request, on_step, patience or PollPolicy()).carry_out(wait=wait)


@dataclass(frozen=True)
class CreateSpec:
    """A node that is to be READY, or a queued resource that is to be ACTIVE."""

    request: CreateRequest
    verb: str = "create"

    @property
    def project(self) -> str:
        return self.request.project

    @property
    def zone(self) -> str:
        return self.request.zone

    @property
    def target(self) -> str:
        kind = "queuedResources" if self.request.queued else "nodes"
        return f"projects/{self.project}/locations/{self.zone}/{kind}/{self.request.name}"

    def send(self, session: CloudSession) -> Operation:
        send = create_queued_resource if self.request.queued else create_node
        return send(session, self.project, self.zone, self.request.name, self.request.body())

    def read(self, session: CloudSession) -> FoundResource:
        where = (session, self.project, self.zone, self.request.name)
        if self.request.queued:
            queued = get_queued_resource(*where)
            why = queued.problem or f"The queued resource came to be {queued.state}."
            return FoundResource(
                queued.state, queued.state == "ACTIVE", OperationError(why) if queued.state in QUEUE_FAILED else None, queued
            )
        node = get_node(*where)
        error = OperationError(f"It came to be {node.state} before it was READY.", 10) if node.state in GONE else None
        return FoundResource(node.state, node.state == "READY", error, node)

    def arrived(self, found: FoundResource) -> bool:
        del found  # there was none before
        return True


class Creation:
    """One creation in one zone."""

    def __init__(self, session: CloudSession, request: CreateRequest, on_step: OnStep, patience: PollPolicy) -> None:
        self.session, self.request = session, request
        self.errand = VmOperation(session, CreateSpec(request), on_step, patience)

    def carry_out(self, *, wait: bool = True) -> Node | QueuedResource:
        """Look whether the name is free, ask for it, and watch; raise VmError."""
        try:
            self.look()
            operation = self.errand.send()
            if operation is None:
                raise self.not_arrived()
            return self.followed(operation) if wait else thing_of(self.errand.appear())
        except (OperationError, CloudError, Cancelled, TimeoutError) as error:
            raise self.ended(error) from error

    def watch(self) -> Node | QueuedResource:
        """Watch one that was asked for before; raise VmError."""
        self.errand.fate, self.errand.persistent = "going on", True
        try:
            return self.followed(UNNAMED)
        except (OperationError, CloudError, Cancelled, TimeoutError) as error:
            raise self.ended(error) from error

    def look(self) -> None:
        """Raise VmError where the name is taken, CloudError where that cannot be told."""
        found = self.sight()
        if found is not None:
            raise self.taken(found)
        if self.request.queued:  # its TPU VM will want the name as well
            Creation(self.session, replace(self.request, queued=False), unheard, self.errand.patience).look()

    def sight(self) -> FoundResource | None:
        """See what is there of that name, None for nothing; raise CloudError where that cannot be told."""
        for attempt in (1, 2, 3):
            found = self.errand.ask(self.errand.read)
            if not isinstance(found, Lost):
                if not isinstance(found, Missing):
                    return found
                self.errand.tell("looked", self.errand.wish.target)
                return None
            if attempt < 3:
                self.errand.pause()
        raise CloudError("timed out", "Whether there is one of that name already could not be found out.", service="tpu")

    def followed(self, operation: Operation) -> Node | QueuedResource:
        """Watch until it is made, and give it."""
        found = self.errand.follow(operation)
        self.errand.tell("done", self.errand.wish.target)
        return thing_of(found)

    def ended(self, error: BaseException) -> VmError:
        """Say how it ended, and what became of the TPU VM."""
        request, errand = self.request, self.errand
        if isinstance(error, Cancelled) or (isinstance(error, CloudError) and error.kind == "cancelled"):
            return self.left("interrupted", INTERRUPTED)
        if isinstance(error, TimeoutError):
            return self.left(f"it took too long: {request.name} is not there after {errand.patience.total_s:g} s", COULD_NOT_TELL)
        origin: Origin = "operation" if isinstance(error, OperationError) else "call"
        diagnosis = self.diagnose(error, origin)
        errand.tell("failed", f"{request.zone}: {diagnosis.title}")
        if isinstance(error, OperationError):
            return self.failed(error, diagnosis)
        if errand.fate != "nothing":
            return self.left(diagnosis.title, COULD_NOT_TELL, diagnosis)
        return VmError(
            diagnosis.title,
            reason(diagnosis),
            "Nothing was created.",
            fate="nothing",
            diagnosis=diagnosis,
            again=diagnosis.id in PASSING,
        )

    def diagnose(self, error: BaseException, origin: Origin) -> Diagnosis:
        """Find out what went wrong; what is to be done next is said in the terms of this request."""
        member = self.session.principal.member
        kind = self.request.accelerator
        words = {"principal": member, "value": str(kind.size) if kind else None}
        known = self.request.words() | {name: value for name, value in words.items() if value}
        found = diagnose_exception(error, origin, known)
        return replace(found, remedies=tuple(own_remedies(found, self.request)))

    def failed(self, error: OperationError, diagnosis: Diagnosis) -> VmError:
        """Say why the operation failed, and whether it has left something."""
        again = diagnosis.id in PASSING or error.code in PASSING_CODES
        try:
            rest = self.errand.remains()
        except (CloudError, Cancelled):
            self.errand.fate = "unknown"
            stopped = self.session.cancellation.cancelled
            return self.left(diagnosis.title, INTERRUPTED if stopped else COULD_NOT_TELL, diagnosis)
        if rest is None:
            self.errand.fate = "nothing"
            return VmError(diagnosis.title, reason(diagnosis), "Nothing is left of it.", fate="nothing", diagnosis=diagnosis, again=again)
        self.errand.fate = "there"
        what = f"{'The queued resource' if self.request.queued else 'The TPU VM'} {self.request.name} is still there, {rest.state}"
        remedy = f"{what}{', and holds its quota' * self.request.queued}: delete it."
        return VmError(diagnosis.title, reason(diagnosis), remedy, fate="there", diagnosis=diagnosis, commands=self.commands())

    def left(self, title: str, exit_code: int, diagnosis: Diagnosis | None = None) -> VmError:
        """Say what goes on without us, and how to see and to delete it."""
        request, fate = self.request, self.errand.fate
        cause = reason(diagnosis) if diagnosis else ""
        if fate == "nothing":
            return VmError(title, cause, "Nothing was asked for yet, so there is nothing to delete.", fate=fate, exit_code=exit_code)
        kind = "queued resource" if request.queued else "TPU VM"
        if fate == "unknown":
            remedy = f"Whether the {kind} {request.name} in {request.zone} comes to be is not known. Look, and delete it if it is there:"
        else:
            state = f", {self.errand.state} when it was last seen" if self.errand.state else ""
            what = f"The creation of the {kind} {request.name} in {request.zone}"
            remedy = f"{what} goes on without us{state}, and it will cost. To see it, and to delete it:"
        return VmError(title, cause, remedy, fate=fate, exit_code=exit_code, diagnosis=diagnosis, commands=self.commands())

    def not_arrived(self) -> VmError:
        title = f"the request for {self.request.name} did not arrive"
        cause = (
            f"Its answer was lost, and for {self.errand.patience.absent_s:g} s there was neither such a TPU VM nor an operation for one."
        )
        return VmError(title, cause, "Nothing was created. Try again.", fate="nothing", again=True, doubtful=True)

    def taken(self, found: FoundResource) -> VmError:
        kind = "queued resource" if self.request.queued else "TPU VM"
        title = f"there is already a {kind} {self.request.name} in {self.request.zone}"
        return VmError(title, f"It is {found.state}.", "Choose another name, or delete it first.", fate="nothing", exit_code=NO)

    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Give gcloud's commands that look at what there may be, and delete it."""
        request = self.request
        where = (f"--project={request.project}", f"--zone={request.zone}")
        if request.queued:
            start = ("gcloud", "compute", "tpus", "queued-resources")
            return (*start, "describe", request.name, *where), (*start, "delete", request.name, *where, "--force")
        look = ("gcloud", "compute", "tpus", "tpu-vm", "describe", request.name, *where)
        if isinstance(self.errand.thing, Node):
            return look, command_of("delete", self.errand.thing, request.project)
        return look, ("gcloud", "compute", "tpus", "tpu-vm", "delete", request.name, *where)


def thing_of(found: FoundResource) -> Node | QueuedResource:
    assert found.thing is not None  # what was read of a creation
    return found.thing


def own_remedies(diagnosis: Diagnosis, request: CreateRequest) -> Iterator[Remedy]:
    """Give the remedies, those that create something with all that was asked for, and without what was tried already."""
    for remedy in diagnosis.remedies:
        command = remedy.command or ()
        if command[3:5] == ("tpu-vm", "create") and "--spot" in command:
            if request.provisioning != "spot":
                yield replace(remedy, command=replace(request, provisioning="spot").command())
        elif command[3:5] == ("queued-resources", "create"):
            if not request.queued:
                yield replace(remedy, command=replace(request, queued=True).command())
        else:
            yield remedy
    if diagnosis.id in OUT_OF_STOCK and not request.queued:
        command = (*request.own_command(), "--keep-trying", f"--zones={request.zone},<ZONES>")
        text = "Or go round several zones until one has capacity."
        yield Remedy(text, command, changes="creates a TPU VM as soon as there is one", costs=True)


def reason(diagnosis: Diagnosis) -> str:
    """Give the cause and, where it says more, what it rests on."""
    return diagnosis.cause if diagnosis.evidence in diagnosis.cause else f"{diagnosis.cause} {diagnosis.evidence}".strip()
