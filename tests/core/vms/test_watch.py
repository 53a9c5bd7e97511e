"""Waiting for a state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.vms.create import create
from heartbeat_core.vms.power import carry_out
from heartbeat_core.vms.watch import Watched, watch

PROJECT, ZONE = "demo-project", "us-central1-b"


def see(cloud: Any, name: str = "llm-tpu-vm", until: str = "READY", **patience: Any) -> Watched:
    return watch(cloud.session, PROJECT, ZONE, name, until, cloud.steps.append, replace(cloud.patience, **patience))


def test_a_creation_is_watched_to_its_end(opened: Any) -> None:
    cloud = opened(speed=100.0)
    create(cloud.session, cloud.request, policy=cloud.patience, wait=False)
    found = see(cloud)
    assert (found.outcome, found.state) == ("reached", "READY")
    assert [step.detail for step in cloud.steps] == ["CREATING", "READY"]


@pytest.mark.parametrize(
    ("name", "until", "outcome"),
    [
        ("llm-tpu-vm", "READY", "reached"),
        ("stopped", "STOPPED", "reached"),
        ("preempted", "READY", "ended"),
        ("stopped", "READY", "ended"),
        ("nowhere-to-be-seen", "READY", "gone"),
        ("nowhere-to-be-seen", "GONE", "reached"),
        ("forgotten", "ACTIVE", "ended"),
        ("waiting", "ACTIVE", "timed out"),
        ("waiting", "WAITING_FOR_RESOURCES", "reached"),
        ("llm-tpu-vm", "HIBERNATING", "timed out"),
        ("llm-tpu-vm", "ACTIVE", "ended"),  # it has no queued resource
    ],
)
def test_it_ends_where_there_is_nothing_more_to_come(opened: Any, name: str, until: str, outcome: str) -> None:
    assert see(opened("running"), name, until, total_s=0.6 if outcome == "timed out" else 30.0).outcome == outcome


def test_a_deletion_is_watched_until_nothing_is_left(opened: Any) -> None:
    cloud = opened("running", speed=50.0)
    carry_out(cloud.session, PROJECT, cloud.node(), "delete", policy=cloud.patience, wait=False)
    assert see(cloud, until="GONE").outcome == "reached"


def test_one_that_goes_while_it_is_watched_ends_it(opened: Any) -> None:
    cloud = opened("running", speed=50.0)
    carry_out(cloud.session, PROJECT, cloud.node(), "delete", policy=cloud.patience, wait=False)
    assert see(cloud, until="READY").outcome in ("ended", "gone")


def test_a_queued_resource_stands_in_for_its_node(opened: Any) -> None:
    cloud = opened(speed=100.0)
    create(cloud.session, replace(cloud.request, queued=True), policy=cloud.patience, wait=False)
    assert see(cloud).outcome == "reached"
    assert cloud.node().state == "READY"


def test_an_answer_that_fails_now_and_then_ends_nothing(opened: Any) -> None:
    assert see(opened("flaky", seed=3)).outcome == "gone"
    cloud = opened(
        "flaky", '[[nodes]]\nid = "llm-tpu-vm"\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    )
    assert see(cloud).outcome == "reached"


def test_it_can_be_stopped(opened: Any) -> None:
    cloud = opened("running")
    with pytest.raises(Cancelled):
        watch(cloud.session, PROJECT, ZONE, "llm-tpu-vm", "STOPPED", cloud.stop_at("state"), cloud.patience)
