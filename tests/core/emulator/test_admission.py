"""What stands before every answer: credentials, the project calls are counted to, its APIs, its billing, permissions."""

from __future__ import annotations

from typing import Any

import pytest

PROJECT = "/v3/projects/demo-project"
NODES = "/v2/projects/demo-project/locations/us-central1-b/nodes"
GCLOUD = "google-cloud-sdk gcloud/528.0.0"


def info(error: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(detail for detail in error["details"] if detail["@type"].endswith("ErrorInfo"))
    return found


@pytest.mark.parametrize("path", [PROJECT, NODES, "/compute/v1/projects/demo-project/regions/us-central1", "/v1/billingAccounts"])
def test_expired_credentials_are_refused_everywhere(opened: Any, path: str) -> None:
    error = opened("expired-credentials").refused("GET", path)
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    assert info(error)["reason"] == "ACCESS_TOKEN_EXPIRED"


def test_an_api_that_is_off_names_the_project_and_where_to_turn_it_on(opened: Any) -> None:
    error = opened("no-tpu-api").refused("GET", NODES)
    assert error["status"] == "PERMISSION_DENIED"
    assert error["message"].startswith(
        "Cloud TPU API has not been used in project 123456789012 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/tpu.googleapis.com/overview?project=123456789012 then retry."
    )
    assert info(error) == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {
            "service": "tpu.googleapis.com",
            "serviceTitle": "Cloud TPU API",
            "consumer": "projects/123456789012",
            "containerInfo": "123456789012",
            "activationUrl": "https://console.developers.google.com/apis/api/tpu.googleapis.com/overview?project=123456789012",
        },
    }


def test_calls_without_a_quota_project_may_be_counted_to_a_foreign_one(opened: Any) -> None:
    client = opened("foreign-consumer")
    assert info(client.refused("GET", NODES))["metadata"]["consumer"] == "projects/764086051850"
    assert client.get(NODES, x_goog_user_project="demo-project") == {}
    assert client.get(NODES, user_agent=GCLOUD) == {}


def test_a_quota_project_needs_the_right_to_be_used(opened: Any) -> None:
    for client, name in ((opened("no-roles"), "demo-project"), (opened("ready"), "another")):
        error = client.refused("GET", PROJECT, x_goog_user_project=name)
        assert info(error)["reason"] == "USER_PROJECT_DENIED"
        assert info(error)["metadata"]["consumer"] == f"projects/{name}"


def test_gcloud_calls_the_administrative_apis_as_its_own_project(opened: Any) -> None:
    client = opened("fresh")
    assert info(client.refused("GET", PROJECT))["reason"] == "SERVICE_DISABLED"
    assert client.get(PROJECT, user_agent=GCLOUD)["projectId"] == "demo-project"
    assert info(client.refused("GET", NODES, user_agent=GCLOUD))["reason"] == "SERVICE_DISABLED"


@pytest.mark.parametrize("scenario", ["no-billing", "closed-billing"])
def test_billing_is_asked_for_before_permissions(opened: Any, scenario: str) -> None:
    client = opened(scenario, policy={})
    error = client.refused("GET", NODES)
    assert error["code"] == 403
    assert error["message"].startswith("This API method requires billing to be enabled. Please enable billing on project #123456789012")
    assert info(error)["reason"] == "BILLING_DISABLED"


def test_a_project_that_is_not_there_or_not_open_is_the_same(opened: Any) -> None:
    assert opened("no-project").refused("GET", PROJECT)["code"] == 403
    denied = opened("other-project").refused("GET", PROJECT)
    assert info(denied)["reason"] == "IAM_PERMISSION_DENIED"
    missing = opened("ready").refused("GET", NODES.replace("demo-project", "nothing"))
    assert missing["message"] == "Permission denied on resource project nothing."
    assert info(missing)["reason"] == "CONSUMER_INVALID"


def test_each_api_refuses_in_its_own_words(opened: Any) -> None:
    client = opened("other-project")
    name = "projects/demo-project"
    tpu = client.refused("GET", f"{NODES}/a")
    assert tpu["message"] == f"Permission 'tpu.nodes.get' denied on '{name}/locations/us-central1-b/nodes/a'"
    usage = client.refused("GET", f"/v1/{name}/services/tpu.googleapis.com")
    assert info(usage)["reason"] == "AUTH_PERMISSION_DENIED"
    assert info(usage)["domain"] == "serviceusage.googleapis.com"
    assert usage["message"] == "Permission denied to get service [tpu.googleapis.com]"
    iam = client.refused("POST", f"/v1/{name}/serviceAccounts", {"accountId": "another-one"})
    assert iam["message"] == "Permission 'iam.serviceAccounts.create' denied on resource (or it may not exist)."
    compute = client.refused("GET", f"/compute/v1/{name}/regions/us-central1")
    assert compute["errors"][0]["reason"] == "forbidden"
    assert "compute.regions.get" in compute["message"]
    assert client.refused("GET", f"/v1/{name}/billingInfo")["message"] == "The caller does not have permission"
    quotas = client.refused("GET", f"/v1/{name}/locations/global/services/tpu.googleapis.com/quotaInfos")
    assert "cloudquotas.quotas.get" in quotas["message"]


def test_a_project_being_deleted_can_be_seen_and_not_changed(opened: Any) -> None:
    client = opened("deleted-project")
    assert client.get(PROJECT)["state"] == "DELETE_REQUESTED"
    assert client.refused("POST", f"{NODES}?nodeId=a", {})["code"] == 403


def test_what_no_api_has_is_not_found(ready: Any) -> None:
    assert ready.refused("GET", "/v9/nothing")["code"] == 404
    assert ready.refused("DELETE", PROJECT)["code"] == 404
