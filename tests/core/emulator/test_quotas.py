from __future__ import annotations

from typing import Any

import pytest

PARENT = "/v1/projects/demo-project/locations/global"
INFOS = f"{PARENT}/services/tpu.googleapis.com/quotaInfos"
ZONE_QUOTA = "TPUV6EPerProjectPerZoneForTPUAPI"
REGION_QUOTA = "TPUV6EPerProjectPerRegionForTPUAPI"
NODES = "/v2/projects/demo-project/locations/us-central1-b/nodes"
WISH = {
    "service": "tpu.googleapis.com",
    "quotaId": ZONE_QUOTA,
    "dimensions": {"zone": "us-central1-b"},
    "quotaConfig": {"preferredValue": "16"},
    "contactEmail": "ada@example.com",
    "justification": "a first heartbeat",
}


def test_a_quota_lists_its_places_before_the_rest(ready: Any) -> None:
    answer = ready.get(f"{INFOS}/{ZONE_QUOTA}")
    assert answer["dimensions"] == ["zone"]
    assert answer["quotaIncreaseEligibility"] == {"isEligible": True}
    rows = answer["dimensionsInfos"]
    assert rows[0] == {"dimensions": {"zone": "us-central1-b"}, "details": {"value": "8"}, "applicableLocations": ["us-central1-b"]}
    assert rows[-1]["details"] == {"value": "0"}
    assert "dimensions" not in rows[-1]
    assert "us-central1-b" not in rows[-1]["applicableLocations"]


def test_a_value_may_be_left_out_or_unlimited(opened: Any) -> None:
    assert opened("quota-unset").get(f"{INFOS}/{ZONE_QUOTA}")["dimensionsInfos"][0]["details"] == {}
    assert opened("quota-unlimited").get(f"{INFOS}/{ZONE_QUOTA}")["dimensionsInfos"][0]["details"] == {"value": "-1"}


def test_quotas_come_in_pages(ready: Any) -> None:
    names: list[str] = []
    token = "0"
    while token:
        answer = ready.get(f"{INFOS}?pageSize=7&pageToken={token}")
        names += [info["quotaId"] for info in answer["quotaInfos"]]
        token = answer.get("nextPageToken", "")
    assert len(names) == len(set(names)) > 20
    assert {ZONE_QUOTA, REGION_QUOTA, "TPUV5sPreemptibleLitepodServingPerProjectPerRegionForTPUAPI"} <= set(names)
    assert ready.refused("GET", f"{INFOS}?pageSize=many")["code"] == 400
    assert ready.refused("GET", f"{INFOS}/Nothing")["code"] == 404


def test_a_request_is_granted_after_a_while_and_then_counts(opened: Any) -> None:
    client = opened("quota-zone-zero")
    asked = client.post(f"{PARENT}/quotaPreferences?quotaPreferenceId=mine", WISH)
    assert asked["reconciling"]
    assert asked["quotaConfig"]["grantedValue"] == "0"
    assert len(client.get(f"{PARENT}/quotaPreferences?filter=reconciling:true")["quotaPreferences"]) == 1
    assert client.refused("POST", f"{NODES}?nodeId=a", {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"})["code"] == 429
    client.wait(client.emulator.cloud.scenario.timings.quota_s)
    granted = client.get(f"{PARENT}/quotaPreferences/mine")
    assert "reconciling" not in granted
    assert granted["quotaConfig"]["grantedValue"] == "16"
    assert client.get(f"{INFOS}/{ZONE_QUOTA}")["dimensionsInfos"][0]["details"] == {"value": "16"}
    client.create("a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"quotaId": "Nothing"},
        {"dimensions": {"zone": "nowhere"}},
        {"dimensions": {}},
        {"contactEmail": ""},
        {"quotaConfig": {"preferredValue": "x"}},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(ready: Any, wrong: dict[str, Any]) -> None:
    assert ready.refused("POST", f"{PARENT}/quotaPreferences", {**WISH, **wrong})["status"] == "INVALID_ARGUMENT"


def test_an_increase_may_be_out_of_reach(opened: Any) -> None:
    client = opened("quota-ineligible")
    assert "isEligible" not in client.get(f"{INFOS}/{ZONE_QUOTA}")["quotaIncreaseEligibility"]
    assert client.refused("POST", f"{PARENT}/quotaPreferences", WISH)["status"] == "FAILED_PRECONDITION"


def test_a_request_can_be_changed_but_not_made_twice(ready: Any) -> None:
    ready.post(f"{PARENT}/quotaPreferences?quotaPreferenceId=mine", WISH)
    assert ready.refused("POST", f"{PARENT}/quotaPreferences?quotaPreferenceId=mine", WISH)["status"] == "ALREADY_EXISTS"
    status, changed = ready.ask("PATCH", f"{PARENT}/quotaPreferences/mine", {"quotaConfig": {"preferredValue": "32"}})
    assert (status, changed["quotaConfig"]["preferredValue"]) == (200, "32")


@pytest.mark.parametrize(
    ("scenario", "limit"),
    [("quota-zone-zero", f"'{ZONE_QUOTA}' has been exceeded. Limit: 0 in zone us-central1-b."),
     ("quota-region-zero", f"'{REGION_QUOTA}' has been exceeded. Limit: 0 in region us-central1.")],
)  # fmt: skip
def test_a_creation_beyond_quota_is_refused_at_once(opened: Any, scenario: str, limit: str) -> None:
    client = opened(scenario)
    error = client.refused("POST", f"{NODES}?nodeId=a", {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"})
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"] == f"Quota limit {limit}"
    assert [detail["@type"] for detail in error["details"]] == ["type.googleapis.com/google.rpc.QuotaFailure"]
    assert client.get(NODES) == {}


def test_nodes_and_forgotten_queued_resources_hold_quota(opened: Any) -> None:
    client = opened("quota-used")
    body = {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"}
    assert client.refused("POST", f"{NODES}?nodeId=a", body)["code"] == 429
    status, _ = client.ask("DELETE", NODES.replace("nodes", "queuedResources/forgotten"))
    assert status == 200
    client.wait(60)
    client.create("a", "v6e-4")
    assert client.refused("POST", f"{NODES}?nodeId=b", body)["code"] == 429


def test_spot_counts_against_its_own_quota(opened: Any) -> None:
    client = opened("quota-zone-zero")
    client.create("a", "v6e-8", schedulingConfig={"spot": True})
    client.create("b", "v6e-8", schedulingConfig={"preemptible": True})
    body = {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e", "schedulingConfig": {"spot": True}}
    assert "TPUV6EPreemptible" in client.refused("POST", f"{NODES}?nodeId=c", body)["message"]


def test_a_region_counts_addresses_and_disks(ready: Any) -> None:
    ready.create("a")
    ready.create("b", networkConfig={"enableExternalIps": False})
    quotas = {quota["metric"]: quota for quota in ready.get("/compute/v1/projects/demo-project/regions/us-central1")["quotas"]}
    assert quotas["IN_USE_ADDRESSES"] == {"metric": "IN_USE_ADDRESSES", "limit": 8.0, "usage": 1.0}
    assert quotas["HDB_TOTAL_GB"]["usage"] == 200.0
    assert quotas["CPUS"]["usage"] == 0.0
    assert ready.refused("GET", "/compute/v1/projects/demo-project/regions/nowhere")["code"] == 404
    assert len(ready.get("/compute/v1/projects/demo-project/regions")["items"]) > 5
    assert ready.get("/compute/v1/projects/demo-project/zones/us-east5-b")["status"] == "UP"
    assert ready.get("/compute/v1/projects/demo-project")["name"] == "demo-project"
