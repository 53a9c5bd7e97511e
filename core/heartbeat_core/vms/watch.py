"""Waits until a TPU VM or a queued resource is in a state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from heartbeat_core.cloud.cancellation import Deadline
from heartbeat_core.cloud.errors import unless_missing
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, get_node, get_queued_resource
from heartbeat_core.vms.operation import Lost, Missing, OnStep, Poller, PollPolicy, ignore_step
from heartbeat_core.vms.vocabulary import NODE_STATES, QUEUED_STATES, Resource, state_of

WatchOutcome = Literal["reached", "ended", "gone", "timed out"]

NO_STATE = "?"  # Google names none
ABSENT = "GONE"  # no word of Google's: wait until it no longer exists
OF_QUEUES = QUEUED_STATES.keys() - NODE_STATES.keys()
STATES = NODE_STATES.keys() | QUEUED_STATES.keys() | {ABSENT}


@dataclass(frozen=True)
class Watched:
    """How the wait ended; ``state`` is the last one seen, None if none was."""

    outcome: WatchOutcome
    state: str | None
    seconds: float


def watch(
    session: CloudSession,
    project: str,
    zone: str,
    name: str,
    until: str = "READY",
    on_step: OnStep = ignore_step,
    policy: PollPolicy | None = None,
) -> Watched:
    """Wait until the node of that name is in the state ``until``, or until it is gone for ABSENT.

    A queued resource of that name counts as long as there is no node. The wait also ends in a final state and after ``total_s``.
    Raise CloudError if Google refuses to answer, Cancelled.
    """
    poller = Poller(session, on_step, policy or PollPolicy(absent_s=10.0))
    began = still_since = time.monotonic()
    deadline = Deadline(poller.policy.total_s)
    state: str | None = None
    while True:
        found = poller.ask(lambda: read_named(session, project, zone, name, queue_first=until in OF_QUEUES))
        now = time.monotonic()
        if not isinstance(found, Missing | Lost) and (found.state or NO_STATE) != state:
            state, still_since = found.state or NO_STATE, now
            poller.poll_often()
            poller.report("state", state)
        still = now - still_since >= poller.policy.absent_s
        if outcome := judge(found, until, seen=state is not None, still=still):
            return Watched(outcome, state, now - began)
        if not deadline.left_s:
            return Watched("timed out", state, now - began)
        poller.pause(deadline)


def judge(found: Resource | Missing | Lost, until: str, *, seen: bool, still: bool) -> WatchOutcome | None:
    """Return how the wait has ended, None if it goes on; ``still``: nothing has changed for a while, ``seen``: it existed once."""
    if isinstance(found, Lost):
        return None
    if isinstance(found, Missing):
        if until == ABSENT:
            return "reached"
        return "gone" if seen or still else None  # right after the request it may not be visible yet
    if found.state == until:
        return "reached"
    if until == ABSENT:
        return None
    state = state_of(found)
    without_queue = isinstance(found, Node) and until in OF_QUEUES
    return "ended" if state.final or (still and (without_queue or state.resting)) else None


def read_named(session: CloudSession, project: str, zone: str, name: str, *, queue_first: bool) -> Resource:
    """Return the node of that name, or the queued resource if there is no node, or the other way round; raise CloudError."""
    where = (session, project, zone, name)
    if queue_first:
        return unless_missing(get_queued_resource, *where) or get_node(*where)
    return unless_missing(get_node, *where) or get_queued_resource(*where)
