"""Checks of quotas: what Google allows, what of it is used, and what one TPU VM needs. What is in stock is another matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from heartbeat_core.checks.check import Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Context, fetch_nodes, fetch_region
from heartbeat_core.cloud import quotas
from heartbeat_core.cloud.accelerators import BOOT_DISK_GB, FAMILIES, Accelerator, Family, Provisioning, Scope
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.json_fields import last
from heartbeat_core.cloud.quotas import Limit, Quota
from heartbeat_core.cloud.tpu import QuotaUsage, held
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

MOST = 3  # places named of each sort
SMALLEST = {"chips": 1, "cores": 8}  # cores: v5p-8 is the least


def quota_elsewhere(context: Context, kind: Accelerator) -> Remedy | None:
    """Say in words where Cloud Quotas allows some; None where it does nowhere, or does not say. Use is not looked at."""
    name = context.project
    try:
        found = context.fetch_once("TPU quotas", lambda session: quotas.list_quotas(session, name, quotas.TPU))
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


LINK = "https://docs.cloud.google.com/tpu/docs/quota"
CAPACITY = "Allowed is not in stock: a zone can grant and have none left a minute later."
CHIPS_PER_HOST = 4  # of a slice of several hosts
ONE_HOST = {"v6e": 8, "v5e": 8}  # chips that still fit into one


@dataclass(frozen=True)
class Need:
    """What is asked of one quota: so much of ``what`` in ``place``."""

    service: str
    quota_id: str
    scope: Scope
    place: str
    amount: int
    what: str


def tpu_zone(context: Context) -> Finding:
    return with_elsewhere(context, tpu(context, "zone", context.target.zone.value))


def tpu_region(context: Context) -> Finding:
    return with_elsewhere(context, tpu(context, "region", context.target.region))


def with_elsewhere(context: Context, found: Finding) -> Finding:
    """Where there is too little, say where there is some, before the page that ends the remedies."""
    kind = context.target.accelerator
    hint = quota_elsewhere(context, kind) if kind is not None and found.status == "fail" else None
    return replace(found, remedies=(*found.remedies[:-1], hint, *found.remedies[-1:])) if hint else found


def tpu(context: Context, scope: Scope, place: str | None) -> Finding:
    """Hold the quota of the Cloud TPU API against one TPU VM of the target's kind."""
    kind, model = context.target.accelerator, context.target.model
    if not place:
        return unknown("could not tell: no zone was chosen, or its name tells no region")
    if kind is None:
        return unknown(f"could not tell: {context.target.accelerator_type} is no accelerator type known here")
    quota_id = kind.quota_id(model, scope)
    if quota_id is None:
        return unknown(f"could not tell: the name of {kind.family.name}'s quota is not known here", "", do.quota_page(context.words))
    need = Need(
        quotas.TPU, quota_id, scope, place, kind.size, f"{kind.family.name} {units(kind.family, kind.size)}{', spot' * (model == 'spot')}"
    )
    quota = quotas.get_quota(context.session, context.project, need.service, need.quota_id)
    if quota is None:
        return no_such_quota(context, need)
    limit = quota.limit(place)
    if limit.kind == "limited" and not limit.covers(need.amount):
        return too_little(context, need, quota, limit, 0, None)  # whatever is in use
    if limit.kind == "unlimited":
        return passed(f"unlimited, {need.amount} {need.what} needed", CAPACITY)
    if limit.kind != "limited":
        return unreadable(context, need, limit)
    everything = fetch_nodes(context)
    silent = tuple(zone for zone in map(last, everything.unreachable) if place in (zone, zone.rpartition("-")[0]))
    use = held(replace(everything, unreachable=silent), kind, model, scope, place)
    return beside_use(context, need, quota, limit, use)


def units(family: Family, number: int) -> str:
    """Name what the quotas of a family count, for so many of it."""
    return family.unit.removesuffix("s") if number == 1 else family.unit


def beside_use(context: Context, need: Need, quota: Quota, limit: Limit, use: QuotaUsage) -> Finding:
    """Judge a limit that would do, by what of it is in use already."""
    if not limit.covers(need.amount, use.sure):
        return too_little(context, need, quota, limit, use.sure, use)
    line = f"limit {limit}, {use.sure} used, {need.amount} {need.what} needed"
    if use.doubts:
        return unknown(f"could not tell all that is used: {line}", f"{'; '.join(use.doubts)}.", do.quota_page(context.words), link=LINK)
    if not limit.covers(need.amount, use.sure + use.maybe):
        why = f"Stopped TPU VMs may hold {use.maybe} more: {', '.join(use.by)}."
        return unknown(f"could not tell: {line}", why, do.quota_page(context.words), link=LINK)
    return passed(line, " ".join(part for part in (f"Used by {', '.join(use.by)}." if use.by else "", CAPACITY) if part))


def too_little(context: Context, need: Need, quota: Quota | None, limit: Limit, used: float, use: QuotaUsage | None) -> Finding:
    """Say that the quota does not do, and whether more can be asked for."""
    words = {
        **context.words,
        "quota_id": need.quota_id,
        "quota_service": need.service,
        need.scope: need.place,
        "value": str(need.amount + round(used)),
    }
    remedies: list[Remedy] = []
    if use and any(name.startswith("queued resource") for name in use.by):
        remedies += [do.list_queued(words), do.delete_queued(words)]
    # JSON leaves out what is false: a reason against it stands for that
    may_ask = False if quota and quota.why_not and not quota.can_increase else quota.can_increase if quota else None
    if may_ask is not False:
        remedies.append(do.request_quota(words))
    remedies.append(do.quota_page(words))
    why = "New projects start at 0 for most TPUs. Zone and region have quotas of their own, and both hold."
    if use and use.by:
        why = f"Used by {', '.join(use.by)}. Suspended and failed queued resources hold their quota until they are deleted."
    if may_ask is False:
        why += f" No increase can be asked for: {(quota and quota.why_not) or 'Google does not say why'}."
    shown = "" if use is None and not used else f" {round(used):,} used,"
    return failed(f"limit {limit},{shown} {need.amount} {need.what} needed", why, *remedies, link=LINK)


def no_such_quota(context: Context, need: Need) -> Finding:
    why = f"Cloud Quotas has no {need.quota_id} of {need.service}. That says nothing about what the project may use."
    return unknown(f"could not tell: unknown quota {need.quota_id}", why, do.quota_page(context.words), link=LINK)


def unreadable(context: Context, need: Need, limit: Limit) -> Finding:
    why = f"{need.quota_id} is {limit.kind} for {need.place}: not 0, and not a number either."
    return unknown(f"could not tell: the limit is {limit.kind}", why, do.quota_page(context.words), link=LINK)


def hosts(kind: Accelerator) -> int:
    """Count the VMs that stand before a slice; each has a disk and an address."""
    return 1 if kind.chips <= ONE_HOST.get(kind.family.name, CHIPS_PER_HOST) else -(-kind.chips // CHIPS_PER_HOST)


def addresses(context: Context) -> Finding:
    kind = context.target.accelerator
    number = hosts(kind) if kind else 1
    return regional(context, quotas.ADDRESSES, number, f"external address{'es' * (number != 1)}")


def hyperdisk(context: Context) -> Finding:
    kind = context.target.accelerator
    if kind is None:
        return unknown(f"could not tell: {context.target.accelerator_type} is no accelerator type known here")
    if not kind.family.hyperdisk:
        return not_applicable(f"{kind.type} boots from another kind of disk")
    return regional(context, quotas.HYPERDISK, BOOT_DISK_GB * hosts(kind), "GB of Hyperdisk Balanced")


def cpus(context: Context) -> Finding:
    """Look at CPUs, which no source says are charged for a TPU VM: whatever comes out is advice."""
    kind = context.target.accelerator
    if kind is None or kind.machine is None:
        return not_applicable("advisory; how many CPUs such a VM has is not known here")
    found = regional(context, quotas.CPUS, kind.machine.vcpus, f"CPUs for a {kind.machine.type}")
    if found.status != "fail":
        return found
    why = "Advisory: no source says that a TPU VM counts against this quota, though the handbook asks for it."
    return warned(found.summary, why, *found.remedies, link=LINK)


def regional(context: Context, names: tuple[str, str], amount: int, what: str) -> Finding:
    """Hold a quota of Compute Engine in the region against what one TPU VM needs."""
    place = context.target.region
    if not place:
        return unknown("could not tell: no zone was chosen, or its name tells no region")
    need = Need(quotas.COMPUTE, names[0], "region", place, amount, what)
    row = fetch_region(context, place).quotas.get(names[1])
    if row is None or row.limit is None or row.usage is None:
        return unknown(f"could not tell: the region says nothing of {names[1]}", "", do.quota_page(context.words), link=LINK)
    if row.limit < 0:
        return passed(f"unlimited, {amount} {what} needed")
    if row.limit - row.usage >= amount:
        return passed(f"limit {row.limit:,.0f}, {row.usage:,.0f} used, {amount} {what} needed")
    quota = increase(context, need)
    return too_little(context, need, quota, Limit("limited", int(row.limit)), row.usage, QuotaUsage(round(row.usage), 0, ()))


def increase(context: Context, need: Need) -> Quota | None:
    """Ask whether more can be asked for; that this fails does not undo what is known already."""
    try:
        return quotas.get_quota(context.session, context.project, need.service, need.quota_id)
    except CloudError:
        return None


EXISTS = ("project.exists",)
READ, REGION = "cloudquotas.quotas.get", "compute.regions.get"
CHECKS = (
    Check("quota.tpu-zone", "Does the TPU quota of the zone cover one more such TPU VM?", tpu_zone, EXISTS, READ, link=LINK),
    Check("quota.tpu-region", "Does the TPU quota of the region cover one more such TPU VM?", tpu_region, EXISTS, READ, link=LINK),
    Check("quota.addresses", "Does the region's quota of external addresses cover it?", addresses, EXISTS, REGION, link=LINK),
    Check("quota.hyperdisk", "Does the region's quota of Hyperdisk Balanced cover its boot disk?", hyperdisk, EXISTS, REGION, link=LINK),
    Check("quota.cpus", "Does the region's quota of CPUs cover its VM?", cpus, EXISTS, REGION, link=LINK),
)
