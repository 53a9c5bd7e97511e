from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.ray_cluster import choose_nodes


def node(number: int, resources: dict[str, float], *, alive: bool = True, **labels: str) -> dict[str, Any]:
    labels = {f"ray.io/{name.replace('_', '-')}": value for name, value in labels.items()}
    where = {"NodeID": f"{number:056x}", "NodeManagerHostname": f"host-{number}", "NodeManagerAddress": f"10.0.0.{number}"}
    return {**where, "Alive": alive, "Resources": resources, "Labels": labels}


def test_every_living_host_with_chips_is_chosen_with_its_slice() -> None:
    found = [
        node(3, {"CPU": 8.0}),  # the head
        node(2, {"CPU": 8.0, "TPU": 4.0}, tpu_slice_name="a", accelerator_type="TPU-V6E"),
        node(1, {"CPU": 8.0, "TPU": 4.0, "TPU-v6e-8-head": 1.0}, tpu_slice_name="a", accelerator_type="TPU-V6E"),
        node(4, {"CPU": 8.0, "TPU": 8.0}),
        node(5, {"CPU": 8.0, "TPU": 4.0}, alive=False),
        node(6, {"CPU": 8.0, "TPU": 4.0}, tpu_slice_name="b", tpu_topology="2x4"),  # its other host has not joined
        node(7, {"CPU": 8.0, "TPU": 4.0}, tpu_slice_name="c", tpu_topology="2x2"),
    ]
    chosen = [(each.name, each.amount, each.slice, each.device, each.alone) for each in choose_nodes(found, "TPU")]
    assert chosen == [
        ("host-1", 4, "a", "TPU-V6E", True), ("host-2", 4, "a", "TPU-V6E", True), ("host-4", 8, "", "", False),
        ("host-6", 4, "b", "", True), ("host-7", 4, "c", "", False),
    ]  # fmt: skip
    assert len(choose_nodes(found, "CPU")) == 6


def test_a_cluster_without_the_device_says_what_it_offers() -> None:
    with pytest.raises(HeartbeatError, match="no host of the cluster offers a TPU") as caught:
        choose_nodes([node(1, {"CPU": 8.0, "GPU": 1.0}), node(2, {"CPU": 4.0})], "TPU")
    assert caught.value.cause == "Its 2 nodes offer 1 GPU, 12 CPU."
    assert "--backend cpu" in caught.value.remedy
