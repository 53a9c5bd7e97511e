"""Starts, stops and deletes TPU VMs and queued resources, and watches until that is done."""

from __future__ import annotations

from collections.abc import Iterable

from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import (
    GONE,
    Operation,
    OperationError,
    QueuedResource,
    change_node,
    delete_queued_resource,
    get_node,
    get_queued_resource,
)
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, HeartbeatError
from heartbeat_core.vms.operation import NOT_FOUND, FoundResource, OnStep, PollPolicy, VmError, VmOperation, ignore_step, is_cancelled
from heartbeat_core.vms.vocabulary import ACTIONS, Change, Resource, command_of, named_by_request, state_of

GOALS = {"start": "READY", "stop": "STOPPED"}
UNDER_WAY = {"start": ("STARTING", "READY"), "stop": ("STOPPING", "STOPPED"), "delete": ("DELETING",)}


def refuse(resource: Resource, action: Change) -> HeartbeatError | None:
    """Return why its state does not allow the action, None if it does."""
    actions = state_of(resource).actions
    if action in actions:
        return None
    others = ", ".join(sorted(actions & {"start", "stop", "delete"})) or "nothing"
    title = f"{resource.id} is {resource.state or 'in an unknown state'}: it cannot be {ACTIONS[action].done}"
    remedy = "" if isinstance(resource, QueuedResource) else "Wait until it is in another."
    return HeartbeatError(title, f"What that state allows is: {others}.", remedy, exit_code=1)


def carry_out(
    session: CloudSession,
    project: str,
    resource: Resource,
    action: Change,
    on_step: OnStep = ignore_step,
    policy: PollPolicy | None = None,
    *,
    wait: bool = True,
) -> None:
    """Start, stop or delete, and watch until it is done; raise VmError, or HeartbeatError if its state does not allow it.

    A node of a queued resource is deleted with that, and with all its nodes. Without ``wait`` return once the request was accepted.
    """
    if problem := refuse(resource, action):
        raise problem
    operation = ResourceChange(session, project, resource, action, on_step, policy or PollPolicy())
    try:
        accepted = operation.send()
        if accepted is None:
            title = f"the request to {action} {resource.id} did not arrive"
            cause = f"Its answer was lost, and it is still {resource.state}."
            raise VmError(title, cause, "Nothing was changed. Try again.", outcome="there", again=True)
        if wait:
            operation.follow(accepted)
            operation.report("done", operation.target)
    except (OperationError, CloudError, Cancelled, TimeoutError) as error:
        raise failed(error, operation) from error


def by_request(resources: Iterable[Resource], action: Change) -> dict[tuple[str, str, bool], list[Resource]]:
    """Group resources by the request that changes them: one deletes a queued resource with all its nodes."""
    found: dict[tuple[str, str, bool], list[Resource]] = {}
    for resource in resources:
        found.setdefault((resource.zone, *named_by_request(resource, action)), []).append(resource)
    return found


class ResourceChange(VmOperation):
    """A node that is started, stopped or deleted, or a queued resource that is deleted with its nodes."""

    def __init__(
        self, session: CloudSession, project: str, resource: Resource, action: Change, on_step: OnStep, policy: PollPolicy
    ) -> None:
        name, queued = named_by_request(resource, action)
        super().__init__(session, project, resource.zone, name, action, queued, on_step, policy)
        self.changed, self.action = resource, action

    def request_once(self) -> Operation:
        if self.queued:
            return delete_queued_resource(self.session, self.project, self.zone, self.name)
        return change_node(self.session, self.project, self.zone, self.name, self.verb)

    def read(self) -> FoundResource:
        try:
            found: Resource = (get_queued_resource if self.queued else get_node)(self.session, self.project, self.zone, self.name)
        except CloudError as error:
            if self.verb == "delete" and error.status == NOT_FOUND:
                return FoundResource(None, done=True)
            raise
        lost = self.verb != "delete" and found.state in GONE
        problem = OperationError(f"It came to be {found.state}.") if lost else None
        return FoundResource(found.state, found.state == GOALS.get(self.verb), problem, found)

    def arrived(self, found: FoundResource) -> bool:
        return found.done or found.state in UNDER_WAY[self.verb]


def failed(error: BaseException, operation: ResourceChange) -> VmError:
    """Return why a change failed, and how to see what became of it."""
    project, resource, action = operation.project, operation.changed, operation.action
    done = ACTIONS[action].done
    commands = (command_of("describe", resource, project), command_of(action, resource, project))
    sent = operation.outcome != "nothing"
    seen = f" Last seen: {operation.state}." if operation.state else ""
    goes_on = f"The request was sent and may go on at Google.{seen} To see it, and to ask again:" if sent else "Nothing was changed."
    if is_cancelled(error):
        return VmError(
            "interrupted", "You stopped waiting for it.", goes_on, outcome="there", exit_code=INTERRUPTED, commands=commands if sent else ()
        )
    if isinstance(error, TimeoutError):
        title = f"timed out: {resource.id} is not {done} after {operation.policy.total_s:g} s"
        return VmError(title, "Google has not finished it.", goes_on, outcome="there", exit_code=COULD_NOT_TELL, commands=commands)
    words = {"project": project, "zone": resource.zone, "tpu_name": resource.id}
    final = isinstance(error, OperationError)
    diagnosis = diagnose_exception(error, "operation" if final else "call", words)
    if final or not sent:
        remedy = f"{resource.id} was not {done}.{seen}"
        return VmError(diagnosis.title, diagnosis.why, remedy, outcome="there", diagnosis=diagnosis, commands=commands[:1])
    return VmError(
        diagnosis.title, diagnosis.why, goes_on, outcome="there", exit_code=COULD_NOT_TELL, diagnosis=diagnosis, commands=commands
    )
