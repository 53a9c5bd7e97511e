"""Each single missing thing makes exactly its check fail, and what depends on it is blocked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.checks.fix_plan import all_steps
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.emulator.catalogue import SERVICES
from heartbeat_core.emulator.scenario import FirewallStart, load_scenario, scenario_names

IN_THE_CLOUD = [check.id for check in checks_for() if check.group not in ("host", "account")]
API = [name for name in IN_THE_CLOUD if name.startswith("api.")]
BEHIND_PROJECT = [name for name in IN_THE_CLOUD if name not in (*API, "project.exists", "zone.pairing")]
ONLY_CHECKED = [f"api.{name}" for name in ("serviceusage", "cloudresourcemanager", "cloudbilling", "cloudquotas")]
NETWORK = [name for name in IN_THE_CLOUD if name.startswith("network.")]
POLICY = [name for name in IN_THE_CLOUD if name.startswith("policy.")]
OF_COMPUTE = [*NETWORK, "quota.addresses", "quota.hyperdisk", "quota.cpus"]
OF_TPU = ["quota.tpu-zone", "quota.tpu-region", "zone.accelerator", "zone.runtime"]
BY_NUMBER = ["iam.tpu-service-account", "iam.act-as", "iam.service-agent"]  # names that contain the project's number
UNCHOSEN = ["iam.tpu-service-account", "iam.tpu-service-account-roles"]  # no service account is chosen
ROLES = ["iam.service-account-admin", "iam.project-iam-admin", "iam.tpu-admin"]
CHOSEN = "heartbeat-tpu@demo-project.iam.gserviceaccount.com"
Expected = dict[str, list[str]]


def failing(check: str, blocked: list[str] | None = None) -> Expected:
    return {"fail": [check], "blocked": blocked or []}


EXPECTED: dict[str, Expected] = {
    "ready": {}, "many": {}, "quota-unlimited": {}, "stockout": {},
    "running": {"unknown": ["quota.tpu-zone", "quota.tpu-region"]}, "unreachable-zone": {"unknown": ["quota.tpu-zone", "quota.tpu-region"]},
    "flex-start": {},
    "compute-engine": {"unknown": ["quota.tpu-zone", "quota.tpu-region"]},
    "fresh": {
        "fail": ["api.iam", "api.compute", "api.tpu"], "warn": [name for name in ONLY_CHECKED if name != "api.serviceusage"],
        "unknown": ["project.exists", "project.billing", *ROLES, *BY_NUMBER, *POLICY, "quota.tpu-zone", "quota.tpu-region"],
        "blocked": [*OF_COMPUTE, "zone.accelerator", "zone.runtime"],
    },
    "no-project": failing("project.exists", [*API, *BEHIND_PROJECT]),
    "other-project": failing("project.exists", [*API, *BEHIND_PROJECT]),
    "deleted-project": failing("project.exists", BEHIND_PROJECT),
    "suspended": failing("project.exists", [*API, *BEHIND_PROJECT]),
    "vpc-sc": {"unknown": [name for name in IN_THE_CLOUD if name not in (*UNCHOSEN[1:], "network.external-ip", "zone.pairing")]},
    "no-billing": failing("project.billing", [*OF_COMPUTE, *OF_TPU]),
    "closed-billing": failing("project.billing", [*OF_COMPUTE, *OF_TPU]),
    "no-cloudbilling-api": {"warn": ["api.cloudbilling"], "unknown": ["project.billing"]},
    "no-cloudquotas-api": {"warn": ["api.cloudquotas"], "unknown": ["quota.tpu-zone", "quota.tpu-region"]},
    "no-cloudresourcemanager-api": {
        "warn": ["api.cloudresourcemanager"], "unknown": ["project.exists", *ROLES, *BY_NUMBER, *POLICY],
    },
    "no-compute-api": failing("api.compute", OF_COMPUTE),
    "no-iam-api": failing("api.iam", ["iam.tpu-service-account", "iam.act-as"]),
    "no-serviceusage-api": {"warn": ["api.serviceusage"], "unknown": [name for name in API if name != "api.serviceusage"]},
    "no-tpu-api": failing("api.tpu", OF_TPU),
    "expired-credentials": failing("account.adc", ["account.match", "account.quota-project", "project.exists", *API, *BEHIND_PROJECT]),
    "foreign-consumer": {
        "warn": ["account.quota-project"],
        "unknown": [name for name in IN_THE_CLOUD if name not in (*UNCHOSEN[1:], "network.external-ip", "zone.pairing")],
    },
    "no-service-account-admin": {"warn": ["iam.service-account-admin"]},
    "no-project-iam-admin": {"warn": ["iam.project-iam-admin"], "unknown": ["iam.service-agent"]},
    "no-tpu-admin": failing("iam.tpu-admin"),
    "no-roles": {"fail": ["iam.tpu-admin", "iam.act-as"], "warn": ["iam.service-account-admin", "iam.project-iam-admin"]},
    "editor": {"warn": ["iam.service-account-admin", "iam.project-iam-admin"]},
    "no-service-agent": {"unknown": ["iam.service-agent"]},
    "no-default-account": failing("iam.tpu-service-account", ["iam.act-as"]),
    "no-act-as": failing("iam.act-as"),
    "no-network": failing("network.default", ["network.ssh", "network.external-ip"]),
    "no-ssh-rule": failing("network.ssh"),
    "iap-only": {"warn": ["network.ssh"]},
    "org-policy": {
        "fail": ["policy.shielded-vm", "policy.external-ip"], "warn": ["policy.members", "policy.service-accounts"],
    },
    "org-policy-hidden": {"unknown": POLICY},
    "quota-zone-zero": failing("quota.tpu-zone"),
    "quota-unset": failing("quota.tpu-zone"),
    "quota-ineligible": failing("quota.tpu-zone"),
    "quota-region-zero": failing("quota.tpu-region"),
    "quota-used": {"fail": ["quota.tpu-zone", "quota.tpu-region"]},
    "queued-waiting": {"unknown": ["quota.tpu-zone", "quota.tpu-region"]},
    "no-addresses": failing("quota.addresses"),
    "no-hyperdisk": failing("quota.hyperdisk"),
    "few-cpus": {"warn": ["quota.cpus"]},
    "odd": {"unknown": ["project.exists", "project.billing", *API, *BY_NUMBER, "quota.tpu-zone", "quota.tpu-region"]},
    "disabled-service-account": {}, "expired-grant": {}, "inherited-roles": {}, "no-service-account": {}, "no-service-account-roles": {},
}  # fmt: skip
WITH_CHOSEN: dict[str, Expected] = {
    "ready": {},
    "no-service-account": {"fail": ["iam.tpu-service-account"], "blocked": ["iam.act-as"], "warn": ["iam.tpu-service-account-roles"]},
    "disabled-service-account": failing("iam.tpu-service-account"),
    "no-service-account-roles": {"warn": ["iam.tpu-service-account-roles"]},
    "expired-grant": {"unknown": ["iam.tpu-service-account-roles"]},
    "inherited-roles": {"unknown": ["iam.tpu-service-account-roles"]},
    "no-act-as": failing("iam.act-as"),
    "no-default-account": {},  # another account is used
}
# Their faults are on the way: test_faults.py asks them over a network.
ON_THE_WAY = {"broken-quotas", "flaky", "slow"}


def test_every_scenario_has_an_expectation() -> None:
    assert set(scenario_names()) == set(EXPECTED) | ON_THE_WAY


def assert_expected(readiness: CheckReport, expected: Expected) -> None:
    found: Expected = {}
    for result in readiness.results:
        if result.status not in ("pass", "not_applicable"):
            found.setdefault(result.status, []).append(result.id)
    assert {status: sorted(ids) for status, ids in found.items()} == {status: sorted(ids) for status, ids in expected.items() if ids}
    assert readiness.ready is (False if "fail" in expected else None if "unknown" in expected else True)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_scenario_fails_exactly_its_checks(name: str, asked: Callable[..., CheckReport]) -> None:
    expected = EXPECTED[name]
    named = {check for ids in expected.values() for check in ids}
    unchosen = [check for check in UNCHOSEN if check not in named]
    assert_expected(asked(name), {**expected, "warn": [*expected.get("warn", []), *unchosen]})


@pytest.mark.parametrize("name", EXPECTED)
def test_no_fix_enables_an_api_twice(name: str, asked: Callable[..., CheckReport]) -> None:
    for step in all_steps(asked(name)):
        words = step.remedy.command or ()
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("name", WITH_CHOSEN)
def test_a_service_account_that_is_chosen_is_the_one_looked_at(name: str, asked: Callable[..., CheckReport]) -> None:
    assert_expected(asked(name, service_account=CHOSEN), WITH_CHOSEN[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_no_grant_is_offered_to_an_account_that_was_not_chosen(name: str, asked: Callable[..., CheckReport]) -> None:
    for result in asked(name).results:
        for remedy in result.remedies:
            grantees = [word for word in remedy.command or () if word.startswith("--member=serviceAccount:")]
            assert not grantees or result.id == "iam.service-agent"


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_open_says_what_to_do_and_what_is_blocked_says_by_what(name: str, asked: Callable[..., CheckReport]) -> None:
    readiness = asked(name)
    failed = {result.id for result in readiness.failed}
    for result in readiness.results:
        assert result.question.endswith("?")
        assert result.summary
        if result.status == "fail":
            assert result.remedies, result.id
            assert any(remedy.command or remedy.page for remedy in result.remedies), result.id
        if result.status == "blocked":
            assert result.blocked_by
            assert set(result.blocked_by) <= failed
        if result.status == "pass" and result.id != "zone.pairing" and not result.id.startswith("policy."):
            assert result.evidence, result.id


@pytest.mark.parametrize("service", [name.removeprefix("api.") for name in API])
def test_an_api_that_is_off_has_the_command_that_turns_it_on(service: str, asked: Callable[..., CheckReport], direct: Any) -> None:
    kept = tuple(name for name in SERVICES if name != f"{service}.googleapis.com")
    result = asked(direct("ready", services=kept), (f"api.{service}",)).get(f"api.{service}")
    assert result is not None
    assert result.status == ("warn" if f"api.{service}" in ONLY_CHECKED else "fail")
    assert result.remedies[0].command == ("gcloud", "services", "enable", f"{service}.googleapis.com", "--project=demo-project")
    assert result.remedies[0].costs is False


def test_a_role_that_is_missing_is_granted_to_the_one_who_asks(asked: Callable[..., CheckReport]) -> None:
    result = asked("no-tpu-admin").get("iam.tpu-admin")
    assert result is not None
    assert result.remedies[0].command == (
        "gcloud", "projects", "add-iam-policy-binding", "demo-project", "--member=user:ada@example.com",
        "--role=roles/tpu.admin", "--condition=None",
    )  # fmt: skip
    assert "tpu.nodes.create" in result.why
    assert "ada@example.com" in result.why


def test_quota_is_asked_for_beside_what_is_used(asked: Callable[..., CheckReport]) -> None:
    result = asked("quota-used").get("quota.tpu-zone")
    assert result is not None
    assert result.summary == "limit 8, 8 used, 1 v6e chip needed"
    assert "forgotten (SUSPENDED)" in result.why
    shells = [remedy.shell or "" for remedy in result.remedies]
    assert any("queued-resources delete" in shell for shell in shells)
    assert any("--preferred-value=9" in shell and "--dimensions=zone=us-central1-b" in shell for shell in shells)


def test_no_more_quota_is_asked_for_where_that_is_refused(asked: Callable[..., CheckReport]) -> None:
    result = asked("quota-ineligible").get("quota.tpu-zone")
    assert result is not None
    assert "No increase can be requested: OTHER." in result.why
    assert not any("preferences" in (remedy.shell or "") for remedy in result.remedies)


def test_a_spot_vm_has_quotas_of_its_own(asked: Callable[..., CheckReport], direct: Any) -> None:
    ready = load_scenario("ready")
    quotas = {**ready.quotas, "TPUV6EPreemptiblePerProjectPerZoneForTPUAPI": {"us-central1-b": 0}}
    readiness = asked(direct("ready", quotas=quotas), provisioning="spot")
    assert [result.id for result in readiness.failed] == ["quota.tpu-zone"]
    assert "TPUV6EPreemptible" in (readiness.failed[0].remedies[0].shell or "")


def test_a_zone_without_the_accelerator_names_the_nearest_that_has_it(asked: Callable[..., CheckReport]) -> None:
    result = asked("ready", ("zone.accelerator",), zone="us-central1-a").get("zone.accelerator")
    assert result is not None
    assert result.status == "fail"
    assert result.why.startswith("v6e-1 is offered in us-central1-b, us-east1-d, us-east5-a, us-east5-b")
    assert result.remedies[0].command == ("gcloud", "config", "set", "compute/zone", "us-central1-b")


def test_a_zone_that_is_none_is_a_failure_of_the_zone(asked: Callable[..., CheckReport]) -> None:
    result = asked("ready", ("zone.accelerator",), zone="us-central1-z").get("zone.accelerator")
    assert result is not None
    assert (result.status, result.summary) == ("fail", "us-central1-z has no TPUs")


@pytest.mark.parametrize(
    ("runtime", "pairing", "offered"),
    [
        ("tpu-ubuntu2204-base", "fail", "pass"),
        ("v2-alpha-tpuv5", "fail", "pass"),
        ("v9-future", "unknown", "fail"),
        ("v2-alpha-tpuv6e", "pass", "pass"),
    ],
)
def test_a_runtime_must_fit_and_be_offered(runtime: str, pairing: str, offered: str, asked: Callable[..., CheckReport]) -> None:
    readiness = asked("ready", ("zone",), runtime_version=runtime)
    assert {result.id: result.status for result in readiness.results if result.group == "zone"} == {
        "zone.accelerator": "pass",
        "zone.runtime": offered,
        "zone.pairing": pairing,
    }


def test_an_accelerator_not_known_here_is_never_a_pass_of_its_quota(asked: Callable[..., CheckReport]) -> None:
    readiness = asked("ready", accelerator_type="v9x-1")
    assert {result.status for result in readiness.results if result.id.startswith("quota.tpu")} == {"unknown"}
    assert readiness.ready is False  # the zone has no such thing


@pytest.mark.parametrize("name", ["v4-8", "v5p-8", "v5litepod-1"])
def test_other_generations_are_charged_to_their_own_quotas(name: str, asked: Callable[..., CheckReport]) -> None:
    readiness = asked("ready", ("quota",), accelerator_type=name, zone="us-central1-a")
    statuses = {result.id: result.status for result in readiness.results if result.group == "quota"}
    assert statuses["quota.tpu-zone"] == {"v4-8": "fail", "v5p-8": "fail", "v5litepod-1": "pass"}[name]
    assert statuses["quota.hyperdisk"] == "not_applicable"


def test_a_service_account_that_is_missing_can_be_created(asked: Callable[..., CheckReport]) -> None:
    readiness = asked("ready", service_account="nobody@demo-project.iam.gserviceaccount.com")
    result = readiness.get("iam.tpu-service-account")
    assert result is not None
    assert (result.status, result.summary) == ("fail", "nobody@demo-project.iam.gserviceaccount.com does not exist")
    assert result.remedies[0].command == ("gcloud", "iam", "service-accounts", "create", "nobody", "--project=demo-project")


def test_a_subnetwork_must_be_there_and_of_the_network(asked: Callable[..., CheckReport], tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text('description = "t"\nextends = "ready"\nnetworks = ["default", "other"]\n', encoding="utf-8")
    for name, status in (("default", "pass"), ("nowhere", "fail"), ("other", "fail"), ("projects/demo-project/x/default", "pass"),
                         ("projects/demo-project/regions/europe-west4/subnetworks/default", "fail")):  # fmt: skip
        result = asked(str(file), ("network.default",), subnetwork=name).get("network.default")
        assert result is not None
        assert result.status == status, result.summary


def test_without_a_project_everything_waits_for_one(asked: Callable[..., CheckReport]) -> None:
    readiness = asked("ready", project=None)
    assert [result.id for result in readiness.failed] == ["project.exists"]
    assert {result.blocked_by for result in readiness.results if result.status == "blocked"} == {("project.exists",)}


def test_every_question_that_several_ask_goes_out_once(world: Any, direct: Any) -> None:
    from heartbeat_core.checks.runner import Runner

    wire = direct("ready")
    Runner(checks_for(), replace(world(wire), environ={})).run()
    assert len(wire.asked) == len(set(wire.asked))
    assert not [call for call in wire.asked if call.startswith(("PUT", "PATCH", "DELETE"))]
    assert {call.rpartition(":")[2] for call in wire.asked if call.startswith("POST")} <= {"testIamPermissions", "getIamPolicy"}


def test_a_queued_resource_that_waits_is_named(asked: Callable[..., CheckReport]) -> None:
    result = asked("queued-waiting").get("quota.tpu-zone")
    assert result is not None
    assert "queued resource patient (WAITING_FOR_RESOURCES)" in result.why


def test_the_identifier_of_a_perimeter_goes_to_the_administrator(asked: Callable[..., CheckReport]) -> None:
    result = asked("vpc-sc").get("project.exists")
    assert result is not None
    assert "emulated-Vx3_k9Q" in result.summary
    assert "emulated-Vx3_k9Q" in result.remedies[0].text
    assert not any("projects create" in (remedy.shell or "") for remedy in result.remedies)


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("SECURITY_POLICY_VIOLATED", "VPC Service Controls refuse the call"),
        ("CONSUMER_SUSPENDED", "Google has suspended the project"),
        ("GCP_SUSPENDED", "Google has suspended the project"),
        ("LOCATION_POLICY_VIOLATED", "an organization policy forbids this location"),
        ("LOCATION_ORG_POLICY_VIOLATED", "an organization policy forbids this location"),
        ("USER_BLOCKED_BY_ADMIN", "the administrator has blocked this service"),
        ("ACCOUNT_STATE_INVALID", "the account is disabled or deleted"),
        ("RESOURCE_USAGE_RESTRICTION_VIOLATED", "the organization does not allow this service"),
        ("SERVICE_NOT_VISIBLE", "the project cannot see this service"),
    ],
)
def test_each_refusal_has_its_own_cause_and_creates_nothing(
    reason: str, title: str, asked: Callable[..., CheckReport], direct: Any
) -> None:
    result = asked(direct("ready", refusals={"*": reason}), ("project.exists",)).get("project.exists")
    assert result is not None
    assert title in result.summary
    assert result.status == ("fail" if "SUSPENDED" in reason else "unknown")
    assert not any("projects create" in (remedy.shell or "") for remedy in result.remedies)


def test_flex_start_counts_against_the_quota_of_preemptible_chips(asked: Callable[..., CheckReport]) -> None:
    result = asked("ready", provisioning="flex-start").get("quota.tpu-zone")
    assert result is not None
    assert (result.status, result.summary) == ("pass", "limit 16, 0 used, 1 preemptible v6e chip needed")
    reserved = asked("ready", provisioning="reserved").get("quota.tpu-zone")
    assert reserved is not None
    assert (reserved.status, reserved.remedies[0].command) == (
        "unknown",
        ("gcloud", "compute", "reservations", "list", "--project=demo-project"),
    )


def test_without_an_external_address_the_tunnel_and_nat_count(asked: Callable[..., CheckReport], direct: Any) -> None:
    statuses = {result.id: result.status for result in asked("iap-only", external_ip="no").results}
    assert (statuses["network.ssh"], statuses["network.external-ip"]) == ("pass", "warn")
    assert asked(direct("ready", nat=("us-central1",)), external_ip="no").get("network.external-ip").status == "pass"  # type: ignore[union-attr]
    policy = {result.id: result.status for result in asked("org-policy", external_ip="no").results}
    assert (policy["policy.external-ip"], policy["policy.shielded-vm"]) == ("pass", "fail")


ALL, PRIVATE, TUNNEL, OFFICE = "0.0.0.0/0", "10.0.0.0/8", "35.235.240.0/20", "198.51.100.0/24"


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"a": FirewallStart(allow=("tcp:20-25",))}, "pass"),
        ({"a": FirewallStart(allow=("all",))}, "pass"),
        ({"a": FirewallStart(allow=("tcp",))}, "pass"),
        ({"a": FirewallStart(allow=("tcp:80", "udp:22"))}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",), ranges=(PRIVATE,))}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",), ranges=(OFFICE,))}, "fail"),  # a range for documentation, reachable by none
        ({"a": FirewallStart(allow=("tcp:22",), ranges=("8.8.8.0/24",))}, "unknown"),
        ({"a": FirewallStart(allow=("tcp:22",), ranges=(TUNNEL,))}, "warn"),
        ({"a": FirewallStart(allow=("tcp:22",), disabled=True)}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",), target_tags=("x",))}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",)), "no": FirewallStart(deny=("tcp:22",), priority=100)}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",)), "no": FirewallStart(deny=("all",), priority=65534)}, "fail"),
        ({"a": FirewallStart(allow=("tcp:22",), priority=10), "no": FirewallStart(deny=("all",), priority=100)}, "pass"),
        ({"a": FirewallStart(allow=("tcp:22",), network="other")}, "fail"),
        ({}, "fail"),
    ],
)
def test_ssh_passes_only_where_a_rule_lets_it_in(rules: Any, status: str, asked: Callable[..., CheckReport], direct: Any) -> None:
    result = asked(direct("ready", firewalls=rules), ("network",)).get("network.ssh")
    assert result is not None
    assert result.status == status
    assert all("--source-ranges=" in (remedy.shell or "") for remedy in result.remedies)


def test_where_there_is_quota_already_stands_beside_the_wish_for_more(asked: Callable[..., CheckReport]) -> None:
    result = asked("quota-zone-zero").get("quota.tpu-zone")
    assert result is not None
    hints = [remedy.text for remedy in result.remedies if remedy.text.startswith("Use quota that exists")]
    assert len(hints) == 1
    assert "v6e-1 in us-central1-b" not in hints[0]
    assert "its usage is not read" in hints[0]


def test_nothing_is_promised_elsewhere_where_the_region_allows_nothing(asked: Callable[..., CheckReport]) -> None:
    fresh = asked("fresh").get("quota.tpu-zone")
    assert fresh is not None
    assert not any("quota that exists" in remedy.text for remedy in fresh.remedies)
