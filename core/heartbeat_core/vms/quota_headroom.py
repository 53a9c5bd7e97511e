"""The headroom in the quotas that a TPU VM counts against. Quota is not capacity: there may be none in stock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from heartbeat_core.cloud.accelerators import Scope
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.quotas import PLACES, TPU, Limit, get_quota
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Nodes, QuotaUsage, held
from heartbeat_core.vms.inventory import Inventory
from heartbeat_core.vms.request import CreateRequest


@dataclass(frozen=True)
class QuotaHeadroom:
    """One quota of a zone or region (``place``): ``limit`` is None if it could not be read, ``problem`` why; ``unit`` is chips or cores."""

    scope: Scope
    place: str
    unit: str
    needed: int
    limit: Limit | None
    held: QuotaUsage
    problem: str = ""

    @property
    def left(self) -> int | None:
        """Return what is left beside what is surely in use, None without a limit, or if that is not known."""
        return max(0, self.limit.value - self.held.sure) if self.limit and self.limit.value is not None else None

    @property
    def enough(self) -> bool | None:
        """Return whether it is enough, None if that is not known."""
        if self.limit is None:
            return None
        sure = self.limit.covers(self.needed, self.held.sure)
        if sure and (self.held.doubts or self.limit.covers(self.needed, self.held.sure + self.held.maybe) is False):
            return None
        return sure

    def __str__(self) -> str:
        where = f"{self.scope} {self.place}"
        if self.limit is None:
            return f"{where}: not known, {self.problem}"
        if self.limit.kind == "unlimited":
            return f"{where}: unlimited, {self.needed} {self.unit} needed"
        if self.left is None:
            return f"{where}: not known, the limit is {self.limit}"
        doubt = " or more" if self.held.doubts else f" to {self.held.sure + self.held.maybe}" if self.held.maybe else ""
        return f"{where}: {self.left} {self.unit} left of {self.limit} ({self.held.sure}{doubt} in use), {self.needed} needed"


def unknown_headroom(request: CreateRequest, problem: str) -> tuple[QuotaHeadroom, ...]:
    """Return a headroom that is not known, and why; nothing if no quota of that type is known."""
    kind = request.accelerator
    if kind is None or kind.quota_id(request.provisioning, "zone") is None:
        return ()
    return (QuotaHeadroom("zone", request.zone, kind.family.unit, kind.size, None, QuotaUsage(0, 0, ()), problem),)


def find_headroom(session: CloudSession, request: CreateRequest, inventory: Inventory) -> tuple[QuotaHeadroom, ...]:
    """Return the headroom in the quotas of the zone and of its region, or the reason why one is not known.

    ``inventory`` is that of all zones; nothing is returned if no quota of that type is known.
    """
    kind = request.accelerator
    if kind is None:
        return ()
    everything = Nodes(inventory.nodes, inventory.queued, inventory.unreachable)

    def ask(scope: Scope) -> QuotaHeadroom | None:
        place = request.zone if scope == "zone" else request.zone.rpartition("-")[0]
        quota_id = kind.quota_id(request.provisioning, scope)
        if not place or quota_id is None:
            return None
        use = held(everything, kind, request.provisioning, scope, place)
        if inventory.queued_problem:
            use = replace(use, doubts=(*use.doubts, "queued resources could not be listed"))
        headroom = QuotaHeadroom(scope, place, kind.family.unit, kind.size, None, use)
        try:
            quota = get_quota(session, request.project, TPU, quota_id)
        except CloudError as error:
            if error.kind == "cancelled":
                raise
            return replace(headroom, problem=error.title)
        return replace(headroom, limit=quota.limit(place)) if quota else replace(headroom, problem=f"Google knows no quota {quota_id}")

    with ThreadPoolExecutor(max_workers=len(PLACES), thread_name_prefix="quota") as pool:
        return tuple(headroom for headroom in pool.map(ask, PLACES) if headroom)
