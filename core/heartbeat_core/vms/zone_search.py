"""Goes round zones until one has a TPU VM: one at a time, politely, until it is stopped.

The next zone is tried only when it is known that there is nothing in the one before. Where that is known by absence alone, the zone
is looked at again before every further request, and at the end.
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
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.create import Creation, reason
from heartbeat_core.vms.operation import (
    COULD_NOT_TELL,
    INTERRUPTED,
    NO,
    FoundResource,
    Lost,
    OnStep,
    OperationStep,
    Outcome,
    PollPolicy,
    VmError,
    What,
    unheard,
)
from heartbeat_core.vms.request import CreateRequest


def keep_trying(
    session: CloudSession,
    request: CreateRequest,
    zones: Sequence[str],
    on_step: OnStep = unheard,
    patience: PollPolicy | None = None,
    *,
    limit_s: float | None = None,
) -> Node:
    """Ask for a TPU VM in one zone after the other, again and again, until one is READY; raise VmError, or HeartbeatError for a bad wish.

    A zone that refuses for good (its quota, its types) is not asked again; where none is left, the last refusal is raised. One of that
    name and kind that comes to be in one of the zones already is watched instead. After ``limit_s`` no more
    is asked for; what was asked for by then is watched to its end.
    """
    names = tuple(dict.fromkeys(zones))
    if not names:
        raise HeartbeatError("no zone is named", "The search needs at least one.", "Give some: --zones us-central1-b,us-east5-b.")
    if request.queued:
        raise HeartbeatError(
            "a queued resource waits in one zone", "Queued in several, several could be granted.", "Leave one of the two away."
        )
    for zone in names:
        for problem in replace(request, zone=zone).problems().values():
            raise problem
    return ZoneSearch(session, request, names, on_step, patience or PollPolicy(), limit_s).carry_out()


# A node of ours in one of these is being made or runs; in any other it does not become READY by itself.
ON_ITS_WAY = ("CREATING", "STARTING", "RESTARTING", "REIMAGING", "REPAIRING", "READY")


class ZoneSearch:
    """The rounds through the zones; ``doubtful`` are those where a lost request is taken not to have arrived."""

    def __init__(  # all of them kept
        self,
        session: CloudSession,
        request: CreateRequest,
        zones: tuple[str, ...],
        on_step: OnStep,
        patience: PollPolicy,
        limit_s: float | None,
    ) -> None:
        self.session, self.request, self.zones, self.on_step = session, request, list(zones), on_step
        # whatever happened to a request has to be known before the next zone is asked, however long that takes
        self.patience = replace(patience, settle_s=None)
        self.all_zones, self.doubtful = zones, set[str]()
        self.limit_s, self.deadline = limit_s, None if limit_s is None else Deadline(limit_s)

    def carry_out(self) -> Node:
        round_s = self.patience.round_s
        try:
            if (there := self.stray(self.all_zones)) and (node := self.adopt(there)):
                return self.alone(node)
            while True:
                for zone in tuple(self.zones):
                    if self.late():
                        raise self.out_of_time()
                    if (there := self.stray(tuple(self.doubtful))) and (node := self.adopt(there)):
                        return self.alone(node)
                    if node := self.try_in(zone):
                        return self.alone(node)
                self.tell("waiting", f"{round_s:.0f} s")
                self.session.cancellation.sleep(self.at_most(round_s * random.uniform(0.8, 1.0)))
                round_s = min(1.5 * round_s, self.patience.longest_round_s)
        except Cancelled:
            raise self.stopped() from None
        except CloudError as error:
            if error.kind == "cancelled":
                raise self.stopped() from None
            found = diagnose_exception(error, "call", self.request.words())
            fate: Outcome = "unknown" if self.doubtful else "nothing"
            code = COULD_NOT_TELL if self.doubtful else NO
            raise VmError(
                found.title, reason(found), self.open_ends(), fate=fate, exit_code=code, diagnosis=found, commands=self.commands()
            ) from error

    def try_in(self, zone: str) -> Node | None:
        """Ask in one zone; give the node, None where it is worth asking again later. Raise VmError where it is not."""
        self.tell("zone", zone)
        try:
            made = self.creation(zone).carry_out()
        except VmError as error:
            if error.doubtful:
                self.doubtful.add(zone)
            if error.fate != "nothing" or error.exit_code != NO or (error.diagnosis is None and not error.again):
                raise  # there may be one, or there is one of that name
            if not error.again:
                self.tell("dropped", zone)
                self.zones.remove(zone)
                if not self.zones:
                    raise
            return None
        assert isinstance(made, Node)
        return made

    def stray(self, zones: tuple[str, ...]) -> Node | None:
        """Look for a node of that name in ``zones``, until all have told; raise CloudError, Cancelled.

        A zone that refuses to tell has none of ours, unless a request to it was lost. Where none was lost, the time may run out.
        """
        for zone in zones:
            errand = self.creation(zone).errand
            try:
                while isinstance(found := errand.ask(errand.read), Lost):
                    if self.late() and not self.doubtful:
                        raise self.out_of_time()
                    errand.pause()
            except CloudError as error:
                if error.kind != "refused" or zone in self.doubtful:
                    raise
                continue
            if isinstance(found, FoundResource) and isinstance(found.thing, Node):
                return found.thing
        return None

    def adopt(self, node: Node) -> Node | None:
        """Watch a node that is there already; give None where nothing comes of it, such as in a zone that had none left.

        Raise VmError where it is another kind, or one that does not become READY by itself.
        """
        same = (node.accelerator_type, node.runtime_version) == (self.request.accelerator_type, self.request.runtime_version)
        if not same or node.state not in ON_ITS_WAY:
            raise self.creation(node.zone).taken(FoundResource(node.state, done=False, thing=node))
        self.tell("there", f"{node.id} in {node.zone}, {node.state}")
        try:
            made = self.creation(node.zone).watch()
        except VmError as error:
            if error.fate != "nothing" or error.exit_code != NO:
                raise
            return None
        assert isinstance(made, Node)
        return made

    def alone(self, node: Node) -> Node:
        """Give the node if there is no other; raise VmError where a request that seemed lost came through after all."""
        other = self.stray(tuple(zone for zone in self.doubtful if zone != node.zone))
        if other is None:
            return node
        commands = self.creation(other.zone).commands()
        title = f"there are two TPU VMs called {node.id}, in {node.zone} and in {other.zone}"
        raise VmError(title, "A request that seemed lost came through late.", "Delete one of them:", fate="there", commands=commands)

    def creation(self, zone: str) -> Creation:
        return Creation(self.session, replace(self.request, zone=zone), self.on_step, self.patience)

    def at_most(self, seconds: float) -> float:
        """Cut a time short where less is left of it all."""
        return seconds if self.deadline is None else min(seconds, self.deadline.left_s)

    def late(self) -> bool:
        return self.deadline is not None and not self.deadline.left_s

    def out_of_time(self) -> VmError:
        title = f"no zone had one within {self.limit_s:g} s"
        fate: Outcome = "unknown" if self.doubtful else "nothing"
        return VmError(title, "", self.open_ends(), fate=fate, exit_code=COULD_NOT_TELL if self.doubtful else NO, commands=self.commands())

    def stopped(self) -> VmError:
        fate: Outcome = "unknown" if self.doubtful else "nothing"
        return VmError("interrupted", "", self.open_ends(), fate=fate, exit_code=INTERRUPTED, commands=self.commands())

    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Give what looks at one that may still come, and deletes it."""
        return tuple(command for zone in sorted(self.doubtful) for command in self.creation(zone).commands())

    def open_ends(self) -> str:
        where = f" It may still come in {', '.join(sorted(self.doubtful))}, where a request was lost." if self.doubtful else ""
        return f"Nothing was created.{where}"

    def tell(self, what: What, detail: str) -> None:
        self.on_step(OperationStep(datetime.now(timezone.utc), what, detail, 0.0))
