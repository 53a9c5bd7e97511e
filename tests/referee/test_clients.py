"""Google's own Python clients over REST."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import billing_v1, cloudquotas_v1, resourcemanager_v3, service_usage_v1, tpu_v2
from tests.emulation import EmulatorThread, start_emulator

from heartbeat_core.emulator.http import ENUMS

PROJECT = "projects/demo-project"
ZONE = f"{PROJECT}/locations/us-central1-b"
LIMIT_S = 30
SPEC = {"accelerator_type": "v6e-1", "runtime_version": "v2-alpha-tpuv6e"}
ONCE: dict[str, Any] = {"retry": None, "timeout": LIMIT_S}


def client(kind: Any, emulator: EmulatorThread) -> Any:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return kind(credentials=anonymous, transport="rest", client_options=ClientOptions(api_endpoint=emulator.url))


def test_the_tpu_client_takes_a_node_through_its_life(emulator: EmulatorThread) -> None:
    tpu = client(tpu_v2.TpuClient, emulator)
    created = tpu.create_node(parent=ZONE, node=tpu_v2.Node(**SPEC), node_id="a", **ONCE).result(timeout=LIMIT_S)
    assert created.state == tpu_v2.Node.State.READY
    assert [node.name for node in tpu.list_nodes(parent=ZONE, **ONCE)] == [f"{ZONE}/nodes/a"]
    node = tpu.get_node(name=f"{ZONE}/nodes/a", **ONCE)
    assert node.health == tpu_v2.Node.Health.HEALTHY
    node.description = "first"
    assert tpu.update_node(node=node, update_mask={"paths": ["description"]}, **ONCE).result(timeout=LIMIT_S).description == "first"
    assert tpu.stop_node({"name": node.name}, **ONCE).result(timeout=LIMIT_S).state == tpu_v2.Node.State.STOPPED
    assert tpu.start_node({"name": node.name}, **ONCE).result(timeout=LIMIT_S).state == tpu_v2.Node.State.READY
    tpu.delete_node(name=node.name, **ONCE).result(timeout=LIMIT_S)
    with pytest.raises(exceptions.NotFound):
        tpu.get_node(name=node.name, **ONCE)


def test_the_tpu_client_sees_zones_and_queued_resources(emulator: EmulatorThread) -> None:
    tpu = client(tpu_v2.TpuClient, emulator)
    assert "v6e-1" in [entry.type_ for entry in tpu.list_accelerator_types(parent=ZONE, **ONCE)]
    assert "v2-alpha-tpuv6e" in [entry.version for entry in tpu.list_runtime_versions(parent=ZONE, **ONCE)]
    assert "us-central1-b" in [entry.location_id for entry in tpu.list_locations({"name": PROJECT}, **ONCE).locations]
    spec = {"parent": ZONE, "node_id": "n", "node": SPEC}
    queued = tpu_v2.QueuedResource(tpu={"node_spec": [spec]}, spot={})
    tpu.create_queued_resource(parent=ZONE, queued_resource=queued, queued_resource_id="q", **ONCE).result(timeout=LIMIT_S)
    assert [entry.name for entry in tpu.list_queued_resources(parent=ZONE, **ONCE)] == [f"{ZONE}/queuedResources/q"]
    tpu.delete_queued_resource({"name": f"{ZONE}/queuedResources/q", "force": True}, **ONCE).result(timeout=LIMIT_S)


def test_one_exception_has_two_meanings(emulator: EmulatorThread) -> None:
    beyond = tpu_v2.Node(accelerator_type="v6e-16", runtime_version="v2-alpha-tpuv6e")
    with pytest.raises(exceptions.TooManyRequests, match="Quota limit") as refused:
        client(tpu_v2.TpuClient, emulator).create_node(parent=ZONE, node=beyond, node_id="a", **ONCE)
    assert refused.value.reason is None
    with start_emulator("stockout", speed=1000.0) as empty:
        operation = client(tpu_v2.TpuClient, empty).create_node(parent=ZONE, node=tpu_v2.Node(**SPEC), node_id="a", **ONCE)
        with pytest.raises(exceptions.ResourceExhausted, match="no more capacity"):
            operation.result(timeout=LIMIT_S)


def test_a_disabled_api_says_which_and_for_whom() -> None:
    with start_emulator("foreign-consumer") as emulator, pytest.raises(exceptions.Forbidden) as refused:
        list(client(tpu_v2.TpuClient, emulator).list_nodes(parent=ZONE, **ONCE))
    assert (refused.value.reason, refused.value.domain) == ("SERVICE_DISABLED", "googleapis.com")
    assert refused.value.metadata["consumer"] == "projects/764086051850"


def test_service_usage(emulator: EmulatorThread) -> None:
    usage = client(service_usage_v1.ServiceUsageClient, emulator)
    enabled = service_usage_v1.State.ENABLED
    assert usage.get_service({"name": f"{PROJECT}/services/tpu.googleapis.com"}, **ONCE).state == enabled
    listed = list(usage.list_services({"parent": PROJECT, "filter": "state:ENABLED", "page_size": 5}, **ONCE))
    assert len(listed) > 5
    names = [f"{PROJECT}/services/{name}.googleapis.com" for name in ("tpu", "iam")]
    assert len(usage.batch_get_services({"parent": PROJECT, "names": names}, **ONCE).services) == 2
    off = usage.disable_service({"name": names[0]}, **ONCE).result(timeout=LIMIT_S)
    assert off.service.state == service_usage_v1.State.DISABLED
    assert usage.enable_service({"name": names[0]}, **ONCE).result(timeout=LIMIT_S).service.state == enabled


def test_resource_manager_and_billing(emulator: EmulatorThread) -> None:
    projects = client(resourcemanager_v3.ProjectsClient, emulator)
    assert projects.get_project(name=PROJECT, **ONCE).state == resourcemanager_v3.Project.State.ACTIVE
    assert [project.project_id for project in projects.search_projects(**ONCE)] == ["demo-project"]
    asked = ["tpu.nodes.create", "billing.accounts.close"]
    assert list(projects.test_iam_permissions(resource=PROJECT, permissions=asked, **ONCE).permissions) == asked[:1]
    policy = projects.get_iam_policy({"resource": PROJECT}, **ONCE)
    policy.bindings.add(role="roles/tpu.viewer", members=["user:grace@example.com"])
    assert projects.set_iam_policy({"resource": PROJECT, "policy": policy}, **ONCE).etag != policy.etag
    assert projects.create_project(project={"project_id": "another-1"}, **ONCE).result(timeout=LIMIT_S).project_id == "another-1"
    billing = client(billing_v1.CloudBillingClient, emulator)
    assert billing.get_project_billing_info(name=PROJECT, **ONCE).billing_enabled
    skus = client(billing_v1.CloudCatalogClient, emulator).list_skus(parent="services/6F81-5844-456A", **ONCE)
    assert any(sku.description.startswith("TpuV6e running in ") for sku in skus)


def test_cloud_quotas(emulator: EmulatorThread) -> None:
    quotas = client(cloudquotas_v1.CloudQuotasClient, emulator)
    parent = f"{PROJECT}/locations/global"
    quota_id = "TPUV6EPerProjectPerZoneForTPUAPI"
    info = quotas.get_quota_info(name=f"{parent}/services/tpu.googleapis.com/quotaInfos/{quota_id}", **ONCE)
    assert info.dimensions_infos[0].details.value == 8
    wish = cloudquotas_v1.QuotaPreference(
        service="tpu.googleapis.com",
        quota_id=quota_id,
        dimensions={"zone": "us-east5-a"},
        quota_config={"preferred_value": 4},
        contact_email="ada@example.com",
    )
    asked = quotas.create_quota_preference(parent=parent, quota_preference=wish, quota_preference_id="mine", **ONCE)
    assert asked.quota_config.preferred_value == 4
    assert len(list(quotas.list_quota_preferences(parent=parent, **ONCE))) == 1


def test_the_emulator_has_the_numbers_of_every_enum() -> None:
    states, symptoms = tpu_v2.QueuedResourceState, tpu_v2.Symptom
    kinds: dict[str, Any] = {
        "state": tpu_v2.Node.State, "queued state": states.State, "health": tpu_v2.Node.Health, "apiVersion": tpu_v2.Node.ApiVersion,
        "stateInitiator": states.StateInitiator, "symptomType": symptoms.SymptomType, "mode": tpu_v2.AttachedDisk.DiskMode,
        "type": tpu_v2.AcceleratorConfig.Type,
    }  # fmt: skip
    theirs = {field: {member.name: member.value for member in kind if member.value} for field, kind in kinds.items()}
    assert theirs == ENUMS


def test_odd_answers_do_not_upset_the_clients() -> None:
    with start_emulator("odd") as emulator:
        tpu = client(tpu_v2.TpuClient, emulator)
        assert len(list(tpu.list_nodes(parent=ZONE, **ONCE))) == 5
        assert not client(billing_v1.CloudBillingClient, emulator).get_project_billing_info(name=PROJECT, **ONCE).billing_enabled
