"""Operations: what is under way, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json
from heartbeat_core.emulator.router import Route, routes_of
from heartbeat_core.emulator.state import Cloud

CODES = {
    "CANCELLED": 1, "INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9, "ABORTED": 10, "INTERNAL": 13, "UNAVAILABLE": 14,
}  # fmt: skip


def begin(cloud: Cloud, name: str, metadata: Json, seconds: float, finish: Callable[[], Json]) -> Json:
    """Start an operation that ``finish`` ends after ``seconds``, with its response or by raising ApiError; immediately if 0."""
    operation: Json = {"name": name, "metadata": metadata}
    cloud.operations[name] = operation

    def end() -> None:
        try:
            operation["response"] = finish()
        except ApiError as error:
            operation["error"] = status_of(error)
        operation["done"] = True
        if name.startswith("projects/"):  # the TPU API's; clients refuse a field that their own API's metadata lacks
            metadata["endTime"] = cloud.stamp()

    cloud.later(seconds, end)
    return operation


def status_of(error: ApiError) -> Json:
    """Turn an error into the google.rpc.Status inside an operation."""
    status: Json = {"code": CODES.get(error.status, 2), "message": error.message}
    return {**status, "details": list(error.details)} if error.details else status


def get_operation(cloud: Cloud, call: EmulatedCall) -> Json:
    if call.resource not in cloud.operations:
        raise ApiError(404, f"Operation not found: {call.resource}")
    return cloud.operations[call.resource]


ROUTES: tuple[Route, ...] = (
    *routes_of("serviceusage.googleapis.com", ("GET", "/(v1|v1beta1)/operations/(acat|acf).{operation}", get_operation, "")),
    *routes_of("cloudresourcemanager.googleapis.com", ("GET", "/(v1|v3)/operations/cp.{operation}", get_operation, "")),
)
