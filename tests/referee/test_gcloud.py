"""The commands that heartbeat-tui shows, run by the real gcloud; few tests with many commands, for each costs a second."""

from __future__ import annotations

from typing import Any

from tests.emulation import start_emulator

NODE = "compute tpus tpu-vm"
SPEC = "--accelerator-type=v6e-1 --version=v2-alpha-tpuv6e"
ACCOUNT = "heartbeat-tpu@demo-project.iam.gserviceaccount.com"


def test_a_tpu_vm_is_created_shown_stopped_started_and_deleted(gcloud: Any) -> None:
    gcloud(f"{NODE} create llm-tpu-vm {SPEC} --service-account={ACCOUNT}")
    listed, described = gcloud.all(f"{NODE} list", f"{NODE} describe llm-tpu-vm")
    assert [(node["name"].rpartition("/")[2], node["state"]) for node in listed] == [("llm-tpu-vm", "READY")]
    assert described["serviceAccount"]["email"] == ACCOUNT
    assert gcloud(f"{NODE} stop llm-tpu-vm")["response"]["state"] == "STOPPED"
    assert gcloud(f"{NODE} start llm-tpu-vm")["response"]["state"] == "READY"
    gcloud(f"{NODE} update llm-tpu-vm --description=first")
    assert gcloud(f"{NODE} describe llm-tpu-vm")["description"] == "first"
    gcloud(f"{NODE} delete llm-tpu-vm --quiet")
    assert "NOT_FOUND" in gcloud.refused(f"{NODE} describe llm-tpu-vm")


def test_what_cannot_be_created_is_refused_as_people_have_seen_it(gcloud: Any) -> None:
    said = gcloud.refused(f"{NODE} create big --accelerator-type=v6e-16 --version=v2-alpha-tpuv6e")
    assert "RESOURCE_EXHAUSTED: Quota limit 'TPUV6EPerProjectPerZoneForTPUAPI' has been exceeded. Limit: 8 in zone us-central1-b." in said
    said = gcloud.refused(f"{NODE} create odd --accelerator-type=v5litepod-1 --version=v2-alpha-tpuv6e")
    assert "the accelerator v5litepod-1 was not found in zone us-central1-b" in said


def test_a_stockout_is_reported_by_the_operation(gcloud_for: Any) -> None:
    with start_emulator("stockout", speed=1000.0) as emulator:
        said = gcloud_for(emulator).refused(f"{NODE} create llm-tpu-vm {SPEC}")
    assert '"code": 8' in said
    assert "There is no more capacity in the zone" in said


def test_a_queued_resource_is_created_shown_and_deleted(gcloud: Any) -> None:
    command = "compute tpus queued-resources"
    gcloud(f"{command} create q --node-id=n --accelerator-type=v6e-4 --runtime-version=v2-alpha-tpuv6e --spot")
    listed, described = gcloud.all(f"{command} list", f"{command} describe q")
    assert [queued["name"].rpartition("/")[2] for queued in listed] == ["q"]
    assert described["state"]["state"] in ("ACCEPTED", "PROVISIONING", "ACTIVE")
    gcloud(f"{command} delete q --force --quiet")
    assert gcloud(f"{command} list") == []


def test_a_zone_says_what_it_offers(gcloud: Any) -> None:
    types, versions, places, region = gcloud.all(
        "compute tpus accelerator-types list",
        f"{NODE} versions list",
        "compute tpus locations list",
        "compute regions describe us-central1",
    )
    assert "v6e-1" in {entry["type"] for entry in types}
    assert "v2-alpha-tpuv6e" in {entry["version"] for entry in versions}
    assert "us-central1-b" in {entry["locationId"] for entry in places}
    assert "IN_USE_ADDRESSES" in {quota["metric"] for quota in region["quotas"]}


def test_from_a_fresh_project_to_a_tpu_vm(gcloud_for: Any) -> None:
    with start_emulator("fresh", speed=1000.0) as emulator:
        gcloud = gcloud_for(emulator)
        assert "SERVICE_DISABLED" in gcloud.refused(f"{NODE} list")
        assert "UREQ_PROJECT_BILLING_NOT_FOUND" in gcloud.refused("services enable tpu.googleapis.com")
        account = gcloud("billing accounts list")[0]["name"].rpartition("/")[2]
        assert gcloud(f"billing projects link demo-project --billing-account={account}")["billingEnabled"]
        gcloud("services enable tpu.googleapis.com compute.googleapis.com iam.googleapis.com cloudquotas.googleapis.com")
        gcloud("iam service-accounts create heartbeat-tpu")
        wish = "beta quotas preferences create --project=demo-project --service=tpu.googleapis.com --email=ada@example.com"
        wish += " --justification=heartbeat --preferred-value=1"
        enabled, *_ = gcloud.all(
            "services list --enabled",
            "beta services identity create --service=tpu.googleapis.com",
            f"projects add-iam-policy-binding demo-project --condition=None --role=roles/tpu.admin --member=serviceAccount:{ACCOUNT}",
            f"{wish} --quota-id=TPUV6EPerProjectPerZoneForTPUAPI --dimensions=zone=us-central1-b",
            f"{wish} --quota-id=TPUV6EPerProjectPerRegionForTPUAPI --dimensions=region=us-central1",
        )
        assert "tpu.googleapis.com" in {service["config"]["name"] for service in enabled}
        gcloud(f"{NODE} create llm-tpu-vm {SPEC} --service-account={ACCOUNT}")
        listed, policy = gcloud.all(f"{NODE} list", "projects get-iam-policy demo-project")
        assert listed[0]["state"] == "READY"
        assert {"roles/cloudtpu.serviceAgent", "roles/owner", "roles/tpu.admin"} <= {binding["role"] for binding in policy["bindings"]}


def test_projects_accounts_and_quotas_are_shown(gcloud: Any) -> None:
    project, listed, billing, accounts, quota = gcloud.all(
        "projects describe demo-project",
        "projects list",
        "billing projects describe demo-project",
        "iam service-accounts list",
        "beta quotas info describe TPUV6EPerProjectPerZoneForTPUAPI --service=tpu.googleapis.com --project=demo-project",
    )
    assert project["lifecycleState"] == "ACTIVE"
    assert [entry["projectId"] for entry in listed] == ["demo-project"]
    assert billing["billingEnabled"]
    assert ACCOUNT in {account["email"] for account in accounts}
    assert quota["dimensionsInfos"][0]["details"]["value"] == "8"


def test_projects_are_created_and_accounts_granted(gcloud: Any) -> None:
    grant = f"iam service-accounts add-iam-policy-binding {ACCOUNT} --role=roles/iam.serviceAccountUser --member=user:grace@example.com"
    granted, _ = gcloud.all(grant, "projects create another-project-1")
    assert "user:grace@example.com" in granted["bindings"][0]["members"]
    assert len(gcloud("projects list")) == 2
