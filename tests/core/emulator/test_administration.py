"""Projects, billing, APIs, roles and service accounts: what is asked for and what that changes."""

from __future__ import annotations

from typing import Any

import pytest

PROJECT = "/v3/projects/demo-project"
USAGE = "/v1/projects/demo-project/services"
NODES = "/v2/projects/demo-project/locations/us-central1-b/nodes"
ACCOUNTS = "/v1/projects/demo-project/serviceAccounts"
ACCOUNT = "heartbeat-tpu@demo-project.iam.gserviceaccount.com"
GCLOUD = "google-cloud-sdk gcloud/528.0.0"


def test_a_project_answers_to_both_versions_by_id_and_number(ready: Any) -> None:
    assert ready.get(PROJECT)["name"] == "projects/123456789012"
    assert ready.get("/v3/projects/123456789012")["projectId"] == "demo-project"
    assert ready.get("/v1/projects/demo-project")["projectNumber"] == "123456789012"
    assert [project["projectId"] for project in ready.get("/v3/projects:search")["projects"]] == ["demo-project"]
    assert ready.get("/v3/projects:search?query=id:other") == {}


def test_the_creator_of_a_project_owns_it(opened: Any) -> None:
    client = opened("no-project")
    operation = client.post("/v1/projects", {"projectId": "new-project", "name": "New"})
    assert "done" not in operation
    client.wait(60)
    done = client.get(f"/v1/{operation['name']}")
    assert done["response"]["projectId"] == "new-project"
    assert client.get("/v3/projects/new-project", user_agent=GCLOUD)["state"] == "ACTIVE"
    assert client.refused("POST", "/v1/projects", {"projectId": "new-project"})["status"] == "ALREADY_EXISTS"
    assert client.refused("POST", "/v1/projects", {"projectId": "Not An Id"})["status"] == "INVALID_ARGUMENT"


def test_an_api_is_enabled_after_a_while_and_answers_after_another(opened: Any) -> None:
    client = opened("no-tpu-api")
    timings = client.emulator.cloud.scenario.timings
    operation = client.post(f"{USAGE}/tpu.googleapis.com:enable")
    assert client.get(f"{USAGE}/tpu.googleapis.com")["state"] == "DISABLED"
    client.wait(timings.enable_s)
    assert client.get(f"/v1/{operation['name']}")["response"]["service"]["state"] == "ENABLED"
    assert client.get(f"{USAGE}/tpu.googleapis.com")["state"] == "ENABLED"
    assert client.refused("GET", NODES)["code"] == 403
    client.wait(timings.propagate_s)
    assert client.get(NODES) == {}
    assert client.post(f"{USAGE}/tpu.googleapis.com:enable")["done"]


def test_what_is_due_happens_in_its_order_however_late_one_looks(opened: Any) -> None:
    client = opened("no-tpu-api")
    client.post(f"{USAGE}/tpu.googleapis.com:enable")
    client.wait(3600)
    assert client.get(NODES) == {}


def test_an_api_that_costs_needs_billing(opened: Any) -> None:
    client = opened("fresh")
    error = client.refused("POST", f"{USAGE}/tpu.googleapis.com:enable")
    assert error["status"] == "FAILED_PRECONDITION"
    assert error["message"].startswith("Billing account for project '123456789012' is not found.")
    assert error["details"][1]["reason"] == "UREQ_PROJECT_BILLING_NOT_FOUND"
    status, linked = client.ask(
        "PUT", "/v1/projects/demo-project/billingInfo", {"billingAccountName": "billingAccounts/000000-AAAAAA-111111"}, user_agent=GCLOUD
    )
    assert (status, linked["billingEnabled"]) == (200, True)
    client.post(f"{USAGE}/tpu.googleapis.com:enable")


def test_many_apis_are_asked_for_at_once(opened: Any) -> None:
    client = opened("fresh")
    names = "&".join(f"names=projects/demo-project/services/{name}.googleapis.com" for name in ("tpu", "storage"))
    assert [service["state"] for service in client.get(f"{USAGE}:batchGet?{names}")["services"]] == ["DISABLED", "ENABLED"]
    client.post(f"{USAGE}:batchEnable", {"serviceIds": ["iam.googleapis.com", "cloudquotas.googleapis.com"]})
    client.wait(60)
    enabled = client.get(f"{USAGE}?filter=state:ENABLED&pageSize=3")
    assert len(enabled["services"]) == 3
    assert client.get(f"{USAGE}?filter=state:ENABLED&pageSize=50&pageToken={enabled['nextPageToken']}")["services"]
    assert client.refused("GET", f"{USAGE}:batchGet")["code"] == 400
    unknown = client.refused("POST", f"{USAGE}/nothing.googleapis.com:enable")
    assert unknown["details"][1]["reason"] == "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED"


def test_an_api_can_be_turned_off(ready: Any) -> None:
    ready.post(f"{USAGE}/tpu.googleapis.com:disable")
    ready.wait(60)
    assert ready.refused("GET", NODES)["code"] == 403


def test_enabling_compute_engine_brings_its_service_account(opened: Any) -> None:
    client = opened("no-compute-api", accounts={})
    assert "accounts" not in client.get(ACCOUNTS)
    client.post(f"{USAGE}/compute.googleapis.com:enable")
    client.wait(60)
    assert client.get(ACCOUNTS)["accounts"][0]["email"] == "123456789012-compute@developer.gserviceaccount.com"


def test_a_granted_role_changes_what_may_be_done(opened: Any) -> None:
    client = opened("no-tpu-admin")
    assert client.held("tpu.nodes.create", "tpu.nodes.get") == ["tpu.nodes.get"]
    policy = client.post(f"{PROJECT}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
    policy["bindings"].append({"role": "roles/tpu.admin", "members": ["user:ada@example.com"]})
    client.post(f"{PROJECT}:setIamPolicy", {"policy": policy})
    assert client.held("tpu.nodes.create", "tpu.nodes.get") == ["tpu.nodes.create", "tpu.nodes.get"]
    stale = client.refused("POST", f"{PROJECT}:setIamPolicy", {"policy": policy})
    assert (stale["code"], stale["status"]) == (409, "ABORTED")


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"role": "roles/nothing", "members": ["user:a@example.com"]}, "Role roles/nothing is not supported for this resource."),
        (
            {"role": "roles/tpu.admin", "members": ["serviceAccount:none@demo-project.iam.gserviceaccount.com"]},
            "Service account none@demo-project.iam.gserviceaccount.com does not exist.",
        ),
    ],
)
def test_a_policy_that_names_what_is_not_there_is_refused(ready: Any, binding: dict[str, Any], message: str) -> None:
    assert ready.refused("POST", f"{PROJECT}:setIamPolicy", {"policy": {"bindings": [binding]}})["message"] == message


def test_inherited_roles_count_and_are_not_shown(opened: Any) -> None:
    client = opened("inherited-roles")
    assert client.held("tpu.nodes.create", "iam.serviceAccounts.setIamPolicy") == ["tpu.nodes.create", "iam.serviceAccounts.setIamPolicy"]
    members = [member for binding in client.post(f"{PROJECT}:getIamPolicy")["bindings"] for member in binding["members"]]
    assert "user:ada@example.com" not in members


def test_an_editor_may_not_grant(opened: Any) -> None:
    asked = ("iam.serviceAccounts.create", "iam.serviceAccounts.setIamPolicy", "resourcemanager.projects.setIamPolicy")
    assert opened("editor").held(*asked) == ["iam.serviceAccounts.create"]


@pytest.mark.parametrize(("until", "held"), [("2027-01-01T00:00:00Z", ["tpu.nodes.create"]), ("2026-01-01T00:00:00Z", [])])
def test_a_grant_ends_with_its_date(opened: Any, until: str, held: list[str]) -> None:
    client = opened("no-tpu-admin")
    condition = {"title": "for a while", "expression": f'request.time < timestamp("{until}")'}
    policy = client.post(f"{PROJECT}:getIamPolicy")
    policy["bindings"].append({"role": "roles/tpu.admin", "members": ["user:ada@example.com"], "condition": condition})
    assert client.post(f"{PROJECT}:setIamPolicy", {"policy": policy})["version"] == 3
    assert client.held("tpu.nodes.create") == held


def test_service_accounts_are_created_found_and_deleted(ready: Any) -> None:
    made = ready.post(ACCOUNTS, {"accountId": "another-one", "serviceAccount": {"displayName": "Another"}})
    email = "another-one@demo-project.iam.gserviceaccount.com"
    assert (made["email"], made["displayName"]) == (email, "Another")
    assert ready.get(f"/v1/projects/-/serviceAccounts/{email}") == made
    assert ready.refused("POST", ACCOUNTS, {"accountId": "another-one"})["status"] == "ALREADY_EXISTS"
    assert ready.refused("POST", ACCOUNTS, {"accountId": "x"})["code"] == 400
    assert ready.ask("DELETE", f"{ACCOUNTS}/{email}") == (200, {})
    assert ready.refused("GET", f"{ACCOUNTS}/{email}")["status"] == "NOT_FOUND"


def test_a_service_account_can_be_disabled_and_enabled(ready: Any) -> None:
    ready.post(f"{ACCOUNTS}/{ACCOUNT}:disable")
    assert ready.get(f"{ACCOUNTS}/{ACCOUNT}")["disabled"]
    ready.post(f"{ACCOUNTS}/{ACCOUNT}:enable")
    assert "disabled" not in ready.get(f"{ACCOUNTS}/{ACCOUNT}")


def test_acting_as_an_account_is_granted_on_it_and_does_not_show_at_the_project(opened: Any) -> None:
    client = opened("no-act-as")
    test = f"{ACCOUNTS}/{ACCOUNT}:testIamPermissions"
    asked = {"permissions": ["iam.serviceAccounts.actAs"]}
    assert client.post(test, asked) == {}
    binding = {"role": "roles/iam.serviceAccountUser", "members": ["user:ada@example.com"]}
    client.post(f"{ACCOUNTS}/{ACCOUNT}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert client.post(test, asked) == asked
    assert client.get(f"{ACCOUNTS}/{ACCOUNT}:getIamPolicy")["bindings"] == [binding]
    assert client.held("iam.serviceAccounts.actAs") == []


def test_a_service_agent_is_made_without_its_role(opened: Any) -> None:
    client = opened("no-service-agent")
    made = client.post(f"{USAGE.replace('/v1/', '/v1beta1/')}/tpu.googleapis.com:generateServiceIdentity")
    assert made["done"]
    agent = "service-123456789012@gcp-sa-tpu.iam.gserviceaccount.com"
    assert made["response"]["email"] == agent
    assert "cloudtpu.serviceAgent" not in str(client.post(f"{PROJECT}:getIamPolicy"))  # the first TPU VM grants its role


def test_a_role_lists_its_permissions(ready: Any) -> None:
    assert "tpu.nodes.create" in ready.get("/v1/roles/tpu.admin")["includedPermissions"]
    assert ready.refused("GET", "/v1/roles/nothing")["code"] == 404


def test_prices_are_found_as_in_the_real_list_and_say_that_they_are_invented(ready: Any) -> None:
    skus = ready.get("/v1/services/6F81-5844-456A/skus?pageSize=5000&currencyCode=USD")["skus"]
    here = [sku for sku in skus if "us-central1" in sku["serviceRegions"] and sku["category"]["usageType"] == "OnDemand"]
    found = [sku for sku in here if sku["description"].startswith("TpuV6e running in ")]
    assert len(found) == 1
    assert found[0]["category"]["resourceGroup"] == "TPU"
    assert found[0]["skuId"].startswith("EMULATED")
    rate = found[0]["pricingInfo"][-1]["pricingExpression"]["tieredRates"][0]["unitPrice"]
    assert rate == {"currencyCode": "USD", "units": "2", "nanos": 0}
    assert any(sku["description"].startswith("TpuV6e attached to Spot Preemptible VMs") for sku in skus)
    assert not any("v2" in sku["description"] for sku in skus)
