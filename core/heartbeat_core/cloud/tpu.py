"""Cloud TPU: what the zones offer, nodes and queued resources (tpu.googleapis.com, v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heartbeat_core.cloud.accelerators import Accelerator, Provisioning, Scope, find_accelerator
from heartbeat_core.cloud.fields import flag, has, labels, last, rows, segment, text, texts, whole
from heartbeat_core.cloud.session import CloudSession

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
class Held:
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


def held(everything: Nodes, accelerator: Accelerator, provisioning: Provisioning, scope: Scope, where: str) -> Held:
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
    return Held(sure, maybe, tuple(by), tuple(doubts))


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
