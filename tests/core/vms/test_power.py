"""Starting, stopping and deleting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.operation import VmError
from heartbeat_core.vms.power import by_request, carry_out
from heartbeat_core.vms.vocabulary import command_of, find_state

PROJECT = "demo-project"


def change(cloud: Any, name: str, action: Any, **more: Any) -> None:
    carry_out(cloud.session, PROJECT, cloud.node(name), action, cloud.steps.append, cloud.patience, **more)


def test_a_tpu_vm_is_stopped_started_and_deleted(opened: Any) -> None:
    cloud = opened("running")
    change(cloud, "llm-tpu-vm", "stop")
    assert cloud.node().state == "STOPPED"
    change(cloud, "llm-tpu-vm", "start")
    assert cloud.node().state == "READY"
    change(cloud, "llm-tpu-vm", "delete")
    assert not cloud.look().named("llm-tpu-vm")
    assert cloud.told.count("done") == 3


@pytest.mark.parametrize(("name", "action"), [("stopped", "stop"), ("llm-tpu-vm", "start"), ("preempted", "start"), ("elsewhere", "stop")])
def test_a_state_that_does_not_allow_it_is_refused_before_anything_is_sent(opened: Any, name: str, action: str) -> None:
    cloud = opened("running")
    with pytest.raises(HeartbeatError, match="cannot be") as caught:
        change(cloud, name, action)
    assert caught.value.exit_code == 1
    assert cloud.steps == []


@pytest.mark.parametrize(("method", "path", "action"), [("DELETE", "/nodes/llm-tpu-vm", "delete"), ("POST", ":stop", "stop")])
def test_a_lost_answer_is_found_again_and_a_lost_request_reported(opened: Any, befall: Any, method: str, path: str, action: str) -> None:
    cloud = opened("running", befall(method, path, "cut"))
    change(cloud, "llm-tpu-vm", action)
    assert "arrived" in cloud.told
    assert cloud.told[-1] == "done"
    cloud = opened("running", befall(method, path, "drop"))
    with pytest.raises(VmError, match="did not arrive") as caught:
        change(cloud, "llm-tpu-vm", action)
    assert caught.value.again
    assert cloud.node().state == "READY"


def test_a_node_of_a_queued_resource_is_deleted_with_that(opened: Any) -> None:
    cloud = opened()
    cloud.create(queued=True)
    node = cloud.node()
    assert command_of("delete", node, PROJECT)[3:6] == ("queued-resources", "delete", "llm-tpu-vm")
    assert "--force" in command_of("delete", node, PROJECT)
    change(cloud, "llm-tpu-vm", "delete")
    assert (cloud.look().nodes, cloud.look().queued) == ((), ())


def test_a_queued_resource_that_holds_quota_is_deleted(opened: Any) -> None:
    cloud = opened("running")
    (forgotten,) = cloud.look().queue_named("forgotten")
    carry_out(cloud.session, PROJECT, forgotten, "delete", cloud.steps.append, cloud.patience)
    assert not cloud.look().queue_named("forgotten")


def test_without_the_right_nothing_is_changed_and_the_diagnosis_says_why(opened: Any) -> None:
    cloud = opened("running", '[policy]\n"roles/tpu.admin" = []\n"roles/tpu.viewer" = ["user:ada@example.com"]\n')
    with pytest.raises(VmError) as caught:
        change(cloud, "llm-tpu-vm", "delete")
    assert caught.value.diagnosis is not None
    assert "permission" in caught.value.diagnosis.id
    assert caught.value.exit_code == 1
    assert cloud.node().state == "READY"


def test_a_stop_says_that_the_operation_goes_on(opened: Any) -> None:
    cloud = opened("running", speed=1.0)
    with pytest.raises(VmError, match="interrupted") as caught:
        carry_out(cloud.session, PROJECT, cloud.node(), "delete", cloud.stop_at("accepted"), cloud.patience)
    assert caught.value.exit_code == 130
    assert len(caught.value.commands) == 2
    cloud.session = cloud.session.child_session()
    assert cloud.node().state == "DELETING"


def test_an_operation_that_takes_too_long_is_reported(opened: Any) -> None:
    cloud = opened("running", speed=1.0)
    cloud.patience = replace(cloud.patience, total_s=0.05)
    with pytest.raises(VmError, match="is not stopped after") as caught:
        change(cloud, "llm-tpu-vm", "stop")
    assert caught.value.exit_code == 3


def test_states_allow_what_makes_sense_in_them() -> None:
    assert find_state("READY").actions == {"stop", "delete", "connect", "benchmark"}
    assert find_state("STOPPED").actions == {"start", "delete"}
    assert find_state("PREEMPTED").actions == {"delete"}
    assert find_state("DELETING").actions == find_state("DELETING", queued=True).actions == frozenset()
    assert find_state("DREAMING").actions == find_state(None).actions == {"delete", "connect"}
    assert find_state("WAITING_FOR_RESOURCES", queued=True).actions == {"delete"}
    charged = [find_state(state).charged for state in ("READY", "STOPPED", "PREEMPTED", "DREAMING", None)]
    assert charged == [True, False, False, True, True]


TWO = """
[[queued]]
id = "both"
zone = "us-central1-b"
accelerator_type = "v6e-1"
runtime_version = "v2-alpha-tpuv6e"
state = "ACTIVE"
""" + "".join(
    f"""
[[nodes]]
id = "{name}"
zone = "us-central1-b"
accelerator_type = "v6e-1"
runtime_version = "v2-alpha-tpuv6e"
queued_resource = "both"
"""
    for name in ("one", "two")
)


def test_a_deletion_by_one_request_differs_from_one_by_several(opened: Any) -> None:
    cloud = opened("ready", TWO)
    look = cloud.look()
    (queue,), one, two = look.queued, cloud.node("one"), cloud.node("two")
    assert list(by_request((one, two, queue), "delete").values()) == [[one, two, queue]]
    assert list(by_request((one, two), "stop").values()) == [[one], [two]]


def test_one_that_google_takes_back_meanwhile_is_not_waited_for(opened: Any) -> None:
    cloud = opened("running", '[[edits]]\npath = ".*/nodes/stopped"\nreplace = { state = "PREEMPTED" }\n')
    with pytest.raises(VmError) as caught:
        change(cloud, "stopped", "start")
    assert "PREEMPTED" in str(caught.value)
    assert caught.value.exit_code == 1
