"""What goes over the wire: a call, and the errors as Google words and shapes them (google.rpc.Status with details)."""

from __future__ import annotations

import configparser
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TYPE = "type.googleapis.com/google.rpc."
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


# The numbers of the Cloud TPU API's enums, by the field; tests/referee compares them with Google's client.
QUEUED_STATES = (
    "CREATING", "ACCEPTED", "PROVISIONING", "FAILED", "DELETING", "ACTIVE", "SUSPENDING", "SUSPENDED", "WAITING_FOR_RESOURCES",
)  # fmt: skip
ENUMS: dict[str, dict[str, int]] = {
    "state": {
        "CREATING": 1, "READY": 2, "RESTARTING": 3, "REIMAGING": 4, "DELETING": 5, "REPAIRING": 6, "STOPPED": 8, "STOPPING": 9,
        "STARTING": 10, "PREEMPTED": 11, "TERMINATED": 12, "HIDING": 13, "HIDDEN": 14, "UNHIDING": 15, "UNKNOWN": 16,
    },
    "queued state": {state: number for number, state in enumerate(QUEUED_STATES, 1)},
    "health": {"HEALTHY": 1, "TIMEOUT": 3, "UNHEALTHY_TENSORFLOW": 4, "UNHEALTHY_MAINTENANCE": 5},
    "apiVersion": {"V1_ALPHA1": 1, "V1": 2, "V2_ALPHA1": 3, "V2": 4},
    "stateInitiator": {"USER": 1, "SERVICE": 2},
    "symptomType": {
        "LOW_MEMORY": 1, "OUT_OF_MEMORY": 2, "EXECUTE_TIMED_OUT": 3, "MESH_BUILD_FAIL": 4, "HBM_OUT_OF_MEMORY": 5, "PROJECT_ABUSE": 6,
    },
    "mode": {"READ_WRITE": 1, "READ_ONLY": 2},
    "type": {"V2": 2, "V3": 4, "V4": 7, "V5LITE_POD": 9, "V5P": 10, "V6E": 11},
}  # fmt: skip
NEW_WORD = 99  # stands for a word that Google might add


def numbered(value: Any, field: str = "") -> Any:
    """Return an answer of the Cloud TPU API with numbers for enums, as clients ask for with ``$alt=json;enum-encoding=int``."""
    if isinstance(value, dict):
        within = "queued " if field == "state" else ""
        return {key: numbered(part, within + key if within + key in ENUMS else key) for key, part in value.items()}
    if isinstance(value, list):
        return [numbered(part, field) for part in value]
    if not isinstance(value, str) or field not in ENUMS:
        return value
    certain = field in ("state", "queued state", "health", "symptomType")  # other fields of these names hold texts
    return ENUMS[field].get(value, NEW_WORD if certain else value)


@dataclass(frozen=True)
class EmulatedCall:
    """One request: ``args`` are the names in its path, ``query`` its parameters (the last of each), ``many`` all of them."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """Name what is asked about, without the version: projects/p/locations/z/nodes/n."""
        return self.path.split("/", 2)[-1].partition(":")[0]


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, http: int, message: str, *details: Json, status: str = "") -> None:
        super().__init__(message)
        self.http = http
        self.message = message
        self.details = details
        self.status = status or STATUSES[http]

    def to_json(self) -> Json:
        error: Json = {"code": self.http, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


class ComputeError(ApiError):
    """The same in Compute Engine's older shape."""

    def __init__(self, http: int, message: str, reason: str) -> None:
        super().__init__(http, message)
        self.reason = reason

    def to_json(self) -> Json:
        inner = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.http, "message": self.message, "errors": [inner], "status": self.status}}


def error_info(reason: str, domain: str = "googleapis.com", **metadata: str) -> Json:
    info: Json = {"@type": TYPE + "ErrorInfo", "reason": reason, "domain": domain}
    return {**info, "metadata": metadata} if metadata else info


def help_link(description: str, url: str) -> Json:
    return {"@type": TYPE + "Help", "links": [{"description": description, "url": url}]}


@functools.cache
def read_refusals() -> Mapping[str, Mapping[str, str]]:
    """Return the fields of each section of ``refusals.ini``."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Path(__file__).with_name("refusals.ini").read_text(encoding="utf-8"))
    return {reason: {name: " ".join(text.split()) for name, text in parser[reason].items()} for reason in parser.sections()}


def refused(reason: str, service: str, **metadata: str) -> ApiError:
    """Return Google's refusal for ``reason``; the consumer in its ``metadata`` may be another project than the caller's own."""
    said = read_refusals().get(reason, {"message": f"Refused: {reason}."})
    if reason == "SECURITY_POLICY_VIOLATED":  # an administrator needs this identifier
        metadata["uid"] = "emulated-Vx3_k9Q"
    words = {**metadata, "project": metadata.get("consumer", "").removeprefix("projects/")}
    words["url"] = said.get("url", "").format_map(words)
    help_ = [help_link(said["link"], words["url"])] if "link" in said else []
    details = error_info(reason, service=service, **metadata)
    return ApiError(401 if reason.startswith("AC") else 403, said["message"].format_map(words), details, *help_)


def service_disabled(service: str, title: str, consumer: str) -> ApiError:
    """Return the refusal of an API that is off in the project ``consumer``."""
    url = f"https://console.developers.google.com/apis/api/{service}/overview?project={consumer}"
    about = {"serviceTitle": title, "consumer": f"projects/{consumer}", "containerInfo": consumer, "activationUrl": url}
    return refused("SERVICE_DISABLED", service, **about)


def precondition_failure(kind: str, subject: str, message: str) -> Json:
    return {"@type": TYPE + "PreconditionFailure", "violations": [{"type": kind, "subject": subject, "description": message}]}


def permission_denied(service: str, permission: str, resource: str) -> ApiError:
    """Refuse for want of ``permission``; each API has words of its own."""
    if service == "compute.googleapis.com":
        return ComputeError(403, f"Required '{permission}' permission for '{resource}'", "forbidden")
    if service == "cloudbilling.googleapis.com":
        return ApiError(403, "The caller does not have permission")
    if service == "serviceusage.googleapis.com":
        verb, what = permission.rpartition(".")[2], resource.rpartition("/")[2]
        message = f"Permission denied to {verb} service [{what}]" if "/services/" in resource else f"Permission denied to {verb} services"
        failure = precondition_failure("googleapis.com", "110002", message)
        return ApiError(403, message, failure, error_info("AUTH_PERMISSION_DENIED", service))
    full = f"//{service}/{resource}"
    info = error_info("IAM_PERMISSION_DENIED", service, permission=permission, resource=resource)
    if service == "tpu.googleapis.com":
        return ApiError(403, f"Permission '{permission}' denied on '{resource}'", info)
    if service == "iam.googleapis.com":
        return ApiError(403, f"Permission '{permission}' denied on resource (or it may not exist).", info)
    return ApiError(403, f"Permission '{permission}' denied on resource '{full}' (or it may not exist).", info)


def quota_exceeded(limit: str, value: int, scope: str, project: str) -> ApiError:
    """Refuse a creation at once: a QuotaFailure and, as the real one, no ErrorInfo. ``scope`` is "zone us-east5-a"."""
    message = f"Quota limit '{limit}' has been exceeded. Limit: {value} in {scope}."
    violation = {"subject": f"projects/{project}", "description": message}
    return ApiError(429, message, {"@type": TYPE + "QuotaFailure", "violations": [violation]})


def page(items: list[Json], name: str, call: EmulatedCall, default: int = 100) -> Json:
    """Cut one page out of ``items`` as pageSize and pageToken ask."""
    try:
        size = int(call.query.get("pageSize") or call.query.get("maxResults") or 0) or default
        start = int(call.query.get("pageToken") or 0)
    except ValueError:
        raise ApiError(400, "Request contains an invalid argument.") from None
    answer: Json = {name: items[start : start + size]} if items[start : start + size] else {}
    if start + size < len(items):
        answer["nextPageToken"] = str(start + size)
    return answer
