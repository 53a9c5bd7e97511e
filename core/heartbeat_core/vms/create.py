"""Creates a TPU VM, or queues for one: never two of them, and never one that is not reported.

The Cloud TPU API has no request ids. What identifies a request is the name of the node in its zone: it is looked up before, and
after every answer that was lost.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from heartbeat_core.cloud.cancellation import Cancelled, Deadline
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import (
    GONE,
    HOLDING,
    Node,
    Operation,
    OperationError,
    create_node,
    create_queued_resource,
    get_node,
    get_queued_resource,
)
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Diagnosis, Origin, Remedy
from heartbeat_core.emulator.process import command_environ
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED
from heartbeat_core.vms.operation import (
    UNNAMED,
    FoundResource,
    Missing,
    OnStep,
    PollPolicy,
    VmError,
    VmOperation,
    ignore_step,
    is_cancelled,
)
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.vocabulary import Resource, command_of, gcloud_command

# Diagnoses that may not hold a while later: no capacity now, or an API that failed or was asked too often.
PASSING = frozenset({
    "stockout", "capacity-or-quota", "create-rate", "rate-limit", "too-many", "google-failed", "unreachable", "timed-out", "cut", "garbled",
})  # fmt: skip
GCLOUD_LIMIT_S = 60.0
OUT_OF_STOCK = ("stockout", "capacity-or-quota")
PASSING_CODES = (4, 10, 13, 14)  # gRPC's numbers for out of time, aborted, internal, unavailable


def create(
    session: CloudSession, request: CreateRequest, on_step: OnStep = ignore_step, policy: PollPolicy | None = None, *, wait: bool = True
) -> Resource:
    """Create a TPU VM and watch it until it is READY, or queue for it until it is ACTIVE; raise VmError, HeartbeatError for a bad request.

    Without ``wait`` return once the request was accepted. The cancellation of ``session`` stops it at any moment: VmError then says
    what goes on at Google.
    """
    for problem in request.problems().values():
        raise problem
    return Creation(session, request, on_step, policy or PollPolicy()).carry_out(wait=wait)


STATUSES = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "RESOURCE_EXHAUSTED": 429,
}  # fmt: skip


def ask_gcloud(session: CloudSession, command: tuple[str, ...]) -> Operation:
    """Send a request through gcloud, for Flex-start, which google-cloud-tpu lacks; raise CloudError."""
    environ = {**command_environ(session.endpoint), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    run = partial(subprocess.run, [*command, "--async"], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    done: subprocess.CompletedProcess[str] = session.limited(run, "gcloud", Deadline(GCLOUD_LIMIT_S))
    if done.returncode:
        said = done.stderr.strip()
        words = re.search(r"^ERROR: \(gcloud[\w.-]*\) (?:([A-Z_]+): )?(.*)", said, re.MULTILINE | re.DOTALL)
        code, message = words.groups() if words else (None, said)
        status = 400 if done.returncode == 2 else STATUSES.get(code or "")  # 2: gcloud did not understand the command
        raise CloudError("refused" if status else "cut", message or said, service="tpu", status=status, code=code)
    named = re.search(r"projects/[^\s\]]+/operations/[\w-]+", done.stderr)
    return replace(UNNAMED, name=named[0] if named else "")


class Creation(VmOperation):
    """One creation in one zone: of a node until it is READY, or of a queued resource until it is ACTIVE."""

    def __init__(self, session: CloudSession, request: CreateRequest, on_step: OnStep, policy: PollPolicy) -> None:
        super().__init__(session, request.project, request.zone, request.name, "create", request.queued, on_step, policy)
        self.request, self.kind = request, "queued resource" if request.queued else "TPU VM"

    def request_once(self) -> Operation:
        if self.request.provisioning == "flex-start":
            return ask_gcloud(self.session, self.request.command())
        send = create_queued_resource if self.queued else create_node
        return send(self.session, self.project, self.zone, self.name, self.request.body())

    def read(self) -> FoundResource:
        where = (self.session, self.project, self.zone, self.name)
        if self.queued:
            queued = get_queued_resource(*where)
            cause = queued.problem or f"The queued resource came to be {queued.state}."
            problem = OperationError(cause) if queued.state in HOLDING else None
            return FoundResource(queued.state, queued.state == "ACTIVE", problem, queued)
        node = get_node(*where)
        error = OperationError(f"It came to be {node.state} before it was READY.", 10) if node.state in GONE else None
        return FoundResource(node.state, node.state == "READY", error, node)

    def arrived(self, found: FoundResource) -> bool:
        del found  # there was none before
        return True

    def carry_out(self, *, wait: bool = True) -> Resource:
        """Check that the name is free, send the request, and watch; raise VmError."""
        try:
            self.check_name()
            operation = self.send()
            if operation is None:
                raise self.not_arrived()
            return self.followed(operation) if wait else resource_of(self.appear())
        except (OperationError, CloudError, Cancelled, TimeoutError) as error:
            raise self.failure(error) from error

    def watch(self) -> Resource:
        """Watch one that was requested before; raise VmError."""
        self.outcome, self.persistent = "going on", True
        try:
            return self.followed(UNNAMED)
        except (OperationError, CloudError, Cancelled, TimeoutError) as error:
            raise self.failure(error) from error

    def check_name(self) -> None:
        """Raise VmError if the name is taken, CloudError if that cannot be found out."""
        if found := self.existing():
            raise self.taken(found)
        if self.queued:  # its TPU VM needs the name as well
            Creation(self.session, replace(self.request, queued=False), ignore_step, self.policy).check_name()

    def existing(self) -> FoundResource | None:
        """Return the resource of that name, None if there is none; raise CloudError if that cannot be found out."""
        for attempt in range(3):
            if attempt:
                self.pause()
            found = self.ask(self.read)
            if isinstance(found, Missing):
                self.report("looked", self.target)
                return None
            if isinstance(found, FoundResource):
                return found
        raise CloudError("timed out", "Whether there is one of that name already could not be found out.", service="tpu")

    def followed(self, operation: Operation) -> Resource:
        found = self.follow(operation)
        self.report("done", self.target)
        return resource_of(found)

    def failure(self, error: BaseException) -> VmError:
        """Return how it ended, and what became of the TPU VM."""
        if is_cancelled(error):
            return self.goes_on("interrupted", INTERRUPTED)
        if isinstance(error, TimeoutError):
            return self.goes_on(f"timed out: {self.name} is not there after {self.policy.total_s:g} s", COULD_NOT_TELL)
        origin: Origin = "operation" if isinstance(error, OperationError) else "call"
        diagnosis = self.diagnose(error, origin)
        self.report("failed", f"{self.zone}: {diagnosis.title}")
        if isinstance(error, OperationError):
            return self.failed(error, diagnosis)
        if self.outcome != "nothing":
            return self.goes_on(diagnosis.title, COULD_NOT_TELL, diagnosis)
        again = diagnosis.id in PASSING
        return VmError(diagnosis.title, diagnosis.why, "Nothing was created.", outcome="nothing", diagnosis=diagnosis, again=again)

    def diagnose(self, error: BaseException, origin: Origin) -> Diagnosis:
        """Return what went wrong, with remedies for this request."""
        member = self.session.principal.member
        kind = self.request.accelerator
        words = {"principal": member, "value": str(kind.size) if kind else None}
        known = self.request.words() | {name: value for name, value in words.items() if value}
        found = diagnose_exception(error, origin, known)
        return replace(found, remedies=tuple(own_remedies(found, self.request)))

    def failed(self, error: OperationError, diagnosis: Diagnosis) -> VmError:
        """Return why the operation failed, and whether it has left something."""
        again = diagnosis.id in PASSING or error.code in PASSING_CODES
        try:
            rest = self.remains()
        except (CloudError, Cancelled):
            self.outcome = "unknown"
            stopped = self.session.cancellation.cancelled
            return self.goes_on(diagnosis.title, INTERRUPTED if stopped else COULD_NOT_TELL, diagnosis)
        if rest is None:
            self.outcome = "nothing"
            return VmError(diagnosis.title, diagnosis.why, "Nothing is left of it.", outcome="nothing", diagnosis=diagnosis, again=again)
        self.outcome = "there"
        remedy = f"The {self.kind} {self.name} is still there, {rest.state}{', and holds its quota' * self.queued}: delete it."
        return VmError(diagnosis.title, diagnosis.why, remedy, outcome="there", diagnosis=diagnosis, commands=self.commands())

    def goes_on(self, title: str, exit_code: int, diagnosis: Diagnosis | None = None) -> VmError:
        """Return what goes on at Google, and how to see and to delete it."""
        outcome, what = self.outcome, f"the {self.kind} {self.name} in {self.zone}"
        cause = diagnosis.why if diagnosis else ""
        if outcome == "nothing":
            return VmError(title, cause, "No request was sent, so there is nothing to delete.", outcome=outcome, exit_code=exit_code)
        if outcome == "unknown":
            remedy = f"Whether {what} will exist is not known. Look, and delete it if it is there:"
        else:
            state = f" (last seen: {self.state})" if self.state else ""
            remedy = f"The creation of {what} goes on at Google{state}, and it will be charged. To see it, and to delete it:"
        return VmError(title, cause, remedy, outcome=outcome, exit_code=exit_code, diagnosis=diagnosis, commands=self.commands())

    def not_arrived(self) -> VmError:
        title = f"the request for {self.name} did not arrive"
        cause = f"Its answer was lost, and for {self.policy.absent_s:g} s there was neither such a TPU VM nor an operation for one."
        return VmError(title, cause, "Nothing was created. Try again.", outcome="nothing", again=True, doubtful=True)

    def taken(self, found: FoundResource) -> VmError:
        title = f"there is already a {self.kind} {self.name} in {self.zone}"
        return VmError(title, f"It is {found.state}.", "Choose another name, or delete it first.", outcome="nothing")

    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Return the gcloud commands that describe what there may be, and delete it."""
        look, delete = (gcloud_command(action, self.name, self.project, self.zone, queued=self.queued) for action in ("describe", "delete"))
        return look, command_of("delete", self.resource, self.project) if isinstance(self.resource, Node) else delete


def resource_of(found: FoundResource) -> Resource:
    assert found.resource is not None  # a creation always reads one
    return found.resource


def own_remedies(diagnosis: Diagnosis, request: CreateRequest) -> Iterator[Remedy]:
    """Yield the remedies: those that create something create what was requested, and those that were tried are left out."""
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
        text = "Or try several zones in turn until one has capacity."
        yield Remedy(text, command, changes="creates a TPU VM as soon as there is one", costs=True)
