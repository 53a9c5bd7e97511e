"""Cloud TPU: what the zones offer, nodes and queued resources (tpu.googleapis.com, v2), through google-cloud-tpu.

The client takes a third of a second to import, so that happens at the first call. It asks for enums as numbers: a word that it does not
know stays a number, and is shown as it. Messages are read as protocol buffers: their wrappers warn of each such number.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from heartbeat_core.cloud.accelerators import PREEMPTIBLE, Accelerator, Provisioning, Scope, find_accelerator, type_of_config
from heartbeat_core.cloud.cancellation import Timeout
from heartbeat_core.cloud.errors import CloudError, redact, refusal
from heartbeat_core.cloud.json_fields import flag, last, rows, segment, table, text, texts
from heartbeat_core.cloud.session import CloudSession, Exchange, every_page
from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.cloud.connection import HttpConnection

T = TypeVar("T")
Verb = Literal["create", "start", "stop", "delete"]  # of an operation

SERVICE = "tpu"
PAGE_SIZE = 1000
EVERYWHERE = "-"
UNAUTHORIZED = 401
GONE = frozenset({"DELETING", "PREEMPTED", "TERMINATED"})
# To nodes in these gcloud refuses to connect (googlecloudsdk/command_lib/compute/tpus/tpu_vm/ssh.py).
CLOSED = frozenset({*GONE, "STOPPED", "STOPPING", "HIDDEN"})
HOLDING = frozenset({"SUSPENDED", "FAILED"})  # queued resources that have no node and keep its quota
WAITING = frozenset({"CREATING", "ACCEPTED", "WAITING_FOR_RESOURCES", "PROVISIONING", "SUSPENDING"})  # those that may hold it


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

    kind: ClassVar[Literal["node"]] = "node"
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
    created: str | None
    queued_resource: str | None
    symptoms: tuple[Symptom, ...]
    labels: Mapping[str, str]
    topology: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class QueuedResource:
    """A request that waits for its nodes, or holds them; ``problem`` says why it failed, ``answer`` is all that Google said of it."""

    kind: ClassVar[Literal["queued"]] = "queued"
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
    """How much of a quota is in use: ``sure`` by nodes that run, ``maybe`` by those stopped or queued; ``by`` says whose.

    ``doubts`` says why there may be more.
    """

    sure: int
    maybe: int
    by: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def list_zones(session: CloudSession, project: str) -> tuple[str, ...]:
    """List the zones that have TPUs of any kind."""
    return tuple(sorted(read_names(session, "list_locations", "locations", "location_id", name=place(project))))


def list_accelerator_types(session: CloudSession, project: str, zone: str) -> tuple[str, ...]:
    """List the accelerator types that a zone offers."""
    return read_names(session, "list_accelerator_types", "accelerator_types", "type_", parent=place(project, zone))


def list_runtime_versions(session: CloudSession, project: str, zone: str) -> tuple[str, ...]:
    """List the runtime versions that a zone offers."""
    return read_names(session, "list_runtime_versions", "runtime_versions", "version", parent=place(project, zone))


def list_nodes(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Nodes:
    """List the nodes of one zone, or of all."""
    nodes, unreachable = read_list(session, "list_nodes", "nodes", node_of, parent=place(project, zone))
    return Nodes(nodes=nodes, unreachable=unreachable)


def list_queued_resources(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Nodes:
    """List the queued resources of one zone, or of all."""
    queued, unreachable = read_list(session, "list_queued_resources", "queued_resources", queued_of, parent=place(project, zone))
    return Nodes(queued=queued, unreachable=unreachable)


def get_node(session: CloudSession, project: str, zone: str, node: str) -> Node:
    return node_of(*read_one(session, "get_node", name=f"{place(project, zone)}/nodes/{segment(node)}"))


def get_queued_resource(session: CloudSession, project: str, zone: str, queued: str) -> QueuedResource:
    return queued_of(*read_one(session, "get_queued_resource", name=f"{place(project, zone)}/queuedResources/{segment(queued)}"))


def held(everything: Nodes, accelerator: Accelerator, provisioning: Provisioning, scope: Scope, where: str) -> QuotaUsage:
    """Count what of one quota is in use in the zone or region ``where``, in the unit of the quota.

    Nodes of a queued resource are counted as nodes; suspended and failed queued resources hold theirs without any.
    """

    def here(zone: str) -> bool:
        return (zone if scope == "zone" else zone.rpartition("-")[0]) == where

    def counted(zone: str, other: Provisioning) -> bool:
        return here(zone) and (other in PREEMPTIBLE) == (provisioning in PREEMPTIBLE)

    sure, maybe, by = 0, 0, []
    doubts = [f"{zone} did not answer" for zone in map(last, everything.unreachable) if here(zone)]
    for node in everything.nodes:
        kind = find_accelerator(node.accelerator_type)
        if not counted(node.zone, node.provisioning) or node.state in GONE or (kind and not accelerator.same_quota(kind)):
            continue
        if kind is None:
            doubts.append(f"{node.id} is of an unknown type, {node.accelerator_type or 'which is not said'}")
        elif node.state == "STOPPED" or node.provisioning == "reserved":  # no source says whether a reservation counts
            maybe += kind.size
            by.append(f"{node.id} ({node.accelerator_type}, {'STOPPED' if node.state == 'STOPPED' else 'reserved'})")
        else:
            sure += kind.size
            by.append(f"{node.id} ({node.accelerator_type})")
    for queued in everything.queued:
        kinds = [kind for name in queued.accelerator_types if (kind := find_accelerator(name)) and accelerator.same_quota(kind)]
        if kinds and queued.state in HOLDING | WAITING and counted(queued.zone, queued.provisioning):
            if queued.state in HOLDING:
                sure += sum(kind.size for kind in kinds)
            else:
                maybe += sum(kind.size for kind in kinds)
            by.append(f"queued resource {queued.id} ({queued.state})")
    return QuotaUsage(sure, maybe, tuple(by), tuple(doubts))


def place(project: str, zone: str | None = None) -> str:
    return f"projects/{segment(project)}" + (f"/locations/{segment(zone)}" if zone else "")


# -- calls of the client

CALLS = threading.local()  # in the thread of a call, its exchange


def client_of(connection: HttpConnection) -> Any:
    """Return the client of a connection, which is made once."""
    from google.api_core.client_options import ClientOptions
    from google.cloud.tpu_v2 import TpuClient

    with connection.lock:
        if connection.tpu_client is None:
            options = ClientOptions(api_endpoint=connection.endpoint) if connection.endpoint else None
            client: Any = TpuClient(credentials=connection.login.credentials, transport="rest", client_options=options)
            http = connection.prepare(client.transport._session)  # noqa: SLF001  # it has no other name
            http.max_redirects = 0
            http.auth = note_request
            http.hooks["response"].append(note_answer)
            connection.tpu_client = client
        return connection.tpu_client


def note_request(request: Any) -> Any:
    """Note what is sent; as the session's authorization it also keeps a line in ~/.netrc from replacing the token."""
    CALLS.exchange.method, CALLS.exchange.path = request.method, urlsplit(request.url).path
    return request


def note_answer(response: Any, **_: object) -> None:
    """Note an answer, and pass it on without control characters; raise CloudError for one that is no object, and for a refusal.

    The first refusal of a token is passed on, for the session then renews it.
    """
    from heartbeat_core.cloud.connection import read_object

    exchange: Exchange = CALLS.exchange
    renewed, exchange.status = exchange.status == UNAUTHORIZED, response.status_code
    if response.status_code == UNAUTHORIZED and not renewed and "Authorization" in response.request.headers:
        return
    if not response.ok or response.is_redirect:
        raise refusal(SERVICE, response.status_code, response.content, response.headers.get("Retry-After"))
    exchange.answer = read_object(response.content, SERVICE)
    response._content = json.dumps(exchange.answer).encode()  # noqa: SLF001  # requests has no other way


def call(session: CloudSession, method: str, /, *, reads: bool = True, **request: Any) -> tuple[Any, dict[str, Any]]:
    """Call a method of the client; return its answer as a message, None if it does not fit, and as JSON. Raise CloudError."""
    from google.protobuf.json_format import ParseError

    from heartbeat_core.cloud.connection import failures

    work, exchange = getattr(client_of(session.connection), method), Exchange()

    def send(timeout: Timeout) -> tuple[Any, dict[str, Any]]:
        CALLS.exchange, exchange.status = exchange, None
        session.connection.authorize({}, timeout)
        with failures(SERVICE):
            try:
                message = message_of(work(request, retry=None, timeout=timeout[1]))
            except ParseError:
                message = None
            except AttributeError:  # of an answer with "@type": null
                if not exchange.answer:
                    raise
                message = None
        return message, exchange.answer

    return session.carry_out(SERVICE, send, exchange, reads=reads)


def message_of(reply: Any) -> Any:
    """Return the protocol buffer in a reply: of one page of a list, of an operation, or of a resource."""
    reply = next(reply.pages) if hasattr(reply, "pages") else getattr(reply, "operation", reply)
    return type(reply).pb(reply) if hasattr(type(reply), "pb") else reply


def read_one(session: CloudSession, method: str, /, **request: Any) -> tuple[Any, dict[str, Any]]:
    """Call a method that returns one resource; raise CloudError."""
    message, answer = call(session, method, **request)
    if message is None:
        raise CloudError("garbled", "its fields are not those of google.cloud.tpu.v2", service=SERVICE)
    return message, answer


def read_list(
    session: CloudSession, method: str, name: str, read: Callable[[Any, Mapping[str, Any]], T], /, **request: Any
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Read every page of the list ``name``; return what ``read`` makes of its items, and the places that may hold more.

    An item that does not fit does not cost the others of its page: its place is one that may hold more.
    """
    found: list[T] = []
    unreachable: list[str] = []
    key = name.partition("_")[0] + name.partition("_")[2].title()

    def read_page(token: str) -> tuple[Any, dict[str, Any]]:
        return call(session, method, **request, page_size=PAGE_SIZE, page_token=token)

    for page, answer in every_page(read_page, SERVICE, name, lambda page: page[1]):
        items = rows(answer, key)
        messages = getattr(page, name) if page is not None else [parsed(key, item) for item in items]
        unreachable += texts(answer, "unreachable")
        for message, item in zip(messages, items, strict=False):
            if message is None:
                unreachable.append(zone_of(text(item, "name") or "") or "a place")
            else:
                found.append(read(message, item))
    return tuple(found), tuple(dict.fromkeys(unreachable))


def read_names(session: CloudSession, method: str, name: str, field_: str, /, **request: Any) -> tuple[str, ...]:
    """Read what the items of a list are called, by ``field_`` or by the end of their names."""
    found, _ = read_list(session, method, name, lambda item, _: getattr(item, field_) or last(item.name), **request)
    return tuple(filter(None, found))


def parsed(key: str, item: Mapping[str, Any]) -> Any:
    """Read an item of the list called ``key`` as a message, None if it does not fit."""
    from google.cloud import tpu_v2
    from google.cloud.location.locations_pb2 import Location
    from google.longrunning.operations_pb2 import Operation as OperationMessage
    from google.protobuf.json_format import ParseDict, ParseError

    kinds: dict[str, Any] = {
        "locations": Location, "operations": OperationMessage, "nodes": tpu_v2.Node.pb(),
        "queuedResources": tpu_v2.QueuedResource.pb(),
        "acceleratorTypes": tpu_v2.AcceleratorType.pb(),
        "runtimeVersions": tpu_v2.RuntimeVersion.pb(),
    }  # fmt: skip
    try:
        return ParseDict(item, kinds[key](), ignore_unknown_fields=True)
    except (ParseError, AttributeError):  # the second for "@type": null
        return None


def words_of(resource: Node | QueuedResource) -> Any:
    """Return all that Google said of a resource, with the names of the numbers that stand for them."""
    from google.protobuf.json_format import MessageToDict

    message = parsed("nodes" if isinstance(resource, Node) else "queuedResources", resource.answer)
    return merged(resource.answer, MessageToDict(message) if message is not None else {})


def merged(said: Any, words: Any) -> Any:
    """Replace numbers in ``said`` by the words that stand in their place in ``words``."""
    if isinstance(said, Mapping):
        return {key: merged(value, words.get(key) if isinstance(words, Mapping) else None) for key, value in said.items()}
    if isinstance(said, list):
        return [merged(value, word) for value, word in zip(said, words if isinstance(words, list) else [None] * len(said), strict=True)]
    return words if isinstance(said, int) and isinstance(words, str) else said


# -- messages


def word(message: Any, name: str) -> str | None:
    """Return the word of an enum, None for the unspecified one, and the number for one that the client does not know."""
    number = getattr(message, name)
    known = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number.get(number)
    return (known.name if known else str(number)) if number else None


def moment_of(message: Any, name: str) -> str | None:
    return getattr(message, name).ToJsonString() if message.HasField(name) else None


def node_of(message: Any, answer: Mapping[str, Any]) -> Node:
    scheduling = message.scheduling_config
    return Node(
        id=last(message.name),
        zone=zone_of(message.name),
        state=word(message, "state"),
        health=word(message, "health"),
        health_description=message.health_description or None,
        accelerator_type=type_of(message),
        runtime_version=message.runtime_version or None,
        provisioning=provisioning_of(spot=scheduling.spot or scheduling.preemptible, reserved=scheduling.reserved),
        endpoints=tuple(Endpoint(each.ip_address or None, each.access_config.external_ip or None) for each in message.network_endpoints),
        service_account=message.service_account.email or None,
        created=moment_of(message, "create_time"),
        queued_resource=last(message.queued_resource) or None,
        symptoms=tuple(
            Symptom(word(each, "symptom_type"), each.details or None, each.worker_id or None, moment_of(each, "create_time"))
            for each in message.symptoms
        ),
        labels=dict(message.labels),
        topology=message.accelerator_config.topology or None,
        answer=answer,
    )


def type_of(node: Any) -> str | None:
    """Return the accelerator type of a node; one that was asked for by generation and topology has no other."""
    named: str = node.accelerator_type
    return named or type_of_config(word(node.accelerator_config, "type_"), node.accelerator_config.topology)


def queued_of(message: Any, answer: Mapping[str, Any]) -> QueuedResource:
    specs = message.tpu.node_spec
    flexible = text(answer, "provisioningModel") == "FLEX_START"  # as reserved, not in the client's v2
    reserved = bool(flag(answer, "guaranteed", "reserved") or message.reservation_name)  # the first is of v2alpha1
    return QueuedResource(
        id=last(message.name),
        zone=zone_of(message.name),
        state=word(message.state, "state"),
        accelerator_types=tuple(kind for spec in specs if (kind := type_of(spec.node)) for _ in range(copies(spec))),
        nodes=tuple(spec.node_id for spec in specs if spec.node_id),
        provisioning="flex-start" if flexible else provisioning_of(spot=message.HasField("spot"), reserved=reserved),
        created=moment_of(message, "create_time"),
        runtime_version=next((spec.node.runtime_version for spec in specs if spec.node.runtime_version), None),
        problem=message.state.failed_data.error.message or None,
        answer=answer,
    )


def copies(spec: Any) -> int:
    """Read how many nodes one specification asks for."""
    count: int = spec.multislice_params.node_count
    return min(max(1, count), 1000)


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
    error: OperationError | None


def get_operation(session: CloudSession, name: str) -> Operation:
    """Read one operation by its full name."""
    return operation_of(*call(session, "get_operation", name="/".join(segment(part) for part in name.split("/"))))


def list_operations(session: CloudSession, project: str, zone: str) -> tuple[Operation, ...]:
    """List the operations of a zone, those that have ended included for as long as Google keeps them."""
    return read_list(session, "list_operations", "operations", operation_of, name=place(project, zone))[0]


def operation_of(message: Any, answer: Mapping[str, Any]) -> Operation:
    """Read an operation; one with a part of an unknown type, whose message is None, is read without the parts that have types."""
    from google.cloud.tpu_v2 import OperationMetadata

    if message is None:
        error = {key: value for key, value in table(answer, "error").items() if key != "details"}
        message = parsed(
            "operations", {**{key: answer[key] for key in ("name", "done") if key in answer}, **({"error": error} if error else {})}
        )
    if message is None:
        raise CloudError("garbled", "this is no operation", service=SERVICE)
    metadata = OperationMetadata.pb()()
    message.metadata.Unpack(metadata)
    return Operation(
        name=message.name,
        done=message.done,
        verb=metadata.verb or None,
        target=metadata.target or None,
        error=error_of(message.error) if message.HasField("error") else None,
    )


def error_of(status: Any) -> OperationError:
    """Read a google.rpc.Status."""
    from google.rpc.error_details_pb2 import ErrorInfo

    info = ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    return OperationError(
        status.message or "Google does not say why", status.code or None, reason=info.reason or None, metadata=dict(info.metadata)
    )


def create_node(session: CloudSession, project: str, zone: str, node: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM; the node's id is all that tells one request from another: this method takes no id of requests."""
    return change(session, "create_node", parent=place(project, zone), node_id=node, node=body)


def create_queued_resource(session: CloudSession, project: str, zone: str, queued: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM as soon as there is one."""
    request = {"parent": place(project, zone), "queued_resource_id": queued, "queued_resource": body, "request_id": str(uuid.uuid4())}
    return change(session, "create_queued_resource", **request)


def change_node(session: CloudSession, project: str, zone: str, node: str, verb: Verb) -> Operation:
    """Start, stop or delete a TPU VM."""
    return change(session, f"{verb}_node", name=f"{place(project, zone)}/nodes/{segment(node)}")


def delete_queued_resource(session: CloudSession, project: str, zone: str, queued: str) -> Operation:
    """Delete a queued resource with its nodes: without ``force`` one that holds nodes is not deleted."""
    name = f"{place(project, zone)}/queuedResources/{segment(queued)}"
    return change(session, "delete_queued_resource", name=name, force=True, request_id=str(uuid.uuid4()))


def change(session: CloudSession, method: str, /, **request: Any) -> Operation:
    """Send a request that changes something, once, and return its operation; raise CloudError."""
    return operation_of(*call(session, method, reads=False, **request))
