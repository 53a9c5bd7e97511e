"""Every API module against the emulator: the answers of a whole Cloud, and what its scenarios break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.emulation import start_emulator

from heartbeat_core.cloud import compute, iam, projects, quotas, tpu
from heartbeat_core.cloud import projects as billing
from heartbeat_core.cloud import projects as services
from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession, Limits, open_session
from heartbeat_core.diagnosis.diagnose import diagnose_exception

P, NUMBER, ZONE, REGION = "demo-project", "123456789012", "us-central1-b", "us-central1"
V6E = "TPUV6EPerProjectPerZoneForTPUAPI"
KNOWN = {"project": P, "project_number": NUMBER}
# One call of each kind; all of them read.
CALLS: dict[str, Callable[[CloudSession], Any]] = {
    "project": lambda session: projects.get_project(session, P),
    "projects": projects.search_projects,
    "permissions": lambda session: projects.granted_permissions(session, P, ["tpu.nodes.create"]),
    "policy": lambda session: projects.get_policy(session, P),
    "billing": lambda session: billing.get_billing(session, P),
    "apis": lambda session: services.get_apis(session, P),
    "role": lambda session: iam.role_permissions(session, "roles/tpu.viewer"),
    "firewall": lambda session: compute.list_firewall_rules(session, P, "default"),
    "region": lambda session: compute.get_region_quotas(session, P, REGION),
    "quota": lambda session: quotas.get_quota(session, P, quotas.TPU, V6E),
    "quotas": lambda session: quotas.list_quotas(session, P, quotas.COMPUTE),
    "zones": lambda session: tpu.list_zones(session, P),
    "types": lambda session: tpu.list_accelerator_types(session, P, ZONE),
    "runtimes": lambda session: tpu.list_runtime_versions(session, P, ZONE),
    "nodes": lambda session: tpu.list_nodes(session, P),
    "queued": lambda session: tpu.list_queued_resources(session, P),
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Callable[[str], CloudSession]]:
    """Open sessions on emulators, one a scenario, that end with the module."""
    with ExitStack() as stack:
        opened: dict[str, CloudSession] = {}

        def open_on(scenario: str) -> CloudSession:
            if scenario not in opened:
                url = stack.enter_context(start_emulator(scenario)).url
                opened[scenario] = open_session(endpoint=url, environ={}, limits=Limits(total_s=60, read_s=60, tries=1))
            return opened[scenario]

        yield open_on


Cloud = Callable[[str], CloudSession]


def test_the_principal_is_named(cloud: Cloud) -> None:
    assert str(cloud("ready").identify()) == "ada@example.com (emulated)"


def test_all_that_is_ready_is_read(cloud: Cloud) -> None:
    session = cloud("ready")
    project = projects.get_project(session, P)
    assert (project.id, project.number, project.state) == (P, NUMBER, "ACTIVE")
    assert [found.id for found in projects.search_projects(session)] == [P]
    assert projects.granted_permissions(session, P, ["tpu.nodes.create", "bigquery.jobs.create"]) == {"tpu.nodes.create"}
    assert billing.get_billing(session, P).enabled
    apis = services.get_apis(session, P)
    assert apis == {f"{name}.googleapis.com": "ENABLED" for name in services.APIS}
    policy = projects.get_policy(session, P)
    account = f"heartbeat-tpu@{P}.iam.gserviceaccount.com"
    held = [(binding.role, member) for binding in policy for member in binding.members]
    assert ("roles/tpu.admin", f"serviceAccount:{account}") in held
    assert any((role, f"serviceAccount:{email}") in held for email, role in iam.service_agents(NUMBER))
    assert not iam.is_disabled(session, P, account)
    assert "storage.objects.get" in iam.role_permissions(session, "roles/storage.objectAdmin")
    assert not projects.get_organization_policy(session, P, "compute.requireShieldedVm").restricts
    assert REGION in compute.get_network_regions(session, P, "default")
    assert {"default-allow-ssh"} < {rule.name for rule in compute.list_firewall_rules(session, P, "default") if rule.covers(22)}
    assert iam.may_act_as(session, P, account)
    assert compute.get_region_quotas(session, P, REGION)["IN_USE_ADDRESSES"].limit
    assert ZONE in tpu.list_zones(session, P)
    assert "v6e-1" in tpu.list_accelerator_types(session, P, ZONE)
    assert "v2-alpha-tpuv6e" in tpu.list_runtime_versions(session, P, ZONE)
    quota = quotas.get_quota(session, P, quotas.TPU, V6E)
    assert quota
    assert quota.limit(ZONE) == quotas.Limit("limited", 8)
    assert quotas.get_quota(session, P, quotas.TPU, "NoSuchQuota") is None
    assert tpu.list_nodes(session, P).nodes == ()


def test_each_kind_of_limit_is_read(cloud: Cloud) -> None:
    kinds = {}
    for scenario in ("quota-zone-zero", "quota-unlimited", "quota-unset", "ready"):
        quota = quotas.get_quota(cloud(scenario), P, quotas.TPU, V6E)
        assert quota
        kinds[scenario] = str(quota.limit(ZONE))
    assert kinds == {"quota-zone-zero": "0", "quota-unlimited": "unlimited", "quota-unset": "0", "ready": "8"}


def test_what_is_in_use_is_counted(cloud: Cloud) -> None:
    session, accelerator = cloud("quota-used"), find_accelerator("v6e-1")
    assert accelerator
    everything = tpu.Nodes(tpu.list_nodes(session, P).nodes, tpu.list_queued_resources(session, P).queued)
    assert tpu.held(everything, accelerator, "on-demand", "zone", ZONE).sure > 0


def test_a_zone_that_does_not_answer_is_named(cloud: Cloud) -> None:
    assert tpu.list_nodes(cloud("unreachable-zone"), P).unreachable


@pytest.mark.parametrize("name", CALLS)
def test_new_words_and_missing_fields_break_nothing(cloud: Cloud, name: str) -> None:
    CALLS[name](cloud("odd"))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("scenario", "id_"), [("expired-credentials", "credentials-expired"), ("foreign-consumer", "quota-project-foreign")]
)
def test_what_breaks_everything_is_diagnosed(cloud: Cloud, scenario: str, id_: str, name: str) -> None:
    with pytest.raises(CloudError) as caught:
        CALLS[name](cloud(scenario))
    assert diagnose_exception(caught.value, known=KNOWN).id == id_


@pytest.mark.parametrize(
    ("scenario", "name", "id_"),
    [
        ("no-tpu-api", "nodes", "api-disabled"),
        ("no-compute-api", "region", "api-disabled"),
        ("no-compute-api", "firewall", "api-disabled"),
        ("no-cloudquotas-api", "quota", "api-disabled"),
        ("no-project", "project", "project-denied"),
    ],
)
def test_what_is_missing_is_diagnosed(cloud: Cloud, scenario: str, name: str, id_: str) -> None:
    with pytest.raises(CloudError) as caught:
        CALLS[name](cloud(scenario))
    diagnosis = diagnose_exception(caught.value, known=KNOWN)
    assert diagnosis.id == id_
    assert all(not remedy.missing for remedy in diagnosis.remedies if remedy.command and "enable" in remedy.command)


def test_expired_credentials_are_noticed_before_anything_is_asked(cloud: Cloud) -> None:
    with pytest.raises(CloudError) as caught:
        cloud("expired-credentials").identify()
    assert caught.value.status == 401


def test_a_flaky_cloud_is_read_to_the_end_or_refused_in_order() -> None:
    with start_emulator("flaky", seed=7) as emulator:
        session = open_session(endpoint=emulator.url, environ={}, limits=Limits(total_s=60, tries=4, backoff_s=0.001))
        ended: list[str] = []
        for _ in range(4):
            for call in CALLS.values():
                try:
                    call(session)
                except CloudError as error:
                    ended.append(error.kind)
                else:
                    ended.append("read")
    assert ended.count("read") > len(ended) / 2
    assert set(ended) <= {"read", "refused", "cut", "garbled"}
    assert any("tries" in call.answered for call in session.calls)
