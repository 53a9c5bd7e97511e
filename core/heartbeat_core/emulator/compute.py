"""Compute Engine v1: the project, its regions with their quotas, and its zones."""

from __future__ import annotations

import re

from heartbeat_core.emulator.catalogue import REGION_METRICS, REGIONS, ZONES
from heartbeat_core.emulator.http import ComputeError, EmulatedCall, Json
from heartbeat_core.emulator.quotas import BY_ID, limit, region_usage
from heartbeat_core.emulator.router import collection, routes_of
from heartbeat_core.emulator.scenario import FirewallStart
from heartbeat_core.emulator.state import Cloud, EmulatedProject

PROJECT = "/compute/v1/projects/{project}"


def link_to(project: EmulatedProject, path: str = "") -> str:
    return f"https://www.googleapis.com/compute/v1/projects/{project.id}{path}"


def described(kind: str, project: EmulatedProject, folder: str, name: str) -> Json:
    """Return what every resource says of itself; ``folder`` is where its kind is in the project, "/global/networks"."""
    return {"kind": f"compute#{kind}", "name": name, "selfLink": link_to(project, f"{folder}/{name}")}


def regions(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    """Return the regions, each with its quotas and their use."""
    project = cloud.project(call)
    found: dict[str, Json] = {}
    for region in REGIONS:
        quotas = [
            {"metric": metric, "limit": float(limit(project, BY_ID[name], region)), "usage": float(region_usage(project, metric, region))}
            for metric, name in REGION_METRICS.items()
        ]
        zones = [link_to(project, f"/zones/{zone}") for zone in ZONES if zone.rpartition("-")[0] == region]
        found[region] = {**described("region", project, "/regions", region), "status": "UP", "zones": zones, "quotas": quotas}
    return found


def zones(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    project = cloud.project(call)
    regions_of = {zone: link_to(project, f"/regions/{zone.rpartition('-')[0]}") for zone in ZONES}
    return {zone: {**described("zone", project, "/zones", zone), "status": "UP", "region": region} for zone, region in regions_of.items()}


def not_found(call: EmulatedCall) -> ComputeError:
    return ComputeError(404, f"The resource '{call.resource.removeprefix('v1/')}' was not found", "notFound")


def get_project(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    metadata = {"kind": "compute#metadata", "fingerprint": "ZW11bGF0ZWQ=", **project.metadata}
    about = {"kind": "compute#project", "id": project.number, "name": project.id, "selfLink": link_to(project)}
    return {**about, "commonInstanceMetadata": metadata, "defaultServiceAccount": project.default_account}


def get_network(cloud: Cloud, call: EmulatedCall) -> Json:
    project, name = cloud.project(call), call.args["network"]
    if name not in project.networks:
        raise not_found(call)
    subnets = [link_to(project, f"/regions/{region}/subnetworks/{name}") for region in REGIONS]
    return {**described("network", project, "/global/networks", name), "autoCreateSubnetworks": True, "subnetworks": subnets}


def get_subnetwork(cloud: Cloud, call: EmulatedCall) -> Json:
    """Return the subnetwork that each network has in every region, by its own name."""
    project, name = cloud.project(call), call.args["subnetwork"]
    if name not in project.networks:
        raise not_found(call)
    region = f"/regions/{call.args['region']}"
    about = described("subnetwork", project, f"{region}/subnetworks", name)
    return {**about, "region": link_to(project, region), "network": link_to(project, f"/global/networks/{name}")}


def create_network(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    project.networks.append(str(call.body["name"]))
    return done(project, f"networks/{call.body['name']}")


def firewalls(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    """Return the rules of the networks there are; of a filter nothing is understood."""
    project = cloud.project(call)
    return {name: firewall_json(project, name, rule) for name, rule in project.firewalls.items() if rule.network in project.networks}


def create_firewall(cloud: Cloud, call: EmulatedCall) -> Json:
    project, body = cloud.project(call), call.body
    allow = tuple(":".join([row["IPProtocol"], *row.get("ports", [])]) for row in body.get("allowed", []))
    network = str(body.get("network") or "default").rpartition("/")[2]
    project.firewalls[str(body["name"])] = FirewallStart(network, tuple(body.get("sourceRanges") or ["0.0.0.0/0"]), allow, priority=1000)
    return done(project, f"firewalls/{body['name']}")


def firewall_json(project: EmulatedProject, name: str, rule: FirewallStart) -> Json:
    def traffic(words: tuple[str, ...]) -> list[Json]:
        pairs = [word.partition(":") for word in words]
        return [{"IPProtocol": protocol, **({"ports": [ports]} if ports else {})} for protocol, _, ports in pairs]

    about = {**described("firewall", project, "/global/firewalls", name), "network": link_to(project, f"/global/networks/{rule.network}")}
    what = {"allowed": traffic(rule.allow), "denied": traffic(rule.deny), "targetTags": list(rule.target_tags)}
    given = {key: value for key, value in what.items() if value}
    scope = {"direction": "INGRESS", "priority": rule.priority, "sourceRanges": list(rule.ranges), "disabled": rule.disabled}
    return {**about, **given, **scope}


def list_routers(cloud: Cloud, call: EmulatedCall) -> Json:
    region = call.args["region"]
    nats = [{"name": "nat", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}]
    network = link_to(cloud.project(call), "/global/networks/default")
    return {"items": [{"name": f"router-{region}", "network": network, "nats": nats}] if region in cloud.scenario.nat else []}


def done(project: EmulatedProject, target: str) -> Json:
    """Return a finished operation of Compute Engine."""
    about = described("operation", project, "/global/operations", "operation-done")
    return {**about, "id": "1", "status": "DONE", "operationType": "insert", "targetLink": link_to(project, f"/global/{target}")}


def get_operation(cloud: Cloud, call: EmulatedCall) -> Json:
    return done(cloud.project(call), "networks/default")


def aggregate_instances(cloud: Cloud, call: EmulatedCall) -> Json:
    """List Compute Engine's own VMs by zone; of filters only "machineType:TEXT OR …" is read."""
    link = link_to(cloud.project(call), "/zones")
    wanted = re.findall(r"machineType:([\w-]+)", call.query.get("filter", ""))
    items: Json = {}
    for name, place in cloud.scenario.instances.items():
        zone, _, machine = place.partition("/")
        if not wanted or any(word in machine for word in wanted):
            about = {"name": name, "status": "RUNNING", "zone": f"{link}/{zone}", "machineType": f"{link}/{zone}/machineTypes/{machine}"}
            items.setdefault(f"zones/{zone}", {"instances": []})["instances"].append({"kind": "compute#instance", **about})
    return {"kind": "compute#instanceAggregatedList", "items": items}


ROUTES = routes_of(
    "compute.googleapis.com",
    ("GET", PROJECT, get_project, "compute.projects.get"),
    *collection(PROJECT + "/regions", "items", "compute.regions.{}", regions, not_found, 500, kind="compute#regionList"),
    ("GET", PROJECT + "/regions/{region}/routers", list_routers, "compute.routers.list"),
    ("GET", PROJECT + "/regions/{region}/subnetworks/{subnetwork}", get_subnetwork, "compute.subnetworks.get"),
    ("POST", PROJECT + "/global/networks", create_network, "compute.networks.create"),
    ("GET", PROJECT + "/global/networks/{network}", get_network, "compute.networks.get"),
    *collection(PROJECT + "/global/firewalls", "items", "compute.firewalls.{}", firewalls, not_found, 500, kind="compute#firewallList"),
    ("POST", PROJECT + "/global/firewalls", create_firewall, "compute.firewalls.create"),
    ("GET", PROJECT + "/global/operations/{operation}", get_operation, ""),
    ("POST", PROJECT + "/global/operations/{operation}/wait", get_operation, ""),
    ("GET", PROJECT + "/aggregated/instances", aggregate_instances, "compute.instances.list"),
    *collection(PROJECT + "/zones", "items", "compute.zones.{}", zones, not_found, 500, kind="compute#zoneList"),
)
