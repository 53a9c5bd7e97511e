"""Cloud Quotas v1 and v1beta: limits, requests for more, and what is in use."""

from __future__ import annotations

import copy

from heartbeat_core.emulator.catalogue import QUOTAS, REGIONS, ZONES, QuotaDefinition, Slice
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json
from heartbeat_core.emulator.router import collection, routes_of
from heartbeat_core.emulator.state import Cloud, EmulatedProject

HOLDING = {"PROVISIONING", "SUSPENDING", "SUSPENDED", "FAILED"}  # the states of a queued resource that count against quota
GONE = {"TERMINATED", "PREEMPTED"}
BOOT_DISK_GB = 100
UNLIMITED = -1
BY_ID = {quota.id: quota for quota in QUOTAS}


def limit(project: EmulatedProject, quota: QuotaDefinition, location: str) -> int:
    """Return the limit at a zone or region ("" for a quota without either); -1 is none."""
    limits = project.limits.get(quota.id, {})
    return limits.get(location, limits.get("default", quota.default))


def locations(quota: QuotaDefinition) -> tuple[str, ...]:
    return {"zone": tuple(ZONES), "region": REGIONS}.get(quota.dimension, ())


def quota_info(cloud: Cloud, project: EmulatedProject, quota: QuotaDefinition) -> Json:
    """Describe one quota: a row for each place that differs, then one for all the others."""
    special = [place for place in locations(quota) if place in project.limits.get(quota.id, {})]
    rows: list[Json] = []
    for place in special:
        details: Json = {} if f"{quota.id}/{place}" in cloud.scenario.unset else {"value": str(limit(project, quota, place))}
        rows.append({"dimensions": {quota.dimension: place}, "details": details, "applicableLocations": [place]})
    rest = [place for place in locations(quota) if place not in special] or ([] if quota.dimension else ["global"])
    if rest:
        rows.append({"details": {"value": str(limit(project, quota, ""))}, "applicableLocations": rest})
    eligible: Json = {"isEligible": True}
    if quota.id in cloud.scenario.ineligible:
        eligible = {"ineligibilityReason": "NO_VALID_BILLING_ACCOUNT" if not cloud.billed(project) else "OTHER"}
    answer: Json = {
        "name": f"projects/{project.number}/locations/global/services/{quota.service}/quotaInfos/{quota.id}",
        "quotaId": quota.id,
        "metric": quota.metric,
        "service": quota.service,
        "isPrecise": True,
        "containerType": "PROJECT",
        "dimensionsInfos": rows,
        "metricDisplayName": quota.display,
        "quotaDisplayName": quota.display,
        "metricUnit": "1",
        "quotaIncreaseEligibility": eligible,
    }
    return {**answer, "dimensions": [quota.dimension]} if quota.dimension else answer


def infos(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    project = cloud.project(call)
    return {quota.id: quota_info(cloud, project, quota) for quota in QUOTAS if quota.service == call.args["service"]}


def preferences(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    """Return the requests; of a filter only reconciling:true is understood."""
    pending = "reconciling" in call.query.get("filter", "")
    found = cloud.project(call).preferences.items()
    return {name: one for name, one in found if not pending or "reconciling" in one}


def no_preference(call: EmulatedCall) -> ApiError:
    return ApiError(404, f"Quota preference not found: {call.args['item']}")


def no_info(call: EmulatedCall) -> ApiError:
    return ApiError(404, f"Quota info not found: {call.args['item']}")


def request_quota(cloud: Cloud, call: EmulatedCall) -> Json:
    """Ask for a limit; what is asked for is granted after a while."""
    project = cloud.project(call)
    body = call.body
    old = project.preferences.get(call.args.get("preference", ""), {})
    quota = BY_ID.get(str(body.get("quotaId") or old.get("quotaId", "")))
    if quota is None:
        raise ApiError(400, f"Quota {body.get('quotaId')} is not found in service {body.get('service')}.")
    dimensions = {str(key): str(value) for key, value in (body.get("dimensions") or old.get("dimensions", {})).items()}
    place = dimensions.get(quota.dimension, "")
    if quota.dimension and place not in locations(quota):
        raise ApiError(400, f"Invalid dimensions for quota {quota.id}: {quota.dimension} is missing or unknown.")
    wanted, current = int((body.get("quotaConfig") or {}).get("preferredValue", 0)), limit(project, quota, place)
    email = str(body.get("contactEmail") or old.get("contactEmail", ""))
    if wanted > current and not email:
        raise ApiError(400, "contact_email is required for quota increase requests.")
    if wanted > current and quota.id in cloud.scenario.ineligible:
        raise ApiError(400, f"Quota {quota.id} is not eligible for an increase.", status="FAILED_PRECONDITION")
    identity = call.args.get("preference") or call.query.get("quotaPreferenceId") or f"emulated-{next(cloud.numbers)}"
    if not old and identity in project.preferences:
        raise ApiError(409, f"Quota preference {identity} already exists.")
    config = {
        "preferredValue": str(wanted),
        "grantedValue": str(current),
        "traceId": "emulated",
        "stateDetail": "Quota increase requested.",
    }
    asked: Json = {
        "name": f"projects/{project.number}/locations/global/quotaPreferences/{identity}",
        "service": quota.service,
        "quotaId": quota.id,
        "dimensions": dimensions,
        "quotaConfig": config,
        "createTime": cloud.stamp(),
        "updateTime": cloud.stamp(),
        "etag": "ZW11bGF0ZWQ=",
        "contactEmail": email,
        "justification": str(body.get("justification", "")),
        "reconciling": True,
    }
    project.preferences[identity] = asked

    def grant() -> None:
        del asked["reconciling"]
        config.update(grantedValue=str(wanted), stateDetail="Quota increase approved.")
        project.limits.setdefault(quota.id, {})[place or "default"] = wanted

    cloud.later(cloud.scenario.timings.quota_s, grant)
    return copy.deepcopy(asked)


def in_use(project: EmulatedProject, quota_id: str, location: str) -> int:
    """Count what nodes and queued resources hold of a TPU quota at a zone or region."""
    scope = "Zone" if location in ZONES else "Region"
    held: list[tuple[str, Slice, bool]] = [(n.zone, n.slice, n.spot) for n in project.nodes.values() if n.state not in GONE]
    held += [(queued.zone, queued.slice, queued.spot) for queued in project.queued.values() if queued.state in HOLDING]
    return sum(
        slice_.size
        for zone, slice_, spot in held
        if location in (zone, zone.rpartition("-")[0]) and slice_.quota_id(spot=spot, scope=scope) == quota_id
    )


def exceeded(project: EmulatedProject, zone: str, slice_: Slice, *, spot: bool) -> tuple[str, int, str] | None:
    """Return the quota that one more such slice exceeds, its limit and its place, the zone's before the region's; None for none."""
    for scope, place in (("Zone", zone), ("Region", zone.rpartition("-")[0])):
        name = slice_.quota_id(spot=spot, scope=scope)
        allowed = limit(project, BY_ID[name], place)
        if allowed != UNLIMITED and in_use(project, name, place) + slice_.size > allowed:
            return name, allowed, f"{scope.lower()} {place}"
    return None


def region_usage(project: EmulatedProject, metric: str, region: str) -> int:
    """Count what a region's nodes use of what Compute Engine counts; TPU VMs are not known to count as CPUs."""
    nodes = [node for node in project.nodes.values() if node.zone.rpartition("-")[0] == region and node.state not in GONE]
    if metric == "IN_USE_ADDRESSES":
        return sum(node.slice.hosts for node in nodes if node.external)
    if metric == "HDB_TOTAL_GB":
        return sum(BOOT_DISK_GB * node.slice.hosts for node in nodes if node.slice.family.name == "v6e")
    return 0


PARENT = "/(v1|v1beta)/projects/{project}/locations/global"
ROUTES = routes_of(
    "cloudquotas.googleapis.com",
    *collection(PARENT + "/services/{service}/quotaInfos", "quotaInfos", "cloudquotas.quotas.get", infos, no_info),
    *collection(PARENT + "/quotaPreferences", "quotaPreferences", "cloudquotas.quotas.get", preferences, no_preference),
    ("POST", PARENT + "/quotaPreferences", request_quota, "cloudquotas.quotas.update"),
    ("PATCH", PARENT + "/quotaPreferences/{preference}", request_quota, "cloudquotas.quotas.update"),
)
