from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.emulator.scenario import NodeStart

ZONE = "/v2/projects/demo-project/locations/us-central1-b"
NODES = f"{ZONE}/nodes"
QUEUED = f"{ZONE}/queuedResources"
SPEC = {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"}


def queued(name: str = "n", accelerator_type: str = "v6e-1", **more: Any) -> dict[str, Any]:
    parent = ZONE.removeprefix("/v2/")
    node = {**SPEC, "acceleratorType": accelerator_type}
    return {"tpu": {"nodeSpec": [{"parent": parent, "nodeId": name, "node": node}]}, **more}


def test_zones_say_what_they_offer(ready: Any) -> None:
    assert "us-central1-b" in [zone["locationId"] for zone in ready.get("/v2/projects/demo-project/locations")["locations"]]
    types = {entry["type"]: entry for entry in ready.get(f"{ZONE}/acceleratorTypes")["acceleratorTypes"]}
    assert types["v6e-8"]["acceleratorConfigs"] == [{"type": "V6E", "topology": "2x4"}]
    assert "v5litepod-1" not in types
    assert "v2-alpha-tpuv6e" in [entry["version"] for entry in ready.get(f"{ZONE}/runtimeVersions")["runtimeVersions"]]
    assert ready.get(f"{ZONE}/acceleratorTypes/v6e-1")["type"] == "v6e-1"
    assert ready.refused("GET", f"{ZONE}/acceleratorTypes/v5litepod-1")["code"] == 404
    assert ready.get(f"{ZONE}/runtimeVersions/tpu-ubuntu2204-base")["version"] == "tpu-ubuntu2204-base"
    assert ready.refused("GET", f"{ZONE}/runtimeVersions/none")["code"] == 404
    nowhere = ready.refused("GET", "/v2/projects/demo-project/locations/nowhere/nodes")
    assert nowhere["message"] == "Location nowhere is not found or access is unauthorized."


def test_a_scenario_says_where_the_hosts_really_are(opened: Any) -> None:
    slice_ = NodeStart("slice", "us-central1-a", "v5p-16", "v2-alpha-tpuv5")
    there = opened("ready", addresses=("127.0.0.1", "127.0.0.2"), nodes=(slice_,))
    hosts = there.get(f"{ZONE.replace('us-central1-b', 'us-central1-a')}/nodes/slice")["networkEndpoints"]
    assert [host["accessConfig"]["externalIp"] for host in hosts] == ["127.0.0.1", "127.0.0.2"]
    there.create("inside", networkConfig={"enableExternalIps": False})
    there.wait(60)
    (only,) = there.get(f"{NODES}/inside")["networkEndpoints"]
    assert (only["ipAddress"], only["accessConfig"]) == ("127.0.0.1", {})


def test_a_node_lives_from_creating_to_gone(ready: Any) -> None:
    timings = ready.emulator.cloud.scenario.timings
    operation = ready.create("a")
    assert operation["metadata"]["verb"] == "create"
    assert "done" not in operation
    node = ready.get(f"{NODES}/a")
    assert (node["state"], node["apiVersion"]) == ("CREATING", "V2")
    assert "networkEndpoints" not in node
    ready.wait(timings.create_s)
    done = ready.get(f"/v2/{operation['name']}")
    assert done["response"]["state"] == "READY"
    assert done["metadata"]["endTime"] > done["metadata"]["createTime"]
    assert ready.get(f"{NODES}/a")["networkEndpoints"][0]["accessConfig"]["externalIp"].startswith("203.0.113.")
    for verb, during, after, seconds in (
        ("stop", "STOPPING", "STOPPED", timings.stop_s),
        ("start", "STARTING", "READY", timings.start_s),
    ):
        ready.post(f"{NODES}/a:{verb}")
        assert ready.get(f"{NODES}/a")["state"] == during
        ready.wait(seconds)
        assert ready.get(f"{NODES}/a")["state"] == after
    assert ready.refused("POST", f"{NODES}/a:start")["status"] == "FAILED_PRECONDITION"
    assert ready.ask("DELETE", f"{NODES}/a")[0] == 200
    assert ready.get(f"{NODES}/a")["state"] == "DELETING"
    ready.wait(timings.delete_s)
    assert ready.refused("GET", f"{NODES}/a")["status"] == "NOT_FOUND"


def test_a_pod_has_an_endpoint_a_host(opened: Any) -> None:
    client = opened("quota-unlimited")
    client.create("pod", "v6e-16", networkConfig={"enableExternalIps": False})
    client.wait(60)
    endpoints = client.get(f"{NODES}/pod")["networkEndpoints"]
    assert len(endpoints) == 4
    assert len({endpoint["ipAddress"] for endpoint in endpoints}) == 4
    assert all(endpoint["accessConfig"] == {} for endpoint in endpoints)


def test_a_node_deleted_while_created_never_comes_up(ready: Any) -> None:
    operation = ready.create("a")
    ready.ask("DELETE", f"{NODES}/a")
    ready.wait(600)
    assert ready.get(f"/v2/{operation['name']}")["error"]["code"] == 10
    assert ready.get(NODES) == {}


def test_the_first_node_brings_the_service_agent(opened: Any) -> None:
    client = opened("no-service-agent")
    client.create("a")
    roles = [binding["role"] for binding in client.post("/v3/projects/demo-project:getIamPolicy")["bindings"]]
    assert "roles/cloudtpu.serviceAgent" in roles


def test_nodes_are_listed_by_zone_and_everywhere(opened: Any) -> None:
    client = opened("running")
    here = {node["name"].rpartition("/")[2]: node["state"] for node in client.get(NODES)["nodes"]}
    assert here == {"llm-tpu-vm": "READY", "stopped": "STOPPED", "preempted": "PREEMPTED", "maintained": "READY", "wrong-runtime": "READY"}
    everywhere = client.get(NODES.replace("us-central1-b", "-"))["nodes"]
    assert len(everywhere) == len(here) + 1
    assert client.get(f"{NODES}/maintained")["health"] == "UNHEALTHY_MAINTENANCE"
    assert len(client.get(QUEUED)["queuedResources"]) == 2


def test_a_zone_that_cannot_be_reached_is_named(opened: Any) -> None:
    answer = opened("unreachable-zone").get(NODES.replace("us-central1-b", "-"))
    assert answer["unreachable"] == ["projects/demo-project/locations/us-east5-b"]
    assert not [node for node in answer["nodes"] if "us-east5-b" in node["name"]]


def test_a_node_is_updated_as_the_mask_says(ready: Any) -> None:
    ready.create("a", metadata={"old": "1"})
    status, _ = ready.ask("PATCH", f"{NODES}/a?updateMask=metadata,description", {"metadata": {"ssh-keys": "k"}, "labels": {"x": "y"}})
    assert status == 200
    ready.wait(60)
    node = ready.get(f"{NODES}/a")
    assert node["metadata"] == {"ssh-keys": "k"}
    assert "labels" not in node
    for mask in ("", "acceleratorType"):
        assert ready.ask("PATCH", f"{NODES}/a?updateMask={mask}", {})[0] == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {**SPEC, "acceleratorType": "v5litepod-1"},
            (
                'Cloud TPU received a bad request. The requested accelerator configuration for accelerator type, "v5litepod-1", could not '
                'be found in the zonal accelerator configurations for "us-central1-b".; the accelerator v5litepod-1 was not found in zone '
                "us-central1-b [EID: 0x"
            ),
        ),
        ({**SPEC, "runtimeVersion": "v9"}, 'Cloud TPU received a bad request. The runtime version "v9" was not found'),
        ({**SPEC, "serviceAccount": {"email": "none@example.com"}}, 'Service account "none@example.com" does not exist.'),
    ],
)
def test_a_creation_that_cannot_be_is_refused(ready: Any, body: dict[str, Any], message: str) -> None:
    error = ready.refused("POST", f"{NODES}?nodeId=a", body)
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["message"].startswith(message)


def test_names_are_held_to_their_rules(ready: Any) -> None:
    assert ready.refused("POST", f"{NODES}?nodeId=Not-Allowed", SPEC)["code"] == 400
    ready.create("a")
    assert ready.refused("POST", f"{NODES}?nodeId=a", SPEC)["status"] == "ALREADY_EXISTS"


def test_a_topology_names_a_slice_too(ready: Any) -> None:
    ready.post(f"{NODES}?nodeId=a", {"acceleratorConfig": {"type": "V6E", "topology": "2x2"}, "runtimeVersion": "v2-alpha-tpuv6e"})
    assert ready.get(f"{NODES}/a")["acceleratorType"] == "v6e-4"


def test_service_accounts_are_asked_for(opened: Any) -> None:
    assert "iam.serviceAccountUser" in opened("no-act-as").refused("POST", f"{NODES}?nodeId=a", SPEC)["message"]
    missing = opened("no-default-account").refused("POST", f"{NODES}?nodeId=a", SPEC)
    assert missing["message"] == 'Service account "123456789012-compute@developer.gserviceaccount.com" does not exist.'


def test_a_stockout_comes_out_inside_the_operation(opened: Any) -> None:
    client = opened("stockout")
    operation = client.create("a")
    client.wait(60)
    error = client.get(f"/v2/{operation['name']}")["error"]
    assert error["code"] == 8
    assert error["message"].startswith('There is no more capacity in the zone "us-central1-b"; you can try in another zone')
    assert "[EID: 0x" in error["message"]
    assert client.get(NODES) == {}


def test_a_reservation_that_is_not_there_and_too_few_addresses_come_out_there_too(opened: Any) -> None:
    client = opened("no-addresses")
    reserved = client.create("a", schedulingConfig={"reserved": True})
    plain = client.create("b")
    client.wait(60)
    assert client.get(f"/v2/{reserved['name']}")["error"]["code"] == 9
    assert "Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 0.0 in region us-central1." in client.get(f"/v2/{plain['name']}")["error"]["message"]
    inner = client.create("c", networkConfig={"enableExternalIps": False})
    client.wait(60)
    assert client.get(f"/v2/{inner['name']}")["response"]["state"] == "READY"


def test_operations_are_listed(ready: Any) -> None:
    name = ready.create("a")["name"]
    assert [operation["name"] for operation in ready.get(f"{ZONE}/operations")["operations"]] == [name]
    assert ready.refused("GET", f"/v2/{name}0")["code"] == 404


def test_a_queued_resource_is_accepted_provisioned_and_active(ready: Any) -> None:
    timings = ready.emulator.cloud.scenario.timings
    ready.post(f"{QUEUED}?queuedResourceId=q", queued())
    states = []
    for seconds in (0.0, timings.accept_s, timings.accept_s, timings.create_s):
        ready.wait(seconds)
        states.append(ready.get(f"{QUEUED}/q")["state"]["state"])
    assert states == ["CREATING", "ACCEPTED", "PROVISIONING", "ACTIVE"]
    assert ready.get(f"{NODES}/n")["queuedResource"].endswith("/queuedResources/q")
    assert ready.refused("DELETE", f"{NODES}/n")["status"] == "FAILED_PRECONDITION"
    assert ready.refused("DELETE", f"{QUEUED}/q")["status"] == "FAILED_PRECONDITION"
    assert ready.ask("DELETE", f"{QUEUED}/q?force=true")[0] == 200
    ready.wait(60)
    assert (ready.get(QUEUED), ready.get(NODES)) == ({}, {})


def test_a_queued_resource_waits_where_there_is_no_capacity(opened: Any) -> None:
    client = opened("stockout")
    client.post(f"{QUEUED}?queuedResourceId=q", queued(spot={}))
    client.wait(600)
    assert client.get(f"{QUEUED}/q")["state"]["state"] == "WAITING_FOR_RESOURCES"


def test_a_queued_resource_without_quota_fails_and_can_be_reset(opened: Any) -> None:
    client = opened("quota-region-zero")
    client.post(f"{QUEUED}?queuedResourceId=q", queued())
    client.wait(600)
    state = client.get(f"{QUEUED}/q")["state"]
    assert state["state"] == "FAILED"
    assert state["failedData"]["error"]["message"] == "Quota 'TPUV6EPerProjectPerRegionForTPUAPI' exhausted. Limit 0 in region us-central1"
    client.post(f"{QUEUED}/q:reset")
    client.wait(client.emulator.cloud.scenario.timings.update_s)
    assert client.get(f"{QUEUED}/q")["state"]["state"] == "ACCEPTED"


def test_a_queued_resource_that_makes_no_sense_is_refused(ready: Any) -> None:
    assert ready.refused("POST", f"{QUEUED}?queuedResourceId=q", {})["code"] == 400
    assert ready.refused("POST", f"{QUEUED}?queuedResourceId=q", queued(accelerator_type="v5litepod-1"))["code"] == 400
    assert ready.refused("GET", f"{QUEUED}/none")["code"] == 404
    ready.post(f"{QUEUED}?queuedResourceId=q", queued())
    assert ready.refused("POST", f"{QUEUED}?queuedResourceId=q", queued())["code"] == 409
    first, again = (ready.post(f"{QUEUED}?queuedResourceId=r&requestId=1", queued()) for _ in range(2))
    assert first["name"] == again["name"]


def test_version_1_answers_what_gcloud_asks_it(ready: Any) -> None:
    v1 = ZONE.replace("/v2/", "/v1/")
    assert "acceleratorConfigs" not in ready.get(f"{v1}/acceleratorTypes")["acceleratorTypes"][0]
    assert ready.get("/v1/projects/demo-project/locations")["locations"]
