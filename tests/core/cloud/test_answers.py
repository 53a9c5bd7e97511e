"""Answers of every API: what is asked, what becomes of an answer, and of one that lacks fields or has new words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.waiting import within_a_second

from heartbeat_core.cloud import compute, iam, projects, quotas, tpu
from heartbeat_core.cloud import json_fields as fields
from heartbeat_core.cloud import projects as billing
from heartbeat_core.cloud import projects as services
from heartbeat_core.cloud.errors import refusal
from heartbeat_core.cloud.session import CloudSession

KEYS = (
    "name", "projectId", "state", "bindings", "members", "role", "condition", "quotas", "metric", "limit", "usage", "zones", "email",
    "disabled", "billingEnabled", "dimensionsInfos", "dimensions", "details", "value", "applicableLocations", "quotaConfig", "tpu",
    "nodeSpec", "node", "acceleratorType", "multisliceParams", "nodeCount", "networkEndpoints", "accessConfig", "symptoms",
    "schedulingConfig", "serviceAccount", "scope", "spot", "error", "message", "@type", "metadata", "labels",
)  # fmt: skip
NAMES = st.sampled_from(KEYS) | st.text()
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)
READERS: tuple[Callable[[Any], object], ...] = (
    lambda session: billing.get_billing(session, "p"),
    lambda session: compute.get_region_quotas(session, "p", "us-central1"),
    lambda session: projects.get_policy(session, "p"),
    lambda session: projects.get_project(session, "p"),
    lambda session: quotas.get_quota(session, "p", "tpu.googleapis.com", "Q"),
    lambda session: services.get_apis(session, "p"),
)


class Answering:
    """A session whose every answer is the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, *_: object) -> Any:
        return self.answer

    ask = get


@pytest.mark.fuzz
@given(JSON)
@within_a_second
def test_no_answer_is_too_strange(answer: Any) -> None:
    for read in READERS:
        repr(read(Answering(answer)))


@pytest.mark.fuzz
@given(st.dictionaries(NAMES, JSON, max_size=6))
@example({"metadata": {"@type": None}})
@within_a_second
def test_no_item_of_a_list_is_too_strange(answer: dict[str, Any]) -> None:
    readers: tuple[tuple[str, Callable[[Any, Any], object]], ...] = (
        ("nodes", tpu.node_of), ("queuedResources", tpu.queued_of), ("operations", tpu.operation_of),
    )  # fmt: skip
    for key, read in readers:
        message = tpu.parsed(key, answer)
        if message is not None:
            repr(read(message, answer))


@pytest.mark.fuzz
@given(st.binary() | JSON.map(lambda answer: repr(answer).replace("'", '"').encode("utf-8", "replace")), st.integers(100, 599))
@within_a_second
def test_no_refusal_is_too_strange(body: bytes, status: int) -> None:
    error = refusal("tpu", status, body)
    assert error.title
    assert error.status == status


def test_a_project_is_read(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"name": "projects/415104041262", "projectId": "llm", "displayName": "LLM", "state": "DELETE_REQUESTED"}))
    found = projects.get_project(session, "llm")
    assert (found.id, found.number, found.state) == ("llm", "415104041262", "DELETE_REQUESTED")
    server.say(answer(body={}))
    assert projects.get_project(session, "llm") == projects.Project("llm", None, None)
    server.say(answer(body={"projects": [{"projectId": "a"}, {"projectId": "b"}]}))
    assert [project.id for project in projects.search_projects(session)] == ["a", "b"]
    assert server.asked[-1].path == "/v3/projects:search?query=state%3AACTIVE"


@pytest.mark.parametrize(("project", "path"), [("a/../b", "a%2F..%2Fb"), ("..", "%2E%2E"), ("a?b#c", "a%3Fb%23c"), ("é", "%C3%A9")])
def test_a_project_id_is_quoted_in_its_path(server: Any, session: CloudSession, project: str, path: str) -> None:
    projects.get_project(session, project)
    assert server.asked[0].path in (f"/v3/projects/{path}", f"/v3/projects/{path.replace('%2E', '.')}")


def test_permissions_are_asked_a_hundred_at_a_time(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(lambda asked: answer(body={"permissions": [*asked.json["permissions"][:1], "never.asked"]}))
    wanted = [f"a.b.{number}" for number in range(150)]
    assert projects.granted_permissions(session, "p", wanted) == {"a.b.0", "a.b.100"}
    assert [len(asked.json["permissions"]) for asked in server.asked] == [100, 50]
    assert server.asked[0].path == "/v3/projects/p:testIamPermissions"


def test_a_policy_is_read_with_its_conditions(server: Any, session: CloudSession, answer: Any) -> None:
    condition = {"title": "until May", "expression": "request.time < timestamp('2026-05-01T00:00:00Z')"}
    bindings = [
        {"role": "roles/tpu.admin", "members": ["serviceAccount:Robot@p.iam.gserviceaccount.com", 7]},
        {"role": "roles/storage.admin", "members": ["serviceAccount:robot@p.iam.gserviceaccount.com"], "condition": condition},
        {"members": ["user:a@example.com"]},
    ]
    server.say(answer(body={"version": 3, "bindings": bindings}))
    policy = projects.get_policy(session, "p")
    assert server.asked[0].json == {"options": {"requestedPolicyVersion": 3}}
    robot = "serviceAccount:robot@p.iam.gserviceaccount.com"
    assert [(each.role, each.condition) for each in policy if each.names(robot)] == [
        ("roles/tpu.admin", None),
        ("roles/storage.admin", projects.Condition("until May", condition["expression"])),
    ]


@pytest.mark.parametrize(
    ("body", "enabled"),
    [
        ({"projectId": "p", "billingEnabled": True, "billingAccountName": "billingAccounts/0-1"}, True),
        ({"projectId": "p", "billingEnabled": False, "billingAccountName": "billingAccounts/0-1"}, False),
        ({"projectId": "p", "billingAccountName": "billingAccounts/0-1"}, None),
        ({"projectId": "p", "billingAccountName": ""}, False),
        ({}, None),
    ],
)
def test_billing_is_read(server: Any, session: CloudSession, answer: Any, body: dict[str, Any], enabled: bool | None) -> None:
    server.say(answer(body=body))
    found = billing.get_billing(session, "p")
    assert (found.enabled, found.account) == (enabled, "0-1" if body.get("billingAccountName") else None)


def test_apis_are_read_in_one_call(server: Any, session: CloudSession, answer: Any) -> None:
    rows = [
        {"name": "projects/1/services/tpu.googleapis.com", "state": "ENABLED"},
        {"name": "projects/1/services/iam.googleapis.com", "state": "NEW"},
    ]
    server.say(answer(body={"services": rows}))
    found = services.get_apis(session, "p")
    assert found == {"tpu.googleapis.com": "ENABLED", "iam.googleapis.com": "NEW"}
    first = "projects%2Fp%2Fservices%2Fserviceusage.googleapis.com"
    assert server.asked[0].path.startswith(f"/v1/projects/p/services:batchGet?names={first}&names=")


def test_a_service_account_is_read(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"email": "a@p.iam.gserviceaccount.com", "disabled": True}))
    assert iam.is_disabled(session, "p", "a@p.iam.gserviceaccount.com")
    server.say(answer(body={"permissions": [iam.ACT_AS]}))
    assert iam.may_act_as(session, "p", "a@p.iam.gserviceaccount.com")
    assert server.asked[-1].path.endswith("/serviceAccounts/a%40p.iam.gserviceaccount.com:testIamPermissions")


def test_a_region_is_read(server: Any, session: CloudSession, answer: Any) -> None:
    rows = [{"metric": "CPUS", "limit": 24, "usage": 8.0}, {"metric": "IN_USE_ADDRESSES", "limit": 8}, {"limit": 1}, {"metric": "X"}]
    server.say(answer(body={"name": "us-central1", "status": "UP", "quotas": rows, "zones": ["https://x/zones/us-central1-b", 7]}))
    assert compute.get_region_quotas(session, "p", "us-central1") == {
        "CPUS": compute.RegionQuota(24, 8),
        "IN_USE_ADDRESSES": compute.RegionQuota(8, 0),
        "X": compute.RegionQuota(None, None),
    }
    assert server.asked[0].path == "/compute/v1/projects/p/regions/us-central1"


def test_places_and_what_they_offer_are_listed(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"locations": [{"locationId": "us-east5-a"}, {"name": "projects/p/locations/asia-east1-c"}]}))
    assert tpu.list_zones(session, "p") == ("asia-east1-c", "us-east5-a")
    server.say(answer(body={"acceleratorTypes": [{"type": "v6e-1"}, {"name": "projects/p/locations/z/acceleratorTypes/v6e-4"}, {}]}))
    assert tpu.list_accelerator_types(session, "p", "z") == ("v6e-1", "v6e-4")
    server.say(answer(body={"runtimeVersions": [{"version": "v2-alpha-tpuv6e"}]}))
    assert tpu.list_runtime_versions(session, "p", "z") == ("v2-alpha-tpuv6e",)


def test_a_node_is_read_and_new_words_are_kept(server: Any, session: CloudSession, answer: Any) -> None:
    body = {
        "name": "projects/p/locations/us-central1-b/nodes/llm", "state": 99, "health": 1, "acceleratorType": "v6e-1",
        "runtimeVersion": "v2-alpha-tpuv6e", "schedulingConfig": {"spot": True}, "serviceAccount": {"email": "a@b", "scope": ["s"]},
        "networkEndpoints": [{"ipAddress": "10.0.0.2", "accessConfig": {"externalIp": "203.0.113.5"}}, {}],
        "symptoms": [{"symptomType": 1, "workerId": "0"}], "labels": {"a": "b"}, "newField": {"x": 1},
        "queuedResource": "projects/p/locations/us-central1-b/queuedResources/q",
    }  # fmt: skip
    server.say(answer(body={"nodes": [body, {}], "unreachable": ["us-west1-c"]}))
    found = tpu.list_nodes(session, "p")
    node, bare = found.nodes
    assert found.unreachable == ("us-west1-c",)
    assert (node.id, node.zone, node.state, node.health, node.provisioning) == ("llm", "us-central1-b", "99", "HEALTHY", "spot")
    assert node.endpoints == (tpu.Endpoint("10.0.0.2", "203.0.113.5"), tpu.Endpoint(None, None))
    assert (node.queued_resource, node.symptoms[0].kind, node.labels) == ("q", "LOW_MEMORY", {"a": "b"})
    assert (bare.id, bare.zone, bare.state, bare.provisioning) == ("", "", None, "on-demand")
    assert tpu.words_of(node) == {**body, "health": "HEALTHY", "symptoms": [{"symptomType": "LOW_MEMORY", "workerId": "0"}]}
    assert server.asked[0].path.startswith("/v2/projects/p/locations/-/nodes?pageSize=1000")


def test_a_queued_resource_is_read(server: Any, session: CloudSession, answer: Any) -> None:
    spec = {"nodeId": "n", "node": {"acceleratorType": "v6e-8"}}
    by_shape = {"node": {"acceleratorConfig": {"type": 11, "topology": "4x4"}}}
    many = {"node": {"acceleratorType": "v6e-4"}, "multisliceParams": {"nodeCount": 2}}
    body = {
        "name": "projects/p/locations/z/queuedResources/q",
        "state": {"state": "SUSPENDED"},
        "tpu": {"nodeSpec": [spec, many, by_shape, {}]},
    }
    server.say(answer(body={"queuedResources": [{**body, "spot": {}}, {**body, "guaranteed": {"reserved": True}}, body]}))
    found = tpu.list_queued_resources(session, "p").queued
    assert [queued.provisioning for queued in found] == ["spot", "reserved", "on-demand"]
    assert found[0].accelerator_types == ("v6e-8", "v6e-4", "v6e-4", "v6e-16")
    assert (found[0].id, found[0].zone, found[0].state, found[0].nodes) == ("q", "z", "SUSPENDED", ("n",))


@given(JSON, st.lists(st.sampled_from(KEYS), max_size=3))
def test_any_field_is_read(answer: Any, path: list[str]) -> None:
    for read in (fields.text, fields.whole, fields.real, fields.flag, fields.table, fields.rows, fields.texts, fields.labels, fields.has):
        read(answer, *path)


@given(st.text())
def test_a_segment_is_one_segment(name: str) -> None:
    written = fields.segment(name) if name.isprintable() else "x"
    assert not set(written) & set("/?#")
    assert written not in (".", "..")
