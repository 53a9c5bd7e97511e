"""Compute Engine v1: the project, its regions with their quotas, and its zones."""

from __future__ import annotations

from heartbeat_core.emulator.catalogue import REGION_METRICS, REGIONS, ZONES
from heartbeat_core.emulator.http import ComputeError, EmulatedCall, Json, page
from heartbeat_core.emulator.quotas import BY_ID, limit, region_usage
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.state import Cloud, EmulatedProject

SELF = "https://www.googleapis.com/compute/v1/"


def region_json(project: EmulatedProject, region: str) -> Json:
    quotas = [
        {"metric": metric, "limit": float(limit(project, BY_ID[name], region)), "usage": float(region_usage(project, metric, region))}
        for metric, name in REGION_METRICS.items()
    ]
    link = f"{SELF}projects/{project.id}"
    zones = [f"{link}/zones/{zone}" for zone in ZONES if zone.rpartition("-")[0] == region]
    about = {"kind": "compute#region", "name": region, "description": region, "status": "UP", "selfLink": f"{link}/regions/{region}"}
    return {**about, "zones": zones, "quotas": quotas}


def zone_json(project: EmulatedProject, zone: str) -> Json:
    link = f"{SELF}projects/{project.id}"
    about = {"kind": "compute#zone", "name": zone, "description": zone, "status": "UP"}
    return {**about, "selfLink": f"{link}/zones/{zone}", "region": f"{link}/regions/{zone.rpartition('-')[0]}"}


def not_found(resource: str) -> ComputeError:
    return ComputeError(404, f"The resource '{resource}' was not found", "notFound")


def get_project(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call.args["project"])
    metadata = {"kind": "compute#metadata", "fingerprint": "ZW11bGF0ZWQ=", **project.metadata}
    about = {"kind": "compute#project", "id": project.number, "name": project.id, "selfLink": f"{SELF}projects/{project.id}"}
    return {**about, "commonInstanceMetadata": metadata, "defaultServiceAccount": project.default_account}


def get_region(cloud: Cloud, call: EmulatedCall) -> Json:
    if call.args["region"] not in REGIONS:
        raise not_found(call.resource.removeprefix("v1/"))
    return region_json(cloud.project(call.args["project"]), call.args["region"])


def list_regions(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call.args["project"])
    return {"kind": "compute#regionList", **page([region_json(project, region) for region in REGIONS], "items", call, default=500)}


def get_zone(cloud: Cloud, call: EmulatedCall) -> Json:
    if call.args["zone"] not in ZONES:
        raise not_found(call.resource.removeprefix("v1/"))
    return zone_json(cloud.project(call.args["project"]), call.args["zone"])


def list_zones(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call.args["project"])
    return {"kind": "compute#zoneList", **page([zone_json(project, zone) for zone in ZONES], "items", call, default=500)}


PROJECT = "/compute/v1/projects/{project}"
ROUTES = routes_of(
    "compute.googleapis.com",
    ("GET", PROJECT, get_project, "compute.projects.get"),
    ("GET", PROJECT + "/regions", list_regions, "compute.regions.list"),
    ("GET", PROJECT + "/regions/{region}", get_region, "compute.regions.get"),
    ("GET", PROJECT + "/zones", list_zones, "compute.zones.list"),
    ("GET", PROJECT + "/zones/{zone}", get_zone, "compute.zones.get"),
)
