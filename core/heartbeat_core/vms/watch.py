"""Waits until a TPU VM or a queued resource comes into a state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import GONE as ENDED
from heartbeat_core.cloud.tpu import get_node, get_queued_resource
from heartbeat_core.vms.operation import NOT_FOUND, Lost, Missing, OnStep, Poller, PollPolicy, unheard

Outcome = Literal["reached", "ended", "gone", "timed out"]

NO_STATE = "?"  # Google names none
ABSENT = "GONE"  # no word of Google's: what is wanted is that it is no longer there
ENDS = ENDED | {"FAILED"}  # from these nothing comes back
RESTS = frozenset({"STOPPED", "SUSPENDED", "HIDDEN"})  # from these it does when somebody wants it, which may just have been asked for
OF_NODES = frozenset({
    "CREATING", "READY", "RESTARTING", "REIMAGING", "REPAIRING", "STOPPING", "STOPPED", "STARTING", "DELETING", "PREEMPTED", "TERMINATED",
    "HIDING", "HIDDEN", "UNHIDING",
})  # fmt: skip
OF_QUEUES = frozenset({"ACCEPTED", "PROVISIONING", "ACTIVE", "SUSPENDING", "SUSPENDED", "WAITING_FOR_RESOURCES", "FAILED"})
STATES = OF_NODES | OF_QUEUES | {ABSENT}  # that are known here


@dataclass(frozen=True)
class State:
    """A state, and whether it is that of a node."""

    name: str
    of_node: bool


@dataclass(frozen=True)
class Watched:
    """How the wait ended; ``state`` is the last one seen, None where it was never seen."""

    outcome: Outcome
    state: str | None
    seconds: float


def watch(
    session: CloudSession,
    project: str,
    zone: str,
    name: str,
    until: str = "READY",
    on_step: OnStep = unheard,
    patience: PollPolicy | None = None,
) -> Watched:
    """Wait until the node of that name is in the state ``until``, or is gone for ABSENT; a queued resource stands in for a node to come.

    It ends as well in a state that leads nowhere else, and after ``total_s``. Raise CloudError where there is no asking, Cancelled.
    """
    asker = Poller(session, on_step, patience or PollPolicy(absent_s=10.0))
    began = still_since = time.monotonic()
    due = None if asker.patience.total_s is None else began + asker.patience.total_s
    state: str | None = None
    while True:
        found = asker.ask(lambda: state_of(session, project, zone, name, queue_first=until in OF_QUEUES))
        now = time.monotonic()
        if isinstance(found, State) and found.name != state:
            state, still_since = found.name, now
            asker.hurry()
            asker.tell("state", state)
        still = now - still_since >= asker.patience.absent_s
        if outcome := judge(found, until, seen=state is not None, still=still):
            return Watched(outcome, state, now - began)
        if due is not None and now >= due:
            return Watched("timed out", state, now - began)
        asker.pause(due)


def judge(found: State | Missing | Lost, until: str, *, seen: bool, still: bool) -> Outcome | None:
    """Say whether the wait is over; ``still`` says that nothing has changed for a while, ``seen`` that there was something once."""
    if isinstance(found, Lost):
        return None
    if isinstance(found, Missing):
        if until == ABSENT:
            return "reached"
        return "gone" if seen or still else None  # it may not be seen yet right after it was asked for
    if found.name == until:
        return "reached"
    if until == ABSENT:
        return None
    without_queue = found.of_node and until in OF_QUEUES  # nobody asked for it by way of one
    return "ended" if found.name in ENDS or (still and (without_queue or found.name in RESTS)) else None


def state_of(session: CloudSession, project: str, zone: str, name: str, *, queue_first: bool) -> State:
    """Read the state of the node of that name or, as long as there is none, of the queued resource; raise CloudError.

    With ``queue_first`` it is the other way round.
    """

    def of_node() -> State:
        return State(get_node(session, project, zone, name).state or NO_STATE, of_node=True)

    def of_queue() -> State:
        return State(get_queued_resource(session, project, zone, name).state or NO_STATE, of_node=False)

    first, second = (of_queue, of_node) if queue_first else (of_node, of_queue)
    try:
        return first()
    except CloudError as error:
        if error.status != NOT_FOUND:
            raise
    return second()
