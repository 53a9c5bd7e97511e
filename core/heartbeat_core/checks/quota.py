"""Checks of quotas: the limit, the usage, and what one TPU VM needs; and where else there is quota. Capacity is separate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from heartbeat_core.checks.check import EXISTS, Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Context
from heartbeat_core.cloud import quotas
from heartbeat_core.cloud.accelerators import BOOT_DISK_GB, FAMILIES, MACHINES, PREEMPTIBLE, Accelerator, Provisioning, Scope
from heartbeat_core.cloud.compute import get_region_quotas
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.quotas import Limit, Quota
from heartbeat_core.cloud.tpu import Nodes, QuotaUsage, held, list_nodes, list_queued_resources
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

MOST = 3  # of each sort in a text
SMALLEST = {"chips": 1, "cores": 8}  # cores: v5p-8 is the smallest


def alternative_quota(context: Context, kind: Accelerator) -> Remedy | None:
    """Return a fix that lists where Cloud Quotas has quota, None where there is none or it is unknown; usage is not read."""
    try:
        found = context.fetch(quotas.list_quotas, quotas.TPU)
    except CloudError:
        return None  # only a hint
    listed = {quota.id: quota for quota in found}
    model, zone = context.target.model, context.target.zone.value or ""
    here = [f"{other.type} in {zone} ({limit})" for other, limit in generations(listed, kind, model, zone)]
    there = [f"{kind.type} in {place} ({limit})" for place, limit in zones(listed, kind, model, zone)]
    named = [*here[:MOST], *there[:MOST]]
    if not named:
        return None
    preemptible = " preemptible" if model in PREEMPTIBLE else ""
    text = f"Use{preemptible} quota that exists, by Cloud Quotas: {', '.join(named)}."
    return Remedy(f"{text} The limit is in brackets; its usage is not read.")


def generations(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, zone: str) -> Iterator[tuple[Accelerator, Limit]]:
    """Yield the other generations that the quotas of both the zone and its region allow."""
    for family in FAMILIES:
        size = SMALLEST[family.unit]
        other = Accelerator(f"{family.prefix}-{size}", family, size)
        limit = limit_for(listed, other, model, zone)
        if family != kind.family and limit is not None:
            yield other, limit


def zones(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, excluded: str) -> Iterator[tuple[str, Limit]]:
    """Yield the other zones in which Cloud Quotas allows this type."""
    quota = listed.get(kind.quota_id(model, "zone") or "")
    rows = quota.rows if quota else ()
    places = {place for row in rows for place in (row.dimensions.get("zone"), *row.locations) if place}
    for place in sorted(places - {excluded}):
        limit = limit_for(listed, kind, model, place)
        if limit is not None:
            yield place, limit


def limit_for(listed: Mapping[str, Quota], kind: Accelerator, model: Provisioning, zone: str) -> Limit | None:
    """Return the lower of the limits of the zone and its region, None unless both cover one such TPU VM."""
    of_zone, of_region = (listed.get(kind.quota_id(model, scope) or "") for scope in ("zone", "region"))
    if of_zone is None or of_region is None:
        return None
    limits = [of_zone.limit(zone), of_region.limit(zone.rpartition("-")[0])]
    if not all(limit.covers(kind.size) for limit in limits):
        return None
    return min(limits, key=lambda limit: float("inf") if limit.value is None else limit.value)


LINK = "https://docs.cloud.google.com/tpu/docs/quota"
CAPACITY = "Quota is not capacity: the zone may have no free TPU."
CHIPS_PER_HOST = 4  # of a slice of several hosts
ONE_HOST = {"v6e": 8, "v5e": 8}  # chips that fit into one host


@dataclass(frozen=True)
class Need:
    """What one TPU VM needs of a quota: ``amount`` of ``what`` in ``place``."""

    service: str
    quota_id: str
    scope: Scope
    place: str
    amount: int
    what: str


def tpu(context: Context, scope: Scope) -> Finding:
    """Compare the quota of the zone or the region; to a failure add where else there is quota, before the page at the end of its fixes."""
    found = compare(context, scope, context.target.zone.value if scope == "zone" else context.target.region)
    kind = context.target.accelerator
    hint = alternative_quota(context, kind) if kind is not None and found.status == "fail" else None
    return replace(found, remedies=(*found.remedies[:-1], hint, *found.remedies[-1:])) if hint else found


def compare(context: Context, scope: Scope, place: str | None) -> Finding:
    """Compare the quota of the Cloud TPU API with one TPU VM of the target's type."""
    kind, model = context.target.accelerator, context.target.model
    if not place:
        return unknown("could not tell: no zone is chosen, or its name contains no region")
    if kind is None:
        return unknown(f"could not tell: {context.target.accelerator_type} is not a known accelerator type")
    if model == "reserved":
        return reserved(context, kind)
    quota_id = kind.quota_id(model, scope)
    if quota_id is None:
        return unknown(f"could not tell: the name of {kind.family.name}'s quota is unknown", "", do.quota_page(context.words))
    unit = kind.family.unit.removesuffix("s") if kind.size == 1 else kind.family.unit
    what = f"{'preemptible ' * (model in PREEMPTIBLE)}{kind.family.name} {unit}"
    need = Need(quotas.TPU, quota_id, scope, place, kind.size, what)
    quota = quotas.get_quota(context.session, context.project, need.service, need.quota_id)
    if quota is None:
        why = f"Cloud Quotas has no {quota_id} of {need.service}. Usage may still be allowed."
        return unknown(f"could not tell: unknown quota {quota_id}", why, do.quota_page(context.words))
    limit = quota.limit(place)
    if limit.kind == "limited" and not limit.covers(need.amount):
        return too_little(context, need, quota, limit, None)  # usage does not matter
    if limit.kind == "unlimited":
        return passed(f"unlimited, {need.amount} {need.what} needed", CAPACITY)
    if limit.kind != "limited":
        why = f"{quota_id} is {limit.kind} for {place}, which is not 0."
        return unknown(f"could not tell: the limit is {limit.kind}", why, do.quota_page(context.words))
    nodes, queued = context.fetch(list_nodes), context.fetch(list_queued_resources)
    everything = Nodes(nodes.nodes, queued.queued, tuple(dict.fromkeys((*nodes.unreachable, *queued.unreachable))))
    return with_usage(context, need, quota, limit, held(everything, kind, model, scope, place))


def reserved(context: Context, kind: Accelerator) -> Finding:
    command = ("gcloud", "compute", "reservations", "list", f"--project={context.project}")
    why = "A TPU VM of a reservation is limited by the reservation. What is left of it cannot be read here."
    remedy = Remedy("List the reservations of the project.", command)
    return unknown(f"could not tell: is there a reservation for {kind.type}?", why, remedy)


def with_usage(context: Context, need: Need, quota: Quota, limit: Limit, use: QuotaUsage) -> Finding:
    """Return the finding for a limit that is high enough, with its usage."""
    if not limit.covers(need.amount, use.sure):
        return too_little(context, need, quota, limit, use)
    known = f"at least {use.sure}" if use.doubts else f"{use.sure} to {use.sure + use.maybe}" if use.maybe else f"{use.sure}"
    line = f"limit {limit}, {known} used, {need.amount} {need.what} needed"
    if use.doubts:
        return unknown(f"could not tell the whole usage: {line}", f"{'; '.join(use.doubts)}.", do.quota_page(context.words))
    if not limit.covers(need.amount, use.sure + use.maybe):
        why = f"Used by {', '.join(use.by)}. Of these, what is stopped, queued or reserved may use up to {use.maybe} more."
        return unknown(f"could not tell: {line}", why, do.quota_page(context.words))
    return passed(line, f"Used by {', '.join(use.by)}. {CAPACITY}" if use.by else CAPACITY)


def too_little(context: Context, need: Need, quota: Quota | None, limit: Limit, use: QuotaUsage | None) -> Finding:
    """Return the failure of a quota that is too low, with a request for more where Google accepts one."""
    value = str(need.amount + (use.sure if use else 0))
    words = {**context.words, "quota_id": need.quota_id, "quota_service": need.service, need.scope: need.place, "value": value}
    remedies: list[Remedy] = []
    if use and any(name.startswith("queued resource") for name in use.by):
        remedies += [do.list_queued(words), do.delete_queued(words)]
    # JSON omits false values: a reason against an increase means false
    refused = quota is not None and (quota.can_increase is False or (quota.can_increase is None and bool(quota.why_not)))
    if not refused:
        remedies.append(do.request_quota(words))
    remedies.append(do.quota_page(words))
    why = "New projects start at 0 for most TPUs. Zone and region have separate quotas, and both apply."
    if use and use.by:
        why = f"Used by {', '.join(use.by)}. Suspended and failed queued resources count until they are deleted."
    if refused:
        why += f" No increase can be requested: {(quota and quota.why_not) or 'Google does not say why'}."
    shown = f" {use.sure:,} used," if use else ""
    return failed(f"limit {limit},{shown} {need.amount} {need.what} needed", why, *remedies)


def hosts(kind: Accelerator) -> int:
    """Return the number of hosts of a slice; each has a disk and an address."""
    return 1 if kind.chips <= ONE_HOST.get(kind.family.name, CHIPS_PER_HOST) else -(-kind.chips // CHIPS_PER_HOST)


def addresses(context: Context) -> Finding:
    if not context.target.external:
        return not_applicable("the TPU VM has no external address")
    kind = context.target.accelerator
    number = hosts(kind) if kind else 1
    return regional(context, quotas.ADDRESSES, number, f"external address{'es' * (number != 1)}")


def hyperdisk(context: Context) -> Finding:
    kind = context.target.accelerator
    if kind is None:
        return unknown(f"could not tell: {context.target.accelerator_type} is not a known accelerator type")
    if not kind.family.hyperdisk:
        return not_applicable(f"{kind.type} boots from another disk type")
    return regional(context, quotas.HYPERDISK, BOOT_DISK_GB * hosts(kind), "GB of Hyperdisk Balanced")


def cpus(context: Context) -> Finding:
    """Check CPUs; no source says that a TPU VM uses this quota, so the result is advisory."""
    kind = context.target.accelerator
    if kind is None or kind.type not in MACHINES:
        return not_applicable("advisory; the number of CPUs of such a VM is unknown")
    machine, number = MACHINES[kind.type]
    found = regional(context, quotas.CPUS, number, f"CPUs for a {machine}")
    if found.status != "fail":
        return found
    why = "Advisory: no source says that a TPU VM counts against this quota, though the handbook asks for it."
    return warned(found.summary, why, *found.remedies)


def regional(context: Context, names: tuple[str, str], amount: int, what: str) -> Finding:
    """Compare a quota of Compute Engine in the region with what one TPU VM needs."""
    place = context.target.region
    if not place:
        return unknown("could not tell: no zone is chosen, or its name contains no region")
    need = Need(quotas.COMPUTE, names[0], "region", place, amount, what)
    row = context.fetch(get_region_quotas, place).get(names[1])
    if row is None or row.limit is None or row.usage is None:
        return unknown(f"could not tell: the region does not report {names[1]}", "", do.quota_page(context.words))
    if row.limit < 0:
        return passed(f"unlimited, {amount} {what} needed")
    if row.limit - row.usage >= amount:
        return passed(f"limit {row.limit:,.0f}, {row.usage:,.0f} used, {amount} {what} needed")
    limit, use = Limit("limited", int(row.limit)), QuotaUsage(round(row.usage), 0, ())
    return too_little(context, need, increase(context, need), limit, use)


def increase(context: Context, need: Need) -> Quota | None:
    """Return the quota, to see whether an increase can be requested; None where the call fails: the finding holds anyway."""
    try:
        return quotas.get_quota(context.session, context.project, need.service, need.quota_id)
    except CloudError:
        return None


READ, REGION = "cloudquotas.quotas.get", "compute.regions.get"
CHECKS = (
    *(
        Check(
            f"quota.tpu-{scope}", f"TPU quota, {scope}", f"Does the TPU quota of the {scope} cover one more such TPU VM?",
            partial(tpu, scope=scope), EXISTS, READ, link=LINK,
        )
        for scope in quotas.PLACES
    ),
    Check(
        "quota.addresses", "External addresses", "Does the region's quota of external addresses cover it?", addresses, EXISTS, REGION,
        link=LINK,
    ),
    Check(
        "quota.hyperdisk", "Hyperdisk quota", "Does the region's quota of Hyperdisk Balanced cover its boot disk?", hyperdisk, EXISTS,
        REGION, link=LINK,
    ),
    Check("quota.cpus", "CPU quota", "Does the region's quota of CPUs cover its VM?", cpus, EXISTS, REGION, link=LINK),
)  # fmt: skip
