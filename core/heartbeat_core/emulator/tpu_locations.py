"""Cloud TPU v2, and v1 where gcloud asks it: zones, what they offer, operations, the service agent."""

from __future__ import annotations

import binascii
from collections.abc import Callable

from heartbeat_core.emulator.catalogue import RUNTIMES, ZONES, slices
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json
from heartbeat_core.emulator.operations import begin
from heartbeat_core.emulator.router import collection, routes_of
from heartbeat_core.emulator.state import Cloud

TPU = "tpu.googleapis.com"
PREFIX = "type.googleapis.com/google.cloud.tpu.v2."
EMPTY: Json = {"@type": "type.googleapis.com/google.protobuf.Empty"}
PARENT = "/(v1|v2|v2alpha1)/projects/{project}/locations"


def error_id(text: str) -> str:
    """Make the [EID: 0x…] that ends the TPU API's messages; the same text has the same."""
    return f"[EID: 0x{binascii.crc32(text.encode()):016x}]"


def zone_of(call: EmulatedCall) -> str:
    """Return the zone a path names; raise ApiError where there is none."""
    zone = call.args["zone"]
    if zone not in ZONES:
        raise no_location(call)
    return zone


def start_operation(cloud: Cloud, target: str, verb: str, seconds: float, finish: Callable[[], Json]) -> Json:
    """Start an operation on ``target`` in the dress of the TPU API."""
    name = f"{target.rsplit('/', 2)[0]}/operations/operation-{next(cloud.numbers):08d}"
    metadata = {"@type": PREFIX + "OperationMetadata", "createTime": cloud.stamp(), "target": target, "verb": verb, "apiVersion": "v2"}
    return begin(cloud, name, metadata, seconds, finish)


def locations(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    parent = f"projects/{cloud.project(call).id}/locations"
    labels = {zone: {"cloud.googleapis.com/region": zone.rpartition("-")[0]} for zone in ZONES}
    return {zone: {"name": f"{parent}/{zone}", "locationId": zone, "labels": labels[zone]} for zone in ZONES}


def accelerator_types(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    """Return what the zone offers, in v1 without its topology."""
    parent = f"projects/{cloud.project(call).id}/locations/{zone_of(call)}/acceleratorTypes"
    found: dict[str, Json] = {}
    for offered in slices(call.args["zone"]):
        found[offered.type] = {"name": f"{parent}/{offered.type}", "type": offered.type}
        if not call.path.startswith("/v1"):
            found[offered.type]["acceleratorConfigs"] = [{"type": offered.family.config, "topology": offered.topology}]
    return found


def not_found(call: EmulatedCall) -> ApiError:
    return ApiError(404, f"Resource '{call.resource}' was not found")


def runtime_versions(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    parent = f"projects/{cloud.project(call).id}/locations/{zone_of(call)}/runtimeVersions"
    return {version: {"name": f"{parent}/{version}", "version": version} for version in RUNTIMES}


def no_location(call: EmulatedCall) -> ApiError:
    return ApiError(403, f"Location {call.args.get('zone', call.args.get('item'))} is not found or access is unauthorized.")


def operations(cloud: Cloud, call: EmulatedCall) -> dict[str, Json]:
    """Return the operations in a zone, or anywhere for "-"."""
    zone = "" if call.args["zone"] == "-" else f"{call.args['zone']}/"
    parent = f"projects/{cloud.project(call).id}/locations/{zone}"
    return {name.rpartition("/")[2]: operation for name, operation in cloud.operations.items() if name.startswith(parent)}


ROUTES = routes_of(
    TPU,
    *collection(PARENT, "locations", "tpu.locations.{}", locations, no_location),
    *collection(PARENT + "/{zone}/acceleratorTypes", "acceleratorTypes", "tpu.acceleratortypes.{}", accelerator_types, not_found),
    *collection(PARENT + "/{zone}/runtimeVersions", "runtimeVersions", "tpu.runtimeversions.{}", runtime_versions, not_found),
    *collection(PARENT + "/{zone}/operations", "operations", "tpu.operations.{}", operations, not_found),
)
