"""Starts, stops and deletes TPU VMs and queued resources, and watches until that is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import (
    GONE,
    Node,
    Operation,
    OperationError,
    QueuedResource,
    change_node,
    delete_node,
    delete_queued_resource,
    get_node,
    get_queued_resource,
)
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.create import reason
from heartbeat_core.vms.inventory import Change, allowed, allowed_queued, command_of
from heartbeat_core.vms.operation import (
    COULD_NOT_TELL,
    INTERRUPTED,
    NOT_FOUND,
    FoundResource,
    OnStep,
    PollPolicy,
    VmError,
    VmOperation,
    unheard,
)

WANTED = {"start": "READY", "stop": "STOPPED"}
UNDER_WAY = {"start": ("STARTING", "READY"), "stop": ("STOPPING", "STOPPED"), "delete": ("DELETING",)}


def refuse(thing: Node | QueuedResource, action: Change) -> HeartbeatError | None:
    """Say why its state does not allow the action, None where it does."""
    queued = isinstance(thing, QueuedResource)
    may = allowed_queued(thing.state) if isinstance(thing, QueuedResource) else allowed(thing.state)
    if action in may:
        return None
    others = ", ".join(sorted(may & {"start", "stop", "delete"})) or "nothing"
    title = f"{thing.id} is {thing.state or 'in no state that Google names'}: it cannot be {PAST[action]}"
    return HeartbeatError(title, f"What that state allows is: {others}.", "" if queued else "Wait until it is in another.", exit_code=1)


PAST = {"start": "started", "stop": "stopped", "delete": "deleted"}


def carry_out(
    session: CloudSession,
    project: str,
    thing: Node | QueuedResource,
    action: Change,
    on_step: OnStep = unheard,
    patience: PollPolicy | None = None,
    *,
    wait: bool = True,
) -> None:
    """Start, stop or delete, and watch until it is done; raise VmError, or HeartbeatError where its state does not allow it.

    To delete a node that belongs to a queued resource is to delete that, with all its nodes. Without ``wait`` only until Google has
    taken the request.
    """
    if problem := refuse(thing, action):
        raise problem
    errand = VmOperation(session, wish_of(project, thing, action), on_step, patience or PollPolicy())
    try:
        operation = errand.send()
        if operation is None:
            title, why = f"the request to {action} {thing.id} did not arrive", f"Its answer was lost, and it is still {thing.state}."
            raise VmError(title, why, "Nothing was changed. Try again.", fate="there", again=True)
        if wait:
            errand.follow(operation)
            errand.tell("done", errand.wish.target)
    except (OperationError, CloudError, Cancelled, TimeoutError) as error:
        raise ended(error, errand, thing, action) from error


def by_request(things: Iterable[Node | QueuedResource], action: Change) -> dict[str, list[Node | QueuedResource]]:
    """Sort things by the request that changes them: one deletes a queued resource with all its nodes."""
    found: dict[str, list[Node | QueuedResource]] = {}
    for thing in things:
        found.setdefault(wish_of("", thing, action).target, []).append(thing)
    return found


def wish_of(project: str, thing: Node | QueuedResource, action: Change) -> NodeChange | QueueDeletion:
    queued = thing.id if isinstance(thing, QueuedResource) else thing.queued_resource
    if action == "delete" and queued:
        return QueueDeletion(project, thing.zone, queued)
    return NodeChange(project, thing.zone, thing.id, action)


@dataclass(frozen=True)
class NodeChange:
    """A node that is to be started, stopped or gone."""

    project: str
    zone: str
    name: str
    verb: Change

    @property
    def target(self) -> str:
        return f"projects/{self.project}/locations/{self.zone}/nodes/{self.name}"

    def send(self, session: CloudSession) -> Operation:
        if self.verb == "delete":
            return delete_node(session, self.project, self.zone, self.name)
        return change_node(session, self.project, self.zone, self.name, self.verb)

    def read(self, session: CloudSession) -> FoundResource:
        try:
            node = get_node(session, self.project, self.zone, self.name)
        except CloudError as error:
            if self.verb == "delete" and error.status == NOT_FOUND:
                return FoundResource(None, done=True)
            raise
        lost = self.verb != "delete" and node.state in GONE
        why = OperationError(f"It came to be {node.state}.") if lost else None
        return FoundResource(node.state, node.state == WANTED.get(self.verb), why, node)

    def arrived(self, found: FoundResource) -> bool:
        return found.done or found.state in UNDER_WAY[self.verb]


@dataclass(frozen=True)
class QueueDeletion:
    """A queued resource that is to be gone with its nodes."""

    project: str
    zone: str
    name: str
    verb: str = "delete"

    @property
    def target(self) -> str:
        return f"projects/{self.project}/locations/{self.zone}/queuedResources/{self.name}"

    def send(self, session: CloudSession) -> Operation:
        return delete_queued_resource(session, self.project, self.zone, self.name)

    def read(self, session: CloudSession) -> FoundResource:
        try:
            queued = get_queued_resource(session, self.project, self.zone, self.name)
        except CloudError as error:
            if error.status == NOT_FOUND:
                return FoundResource(None, done=True)
            raise
        return FoundResource(queued.state, done=False)

    def arrived(self, found: FoundResource) -> bool:
        return found.done or found.state == "DELETING"


def ended(error: BaseException, errand: VmOperation, thing: Node | QueuedResource, action: Change) -> VmError:
    """Say how a change ended that did not end well."""
    project = errand.wish.project
    words = {"project": project, "zone": thing.zone, "tpu_name": thing.id}
    commands = (look_command(thing, project), command_of(action, thing, project))
    sent = errand.fate != "nothing"
    seen = f" It was {errand.state} when it was last seen." if errand.state else ""
    goes_on = f"It was asked for and may go on without us.{seen} To see it, and to ask again:" if sent else "Nothing was changed."
    if isinstance(error, Cancelled) or (isinstance(error, CloudError) and error.kind == "cancelled"):
        return VmError("interrupted", "", goes_on, fate="there", exit_code=INTERRUPTED, commands=commands if sent else ())
    if isinstance(error, TimeoutError):
        title = f"it took too long: {thing.id} is not {PAST[action]} after {errand.patience.total_s:g} s"
        return VmError(title, "", goes_on, fate="there", exit_code=COULD_NOT_TELL, commands=commands)
    diagnosis = diagnose_exception(error, "operation" if isinstance(error, OperationError) else "call", words)
    if isinstance(error, OperationError) or not sent:
        remedy = f"{thing.id} was not {PAST[action]}.{seen}"
        return VmError(diagnosis.title, reason(diagnosis), remedy, fate="there", diagnosis=diagnosis, commands=commands[:1])
    return VmError(
        diagnosis.title, reason(diagnosis), goes_on, fate="there", exit_code=COULD_NOT_TELL, diagnosis=diagnosis, commands=commands
    )


def look_command(thing: Node | QueuedResource, project: str) -> tuple[str, ...]:
    """Give gcloud's command that shows it."""
    kind = "queued-resources" if isinstance(thing, QueuedResource) else "tpu-vm"
    return ("gcloud", "compute", "tpus", kind, "describe", thing.id, f"--project={project}", f"--zone={thing.zone}")
