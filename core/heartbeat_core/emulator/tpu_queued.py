"""Cloud TPU v2: queued resources, which wait for capacity, and hold quota while suspended or failed."""

from __future__ import annotations

from heartbeat_core.emulator.answers import ApiError, Call, Json
from heartbeat_core.emulator.operations import status_of
from heartbeat_core.emulator.quotas import UNLIMITED, in_use, limit, tpu_scopes
from heartbeat_core.emulator.routing import routes_of
from heartbeat_core.emulator.state import Cloud, Project, Queued
from heartbeat_core.emulator.tpu_nodes import bad_request, check_spec, new_node
from heartbeat_core.emulator.tpu_places import EMPTY, PREFIX, TPU, V2, listed, not_found, start_operation, zone_of

FREE_TO_DELETE = {"ACCEPTED", "FAILED", "SUSPENDED", "WAITING_FOR_RESOURCES"}


def queued_json(queued: Queued) -> Json:
    state: Json = {"state": queued.state, "stateInitiator": "SERVICE"}
    if queued.error is not None:
        state["failedData"] = {"error": queued.error}
    body = {key: value for key, value in queued.body.items() if key not in ("name", "state")}
    return {**body, "name": queued.name, "state": state, "createTime": queued.created}


def find(cloud: Cloud, call: Call) -> tuple[Project, Queued]:
    project = cloud.project(call.args["project"])
    zone_of(call)
    queued = project.queued.get(f"projects/{project.id}/locations/{call.args['zone']}/queuedResources/{call.args['queued']}")
    if queued is None:
        raise not_found(call.resource)
    return project, queued


def get(cloud: Cloud, call: Call) -> Json:
    return queued_json(find(cloud, call)[1])


def list_queued(cloud: Cloud, call: Call) -> Json:
    project = cloud.project(call.args["project"])
    found = [(queued.zone, queued_json(queued)) for queued in project.queued.values()]
    return listed(cloud, project, call, "queuedResources", found)


def create(cloud: Cloud, call: Call) -> Json:
    """Accept a request; the operation ends when it is accepted, the rest shows in the resource's own state."""
    project, zone = cloud.project(call.args["project"]), zone_of(call)
    specs = (call.body.get("tpu") or {}).get("nodeSpec") or []
    if len(specs) != 1 or "node" not in specs[0] or not specs[0].get("nodeId"):
        raise bad_request("The emulator takes one node spec with a node id")
    slice_ = check_spec(cloud, project, zone, specs[0]["node"])
    name = f"projects/{project.id}/locations/{zone}/queuedResources/{call.query.get('queuedResourceId')}"
    if name in project.queued:
        raise ApiError(409, f"Resource '{name}' already exists")
    queued = Queued(name, slice_, "spot" in call.body, call.body, "CREATING", cloud.stamp())
    project.queued[name] = queued

    def accepted() -> Json:
        if queued.state == "CREATING":
            queued.state = "ACCEPTED"
            cloud.later(cloud.scenario.timings.accept_s, lambda: provision(cloud, project, queued))
        return {"@type": PREFIX + "QueuedResource", **queued_json(queued)}

    return start_operation(cloud, project, name, "create", cloud.scenario.timings.accept_s, accepted).to_json()


def provision(cloud: Cloud, project: Project, queued: Queued) -> None:
    """Go from accepted to provisioning, to waiting where there is no capacity, or to failed where there is no quota."""
    if queued.state != "ACCEPTED":
        return  # deleted meanwhile
    if queued.zone in cloud.scenario.stockout:
        queued.state = "WAITING_FOR_RESOURCES"
        return
    for quota, scope, place in tpu_scopes(queued.zone, queued.slice, spot=queued.spot):
        allowed = limit(project, quota, place)
        if allowed != UNLIMITED and in_use(project, quota.id, place) + queued.slice.size > allowed:
            queued.state = "FAILED"
            queued.error = status_of(ApiError(429, f"Quota '{quota.id}' exhausted. Limit {allowed} in {scope} {place}"))
            return
    queued.state = "PROVISIONING"
    cloud.later(cloud.scenario.timings.create_s, lambda: activate(cloud, project, queued))


def activate(cloud: Cloud, project: Project, queued: Queued) -> None:
    if queued.state != "PROVISIONING":
        return
    spec = queued.body["tpu"]["nodeSpec"][0]
    body = {**spec["node"], "schedulingConfig": {"spot": True} if queued.spot else {}}
    name = f"projects/{project.id}/locations/{queued.zone}/nodes/{spec['nodeId']}"
    node = new_node(cloud, project, name, queued.slice, body, spot=queued.spot)
    node.body["queuedResource"] = queued.name
    node.state, queued.state = "READY", "ACTIVE"


def delete(cloud: Cloud, call: Call) -> Json:
    """Delete a request; one that is active or being provisioned needs ``force`` and takes its node along."""
    project, queued = find(cloud, call)
    if queued.state not in FREE_TO_DELETE and call.query.get("force", "").lower() != "true":
        message = f"Queued resource {queued.name} is in state {queued.state}: it must be suspended or failed, or deleted by force."
        raise ApiError(400, message, status="FAILED_PRECONDITION")
    queued.state = "DELETING"

    def finish() -> Json:
        project.queued.pop(queued.name, None)
        for name in [name for name, node in project.nodes.items() if node.body.get("queuedResource") == queued.name]:
            del project.nodes[name]
        return EMPTY

    return start_operation(cloud, project, queued.name, "delete", cloud.scenario.timings.delete_s, finish).to_json()


def reset(cloud: Cloud, call: Call) -> Json:
    """Put a suspended or failed request back in the queue."""
    project, queued = find(cloud, call)
    if queued.state not in ("SUSPENDED", "FAILED"):
        raise ApiError(400, f"Queued resource {queued.name} is in state {queued.state}.", status="FAILED_PRECONDITION")

    def finish() -> Json:
        queued.state, queued.error = "ACCEPTED", None
        cloud.later(cloud.scenario.timings.accept_s, lambda: provision(cloud, project, queued))
        return {"@type": PREFIX + "QueuedResource", **queued_json(queued)}

    return start_operation(cloud, project, queued.name, "reset", cloud.scenario.timings.update_s, finish).to_json()


# That queued resources ask for the permissions of nodes is an assumption.
ROUTES = routes_of(
    TPU,
    ("GET", V2 + "/{zone}/queuedResources", list_queued, "tpu.nodes.list"),
    ("POST", V2 + "/{zone}/queuedResources", create, "tpu.nodes.create"),
    ("GET", V2 + "/{zone}/queuedResources/{queued}", get, "tpu.nodes.get"),
    ("DELETE", V2 + "/{zone}/queuedResources/{queued}", delete, "tpu.nodes.delete"),
    ("POST", V2 + "/{zone}/queuedResources/{queued}:reset", reset, "tpu.nodes.create"),
)
