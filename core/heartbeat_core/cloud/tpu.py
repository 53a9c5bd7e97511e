"""Cloud TPU: what the zones offer, nodes and queued resources (tpu.googleapis.com, v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from heartbeat_core.cloud.accelerators import Accelerator, Provisioning, Scope, find_accelerator
from heartbeat_core.cloud.errors import ERROR_INFO, redact
from heartbeat_core.cloud.json_fields import flag, has, labels, last, rows, segment, table, text, texts, whole
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.errors import HeartbeatError

SERVICE = "tpu"
PAGE = {"pageSize": "1000"}
EVERYWHERE = "-"
GONE = frozenset({"DELETING", "PREEMPTED", "TERMINATED"})
# To nodes in these gcloud refuses to connect (googlecloudsdk/command_lib/compute/tpus/tpu_vm/ssh.py).
CLOSED = frozenset({*GONE, "STOPPED", "STOPPING", "HIDDEN"})
HOLDING = frozenset({"SUSPENDED", "FAILED"})  # queued resources that have no node and keep its quota


@dataclass(frozen=True)
class Endpoint:
    address: str | None
    external: str | None


@dataclass(frozen=True)
class Symptom:
    kind: str | None
    details: str | None
    worker: str | None
    at: str | None


@dataclass(frozen=True)
class Node:
    """A TPU VM; every word of Google's is kept as it is, known or not, and None where it is missing.

    ``answer`` is all that Google said of it.
    """

    id: str
    zone: str
    state: str | None
    health: str | None
    health_description: str | None
    accelerator_type: str | None
    runtime_version: str | None
    provisioning: Provisioning
    endpoints: tuple[Endpoint, ...]
    service_account: str | None
    scopes: tuple[str, ...]
    created: str | None
    queued_resource: str | None
    symptoms: tuple[Symptom, ...]
    labels: Mapping[str, str]
    topology: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class QueuedResource:
    """A request that waits for its nodes, or holds them; ``problem`` says why it failed, ``answer`` is all that Google said of it."""

    id: str
    zone: str
    state: str | None
    accelerator_types: tuple[str, ...]
    nodes: tuple[str, ...]
    provisioning: Provisioning
    created: str | None
    runtime_version: str | None = None
    problem: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Nodes:
    """What a project has; ``unreachable`` names the zones that did not answer and may hold more."""

    nodes: tuple[Node, ...] = ()
    queued: tuple[QueuedResource, ...] = ()
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuotaUsage:
    """How much of a quota is in use: ``sure`` by nodes that run, ``maybe`` by those stopped; ``by`` says whose.

    ``doubts`` says why there may be more.
    """

    sure: int
    maybe: int
    by: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def list_zones(session: CloudSession, project: str) -> tuple[str, ...]:
    """List the zones that have TPUs of any kind."""
    found = session.list(SERVICE, f"/v2/projects/{segment(project)}/locations", "locations", PAGE)
    return tuple(sorted(zone for item in found.items if (zone := text(item, "locationId") or last(text(item, "name")))))


def list_accelerator_types(session: CloudSession, project: str, zone: str) -> tuple[str, ...]:
    """List the accelerator types that a zone offers."""
    found = session.list(SERVICE, f"{place(project, zone)}/acceleratorTypes", "acceleratorTypes", PAGE)
    return tuple(name for item in found.items if (name := text(item, "type") or last(text(item, "name"))))


def list_runtime_versions(session: CloudSession, project: str, zone: str) -> tuple[str, ...]:
    """List the runtime versions that a zone offers."""
    found = session.list(SERVICE, f"{place(project, zone)}/runtimeVersions", "runtimeVersions", PAGE)
    return tuple(name for item in found.items if (name := text(item, "version") or last(text(item, "name"))))


def list_nodes(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Nodes:
    """List the nodes of one zone, or of all."""
    found = session.list(SERVICE, f"{place(project, zone)}/nodes", "nodes", PAGE)
    return Nodes(nodes=tuple(node_of(item) for item in found.items), unreachable=found.unreachable)


def list_queued_resources(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Nodes:
    """List the queued resources of one zone, or of all."""
    found = session.list(SERVICE, f"{place(project, zone)}/queuedResources", "queuedResources", PAGE)
    return Nodes(queued=tuple(queued_of(item) for item in found.items), unreachable=found.unreachable)


def get_node(session: CloudSession, project: str, zone: str, node: str) -> Node:
    return node_of(session.get(SERVICE, f"{place(project, zone)}/nodes/{segment(node)}"))


def get_queued_resource(session: CloudSession, project: str, zone: str, queued: str) -> QueuedResource:
    return queued_of(session.get(SERVICE, f"{place(project, zone)}/queuedResources/{segment(queued)}"))


def held(everything: Nodes, accelerator: Accelerator, provisioning: Provisioning, scope: Scope, where: str) -> QuotaUsage:
    """Count what of one quota is in use in the zone or region ``where``, in the unit of the quota.

    Nodes of a queued resource are counted as nodes; suspended and failed queued resources hold theirs without any.
    """
    sure, maybe, by = 0, 0, []
    doubts = [f"{place} did not answer" for place in everything.unreachable]

    def counted(zone: str, other: Provisioning) -> bool:
        return (zone if scope == "zone" else zone.rpartition("-")[0]) == where and (other == "spot") == (provisioning == "spot")

    for node in everything.nodes:
        kind = find_accelerator(node.accelerator_type)
        if not counted(node.zone, node.provisioning) or node.state in GONE or (kind and not accelerator.same_quota(kind)):
            continue
        if kind is None:
            doubts.append(f"{node.id} is of an unknown type, {node.accelerator_type or 'which is not said'}")
        elif node.state == "STOPPED":
            maybe += kind.size
            by.append(f"{node.id} ({node.accelerator_type}, STOPPED)")
        else:
            sure += kind.size
            by.append(f"{node.id} ({node.accelerator_type})")
    for queued in everything.queued:
        kinds = [kind for name in queued.accelerator_types if (kind := find_accelerator(name)) and accelerator.same_quota(kind)]
        if kinds and queued.state in HOLDING and counted(queued.zone, queued.provisioning):
            sure += sum(kind.size for kind in kinds)
            by.append(f"queued resource {queued.id} ({queued.state})")
    return QuotaUsage(sure, maybe, tuple(by), tuple(doubts))


def place(project: str, zone: str) -> str:
    return f"/v2/projects/{segment(project)}/locations/{segment(zone)}"


def node_of(answer: Any) -> Node:
    name = text(answer, "name") or ""
    return Node(
        id=last(name),
        zone=zone_of(name),
        state=text(answer, "state"),
        health=text(answer, "health"),
        health_description=text(answer, "healthDescription"),
        accelerator_type=text(answer, "acceleratorType"),
        runtime_version=text(answer, "runtimeVersion"),
        provisioning=provisioning_of(
            spot=bool(flag(answer, "schedulingConfig", "spot") or flag(answer, "schedulingConfig", "preemptible")),
            reserved=bool(flag(answer, "schedulingConfig", "reserved")),
        ),
        endpoints=tuple(
            Endpoint(text(row, "ipAddress"), text(row, "accessConfig", "externalIp")) for row in rows(answer, "networkEndpoints")
        ),
        service_account=text(answer, "serviceAccount", "email"),
        scopes=texts(answer, "serviceAccount", "scope"),
        created=text(answer, "createTime"),
        queued_resource=last(text(answer, "queuedResource")) or None,
        symptoms=tuple(
            Symptom(text(row, "symptomType"), text(row, "details"), text(row, "workerId"), text(row, "createTime"))
            for row in rows(answer, "symptoms")
        ),
        labels=labels(answer, "labels"),
        topology=text(answer, "acceleratorConfig", "topology"),
        answer=answer if isinstance(answer, dict) else {},
    )


def queued_of(answer: Any) -> QueuedResource:
    name, specs = text(answer, "name") or "", rows(answer, "tpu", "nodeSpec")
    reserved = bool(flag(answer, "guaranteed", "reserved") or text(answer, "reservationName"))
    return QueuedResource(
        id=last(name),
        zone=zone_of(name),
        state=text(answer, "state", "state"),
        accelerator_types=tuple(kind for spec in specs if (kind := text(spec, "node", "acceleratorType")) for _ in range(copies(spec))),
        nodes=tuple(node for spec in specs if (node := text(spec, "nodeId"))),
        provisioning=provisioning_of(spot=has(answer, "spot"), reserved=reserved),
        created=text(answer, "createTime"),
        runtime_version=next((version for spec in specs if (version := text(spec, "node", "runtimeVersion"))), None),
        problem=text(answer, "state", "failedData", "error", "message"),
        answer=answer if isinstance(answer, dict) else {},
    )


def copies(spec: Mapping[str, Any]) -> int:
    """Read how many nodes one specification asks for."""
    return min(max(1, whole(spec, "multisliceParams", "nodeCount") or 1), 1000)


def provisioning_of(*, spot: bool, reserved: bool) -> Provisioning:
    return "spot" if spot else "reserved" if reserved else "on-demand"


def zone_of(name: str) -> str:
    """Read the zone in "projects/p/locations/z/nodes/n", empty where there is none."""
    parts = name.split("/")
    return parts[parts.index("locations") + 1] if "locations" in parts[:-1] else ""


class OperationError(HeartbeatError):
    """What an operation ended with: ``code`` is gRPC's number, ``reason`` and ``metadata`` are those of google.rpc.ErrorInfo."""

    def __init__(
        self, message: str, code: int | None = None, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        self.message, self.code = redact(message), code
        self.reason, self.metadata = reason, dict(metadata or {})
        super().__init__("the operation failed", self.message, "", exit_code=1)


@dataclass(frozen=True)
class Operation:
    """``target`` names the resource it is about; ``error`` is None while it runs and where it went well."""

    name: str
    done: bool
    verb: str | None
    target: str | None
    created: str | None
    ended: str | None
    detail: str | None
    error: OperationError | None


def get_operation(session: CloudSession, name: str) -> Operation:
    """Read one operation by its full name."""
    path = "/".join(segment(part) for part in name.split("/"))
    return operation_of(session.get(SERVICE, f"/v2/{path}"))


def list_operations(session: CloudSession, project: str, zone: str) -> tuple[Operation, ...]:
    """List the operations of a zone, those that have ended included for as long as Google keeps them."""
    found = session.list(SERVICE, f"{place(project, zone)}/operations", "operations", PAGE)
    return tuple(operation_of(item) for item in found.items)


def operation_of(answer: Any) -> Operation:
    return Operation(
        name=text(answer, "name") or "",
        done=flag(answer, "done") or False,
        verb=text(answer, "metadata", "verb"),
        target=text(answer, "metadata", "target"),
        created=text(answer, "metadata", "createTime"),
        ended=text(answer, "metadata", "endTime"),
        detail=text(answer, "metadata", "statusDetail"),
        error=error_of(answer.get("error")) if has(answer, "error") else None,
    )


def error_of(status: Any) -> OperationError:
    """Read a google.rpc.Status."""
    info = next((detail for detail in rows(status, "details") if detail.get("@type") == ERROR_INFO), {})
    metadata = {key: value for key, value in table(info, "metadata").items() if isinstance(value, str)}
    return OperationError(
        text(status, "message") or "Google does not say why", whole(status, "code"), reason=text(info, "reason"), metadata=metadata
    )


def create_node(session: CloudSession, project: str, zone: str, node: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM; the node's id is all that tells one request from another: this API has no id of requests."""
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/nodes", body, {"nodeId": node}))


def create_queued_resource(session: CloudSession, project: str, zone: str, queued: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM as soon as there is one."""
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/queuedResources", body, {"queuedResourceId": queued}))


def change_node(session: CloudSession, project: str, zone: str, node: str, verb: Literal["start", "stop"]) -> Operation:
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/nodes/{segment(node)}:{verb}", {}))


def delete_node(session: CloudSession, project: str, zone: str, node: str) -> Operation:
    return operation_of(session.delete(SERVICE, f"{place(project, zone)}/nodes/{segment(node)}"))


def delete_queued_resource(session: CloudSession, project: str, zone: str, queued: str) -> Operation:
    """Delete a queued resource with its nodes: without ``force`` one that holds nodes is not deleted."""
    return operation_of(session.delete(SERVICE, f"{place(project, zone)}/queuedResources/{segment(queued)}", {"force": "true"}))
