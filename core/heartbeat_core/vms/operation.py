"""An operation on a TPU VM, which takes minutes: one request, never sent twice, that is followed to its outcome.

The answer to a request can be lost though the request arrived. So after a request the resource is looked up by its name until the
outcome is known.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, TypeVar

from heartbeat_core.cloud.cancellation import Cancelled, Deadline
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Operation, OperationError, Verb, get_operation, list_operations
from heartbeat_core.diagnosis.model import Diagnosis
from heartbeat_core.errors import NO, HeartbeatError
from heartbeat_core.vms.vocabulary import Resource, Step

# What is there of the TPU VM after an operation.
Outcome = Literal["nothing", "there", "going on", "unknown"]


@dataclass(frozen=True)
class OperationStep:
    """One step of an operation; ``seconds`` is how long the step before took."""

    at: datetime
    what: Step
    detail: str
    seconds: float


OnStep = Callable[[OperationStep], None]


def ignore_step(_: OperationStep) -> None:
    """Do nothing about a step."""


@dataclass(frozen=True)
class PollPolicy:
    """How often and how long Google is asked, in seconds.

    An operation is polled every ``poll_s`` at first, then ever more rarely until ``longest_poll_s``, for ``total_s`` in all. A resource
    that is missing for ``absent_s`` at a stretch is taken to be absent. Whether a lost request arrived is asked for ``settle_s``, None
    for ever. Between two rounds of a zone search lie ``round_s`` at first, then ever more until ``longest_round_s``.
    """

    poll_s: float = 2.0
    growth: float = 1.4
    longest_poll_s: float = 15.0
    total_s: float | None = 1800.0
    absent_s: float = 90.0
    settle_s: float | None = 600.0
    round_s: float = 30.0
    longest_round_s: float = 300.0


class VmError(HeartbeatError):
    """An operation that failed: ``outcome`` is what is there of the TPU VM, ``commands`` show it and delete it.

    ``again``: the same request may succeed later. ``doubtful``: a lost request is taken not to have arrived, only because nothing is
    there.
    """

    def __init__(  # noqa: PLR0913  # keywords, each of use to some caller
        self,
        title: str,
        cause: str,
        remedy: str,
        *,
        outcome: Outcome,
        exit_code: int = NO,
        diagnosis: Diagnosis | None = None,
        commands: tuple[tuple[str, ...], ...] = (),
        again: bool = False,
        doubtful: bool = False,
    ) -> None:
        super().__init__(title, cause, remedy, exit_code=exit_code)
        self.outcome: Outcome = outcome
        self.diagnosis, self.commands = diagnosis, commands
        self.again, self.doubtful = again, doubtful


T = TypeVar("T")

NOT_FOUND, TIMED_OUT = 404, 408
FOR_GOOD = (400, 401, 403)  # refusals of a read that asking again does not change


class Missing:
    """The resource does not exist."""


class Lost:
    """There was no answer."""


MISSING, LOST = Missing(), Lost()


@dataclass(frozen=True)
class FoundResource:
    """A resource as it was read: ``done`` if the operation has reached its goal, ``error`` if it never will.

    ``resource`` is None if it is gone.
    """

    state: str | None
    done: bool
    error: OperationError | None = None
    resource: Resource | None = None


class Poller:
    """Asks Google again and again, ever more rarely, and reports each step."""

    def __init__(self, session: CloudSession, on_step: OnStep, policy: PollPolicy) -> None:
        self.session, self.on_step, self.policy = session, on_step, policy
        self.lost = False
        self.persistent = False  # a refusal must last before it is believed: zones were seen to come and go
        self.refused: Deadline | None = None  # the moment from which a refusal is believed
        self.reported = time.monotonic()
        self.wait_s = policy.poll_s

    def report(self, what: Step, detail: str = "") -> None:
        now = time.monotonic()
        took, self.reported = now - self.reported, now
        self.on_step(OperationStep(datetime.now(timezone.utc), what, detail, took))

    def pause(self, deadline: Deadline | None = None) -> None:
        """Wait before the next question, longer each time and with jitter, but not past ``deadline``; raise Cancelled."""
        wait_s = self.wait_s * random.uniform(0.8, 1.0)
        self.session.cancellation.sleep(min(wait_s, deadline.left_s) if deadline else wait_s)
        self.wait_s = min(self.wait_s * self.policy.growth, self.policy.longest_poll_s)

    def poll_often(self) -> None:
        """Begin again with the shortest wait."""
        self.wait_s = self.policy.poll_s

    def ask(self, read: Callable[[], T]) -> T | Missing | Lost:
        """Read something; raise CloudError only if asking again makes no difference, and once a request was sent only if that lasts."""
        try:
            answer = read()
        except CloudError as error:
            if error.status == NOT_FOUND:
                self.contact()
                return MISSING
            if error.kind == "cancelled" or ((error.kind == "no credentials" or error.status in FOR_GOOD) and self.believed()):
                raise
            if not self.lost:
                self.lost = True
                self.report("lost", f"{error.title}: {error.message}")
            return LOST
        self.contact()
        return answer

    def believed(self) -> bool:
        """Return whether a refusal has lasted long enough."""
        self.refused = self.refused or Deadline(self.policy.absent_s)
        return not self.persistent or not self.refused.left_s

    def contact(self) -> None:
        self.refused = None
        if self.lost:
            self.lost = False
            self.report("back")


class VmOperation(Poller, ABC):
    """An operation on a node or queued resource; ``verb`` and ``target`` are as Google's operations name them.

    ``outcome``, ``resource`` and ``state`` are what is known of the resource so far.
    """

    def __init__(
        self, session: CloudSession, project: str, zone: str, name: str, verb: Verb, queued: bool, on_step: OnStep, policy: PollPolicy
    ) -> None:
        super().__init__(session, on_step, policy)
        self.project, self.zone, self.name, self.verb, self.queued = project, zone, name, verb, queued
        self.target = f"projects/{project}/locations/{zone}/{'queuedResources' if queued else 'nodes'}/{name}"
        self.outcome: Outcome = "nothing"
        self.resource: Resource | None = None
        self.state: str | None = None

    @abstractmethod
    def request_once(self) -> Operation:
        """Send the request, once; raise CloudError."""

    @abstractmethod
    def read(self) -> FoundResource:
        """Read the resource; raise CloudError, with status 404 if there is none."""

    @abstractmethod
    def arrived(self, found: FoundResource) -> bool:
        """Return whether the resource as it was read shows that the request arrived."""

    def operations(self) -> frozenset[str] | None:
        """Return the names of the operations before the request, to tell its own from them later; None if they cannot be listed."""
        try:
            found = self.ask(self.list_operations)
        except CloudError as error:
            if error.kind != "refused":
                raise
            return None  # a role that may create need not include to list
        return frozenset(operation.name for operation in found) if isinstance(found, tuple) else None

    def list_operations(self) -> tuple[Operation, ...]:
        return list_operations(self.session, self.project, self.zone)

    def send(self) -> Operation | None:
        """Send the request; return its operation, None if the request was lost. Raise CloudError if it is refused."""
        before = self.operations()
        self.report("sent", self.target)
        self.outcome, self.persistent = "unknown", True
        try:
            operation = self.request_once()
        except CloudError as error:
            if is_refusal(error):
                self.outcome, self.persistent = "nothing", False
                raise
            self.report("lost", f"{error.title}: {error.message}")
            if error.kind == "cancelled":
                raise
            return self.settle(before)
        if not operation.name:  # an answer without an operation is as good as lost
            return self.settle(before)
        self.outcome = "going on"
        self.report("accepted", operation.name)
        return operation

    def settle(self, before: frozenset[str] | None) -> Operation | None:
        """Return the operation of a request whose answer was lost, an unnamed one if only its effect is seen, None if it did not arrive.

        Raise CloudError if that cannot be found out.
        """
        self.report("settling", self.target)
        self.poll_often()
        patience, absent = Deadline(self.policy.settle_s), None
        while True:
            if own := self.own_operation(before):
                self.outcome = "going on"
                self.report("arrived", own.name)
                return own
            found = self.ask(self.read)
            if isinstance(found, FoundResource) and self.arrived(found):
                self.outcome = "going on"
                self.report("arrived", found.state or "")
                return UNNAMED
            if isinstance(found, Lost):
                if not patience.left_s:
                    raise CloudError("timed out", "Whether the request arrived could not be found out.", service="tpu")
            else:
                absent = absent or Deadline(self.policy.absent_s)
                if not absent.left_s:
                    self.outcome = "nothing"
                    self.report("absent", self.target)
                    return None
            self.pause()

    def own_operation(self, before: frozenset[str] | None) -> Operation | None:
        """Return the operation that the lost request began, None if none is seen."""
        if before is None:
            return None
        found = self.ask(self.list_operations)
        if not isinstance(found, tuple):
            return None
        own = [one for one in found if one.name not in before and one.target == self.target and one.verb == self.verb]
        return own[0] if own else None

    def follow(self, operation: Operation) -> FoundResource:
        """Poll until the goal is reached; raise OperationError if it never will be, TimeoutError after ``total_s``, CloudError."""
        name, error = operation.name, operation.error
        deadline, gone = Deadline(self.policy.total_s), None
        self.poll_often()
        while True:
            under_way = False
            if name and not error:
                answer = self.operation(name)
                if isinstance(answer, Operation):
                    error, under_way = answer.error, not answer.done
                if isinstance(answer, Missing) or (isinstance(answer, Operation) and answer.done):
                    name = ""  # from here on only the resource is read
            if error:
                raise error
            found = self.ask(self.read)
            if isinstance(found, FoundResource):
                gone = None
                self.keep(found)
                if found.error and not name:  # as long as there is an operation, it will say why
                    raise found.error
                if found.done:
                    return found
            elif isinstance(found, Missing) and not under_way:
                gone = gone or Deadline(self.policy.absent_s)
                if not gone.left_s:
                    raise OperationError("It no longer exists: it was deleted, or Google took it back.", 5)
            if not deadline.left_s:
                raise TimeoutError
            self.pause(deadline)

    def operation(self, name: str) -> Operation | Missing | Lost:
        """Read the operation; without permission or answer, the resource tells instead. Raise CloudError if that was cancelled."""
        try:
            return get_operation(self.session, name)
        except CloudError as error:
            if error.kind == "cancelled":
                raise
            return MISSING if error.status == NOT_FOUND else LOST

    def keep(self, found: FoundResource) -> None:
        """Keep the resource as it was read, and report a new state."""
        self.resource = found.resource or self.resource
        if found.state and found.state != self.state:
            self.state = found.state
            self.poll_often()
            self.report("state", found.state)

    def appear(self) -> FoundResource:
        """Return the resource of an accepted request, which may appear only after a moment. Raise CloudError, Cancelled."""
        self.poll_often()
        patience = Deadline(self.policy.absent_s)
        while not isinstance(found := self.ask(self.read), FoundResource):
            if not patience.left_s:
                raise CloudError("timed out", "The request was accepted, but the resource does not appear yet.", service="tpu")
            self.pause()
        self.keep(found)
        return found

    def remains(self) -> FoundResource | None:
        """Return what a failed operation has left, None for nothing. Raise CloudError, Cancelled.

        A resource that is still being created or deleted goes by itself, so it is waited for.
        """
        self.poll_often()
        patience = Deadline(self.policy.absent_s)
        while True:
            found = self.ask(self.read)
            if isinstance(found, Missing):
                return None
            late = not patience.left_s
            if isinstance(found, FoundResource) and (late or found.state not in ("DELETING", "CREATING")):
                return found
            if late:
                raise CloudError("timed out", "What the operation has left could not be found out.", service="tpu")
            self.pause()


UNNAMED = Operation("", done=False, verb=None, target=None, error=None)


def is_cancelled(error: BaseException) -> bool:
    """Return whether an error only says that the caller has cancelled."""
    return isinstance(error, Cancelled) or (isinstance(error, CloudError) and error.kind == "cancelled")


def is_refusal(error: CloudError) -> bool:
    """Return whether a request that failed so was surely not carried out; after a server error it may have been."""
    return error.kind == "no credentials" or (
        error.kind == "refused" and error.status is not None and 400 <= error.status < 500 and error.status != TIMED_OUT
    )
