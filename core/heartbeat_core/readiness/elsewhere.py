"""Where there is quota already when there is too little for the target: other generations in its zone, other zones for its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from heartbeat_core.cloud import quotas
from heartbeat_core.cloud.accelerators import FAMILIES, Accelerator, Provisioning
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.quotas import Limit, Quota
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.readiness.context import Context

MOST = 3  # places named of each sort
SMALLEST = {"chips": 1, "cores": 8}  # cores: v5p-8 is the least


def quota_elsewhere(context: Context, kind: Accelerator) -> Remedy | None:
    """Say in words where Cloud Quotas allows some; None where it does nowhere, or does not say. Use is not looked at."""
    name = context.project
    try:
        found = context.ask_once("TPU quotas", lambda session: quotas.list_quotas(session, name, quotas.TPU))
    except CloudError:
        return None  # a hint beside what was found already
    listed = {quota.id: quota for quota in found}
    model, zone = context.target.model, context.target.zone.value or ""
    here = [f"{other.type} in {zone} ({limit})" for other, limit in generations(listed, kind, model, zone)]
    there = [f"{kind.type} in {place} ({limit})" for place, limit in zones(listed, kind, model, zone)]
    named = [*here[:MOST], *there[:MOST]]
    if not named:
        return None
    spot = " spot" if model == "spot" else ""
    return Remedy(
        f"Take what there is{spot} quota for already, by Cloud Quotas: {', '.join(named)}. "
        "In brackets the limit; what of it is in use was not looked at."
    )


def generations(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, zone: str) -> Iterator[tuple[Accelerator, Limit]]:
    """Go through the other generations that the quotas of the zone and of its region both allow."""
    for family in FAMILIES:
        size = SMALLEST[family.unit]
        other = Accelerator(f"{family.prefix}-{size}", family, size)
        limit = limit_for(listed, other, model, zone)
        if family != kind.family and limit is not None:
            yield other, limit


def zones(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, but: str) -> Iterator[tuple[str, Limit]]:
    """Go through the other zones that Cloud Quotas names for this type and allows."""
    quota = listed.get(kind.quota_id(model, "zone") or "")
    rows = quota.rows if quota else ()
    places = {place for row in rows for place in (row.dimensions.get("zone"), *row.locations) if place}
    for place in sorted(places - {but}):
        limit = limit_for(listed, kind, model, place)
        if limit is not None:
            yield place, limit


def limit_for(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, zone: str) -> Limit | None:
    """Give the tighter of the limits of the zone and of its region, None unless both cover one such TPU VM."""
    of_zone, of_region = (listed.get(kind.quota_id(model, scope) or "") for scope in ("zone", "region"))
    if of_zone is None or of_region is None:
        return None
    limits = [of_zone.limit(zone), of_region.limit(zone.rpartition("-")[0])]
    if not all(limit.covers(kind.size) for limit in limits):
        return None
    return min(limits, key=lambda limit: float("inf") if limit.value is None else limit.value)
