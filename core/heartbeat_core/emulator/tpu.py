"""Cloud TPU v2: TPU VMs, from the request to their end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from heartbeat_core.emulator.catalogue import REGION_METRICS, RUNTIMES, Slice, find_slice, slices
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page, quota_exceeded
from heartbeat_core.emulator.operations import status_of
from heartbeat_core.emulator.quotas import BY_ID, UNLIMITED, exceeded, limit, region_usage
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.seed import AGENTS, SCOPES, add_agent
from heartbeat_core.emulator.state import Cloud, EmulatedNode, EmulatedProject, Queued, TpuResource
from heartbeat_core.emulator.tpu_locations import EMPTY, PARENT, PREFIX, TPU, error_id, not_found, start_operation, zone_of

ID = re.compile(r"[a-z]([-a-z0-9]{0,60}[a-z0-9])?")
# What a create or an update may set, and is kept as it was sent.
KEPT = (
    "acceleratorType", "acceleratorConfig", "runtimeVersion", "description", "labels", "metadata", "tags", "dataDisks", "networkConfig",
    "networkConfigs", "cidrBlock", "schedulingConfig", "serviceAccount", "shieldedInstanceConfig", "bootDiskConfig",
)  # fmt: skip
MUTABLE = {"description", "labels", "metadata", "tags", "dataDisks", "networkConfig"}
Resource = TypeVar("Resource", bound=TpuResource)


def find(cloud: Cloud, call: EmulatedCall, resources: Mapping[str, Resource]) -> Resource:
    """Find what a path names among the nodes or the queued resources of its project; raise ApiError."""
    zone_of(call)
    name = f"projects/{cloud.project(call).id}/{call.resource.split('/', 2)[2]}"
    if name not in resources:
        raise not_found(call)
    return resources[name]


def listed(cloud: Cloud, call: EmulatedCall, resources: Mapping[str, TpuResource]) -> Json:
    """Return one page of what is in a zone, or anywhere for "-" but where a zone cannot be reached."""
    zone, kind = call.args["zone"], call.path.rpartition("/")[2]
    if zone != "-":
        zone_of(call)
        return page([each.to_json() for each in resources.values() if each.zone == zone], kind, call)
    silent = cloud.scenario.unreachable
    answer = page([each.to_json() for each in resources.values() if each.zone not in silent], kind, call)
    missing = [f"projects/{cloud.project(call).id}/locations/{place}" for place in silent]
    return {**answer, "unreachable": missing} if missing else answer


def get(cloud: Cloud, call: EmulatedCall) -> Json:
    return find(cloud, call, cloud.project(call).nodes).to_json()


def list_nodes(cloud: Cloud, call: EmulatedCall) -> Json:
    return listed(cloud, call, cloud.project(call).nodes)


def create(cloud: Cloud, call: EmulatedCall) -> Json:
    """Check a request in the order Google does, then start to create the node; a stockout comes out inside the operation."""
    project, zone = cloud.project(call), zone_of(call)
    name = call.query.get("nodeId") or f"node-{next(cloud.numbers)}"
    if not ID.fullmatch(name):
        raise bad_request(f'The field "node_id" cannot be "{name}"')
    slice_ = check_spec(cloud, project, zone, call.body)
    full = f"projects/{project.id}/locations/{zone}/nodes/{name}"
    if full in project.nodes:
        raise ApiError(409, f"Resource '{full}' already exists")
    scheduling = call.body.get("schedulingConfig") or {}
    spot = bool(scheduling.get("spot") or scheduling.get("preemptible"))
    if beyond := exceeded(project, zone, slice_, spot=spot):
        raise quota_exceeded(*beyond, project.number)
    node = new_node(cloud, project, full, slice_, call.body, spot=spot)

    def finish() -> Json:
        if project.nodes.get(full) is not node:
            raise ApiError(409, "The operation was overtaken: the node was deleted.", status="ABORTED")
        try:
            ensure_capacity(cloud, project, node)
        except ApiError:
            del project.nodes[full]
            raise
        node.state = "READY"
        return {"@type": PREFIX + "Node", **node.to_json()}

    return start_operation(cloud, full, "create", cloud.scenario.timings.create_s, finish)


def new_node(cloud: Cloud, project: EmulatedProject, name: str, slice_: Slice, body: Json, *, spot: bool) -> EmulatedNode:
    """Put a node there, still being created; the first of a project brings the service agent."""
    if not any(binding["role"] in AGENTS.values() for binding in project.policy.bindings):
        add_agent(project, "gcp-sa-tpu")
    kept = {key: body[key] for key in KEPT if key in body}
    account = kept.get("serviceAccount") or {}
    kept["serviceAccount"] = {"email": account.get("email") or project.default_account, "scope": account.get("scope") or SCOPES}
    node = EmulatedNode(name, slice_, spot, kept, "CREATING", cloud.stamp(), cloud.node_id(), addresses=cloud.scenario.addresses)
    project.nodes[name] = node
    return node


def check_spec(cloud: Cloud, project: EmulatedProject, zone: str, body: Json) -> Slice:
    """Find the slice a node asks for; raise ApiError where the zone, the runtime or the service account do not allow it."""
    config = body.get("acceleratorConfig") or {}
    wanted = str(body.get("acceleratorType") or config.get("type") or "v2-8")
    shape = config.get("type"), config.get("topology")
    slice_ = find_slice(zone, wanted) or next((each for each in slices(zone) if (each.family.config, each.topology) == shape), None)
    if slice_ is None:
        raise bad_request(
            f'The requested accelerator configuration for accelerator type, "{wanted}", could not be found in the zonal accelerator '
            f'configurations for "{zone}".; the accelerator {wanted} was not found in zone {zone}'
        )
    runtime = body.get("runtimeVersion")
    if runtime not in RUNTIMES:
        raise bad_request(f'The runtime version "{runtime}" was not found in zone {zone}')
    check_network(cloud, project, body)
    check_account(cloud, project, str((body.get("serviceAccount") or {}).get("email") or project.default_account))
    return slice_


def check_network(cloud: Cloud, project: EmulatedProject, body: Json) -> None:
    """Refuse a network that is not there, and what the organization's policies forbid."""
    config = body.get("networkConfig") or {}
    network = str(config.get("network") or "default").rpartition("/")[2]
    if network not in project.networks:
        raise bad_request(f"The network projects/{project.id}/global/networks/{network} was not found.")
    if (subnet := str(config.get("subnetwork") or network).rpartition("/")[2]) != network:  # each has one subnetwork, with its own name
        raise bad_request(f"The subnetwork {subnet} is not in the network {network}.")
    constraints = cloud.scenario.constraints
    shielded = (body.get("shieldedInstanceConfig") or {}).get("enableSecureBoot")
    for name, broken in (("requireShieldedVm", not shielded), ("vmExternalIpAccess", config.get("enableExternalIps", True))):
        if broken and f"compute.{name}" in constraints:
            message = f"Constraint constraints/compute.{name} violated for project {project.id}."
            raise ApiError(412, message, status="FAILED_PRECONDITION")


def check_account(cloud: Cloud, project: EmulatedProject, email: str) -> None:
    """Refuse a service account that is not there, or that the caller may not act as."""
    account = next((account for _, account in cloud.accounts() if account.email == email), None)
    if account is None:
        raise ApiError(400, f'Service account "{email}" does not exist.')
    if "iam.serviceAccounts.actAs" not in cloud.granted(project, account):
        who = cloud.scenario.principal.partition(":")[2]
        raise ApiError(
            400,
            f"The user does not have access to service account '{email}'. User: '{who}'. Ask a project owner to "
            "grant you the iam.serviceAccountUser role on the service account.",
        )


def bad_request(detail: str) -> ApiError:
    return ApiError(400, f"Cloud TPU received a bad request. {detail} {error_id(detail)}")


def ensure_capacity(cloud: Cloud, project: EmulatedProject, node: EmulatedNode) -> None:
    """Raise what comes out inside an operation: no capacity, no reservation, too few addresses or disk space."""
    zone, region = node.zone, node.zone.rpartition("-")[0]
    if (node.body.get("schedulingConfig") or {}).get("reserved"):
        message = "Insufficient reserved capacity. Contact customer support to increase your reservation."
        raise ApiError(400, f"{message} {error_id(message)}", status="FAILED_PRECONDITION")
    if zone in cloud.scenario.stockout:
        raise stockout(zone)
    for metric in ("IN_USE_ADDRESSES", "HDB_TOTAL_GB"):
        allowed = limit(project, BY_ID[REGION_METRICS[metric]], region)
        if allowed != UNLIMITED and region_usage(project, metric, region) > allowed:
            raise ApiError(429, f"Quota '{metric}' exceeded.  Limit: {float(allowed)} in region {region}. {error_id(metric + region)}")


def stockout(zone: str) -> ApiError:
    message = (
        f'There is no more capacity in the zone "{zone}"; you can try in another zone where Cloud TPU Nodes are offered '
        "(see https://cloud.google.com/tpu/docs/regions)"
    )
    return ApiError(429, f"{message} {error_id(message)}")


def delete(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    node = find(cloud, call, project.nodes)
    if node.body.get("queuedResource"):
        queued = str(node.body["queuedResource"])
        if queued in project.queued and project.queued[queued].state == "ACTIVE":
            raise ApiError(400, f"Node {node.name} belongs to the queued resource {queued}: delete that.", status="FAILED_PRECONDITION")
    node.state = "DELETING"

    def finish() -> Json:
        project.nodes.pop(node.name, None)
        return EMPTY

    return start_operation(cloud, node.name, "delete", cloud.scenario.timings.delete_s, finish)


CHANGES = {"start": ("STOPPED", "STARTING", "READY"), "stop": ("READY", "STOPPING", "STOPPED")}  # the states before, during and after


def change(cloud: Cloud, call: EmulatedCall) -> Json:
    """Start or stop a node, by the verb that ends the path."""
    node, verb = find(cloud, call, cloud.project(call).nodes), call.path.rpartition(":")[2]
    before, during, after = CHANGES[verb]
    if node.state != before:
        raise ApiError(400, f"Cannot {verb} node {node.name} in state {node.state}.", status="FAILED_PRECONDITION")
    node.state = during

    def finish() -> Json:
        if node.state == during:
            node.state = after
        return {"@type": PREFIX + "Node", **node.to_json()}

    timings = cloud.scenario.timings
    return start_operation(cloud, node.name, verb, timings.start_s if verb == "start" else timings.stop_s, finish)


def update(cloud: Cloud, call: EmulatedCall) -> Json:
    """Set the fields that updateMask names."""
    node = find(cloud, call, cloud.project(call).nodes)
    wanted = {re.sub(r"_(\w)", lambda found: found[1].upper(), path.strip()) for path in call.query.get("updateMask", "").split(",")} - {""}
    names = {path.partition(".")[0] for path in wanted}
    if not names or not names <= MUTABLE:
        raise bad_request(f'The field "update_mask" cannot be "{call.query.get("updateMask", "")}"')
    values: dict[str, Any] = {name: call.body.get(name) for name in names}

    def finish() -> Json:
        for name, value in values.items():
            if value is None:
                node.body.pop(name, None)
            else:
                node.body[name] = value
        return {"@type": PREFIX + "Node", **node.to_json()}

    return start_operation(cloud, node.name, "update", cloud.scenario.timings.update_s, finish)


NODE_ROUTES = routes_of(
    TPU,
    ("GET", PARENT + "/{zone}/nodes", list_nodes, "tpu.nodes.list"),
    ("POST", PARENT + "/{zone}/nodes", create, "tpu.nodes.create"),
    ("GET", PARENT + "/{zone}/nodes/{node}", get, "tpu.nodes.get"),
    ("PATCH", PARENT + "/{zone}/nodes/{node}", update, "tpu.nodes.update"),
    ("DELETE", PARENT + "/{zone}/nodes/{node}", delete, "tpu.nodes.delete"),
    ("POST", PARENT + "/{zone}/nodes/{node}:start", change, "tpu.nodes.start"),
    ("POST", PARENT + "/{zone}/nodes/{node}:stop", change, "tpu.nodes.stop"),
)


FREE_TO_DELETE = {"ACCEPTED", "FAILED", "SUSPENDED", "WAITING_FOR_RESOURCES"}


def get_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    return find(cloud, call, cloud.project(call).queued).to_json()


def list_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    return listed(cloud, call, cloud.project(call).queued)


def create_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    """Accept a request; the operation ends when it is accepted, the rest shows in the resource's own state."""
    project, zone = cloud.project(call), zone_of(call)
    specs = (call.body.get("tpu") or {}).get("nodeSpec") or []
    if len(specs) != 1 or "node" not in specs[0] or not specs[0].get("nodeId"):
        raise bad_request("The emulator takes one node spec with a node id")
    slice_ = check_spec(cloud, project, zone, specs[0]["node"])
    name = f"projects/{project.id}/locations/{zone}/queuedResources/{call.query.get('queuedResourceId')}"
    if begun := project.requests.get(call.query.get("requestId", "")):  # sent again: the answer is that of the first
        return begun
    if name in project.queued:
        raise ApiError(409, f"Resource '{name}' already exists")
    flexible = call.body.get("provisioningModel") == "FLEX_START"  # against the quotas of preemptible TPUs as well
    queued = Queued(name, slice_, "spot" in call.body or flexible, call.body, "CREATING", cloud.stamp())
    project.queued[name] = queued

    def accepted() -> Json:
        if queued.state == "CREATING":
            queued.state = "ACCEPTED"
            cloud.later(cloud.scenario.timings.accept_s, lambda: provision(cloud, project, queued))
        return {"@type": PREFIX + "QueuedResource", **queued.to_json()}

    operation = start_operation(cloud, name, "create", cloud.scenario.timings.accept_s, accepted)
    if request := call.query.get("requestId"):
        project.requests[request] = operation
    return operation


def provision(cloud: Cloud, project: EmulatedProject, queued: Queued) -> None:
    """Go from accepted to provisioning, to waiting where there is no capacity, or to failed where there is no quota."""
    if queued.state != "ACCEPTED":
        return  # deleted meanwhile
    if queued.zone in cloud.scenario.stockout:
        queued.state = "WAITING_FOR_RESOURCES"
        return
    if beyond := exceeded(project, queued.zone, queued.slice, spot=queued.spot):
        name, allowed, place = beyond
        queued.state = "FAILED"
        queued.error = status_of(ApiError(429, f"Quota '{name}' exhausted. Limit {allowed} in {place}"))
        return
    queued.state = "PROVISIONING"
    cloud.later(cloud.scenario.timings.create_s, lambda: activate(cloud, project, queued))


def activate(cloud: Cloud, project: EmulatedProject, queued: Queued) -> None:
    if queued.state != "PROVISIONING":
        return
    spec = queued.body["tpu"]["nodeSpec"][0]
    body = {**spec["node"], "schedulingConfig": {"spot": True} if "spot" in queued.body else {}}
    name = f"projects/{project.id}/locations/{queued.zone}/nodes/{spec['nodeId']}"
    node = new_node(cloud, project, name, queued.slice, body, spot=queued.spot)
    node.body["queuedResource"] = queued.name
    node.state, queued.state = "READY", "ACTIVE"


def delete_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    """Delete a request; one that is active or being provisioned needs ``force`` and takes its node along."""
    project = cloud.project(call)
    queued = find(cloud, call, project.queued)
    if queued.state not in FREE_TO_DELETE and call.query.get("force", "").lower() != "true":
        message = f"Queued resource {queued.name} is in state {queued.state}: it must be suspended or failed, or deleted by force."
        raise ApiError(400, message, status="FAILED_PRECONDITION")
    queued.state = "DELETING"

    def finish() -> Json:
        project.queued.pop(queued.name, None)
        for name in [name for name, node in project.nodes.items() if node.body.get("queuedResource") == queued.name]:
            del project.nodes[name]
        return EMPTY

    return start_operation(cloud, queued.name, "delete", cloud.scenario.timings.delete_s, finish)


def reset(cloud: Cloud, call: EmulatedCall) -> Json:
    """Put a suspended or failed request back in the queue."""
    project = cloud.project(call)
    queued = find(cloud, call, project.queued)
    if queued.state not in ("SUSPENDED", "FAILED"):
        raise ApiError(400, f"Queued resource {queued.name} is in state {queued.state}.", status="FAILED_PRECONDITION")

    def finish() -> Json:
        queued.state, queued.error = "ACCEPTED", None
        cloud.later(cloud.scenario.timings.accept_s, lambda: provision(cloud, project, queued))
        return {"@type": PREFIX + "QueuedResource", **queued.to_json()}

    return start_operation(cloud, queued.name, "reset", cloud.scenario.timings.update_s, finish)


# That queued resources ask for the permissions of nodes is an assumption.
QUEUED_ROUTES = routes_of(
    TPU,
    ("GET", PARENT + "/{zone}/queuedResources", list_queued, "tpu.nodes.list"),
    ("POST", PARENT + "/{zone}/queuedResources", create_queued, "tpu.nodes.create"),
    ("GET", PARENT + "/{zone}/queuedResources/{queued}", get_queued, "tpu.nodes.get"),
    ("DELETE", PARENT + "/{zone}/queuedResources/{queued}", delete_queued, "tpu.nodes.delete"),
    ("POST", PARENT + "/{zone}/queuedResources/{queued}:reset", reset, "tpu.nodes.create"),
)
ROUTES = (*NODE_ROUTES, *QUEUED_ROUTES)
