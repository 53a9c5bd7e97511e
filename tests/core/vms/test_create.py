"""Creating TPU VMs over a network that loses requests and answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heartbeat_core.cloud.tpu import create_node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.create import Creation, create
from heartbeat_core.vms.operation import VmError

HERE = ("us-central1-b", "llm-tpu-vm")


def remedies_of(error: VmError) -> list[dict[str, Any]]:
    assert error.diagnosis is not None
    return list(error.diagnosis.to_json()["remedies"])


def test_a_tpu_vm_is_watched_until_it_is_ready(opened: Any) -> None:
    cloud = opened()
    node = cloud.create(external_ip=False, labels={"team": "llm"})
    assert (node.id, node.state, node.labels) == ("llm-tpu-vm", "READY", {"team": "llm"})
    assert node.endpoints[0].external is None
    assert cloud.told[:3] == ["looked", "sent", "accepted"]
    assert cloud.told[-1] == "done"
    assert [step.detail for step in cloud.steps if step.what == "state"][-1] == "READY"
    assert cloud.names() == [HERE]


def test_an_answer_that_was_lost_is_made_good_by_the_name(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", "/nodes", "cut"))
    assert cloud.create().state == "READY"
    assert {"lost", "settling", "arrived"} <= set(cloud.told)
    assert cloud.told.count("sent") == 1
    assert cloud.names() == [HERE]


def test_a_request_that_was_lost_is_not_sent_again(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", "/nodes", "drop"))
    with pytest.raises(VmError, match="did not arrive") as caught:
        cloud.create()
    assert (caught.value.outcome, caught.value.again, caught.value.doubtful, caught.value.exit_code) == ("nothing", True, True, 1)
    assert cloud.told.count("sent") == 1
    assert cloud.names() == []


def test_a_request_that_arrives_late_is_waited_for(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", "/nodes", "late", seconds=40))  # 80 ms of ours
    assert cloud.create().state == "READY"
    assert "arrived" in cloud.told
    assert cloud.names() == [HERE]


def test_a_zone_that_is_gone_for_a_while_ends_no_watch(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("GET", "/operations/.+", "forbid", times=10**6))
    assert cloud.create().state == "READY"  # by the node alone
    cloud = opened("ready", befall("GET", "/nodes/.+", "forbid", times=3))
    watched = Creation(cloud.session, replace(cloud.request, name="c"), cloud.steps.append, cloud.patience)
    create_node(cloud.session, "demo-project", HERE[0], "c", cloud.request.body())
    assert watched.watch().state == "READY"
    assert cloud.told[:2] == ["lost", "back"]


def test_one_whose_answer_was_lost_and_which_failed_says_why(opened: Any, befall: Any) -> None:
    cloud = opened("stockout", befall("POST", "/nodes", "cut"))
    with pytest.raises(VmError) as caught:
        cloud.create()
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.id == "stockout"
    assert caught.value.outcome == "nothing"


def test_nothing_is_sent_where_it_is_unknown_whether_the_name_is_free(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("GET", "/(nodes|operations).*", "drop", times=10**6))
    with pytest.raises(VmError) as caught:
        cloud.create()
    assert (caught.value.outcome, caught.value.exit_code) == ("nothing", 1)
    assert "sent" not in cloud.told


def test_an_unknown_fate_is_said_with_the_commands_to_look_and_to_delete(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", "/nodes", "cut") + befall("GET", "/(nodes|operations).*", "drop", times=10**6))
    cloud.patience = replace(cloud.patience, settle_s=0.1)
    creation = Creation(cloud.session, cloud.request, cloud.steps.append, cloud.patience)
    creation.check_name = lambda: None  # type: ignore[method-assign]  # the network was still there when it was looked
    with pytest.raises(VmError) as caught:
        creation.carry_out()
    assert (caught.value.outcome, caught.value.exit_code) == ("unknown", 3)
    look, delete = caught.value.commands
    assert look[4:6] == ("describe", "llm-tpu-vm")
    assert delete[4:6] == ("delete", "llm-tpu-vm")


@pytest.mark.parametrize(
    ("scenario", "changes", "diagnosis", "again"),
    [
        ("stockout", {}, "stockout", True),
        ("quota-zone-zero", {}, "quota-zone-zero", False),
        ("quota-region-zero", {}, "quota-region-zero", False),
        ("ready", {"accelerator_type": "v6e-16"}, "quota-exhausted", False),
        ("no-tpu-admin", {}, "tpu-permission", False),
        ("no-act-as", {"service_account": "heartbeat-tpu@demo-project.iam.gserviceaccount.com"}, "act-as", False),
        ("no-tpu-api", {}, "api-disabled", False),
        ("ready", {"zone": "us-west4-a"}, "zone-lacks-type", False),
        ("ready", {"provisioning": "reserved"}, "stockout", True),
    ],
)
def test_each_refusal_ends_in_its_own_diagnosis(opened: Any, scenario: str, changes: dict[str, Any], diagnosis: str, again: bool) -> None:
    cloud = opened(scenario)
    with pytest.raises(VmError) as caught:
        cloud.create(**changes)
    found = caught.value.diagnosis
    assert found is not None
    assert found.id == diagnosis or diagnosis in found.id
    assert (caught.value.outcome, caught.value.exit_code, caught.value.again) == ("nothing", 1, again)
    assert cloud.told[-1] == "failed"


def test_the_next_steps_are_said_in_the_terms_of_the_request(opened: Any) -> None:
    cloud = opened("stockout")
    with pytest.raises(VmError) as caught:
        cloud.create(external_ip=False)
    commands = [remedy["command"] for remedy in remedies_of(caught.value)]
    spot, queued = (
        replace(cloud.request, external_ip=False, **change).command() for change in ({"provisioning": "spot"}, {"queued": True})
    )
    assert list(spot) in commands
    assert list(queued) in commands
    (rounds,) = (command for command in commands if "--keep-trying" in command)
    assert rounds[:4] == ["heartbeat-tui", "vms", "create", "llm-tpu-vm"]
    wish = {"--project=demo-project", "--accelerator-type=v6e-1", "--runtime-version=v2-alpha-tpuv6e", "--internal-ips"}
    assert wish <= set(rounds)
    assert "--zones=us-central1-b,<ZONES>" in rounds
    with pytest.raises(VmError) as caught:
        cloud.create(provisioning="spot")
    assert not [remedy for remedy in remedies_of(caught.value) if (remedy["command"] or [])[3:5] == ["tpu-vm", "create"]]


def test_a_name_that_is_taken_is_refused_and_nothing_sent(opened: Any) -> None:
    cloud = opened("running")
    with pytest.raises(VmError, match="there is already a TPU VM llm-tpu-vm") as caught:
        cloud.create()
    assert caught.value.exit_code == 1
    assert "sent" not in cloud.told
    assert "looked" not in cloud.told  # which says that the name is free


def test_a_wish_that_is_wrong_is_refused_before_anything_is_asked(opened: Any) -> None:
    cloud = opened()
    with pytest.raises(HeartbeatError, match="has no driver for v6e-1"):
        cloud.create(runtime_version="tpu-ubuntu2204-base")
    assert cloud.steps == []


@pytest.mark.parametrize(
    ("what", "fate", "there"),
    [("looked", "nothing", []), ("accepted", "going on", [HERE]), ("state", "going on", [HERE])],
)
def test_a_stop_says_what_goes_on(opened: Any, what: str, fate: str, there: list[Any]) -> None:
    cloud = opened(speed=1.0)
    with pytest.raises(VmError) as caught:
        create(cloud.session, cloud.request, cloud.stop_at(what), cloud.patience)
    assert (caught.value.outcome, caught.value.exit_code) == (fate, 130)
    assert len(caught.value.commands) == (2 if there else 0)
    fresh = cloud.session.child_session()
    cloud.session = fresh
    assert cloud.names() == there


def test_a_creation_that_takes_too_long_is_said_to_go_on(opened: Any) -> None:
    cloud = opened(speed=1.0)
    cloud.patience = replace(cloud.patience, total_s=0.05)
    with pytest.raises(VmError, match="timed out") as caught:
        cloud.create()
    assert (caught.value.outcome, caught.value.exit_code) == ("going on", 3)
    assert "last seen: CREATING" in caught.value.remedy


def test_a_queued_one_waits_and_comes(opened: Any) -> None:
    cloud = opened()
    queued = cloud.create(queued=True, provisioning="spot")
    assert (queued.id, queued.state, queued.provisioning) == ("llm-tpu-vm", "ACTIVE", "spot")
    assert cloud.node().queued_resource == "llm-tpu-vm"


def test_a_queued_one_without_quota_fails_with_the_reason_and_what_it_leaves(opened: Any) -> None:
    cloud = opened("quota-zone-zero")
    with pytest.raises(VmError) as caught:
        cloud.create(queued=True)
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.id.startswith("quota")
    assert caught.value.outcome == "there"
    assert "queued-resources" in caught.value.commands[1]
    (left,) = cloud.look().queued
    assert left.state == "FAILED"


def test_a_queued_one_whose_answer_was_lost_is_found(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", "/queuedResources", "cut"))
    assert cloud.create(queued=True).state == "ACTIVE"
    assert cloud.names() == [HERE]


def test_a_queued_one_waits_where_there_is_nothing_until_it_is_stopped(opened: Any) -> None:
    cloud = opened("stockout")
    with pytest.raises(VmError) as caught:
        create(
            cloud.session, replace(cloud.request, queued=True), cloud.stop_at("state", "WAITING_FOR_RESOURCES"),
            replace(cloud.patience, total_s=None),
        )  # fmt: skip
    assert (caught.value.outcome, caught.value.exit_code) == ("going on", 130)


@pytest.mark.parametrize("seed", range(12))
def test_on_a_network_that_fails_by_chance_there_is_what_it_says(opened: Any, seed: int) -> None:
    cloud = opened("flaky", seed=seed)
    fate = "there"
    try:
        cloud.create()
    except VmError as error:
        fate = error.outcome
    assert cloud.names() == {"there": [HERE], "nothing": []}[fate]


def test_what_google_has_taken_is_not_given_up_because_it_cannot_be_seen_at_once(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("GET", "/nodes/.+", "drop", times=2))
    creation = Creation(cloud.session, cloud.request, cloud.steps.append, cloud.patience)
    creation.check_name = lambda: None  # type: ignore[method-assign]  # the mishap is for what comes after
    made = creation.carry_out(wait=False)
    assert made.state in ("CREATING", "READY")
    assert "lost" in cloud.told
    assert "done" not in cloud.told  # nobody has waited for that


def test_an_order_to_stop_is_reported_as_one_after_any_error(opened: Any) -> None:
    cloud = opened("stockout")
    with pytest.raises(VmError) as caught:
        create(cloud.session, cloud.request, cloud.stop_at("failed"), cloud.patience)
    assert (caught.value.outcome, caught.value.exit_code) == ("unknown", 130)
    assert len(caught.value.commands) == 2


def test_a_queued_one_is_not_asked_for_where_a_tpu_vm_has_its_name(opened: Any) -> None:
    cloud = opened("running")
    with pytest.raises(VmError, match="there is already a TPU VM llm-tpu-vm"):
        cloud.create(queued=True)
    assert "sent" not in cloud.told
