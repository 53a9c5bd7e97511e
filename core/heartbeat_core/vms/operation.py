"""An errand at Google's that takes minutes: one request, never sent twice, and the watch over what comes of it.

The answer to a request can be lost though the request arrived. So after it was sent nothing is taken for granted: what it is about
is looked up by its name until it is known what became of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, Operation, OperationError, QueuedResource, get_operation, list_operations
from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis


What = Literal[
    "looked",  # whether the name is free
    "sent",  # the request; detail says what
    "accepted",  # Google has taken it; detail names the operation
    "state",  # what it is in came to be detail, a word of Google's
    "lost",  # no answer; what was asked goes on meanwhile
    "back",  # answers again
    "settling",  # whether a request arrived whose answer was lost
    "arrived",  # it did
    "absent",  # it did not
    "there",  # one of that name and kind; detail says where and in which state: it is watched, and no other is asked for
    "done",
    "zone",  # detail is the zone that is tried next
    "failed",  # detail is the zone and why
    "dropped",  # the zone detail: it is not asked again
    "waiting",  # until the next round; detail says how long
]
# What became of the TPU VM an errand is about.
Outcome = Literal["nothing", "there", "going on", "unknown"]

INTERRUPTED, COULD_NOT_TELL, NO = 130, 3, 1


@dataclass(frozen=True)
class OperationStep:
    """One step of an errand; ``seconds`` is how long it had been in the step before."""

    at: datetime
    what: What
    detail: str
    seconds: float


OnStep = Callable[[OperationStep], None]


def unheard(step: OperationStep) -> None:
    """Take a step nobody wants to hear of."""
    del step


@dataclass(frozen=True)
class PollPolicy:
    """How often and how long is asked, in seconds.

    An operation is polled every ``poll_s`` at first, then ever more rarely until ``longest_poll_s``, for ``total_s`` in all. What is not
    there for ``absent_s`` at a stretch is believed to be absent. Whether a lost request arrived is asked for ``settle_s``, None for ever.
    Between rounds through zones lie ``round_s`` at first, then ever more until ``longest_round_s``.
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
    """Say how an errand ended: ``fate`` is what became of the TPU VM, ``commands`` look at it and delete it where there may be one.

    ``again`` says whether the same may well succeed later; ``doubtful`` that a lost request is taken not to have arrived, by its absence
    alone.
    """

    def __init__(  # noqa: PLR0913  # keywords, each told apart by those who meet it
        self,
        title: str,
        cause: str = "",
        remedy: str = "",
        *,
        fate: Outcome,
        exit_code: int = NO,
        diagnosis: Diagnosis | None = None,
        commands: tuple[tuple[str, ...], ...] = (),
        again: bool = False,
        doubtful: bool = False,
    ) -> None:
        super().__init__(title, cause, remedy, exit_code=exit_code)
        self.fate: Outcome = fate
        self.diagnosis, self.commands = diagnosis, commands
        self.again, self.doubtful = again, doubtful


T = TypeVar("T")

NOT_FOUND, TIMED_OUT = 404, 408
FOR_GOOD = (400, 401, 403)  # refusals of a read that asking again does not change


class Missing:
    """What was asked for is not there."""


class Lost:
    """There was no answer."""


MISSING, LOST = Missing(), Lost()


@dataclass(frozen=True)
class FoundResource:
    """What was there: ``state`` is Google's word, ``done`` whether this is what was wanted, ``error`` why it will never be.

    ``thing`` is all that Google said of it, None where it is gone.
    """

    state: str | None
    done: bool
    error: OperationError | None = None
    thing: Node | QueuedResource | None = None


class OperationSpec(Protocol):
    """What an errand is about: ``zone`` and ``target`` say where, ``verb`` is the operation's."""

    @property
    def project(self) -> str:
        """Name the project."""

    @property
    def zone(self) -> str:
        """Name the zone."""

    @property
    def target(self) -> str:
        """Name the resource as operations do: projects/p/locations/z/nodes/n."""

    @property
    def verb(self) -> str:
        """Name what is done to it as operations do."""

    def send(self, session: CloudSession) -> Operation:
        """Ask for it, once; raise CloudError."""

    def read(self, session: CloudSession) -> FoundResource:
        """See what there is; raise CloudError, with status 404 where there is nothing."""

    def arrived(self, found: FoundResource) -> bool:
        """Say whether what is seen shows that the request arrived."""


class Poller:
    """Asks again and again, ever more rarely, and tells what comes of it."""

    def __init__(self, session: CloudSession, on_step: OnStep, patience: PollPolicy) -> None:
        self.session, self.on_step, self.patience = session, on_step, patience
        self.lost = False
        self.persistent = False  # whether a refusal has to last before it is believed: zones were seen to come and go
        self.refused_since: float | None = None
        self.told = time.monotonic()
        self.wait_s = patience.poll_s

    def tell(self, what: What, detail: str = "") -> None:
        now = time.monotonic()
        took, self.told = now - self.told, now
        self.on_step(OperationStep(datetime.now(timezone.utc), what, detail, took))

    def pause(self, due: float | None = None) -> None:
        """Wait until the next question, each time longer and never all at the same moment, but not past ``due``; raise Cancelled."""
        wait_s = self.wait_s * random.uniform(0.8, 1.0)
        self.session.cancellation.sleep(wait_s if due is None else max(0.0, min(wait_s, due - time.monotonic())))
        self.wait_s = min(self.wait_s * self.patience.growth, self.patience.longest_poll_s)

    def hurry(self) -> None:
        """Begin to ask often again."""
        self.wait_s = self.patience.poll_s

    def ask(self, read: Callable[[], T]) -> T | Missing | Lost:
        """Read something; raise CloudError only where asking again makes no difference, of what goes on only if that lasts."""
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
                self.tell("lost", f"{error.title}: {error.message}")
            return LOST
        self.contact()
        return answer

    def believed(self) -> bool:
        """Say whether a refusal has lasted long enough."""
        self.refused_since = self.refused_since or time.monotonic()
        return not self.persistent or time.monotonic() - self.refused_since >= self.patience.absent_s

    def contact(self) -> None:
        self.refused_since = None
        if self.lost:
            self.lost = False
            self.tell("back")


class VmOperation(Poller):
    """Carries out one wish; ``fate`` and ``thing`` are what is known at any moment of what became of it."""

    def __init__(self, session: CloudSession, wish: OperationSpec, on_step: OnStep, patience: PollPolicy) -> None:
        super().__init__(session, on_step, patience)
        self.wish = wish
        self.fate: Outcome = "nothing"
        self.thing: Node | QueuedResource | None = None
        self.state: str | None = None

    def operations(self) -> frozenset[str] | None:
        """Name the operations there are before the request, so that it can be told which one is its own; None where that failed."""
        try:
            found = self.ask(self.list_operations)
        except CloudError as error:
            if error.kind != "refused":
                raise
            return None  # who may create need not be allowed to list
        return frozenset(operation.name for operation in found) if isinstance(found, tuple) else None

    def list_operations(self) -> tuple[Operation, ...]:
        return list_operations(self.session, self.wish.project, self.wish.zone)

    def read(self) -> FoundResource:
        return self.wish.read(self.session)

    def send(self) -> Operation | None:
        """Send the request; give its operation, None where it was lost and did not arrive. Raise what refuses it."""
        before = self.operations()
        self.tell("sent", self.wish.target)
        self.fate, self.persistent = "unknown", True
        try:
            operation = self.wish.send(self.session)
        except CloudError as error:
            if is_refusal(error):
                self.fate, self.persistent = "nothing", False
                raise
            self.tell("lost", f"{error.title}: {error.message}")
            if error.kind == "cancelled":
                raise
            return self.settle(before)
        if not operation.name:  # an answer of no use: what was asked for is looked up as well
            return self.settle(before)
        self.fate = "going on"
        self.tell("accepted", operation.name)
        return operation

    def settle(self, before: frozenset[str] | None) -> Operation | None:
        """Find out whether a request arrived whose answer was lost; give its operation, an unnamed one where only its work is seen.

        Raise CloudError where it cannot be found out.
        """
        self.tell("settling", self.wish.target)
        self.hurry()
        began, absent_since = time.monotonic(), None
        while True:
            if own := self.own_operation(before):
                self.fate = "going on"
                self.tell("arrived", own.name)
                return own
            found = self.ask(self.read)
            now = time.monotonic()
            if isinstance(found, FoundResource) and self.wish.arrived(found):
                self.fate = "going on"
                self.tell("arrived", found.state or "")
                return UNNAMED
            if isinstance(found, Lost):
                if self.patience.settle_s is not None and now - began > self.patience.settle_s:
                    raise CloudError("timed out", "Whether the request arrived could not be found out.", service="tpu")
            else:
                absent_since = absent_since or now
                if now - absent_since >= self.patience.absent_s:
                    self.fate = "nothing"
                    self.tell("absent", self.wish.target)
                    return None
            self.pause()

    def own_operation(self, before: frozenset[str] | None) -> Operation | None:
        """Find the operation that the lost request began, None where none is seen."""
        if before is None:
            return None
        found = self.ask(self.list_operations)
        if not isinstance(found, tuple):
            return None
        own = [one for one in found if one.name not in before and one.target == self.wish.target and one.verb == self.wish.verb]
        return own[0] if own else None

    def follow(self, operation: Operation) -> FoundResource:
        """Watch until the wish is met; raise OperationError where it never will be, TimeoutError after ``total_s``, CloudError."""
        due = None if self.patience.total_s is None else time.monotonic() + self.patience.total_s
        name, gone_since = operation.name, None
        error = operation.error
        self.hurry()
        while True:
            under_way = False
            if name and not error:
                answer = self.operation(name)
                if isinstance(answer, Operation):
                    error, under_way = answer.error, not answer.done
                if isinstance(answer, Missing) or (isinstance(answer, Operation) and answer.done):
                    name = ""  # from here on what it is about tells alone
            if error:
                raise error
            found = self.ask(self.read)
            if isinstance(found, FoundResource):
                gone_since = None
                self.see(found)
                if found.error and not name:  # its operation, as long as it has one, will say why
                    raise found.error
                if found.done:
                    return found
            elif isinstance(found, Missing) and not under_way:
                gone_since = gone_since or time.monotonic()
                if time.monotonic() - gone_since >= self.patience.absent_s:
                    raise OperationError("It is no longer there: somebody deleted it, or Google took it back.", 5)
            if due is not None and time.monotonic() >= due:
                raise TimeoutError
            self.pause(due)

    def operation(self, name: str) -> Operation | Missing | Lost:
        """Read the operation; who may not, or gets no answer, goes by what it is about. Raise CloudError where that was cancelled."""
        try:
            return get_operation(self.session, name)
        except CloudError as error:
            if error.kind == "cancelled":
                raise
            return MISSING if error.status == NOT_FOUND else LOST

    def see(self, found: FoundResource) -> None:
        """Keep what is seen, and tell where its state changed."""
        self.thing = found.thing or self.thing
        if found.state and found.state != self.state:
            self.state = found.state
            self.hurry()
            self.tell("state", found.state)

    def appear(self) -> FoundResource:
        """See what has been taken on, which may show only after a moment. Raise CloudError, Cancelled."""
        self.hurry()
        began = time.monotonic()
        while not isinstance(found := self.ask(self.read), FoundResource):
            if time.monotonic() - began >= self.patience.absent_s:
                raise CloudError("timed out", "Google has taken it on, and it is not to be seen yet.", service="tpu")
            self.pause()
        self.see(found)
        return found

    def remains(self) -> FoundResource | None:
        """See what an errand that failed has left: None where nothing is there. Raise CloudError, Cancelled.

        What is still being made or deleted is waited for, for a while: it goes by itself.
        """
        self.hurry()
        began = time.monotonic()
        while True:
            found = self.ask(self.read)
            if isinstance(found, Missing):
                return None
            late = time.monotonic() - began >= self.patience.absent_s
            if isinstance(found, FoundResource) and (late or found.state not in ("DELETING", "CREATING")):
                return found
            if late:
                raise CloudError("timed out", "What is left of it could not be found out.", service="tpu")
            self.pause()


UNNAMED = Operation("", done=False, verb=None, target=None, created=None, ended=None, detail=None, error=None)


def is_refusal(error: CloudError) -> bool:
    """Say whether a request that failed so was surely not carried out; a server that failed may have done it all the same."""
    return error.kind == "no credentials" or (
        error.kind == "refused" and error.status is not None and 400 <= error.status < 500 and error.status != TIMED_OUT
    )
