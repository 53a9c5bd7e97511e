"""Cloud TPU v2: TPU VMs, from the request to their end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from heartbeat_core.emulator.catalogue import REGION_METRICS, RUNTIMES, Slice, find_slice, slice_of_config
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, quota_exceeded
from heartbeat_core.emulator.operations import status_of
from heartbeat_core.emulator.quotas import BOOT_DISK_GB, BY_ID, UNLIMITED, exceeded, limit, region_usage
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.seed import AGENTS, SCOPES, add_agent
from heartbeat_core.emulator.state import Cloud, EmulatedNode, EmulatedProject, Queued
from heartbeat_core.emulator.tpu_locations import EMPTY, PARENT, PREFIX, TPU, error_id, listed, not_found, start_operation, zone_of

ID = re.compile(r"[a-z]([-a-z0-9]{0,60}[a-z0-9])?")
# What a create or an update may set, and is kept as it was sent.
KEPT = (
    "acceleratorType", "acceleratorConfig", "runtimeVersion", "description", "labels", "metadata", "tags", "dataDisks", "networkConfig",
    "networkConfigs", "cidrBlock", "schedulingConfig", "serviceAccount", "shieldedInstanceConfig", "bootDiskConfig",
)  # fmt: skip
MUTABLE = {"description", "labels", "metadata", "tags", "dataDisks", "networkConfig"}


def node_json(project: EmulatedProject, node: EmulatedNode) -> Json:
    """Describe a node as the TPU API does; gcloud's list drops one without apiVersion."""
    network = {"network": f"projects/{project.id}/global/networks/default", **(node.body.get("networkConfig") or {})}
    network.setdefault("enableExternalIps", node.external)
    answer: Json = {
        **node.body,
        "name": node.name,
        "id": node.uid,
        "state": node.state,
        "createTime": node.created,
        "apiVersion": "V2",
        "acceleratorType": node.slice.type,
        "acceleratorConfig": {"type": node.slice.family.config, "topology": node.slice.topology},
        "networkConfig": network,
        "cidrBlock": "10.128.0.0/20",
    }
    if node.state == "READY":
        answer["health"] = "HEALTHY"
        answer["networkEndpoints"] = [
            endpoint(int(node.uid), worker, node.addresses, external=node.external) for worker in range(node.slice.hosts)
        ]
    return {**answer, **node.overlay}


def endpoint(number: int, worker: int, addresses: Sequence[str], *, external: bool) -> Json:
    """Return one worker's addresses: those of the scenario, or made-up ones, the outer from a net kept for documentation."""
    own = addresses[worker % len(addresses)] if addresses else ""
    answer: Json = {"ipAddress": own or f"10.128.{number % 200}.{worker + 2}", "port": 8470, "accessConfig": {}}
    if external:
        answer["accessConfig"] = {"externalIp": own or f"203.0.113.{(number + worker) % 250 + 1}"}
    return answer


def find(cloud: Cloud, call: EmulatedCall) -> tuple[EmulatedProject, EmulatedNode]:
    project = cloud.project(call)
    zone_of(call)
    node = project.nodes.get(f"projects/{project.id}/locations/{call.args['zone']}/nodes/{call.args['node']}")
    if node is None:
        raise not_found(call)
    return project, node


def get(cloud: Cloud, call: EmulatedCall) -> Json:
    return node_json(*find(cloud, call))


def list_nodes(cloud: Cloud, call: EmulatedCall) -> Json:
    """List a zone's nodes, or all for "-"."""
    project = cloud.project(call)
    return listed(cloud, project, call, "nodes", [(node.zone, node_json(project, node)) for node in project.nodes.values()])


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
        return typed(project, node)

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
    slice_ = find_slice(zone, wanted)
    if slice_ is None and config:
        slice_ = slice_of_config(zone, str(config.get("type")), str(config.get("topology")))
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
    for metric, needed in (("IN_USE_ADDRESSES", node.slice.hosts), ("HDB_TOTAL_GB", BOOT_DISK_GB)):
        allowed = limit(project, BY_ID[REGION_METRICS[metric]], region)
        if needed and allowed != UNLIMITED and region_usage(project, metric, region) > allowed:
            raise ApiError(429, f"Quota '{metric}' exceeded.  Limit: {float(allowed)} in region {region}. {error_id(metric + region)}")


def stockout(zone: str) -> ApiError:
    message = (
        f'There is no more capacity in the zone "{zone}"; you can try in another zone where Cloud TPU Nodes are offered '
        "(see https://cloud.google.com/tpu/docs/regions)"
    )
    return ApiError(429, f"{message} {error_id(message)}")


def typed(project: EmulatedProject, node: EmulatedNode) -> Json:
    return {"@type": PREFIX + "Node", **node_json(project, node)}


def delete(cloud: Cloud, call: EmulatedCall) -> Json:
    project, node = find(cloud, call)
    if node.body.get("queuedResource"):
        queued = str(node.body["queuedResource"])
        if queued in project.queued and project.queued[queued].state == "ACTIVE":
            raise ApiError(400, f"Node {node.name} belongs to the queued resource {queued}: delete that.", status="FAILED_PRECONDITION")
    node.state = "DELETING"

    def finish() -> Json:
        project.nodes.pop(node.name, None)
        return EMPTY

    return start_operation(cloud, node.name, "delete", cloud.scenario.timings.delete_s, finish)


def change(cloud: Cloud, call: EmulatedCall, verb: str, states: tuple[str, str, str], seconds: float) -> Json:
    """Take a node from the first state through the second to the third."""
    project, node = find(cloud, call)
    before, during, after = states
    if node.state != before:
        raise ApiError(400, f"Cannot {verb} node {node.name} in state {node.state}.", status="FAILED_PRECONDITION")
    node.state = during

    def finish() -> Json:
        if node.state == during:
            node.state = after
        return typed(project, node)

    return start_operation(cloud, node.name, verb, seconds, finish)


def start(cloud: Cloud, call: EmulatedCall) -> Json:
    return change(cloud, call, "start", ("STOPPED", "STARTING", "READY"), cloud.scenario.timings.start_s)


def stop(cloud: Cloud, call: EmulatedCall) -> Json:
    return change(cloud, call, "stop", ("READY", "STOPPING", "STOPPED"), cloud.scenario.timings.stop_s)


def update(cloud: Cloud, call: EmulatedCall) -> Json:
    """Set the fields that updateMask names."""
    project, node = find(cloud, call)
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
        return typed(project, node)

    return start_operation(cloud, node.name, "update", cloud.scenario.timings.update_s, finish)


NODE_ROUTES = routes_of(
    TPU,
    ("GET", PARENT + "/{zone}/nodes", list_nodes, "tpu.nodes.list"),
    ("POST", PARENT + "/{zone}/nodes", create, "tpu.nodes.create"),
    ("GET", PARENT + "/{zone}/nodes/{node}", get, "tpu.nodes.get"),
    ("PATCH", PARENT + "/{zone}/nodes/{node}", update, "tpu.nodes.update"),
    ("DELETE", PARENT + "/{zone}/nodes/{node}", delete, "tpu.nodes.delete"),
    ("POST", PARENT + "/{zone}/nodes/{node}:start", start, "tpu.nodes.start"),
    ("POST", PARENT + "/{zone}/nodes/{node}:stop", stop, "tpu.nodes.stop"),
)


FREE_TO_DELETE = {"ACCEPTED", "FAILED", "SUSPENDED", "WAITING_FOR_RESOURCES"}


def queued_json(queued: Queued) -> Json:
    state: Json = {"state": queued.state, "stateInitiator": "SERVICE"}
    if queued.error is not None:
        state["failedData"] = {"error": queued.error}
    body = {key: value for key, value in queued.body.items() if key not in ("name", "state")}
    return {**body, "name": queued.name, "state": state, "createTime": queued.created}


def find_queued(cloud: Cloud, call: EmulatedCall) -> tuple[EmulatedProject, Queued]:
    project = cloud.project(call)
    zone_of(call)
    queued = project.queued.get(f"projects/{project.id}/locations/{call.args['zone']}/queuedResources/{call.args['queued']}")
    if queued is None:
        raise not_found(call)
    return project, queued


def get_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    return queued_json(find_queued(cloud, call)[1])


def list_queued(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    found = [(queued.zone, queued_json(queued)) for queued in project.queued.values()]
    return listed(cloud, project, call, "queuedResources", found)


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
        return {"@type": PREFIX + "QueuedResource", **queued_json(queued)}

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
    project, queued = find_queued(cloud, call)
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
    project, queued = find_queued(cloud, call)
    if queued.state not in ("SUSPENDED", "FAILED"):
        raise ApiError(400, f"Queued resource {queued.name} is in state {queued.state}.", status="FAILED_PRECONDITION")

    def finish() -> Json:
        queued.state, queued.error = "ACCEPTED", None
        cloud.later(cloud.scenario.timings.accept_s, lambda: provision(cloud, project, queued))
        return {"@type": PREFIX + "QueuedResource", **queued_json(queued)}

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
