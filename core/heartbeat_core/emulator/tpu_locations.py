"""Cloud TPU v2, and v1 where gcloud asks it: zones, what they offer, operations, the service agent."""

from __future__ import annotations

import binascii
from collections.abc import Callable

from heartbeat_core.emulator.catalogue import RUNTIMES, TENSORFLOW_VERSIONS, ZONES, Slice, slices
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page
from heartbeat_core.emulator.operations import begin, find_operation
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.seed import agent_email
from heartbeat_core.emulator.state import Cloud, EmulatedOperation, EmulatedProject

TPU = "tpu.googleapis.com"
PREFIX = "type.googleapis.com/google.cloud.tpu.v2."
EMPTY: Json = {"@type": "type.googleapis.com/google.protobuf.Empty"}
V1 = "/v1/projects/{project}/locations"
V2 = "/(v2|v2alpha1)/projects/{project}/locations"


def error_id(text: str) -> str:
    """Make the [EID: 0x…] that ends the TPU API's messages; the same text has the same."""
    return f"[EID: 0x{binascii.crc32(text.encode()):016x}]"


def zone_of(call: EmulatedCall) -> str:
    """Return the zone a path names; raise ApiError where there is none."""
    zone = call.args["zone"]
    if zone not in ZONES:
        raise ApiError(403, f"Location {zone} is not found or access is unauthorized.")
    return zone


def start_operation(
    cloud: Cloud, project: EmulatedProject, target: str, verb: str, seconds: float, finish: Callable[[], Json]
) -> EmulatedOperation:
    """Start an operation on ``target`` in the dress of the TPU API."""
    zone = target.split("/")[3]
    name = f"projects/{project.id}/locations/{zone}/operations/operation-{next(cloud.numbers):08d}"
    metadata = {"@type": PREFIX + "OperationMetadata", "createTime": cloud.stamp(), "target": target, "verb": verb, "apiVersion": "v2"}
    return begin(cloud, EmulatedOperation(name, metadata, project.id, TPU), seconds, finish)


def location_json(project: EmulatedProject, zone: str) -> Json:
    return {
        "name": f"projects/{project.id}/locations/{zone}",
        "locationId": zone,
        "labels": {"cloud.googleapis.com/region": zone.rpartition("-")[0]},
    }


def list_locations(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call.args["project"])
    return page([location_json(project, zone) for zone in ZONES], "locations", call)


def get_location(cloud: Cloud, call: EmulatedCall) -> Json:
    return location_json(cloud.project(call.args["project"]), zone_of(call))


def type_json(project: EmulatedProject, zone: str, slice_: Slice) -> Json:
    answer: Json = {"name": f"projects/{project.id}/locations/{zone}/acceleratorTypes/{slice_.type}", "type": slice_.type}
    return {**answer, "acceleratorConfigs": [{"type": slice_.family.config, "topology": slice_.topology}]}


def list_types(cloud: Cloud, call: EmulatedCall) -> Json:
    project, zone = cloud.project(call.args["project"]), zone_of(call)
    found = [type_json(project, zone, slice_) for slice_ in slices(zone)]
    if call.path.startswith("/v1"):
        found = [{name: value for name, value in entry.items() if name != "acceleratorConfigs"} for entry in found]
    return page(found, "acceleratorTypes", call)


def get_type(cloud: Cloud, call: EmulatedCall) -> Json:
    project, zone = cloud.project(call.args["project"]), zone_of(call)
    found = next((type_json(project, zone, slice_) for slice_ in slices(zone) if slice_.type == call.args["type"]), None)
    if found is None:
        raise not_found(call.resource)
    return found


def not_found(resource: str) -> ApiError:
    return ApiError(404, f"Resource '{resource}' was not found")


def list_runtimes(cloud: Cloud, call: EmulatedCall) -> Json:
    parent = f"projects/{cloud.project(call.args['project']).id}/locations/{zone_of(call)}/runtimeVersions"
    return page([{"name": f"{parent}/{version}", "version": version} for version in RUNTIMES], "runtimeVersions", call)


def get_runtime(cloud: Cloud, call: EmulatedCall) -> Json:
    parent = f"projects/{cloud.project(call.args['project']).id}/locations/{zone_of(call)}/runtimeVersions"
    if call.args["version"] not in RUNTIMES:
        raise not_found(call.resource)
    return {"name": f"{parent}/{call.args['version']}", "version": call.args["version"]}


def list_tensorflow(cloud: Cloud, call: EmulatedCall) -> Json:
    """List the versions of v1, before runtimes."""
    parent = f"projects/{cloud.project(call.args['project']).id}/locations/{zone_of(call)}/tensorflowVersions"
    return page([{"name": f"{parent}/{version}", "version": version} for version in TENSORFLOW_VERSIONS], "tensorflowVersions", call)


def listed(cloud: Cloud, project: EmulatedProject, call: EmulatedCall, name: str, found: list[tuple[str, Json]]) -> Json:
    """Return one page of what is in a zone, or anywhere for "-" but where a zone cannot be reached; ``found`` is (zone, item)."""
    zone = call.args["zone"]
    if zone != "-":
        zone_of(call)
        return page([item for place, item in found if place == zone], name, call)
    missing = [f"projects/{project.id}/locations/{place}" for place in cloud.scenario.unreachable]
    answer = page([item for place, item in found if place not in cloud.scenario.unreachable], name, call)
    return {**answer, "unreachable": missing} if missing else answer


def list_operations(cloud: Cloud, call: EmulatedCall) -> Json:
    project, zone = cloud.project(call.args["project"]), call.args["zone"]
    found = [
        operation.to_json()
        for operation in cloud.operations.values()
        if operation.project == project.id and (zone == "-" or operation.name.split("/")[3] == zone)
    ]
    return page(found, "operations", call)


def get_operation(cloud: Cloud, call: EmulatedCall) -> Json:
    return operation_of(cloud, call).to_json()


def operation_of(cloud: Cloud, call: EmulatedCall) -> EmulatedOperation:
    project = cloud.project(call.args["project"])
    name = f"projects/{project.id}/locations/{call.args['zone']}/operations/{call.args['operation']}"
    return find_operation(cloud, name, project)


def cancel_operation(cloud: Cloud, call: EmulatedCall) -> Json:
    """Accept the cancellation; as in most of Google's APIs, what is under way goes on."""
    operation_of(cloud, call).metadata["cancelRequested"] = True
    return {}


def delete_operation(cloud: Cloud, call: EmulatedCall) -> Json:
    del cloud.operations[operation_of(cloud, call).name]
    return {}


def generate_identity(cloud: Cloud, call: EmulatedCall) -> Json:
    zone_of(call)
    return {"identity": {"email": agent_email(cloud.project(call.args["project"]), "gcp-sa-tpu")}}


ROUTES = routes_of(
    TPU,
    ("GET", V2, list_locations, "tpu.locations.list"),
    ("GET", V2 + "/{zone}", get_location, "tpu.locations.get"),
    ("GET", V2 + "/{zone}/acceleratorTypes", list_types, "tpu.acceleratortypes.list"),
    ("GET", V2 + "/{zone}/acceleratorTypes/{type}", get_type, "tpu.acceleratortypes.get"),
    ("GET", V2 + "/{zone}/runtimeVersions", list_runtimes, "tpu.runtimeversions.list"),
    ("GET", V2 + "/{zone}/runtimeVersions/{version}", get_runtime, "tpu.runtimeversions.get"),
    ("GET", V2 + "/{zone}/operations", list_operations, "tpu.operations.list"),
    ("GET", V2 + "/{zone}/operations/{operation}", get_operation, "tpu.operations.get"),
    ("POST", V2 + "/{zone}/operations/{operation}:cancel", cancel_operation, "tpu.operations.get"),
    ("DELETE", V2 + "/{zone}/operations/{operation}", delete_operation, "tpu.operations.get"),
    ("POST", V2 + "/{zone}:generateServiceIdentity", generate_identity, "tpu.nodes.create"),
    ("GET", V1, list_locations, "tpu.locations.list"),
    ("GET", V1 + "/{zone}", get_location, "tpu.locations.get"),
    ("GET", V1 + "/{zone}/acceleratorTypes", list_types, "tpu.acceleratortypes.list"),
    ("GET", V1 + "/{zone}/acceleratorTypes/{type}", get_type, "tpu.acceleratortypes.get"),
    ("GET", V1 + "/{zone}/tensorflowVersions", list_tensorflow, "tpu.tensorflowversions.list"),
    ("GET", V1 + "/{zone}/operations/{operation}", get_operation, "tpu.operations.get"),
)
