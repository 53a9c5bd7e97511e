"""The fixes: nothing is left to fill in, and what they change and cost."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.catalogue import read_rules
from heartbeat_core.diagnosis.model import Remedy

WORDS = {
    "project": "llm-dev", "zone": "us-central1-b", "region": "us-central1", "accelerator_type": "v6e-1",
    "runtime_version": "v2-alpha-tpuv6e", "tpu_name": "llm", "service": "tpu.googleapis.com",
    "service_account": "robot@llm-dev.iam.gserviceaccount.com", "role": "roles/tpu.admin", "principal": "user:you@example.com",
    "quota_id": "TPUV6EPerProjectPerZoneForTPUAPI", "value": "1", "email": "you@example.com", "justification": "to learn",
    "billing_account": "0X0X0X-0X0X0X-0X0X0X", "queued_resource": "q", "pid": "1", "denied": "other-project",
    "impersonated_account": "x@llm-dev.iam.gserviceaccount.com",
    "key_account": "x@llm-dev.iam.gserviceaccount.com", "provider": "github", "pool": "ci", "login_config": "login.json",
    "command": "python3 train.py", "constraint": "constraints/compute.vmExternalIpAccess",
    "account": "robot@llm-dev.iam.gserviceaccount.com",
    "bucket": "llm-dev-data", "registry": "us-docker.pkg.dev", "package": "jax[tpu]",
    "image": "ubuntu:22.04", "length": "5632",
}  # fmt: skip
OTHERS = (do.create_project, do.create_service_agent, do.create_service_account, do.link_billing, do.grant_role, do.request_quota)


def all_remedies() -> dict[tuple[str, ...], Remedy]:
    made = [*(make(WORDS) for rule in read_rules().values() for make in rule.remedies), *(make(WORDS) for make in OTHERS)]
    return {remedy.command: remedy for remedy in made if remedy.command}


def test_nothing_is_left_to_fill_in_when_all_is_known() -> None:
    assert not [remedy for remedy in all_remedies().values() if remedy.missing]


def test_what_changes_nothing_costs_nothing() -> None:
    for remedy in all_remedies().values():
        assert remedy.changes or remedy.costs is False
        assert remedy.changes or not remedy.interactive


def test_a_quota_is_asked_for_where_it_holds() -> None:
    region = do.request_quota({**WORDS, "quota_id": "HDB-TOTAL-GB-per-project-region", "quota_service": "compute.googleapis.com"})
    assert region.command
    assert {"--dimensions=region=us-central1", "--service=compute.googleapis.com"} <= set(region.command)
    bare = do.request_quota({})
    assert bare.missing == ("<PROJECT>", "<QUOTA_ID>", "<VALUE>", "<ZONE>", "<EMAIL>", "<JUSTIFICATION>")
    assert bare.shell
    assert "'--preferred-value=<VALUE>'" in bare.shell
