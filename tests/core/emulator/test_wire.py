"""Over HTTP: hosts, bodies, latency and the faults of scenarios."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartbeat_core.emulator.app import MOST_BYTES, Emulator
from heartbeat_core.emulator.http import EmulatedCall
from heartbeat_core.emulator.scenario import Faults, Mishap, load_scenario, scenario_names
from heartbeat_core.emulator.seed import start_cloud
from heartbeat_core.emulator.state import Clock, timestamp

PROJECT = "/v3/projects/demo-project"
READS = (
    PROJECT,
    "/v1/projects/demo-project/billingInfo",
    "/v1/projects/demo-project/services/tpu.googleapis.com",
    "/v1/projects/demo-project/locations/global/services/tpu.googleapis.com/quotaInfos",
    "/compute/v1/projects/demo-project/regions/us-central1",
    "/v2/projects/demo-project/locations/us-central1-b/nodes",
    "/v2/projects/demo-project/locations/us-central1-b/queuedResources",
)


def test_an_answer_is_json(ready: Any) -> None:
    wire = ready.http("GET", PROJECT)
    assert (wire.status, wire.headers[b"content-type"]) == (200, b"application/json; charset=UTF-8")
    assert wire.json()["projectId"] == "demo-project"


def test_a_body_and_a_query_arrive(ready: Any) -> None:
    wire = ready.http("POST", f"{PROJECT}:testIamPermissions?x=1", json.dumps({"permissions": ["tpu.nodes.create"]}).encode())
    assert wire.json() == {"permissions": ["tpu.nodes.create"]}


@pytest.mark.parametrize("host", ["example.com", "169.254.169.254", "127.0.0.1.example.com"])
def test_another_host_is_refused(ready: Any, host: str) -> None:
    assert ready.http("GET", PROJECT, host=host).status == 400


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(ready: Any, body: bytes) -> None:
    wire = ready.http("POST", f"{PROJECT}:testIamPermissions", body)
    assert (wire.status, wire.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_body_is_read_up_to_a_limit(ready: Any) -> None:
    body = json.dumps({"permissions": ["tpu.nodes.create"], "filler": "x" * MOST_BYTES}).encode()
    assert ready.http("POST", f"{PROJECT}:testIamPermissions", body).status == 400
    assert ready.http("GET", PROJECT).status == 200


def test_every_answer_waits_for_the_latency_of_its_api(opened: Any) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    client = opened("slow", latency_s=0.15, sleep=sleep)
    for path in (PROJECT, READS[3], "/emulator"):
        client.http("GET", path)
    assert waited == [1.65, 120.15, 0.15]


def test_a_broken_api_leaves_the_others_alone(opened: Any) -> None:
    client = opened("broken-quotas")
    assert client.http("GET", READS[3]).json()["error"]["status"] == "INTERNAL"
    assert client.http("GET", PROJECT).status == 200


@pytest.mark.parametrize(("faults", "status"), [(Faults(too_many=1.0), 429), (Faults(unavailable=1.0), 503)])
def test_a_refusal_by_chance_changes_nothing(opened: Any, faults: Faults, status: int) -> None:
    client = opened("ready", faults=faults)
    path = "/v2/projects/demo-project/locations/us-central1-b/nodes?nodeId=a"
    body = json.dumps({"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"}).encode()
    assert client.http("POST", path, body).status == status
    assert client.get(READS[5]) == {}


def test_a_connection_cut_may_have_changed_something(opened: Any) -> None:
    client = opened("ready", faults=Faults(cut=1.0))
    path = "/v2/projects/demo-project/locations/us-central1-b/nodes?nodeId=a"
    wire = client.http("POST", path, json.dumps({"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"}).encode())
    assert not wire.whole
    assert len(wire.body) < int(wire.headers[b"content-length"])
    assert len(client.get(READS[5])["nodes"]) == 1


def test_truncated_json_claims_to_be_whole(opened: Any) -> None:
    wire = opened("ready", faults=Faults(truncated=1.0)).http("GET", PROJECT)
    assert wire.whole
    assert len(wire.body) == int(wire.headers[b"content-length"])
    with pytest.raises(ValueError, match="line"):
        wire.json()


@pytest.mark.parametrize(("what", "at_once", "later"), [("cut", 1, 1), ("drop", 0, 0), ("late", 0, 1), ("forbid", 0, 0)])
def test_a_mishap_befalls_the_first_requests_alone(opened: Any, what: Any, at_once: int, later: int) -> None:
    mishap = Mishap("POST", ".*/nodes", what, seconds=60.0)
    client = opened("ready", faults=Faults(mishaps=(mishap,)))
    path = "/v2/projects/demo-project/locations/us-central1-b/nodes?nodeId="
    body = json.dumps({"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"}).encode()
    wire = client.http("POST", path + "a", body)
    assert (wire.status, wire.whole) == ((403, True) if what == "forbid" else (200, False))
    assert len(client.get(READS[5]).get("nodes", [])) == at_once
    client.wait(60)
    assert len(client.get(READS[5]).get("nodes", [])) == later
    assert client.http("POST", path + "b", body).whole
    assert len(client.get(READS[5])["nodes"]) == later + 1


def test_chance_repeats_itself_with_its_seed(opened: Any) -> None:
    def statuses(seed: int) -> list[tuple[int, bool]]:
        faults = replace(load_scenario("flaky").faults, seed=seed)
        client = opened("flaky", faults=faults)
        return [(wire.status, wire.whole) for wire in (client.http("GET", PROJECT) for _ in range(60))]

    assert statuses(1) == statuses(1) != statuses(2)
    assert {status for status, _ in statuses(1)} == {200, 429, 503}


def test_odd_answers_have_fields_missing_and_states_unheard_of(opened: Any) -> None:
    client = opened("odd")
    assert client.get(PROJECT)["state"] == "HIBERNATING"
    assert "billingEnabled" not in client.get(READS[1])
    assert client.get(READS[2])["state"] == "HALF_ENABLED"
    assert not any("details" in row for info in client.get(READS[3])["quotaInfos"] for row in info["dimensionsInfos"])
    assert {node["state"] for node in client.get(READS[5])["nodes"]} == {"DREAMING"}
    assert client.get(READS[6])["queuedResources"][0]["state"]["state"] == "PONDERING"


def test_the_emulator_says_what_it_is_and_moves_its_clock(ready: Any) -> None:
    assert ready.get("/emulator")["scenario"] == "ready"
    assert ready.get("/oauth2/v3/userinfo")["email"] == "ada@example.com"
    ready.create("a")
    before = ready.get("/emulator")
    assert len(before["due"]) == 1
    assert ready.post("/emulator:advance", {"seconds": 1})["time"] > before["time"]
    assert ready.post("/emulator:advance")["due"] == []
    assert ready.get(READS[5])["nodes"][0]["state"] == "READY"
    assert ready.refused("POST", "/emulator:advance", {"seconds": -1})["code"] == 400


def test_times_are_written_as_google_writes_them() -> None:
    assert timestamp(0.5) == "1970-01-01T00:00:00.500000Z"


keys = st.sampled_from(["policy", "bindings", "members", "role", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["policy", "bindings", "members", "role", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    ["policy", "permissions", "serviceIds", "acceleratorType", "acceleratorConfig", "tpu", "quotaConfig", "dimensions", "accountId", "node"]
)
writes = st.sampled_from(
    [
        f"{PROJECT}:setIamPolicy", f"{PROJECT}:testIamPermissions", "/v1/projects", "/v1/projects/demo-project/services:batchEnable",
        "/v1/projects/demo-project/serviceAccounts", "/v1/projects/demo-project/locations/global/quotaPreferences",
        "/v2/projects/demo-project/locations/us-central1-b/nodes", "/v2/projects/demo-project/locations/us-central1-b/queuedResources",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(path=writes, body=st.dictionaries(names, anything, max_size=4))
def test_no_body_is_more_than_refused(path: str, body: dict[str, Any]) -> None:
    emulator = Emulator(start_cloud(load_scenario("ready"), Clock(speed=0.0)))
    status, answer = emulator.answer(EmulatedCall("POST", path, body=body))
    assert status == 200 or answer["error"]["code"] == status < 500
    for read in READS:
        assert emulator.answer(EmulatedCall("GET", read))[0] in (200, 403)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_answers_every_read(opened: Any, name: str) -> None:
    client = opened(name)
    for path in READS:
        status, answer = client.ask("GET", path)
        assert status in (200, 401, 403), answer
