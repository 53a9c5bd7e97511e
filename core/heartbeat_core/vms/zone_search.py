"""Tries zones in turn until one has a TPU VM, one at a time, until it is stopped.

The next zone is tried only when it is known that there is nothing in the one before. Where that is known by absence alone, the zone
is checked again before every further request, and at the end.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from heartbeat_core.cloud.cancellation import Cancelled, Deadline
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Diagnosis
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, NO, HeartbeatError
from heartbeat_core.vms.create import Creation
from heartbeat_core.vms.operation import FoundResource, Lost, OnStep, OperationStep, Outcome, PollPolicy, VmError, ignore_step, is_cancelled
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.vocabulary import Step


def search_zones(
    session: CloudSession,
    request: CreateRequest,
    zones: Sequence[str],
    on_step: OnStep = ignore_step,
    policy: PollPolicy | None = None,
    *,
    limit_s: float | None = None,
) -> Node:
    """Request a TPU VM in one zone after the other, again and again, until one is READY; raise VmError, HeartbeatError for a bad request.

    A zone that refuses for good (its quota, its types) is not tried again; if none is left, the last refusal is raised. If there is
    one of that name and kind in one of the zones already, it is watched instead. After ``limit_s`` no more requests are sent; one that
    was sent is watched to its end.
    """
    names = tuple(dict.fromkeys(zones))
    if not names:
        raise HeartbeatError("no zone is named", "The search needs at least one.", "Give some: --zones us-central1-b,us-east5-b.")
    if request.queued:
        raise HeartbeatError(
            "a queued resource waits in one zone", "Queued in several zones, several could be granted.", "Leave out one of the two."
        )
    for zone in names:
        for problem in replace(request, zone=zone).problems().values():
            raise problem
    return ZoneSearch(session, request, names, on_step, policy or PollPolicy(), limit_s).carry_out()


# In any other state a node does not become READY by itself.
ON_ITS_WAY = ("CREATING", "STARTING", "RESTARTING", "REIMAGING", "REPAIRING", "READY")


class ZoneSearch:
    """A search through zones; in those of ``doubtful`` a lost request is taken not to have arrived."""

    def __init__(
        self,
        session: CloudSession,
        request: CreateRequest,
        zones: tuple[str, ...],
        on_step: OnStep,
        policy: PollPolicy,
        limit_s: float | None,
    ) -> None:
        self.session, self.request, self.zones, self.on_step = session, request, list(zones), on_step
        # the outcome of a request must be known before the next zone is tried, however long that takes
        self.policy = replace(policy, settle_s=None)
        self.all_zones, self.doubtful = zones, set[str]()
        self.limit_s, self.deadline = limit_s, Deadline(limit_s)

    def carry_out(self) -> Node:
        round_s = self.policy.round_s
        try:
            if (found := self.find_existing(self.all_zones)) and (node := self.watch_existing(found)):
                return self.only(node)
            while True:
                for zone in tuple(self.zones):
                    if self.late():
                        raise self.nothing_created(f"no zone had one within {self.limit_s:g} s")
                    if (found := self.find_existing(tuple(self.doubtful))) and (node := self.watch_existing(found)):
                        return self.only(node)
                    if node := self.try_in(zone):
                        return self.only(node)
                self.report("waiting", f"{round_s:.0f} s")
                self.session.cancellation.sleep(min(round_s * random.uniform(0.8, 1.0), self.deadline.left_s))
                round_s = min(1.5 * round_s, self.policy.longest_round_s)
        except (Cancelled, CloudError) as error:
            if is_cancelled(error):
                raise self.nothing_created("interrupted", INTERRUPTED) from None
            raise self.nothing_created("", diagnosis=diagnose_exception(error, "call", self.request.words())) from error

    def try_in(self, zone: str) -> Node | None:
        """Request it in one zone; return the node, None if a later try may succeed. Raise VmError otherwise."""
        self.report("zone", zone)
        try:
            made = self.creation(zone).carry_out()
        except VmError as error:
            if error.doubtful:
                self.doubtful.add(zone)
            if error.outcome != "nothing" or error.exit_code != NO or (error.diagnosis is None and not error.again):
                raise  # there may be one, or one of that name
            if not error.again:
                self.report("dropped", zone)
                self.zones.remove(zone)
                if not self.zones:
                    raise
            return None
        assert isinstance(made, Node)
        return made

    def find_existing(self, zones: tuple[str, ...]) -> Node | None:
        """Return a node of that name in one of ``zones``, asking until all have answered; raise CloudError, Cancelled.

        A zone that refuses to answer has none, unless a request to it was lost. If none was lost, the time limit holds.
        """
        for zone in zones:
            creation = self.creation(zone)
            try:
                while isinstance(found := creation.ask(creation.read), Lost):
                    if self.late() and not self.doubtful:
                        raise self.nothing_created(f"no zone had one within {self.limit_s:g} s")
                    creation.pause()
            except CloudError as error:
                if error.kind != "refused" or zone in self.doubtful:
                    raise
                continue
            if isinstance(found, FoundResource) and isinstance(found.resource, Node):
                return found.resource
        return None

    def watch_existing(self, node: Node) -> Node | None:
        """Watch a node that exists already; return None if it fails, such as in a zone without capacity.

        Raise VmError if it is of another kind, or does not become READY by itself.
        """
        same = (node.accelerator_type, node.runtime_version) == (self.request.accelerator_type, self.request.runtime_version)
        if not same or node.state not in ON_ITS_WAY:
            raise self.creation(node.zone).taken(FoundResource(node.state, done=False, resource=node))
        self.report("there", f"{node.id} in {node.zone}, {node.state}")
        try:
            made = self.creation(node.zone).watch()
        except VmError as error:
            if error.outcome != "nothing" or error.exit_code != NO:
                raise
            return None
        assert isinstance(made, Node)
        return made

    def only(self, node: Node) -> Node:
        """Return the node if there is no other; raise VmError if a request that seemed lost has arrived after all."""
        other = self.find_existing(tuple(zone for zone in self.doubtful if zone != node.zone))
        if other is None:
            return node
        commands = self.creation(other.zone).commands()
        title = f"there are two TPU VMs called {node.id}, in {node.zone} and in {other.zone}"
        raise VmError(title, "A request that seemed lost arrived late.", "Delete one of them:", outcome="there", commands=commands)

    def creation(self, zone: str) -> Creation:
        return Creation(self.session, replace(self.request, zone=zone), self.on_step, self.policy)

    def late(self) -> bool:
        return not self.deadline.left_s

    def nothing_created(self, title: str, exit_code: int | None = None, diagnosis: Diagnosis | None = None) -> VmError:
        """Return the error of a search that ended without a TPU VM, as far as is known."""
        outcome: Outcome = "unknown" if self.doubtful else "nothing"
        code = exit_code or (COULD_NOT_TELL if self.doubtful else NO)
        cause = diagnosis.why if diagnosis else ""
        title = title or (diagnosis.title if diagnosis else "")
        where = f" It may still appear in {', '.join(sorted(self.doubtful))}, where a request was lost." if self.doubtful else ""
        remedy = f"Nothing was created.{where}"
        return VmError(title, cause, remedy, outcome=outcome, exit_code=code, diagnosis=diagnosis, commands=self.commands())

    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Return the commands that describe one that may still appear, and delete it."""
        return tuple(command for zone in sorted(self.doubtful) for command in self.creation(zone).commands())

    def report(self, what: Step, detail: str) -> None:
        self.on_step(OperationStep(datetime.now(timezone.utc), what, detail, 0.0))
