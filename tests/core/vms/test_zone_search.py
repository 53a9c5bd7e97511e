"""Going round zones: one TPU VM in the end, never two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heartbeat_core.cloud.tpu import create_node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.operation import OperationStep, VmError
from heartbeat_core.vms.zone_search import search_zones

EMPTY, FULL = "us-central1-b", "us-east5-b"


def go(cloud: Any, *zones: str, **changes: Any) -> Any:
    return search_zones(cloud.session, replace(cloud.request, **changes), zones, cloud.steps.append, cloud.patience)


def test_the_next_zone_has_one(opened: Any) -> None:
    cloud = opened("stockout")
    assert go(cloud, EMPTY, FULL).zone == FULL
    assert cloud.names() == [(FULL, "llm-tpu-vm")]
    assert [step.detail for step in cloud.steps if step.what == "zone"] == [EMPTY, FULL]


def test_zones_that_refuse_for_good_are_not_asked_again(opened: Any) -> None:
    cloud = opened("stockout")
    rounds: list[OperationStep] = []

    def hear(step: OperationStep) -> None:
        cloud.steps.append(step)
        rounds.extend([step] if step.what == "waiting" else [])
        if len(rounds) == 3:
            cloud.session.cancel()

    with pytest.raises(VmError) as caught:
        search_zones(cloud.session, cloud.request, (EMPTY, "us-west4-a", "us-east5-a", "us-nowhere1-x"), hear, cloud.patience)
    assert (caught.value.outcome, caught.value.exit_code) == ("nothing", 130)
    asked = [step.detail for step in cloud.steps if step.what == "zone"]
    assert asked == [EMPTY, "us-west4-a", "us-east5-a", "us-nowhere1-x", EMPTY, EMPTY]
    assert {step.detail for step in cloud.steps if step.what == "dropped"} == {"us-west4-a", "us-east5-a", "us-nowhere1-x"}


def test_where_every_zone_refuses_for_good_the_last_refusal_is_shown(opened: Any) -> None:
    cloud = opened("ready")
    with pytest.raises(VmError) as caught:
        go(cloud, "us-west4-a", "us-east5-a")
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.id == "quota-zone-zero"
    assert caught.value.exit_code == 1


def test_a_lost_answer_in_one_zone_is_settled_before_the_next_is_asked(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", f"/{EMPTY}/nodes", "cut"))
    assert go(cloud, EMPTY, FULL).zone == EMPTY
    assert cloud.names() == [(EMPTY, "llm-tpu-vm")]
    assert cloud.told.count("sent") == 1


def test_a_request_that_came_late_is_found_before_the_next_one_is_sent(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("POST", f"/{EMPTY}/nodes", "late", seconds=1000), speed=1.0)
    hear = cloud.advance_at(absent=1001.0, there=30.0)
    made = search_zones(cloud.session, cloud.request, (EMPTY, FULL), hear, cloud.patience)
    assert (made.zone, made.state) == (EMPTY, "READY")
    assert cloud.told.count("sent") == 1
    assert cloud.names() == [(EMPTY, "llm-tpu-vm")]


def test_two_are_never_kept_quiet(opened: Any, befall: Any) -> None:
    # it arrives while the other zone makes one already: nothing can undo that, but it is said
    cloud = opened("ready", befall("POST", f"/{EMPTY}/nodes", "late", seconds=1000), speed=1.0)
    hear = cloud.advance_at(accepted=1001.0)
    with pytest.raises(VmError, match="there are two TPU VMs called llm-tpu-vm") as caught:
        search_zones(cloud.session, cloud.request, (EMPTY, FULL), hear, cloud.patience)
    assert caught.value.commands[1][4:7] == ("delete", "llm-tpu-vm", "--project=demo-project")
    assert f"--zone={EMPTY}" in caught.value.commands[1]
    assert cloud.names() == [(EMPTY, "llm-tpu-vm"), (FULL, "llm-tpu-vm")]


def test_one_that_is_being_made_already_is_watched_instead(opened: Any) -> None:
    cloud = opened("ready")
    create_node(cloud.session, "demo-project", FULL, "llm-tpu-vm", replace(cloud.request, zone=FULL).body())
    made = go(cloud, EMPTY, FULL)
    assert (made.zone, made.state) == (FULL, "READY")
    assert "sent" not in cloud.told
    assert cloud.names() == [(FULL, "llm-tpu-vm")]


def test_another_kind_of_that_name_is_left_alone(opened: Any) -> None:
    cloud = opened("running")
    with pytest.raises(VmError, match="there is already a TPU VM llm-tpu-vm"):
        go(cloud, FULL, EMPTY, accelerator_type="v6e-4")
    assert "sent" not in cloud.told


def test_bad_usage_is_reported_at_once(opened: Any) -> None:
    cloud = opened("ready")
    for zones, changes in (((), {}), ((EMPTY,), {"queued": True}), (("nowhere",), {})):
        with pytest.raises(HeartbeatError):
            go(cloud, *zones, **changes)
    assert cloud.steps == []


@pytest.mark.parametrize("seed", range(6))
def test_on_a_network_that_fails_by_chance_there_is_one_in_the_end(opened: Any, seed: int) -> None:
    cloud = opened("flaky", f'stockout = ["{EMPTY}"]\n', seed=seed)
    made = go(cloud, EMPTY, FULL)
    assert cloud.names() == [(made.zone, made.id)] == [(FULL, "llm-tpu-vm")]


def test_it_ends_when_its_time_is_over(opened: Any) -> None:
    cloud = opened("stockout")
    with pytest.raises(VmError, match=r"no zone had one within 0\.3 s") as caught:
        search_zones(cloud.session, cloud.request, (EMPTY,), cloud.steps.append, cloud.patience, limit_s=0.3)
    assert (caught.value.outcome, caught.value.exit_code) == ("nothing", 1)
    assert cloud.names() == []


def test_where_nothing_comes_of_one_that_was_there_it_goes_on(opened: Any) -> None:
    cloud = opened("stockout", speed=40.0)  # somebody, such as we before, has asked for one where there is none left
    create_node(cloud.session, "demo-project", EMPTY, "llm-tpu-vm", cloud.request.body())
    assert go(cloud, EMPTY, FULL).zone == FULL
    assert "there" in cloud.told
    assert cloud.names() == [(FULL, "llm-tpu-vm")]


def test_one_that_does_not_become_ready_by_itself_is_not_waited_for(opened: Any) -> None:
    cloud = opened("running")
    with pytest.raises(VmError, match="there is already a TPU VM stopped") as caught:
        go(cloud, EMPTY, FULL, name="stopped")
    assert caught.value.cause == "It is STOPPED."
    assert "sent" not in cloud.told


def test_its_time_ends_too_without_an_answer(opened: Any, befall: Any) -> None:
    cloud = opened("ready", befall("GET", "/nodes.*", "drop", times=10**6))
    with pytest.raises(VmError, match="no zone had one within") as caught:
        search_zones(cloud.session, cloud.request, (EMPTY, FULL), cloud.steps.append, cloud.patience, limit_s=0.2)
    assert caught.value.outcome == "nothing"
    assert "sent" not in cloud.told
