"""What the TPU VMs pane looks like, kept as pictures: of a fleet and a clock that stand still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from tests.tui.conftest import Driven
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.target import Target, TargetOffers
from heartbeat_core.cloud.tpu import Endpoint, Node, QueuedResource
from heartbeat_core.vms.inventory import Inventory
from heartbeat_core.vms.pricing import Rates
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.vms import create_form
from heartbeat_tui.vms.monitor import InventoryMonitor

Compare = Callable[..., bool]
NOW = datetime(2026, 11, 22, 12, 4, 33, tzinfo=timezone.utc)
RATES = Rates(NOW, "Google's public price list", {"v6e us-central1 on-demand": 2.7, "v6e us-east5 spot": 1.4033})
TARGET = Target(
    project=SourcedValue("llm-dev", "PROJECT_ID"),
    zone=SourcedValue("us-central1-b", "ZONE"),
    accelerator_type=SourcedValue("v6e-1", "ACCELERATOR_TYPE"),
    runtime_version=SourcedValue("v2-alpha-tpuv6e", "goes with v6e-1"),
    provisioning=SourcedValue("on-demand", "default"),
    tpu_name=SourcedValue("llm-tpu-vm", "TPU_NAME"),
)


def node(name: str, zone: str, kind: str, state: str, minutes: float, **more: Any) -> Node:
    created = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    none: dict[str, Any] = dict.fromkeys(each.name for each in fields(Node))
    none |= {
        "provisioning": "on-demand",
        "endpoints": (),
        "symptoms": (),
        "labels": {},
        "runtime_version": "v2-alpha-tpuv6e",
    }
    return Node(**{**none, "id": name, "zone": zone, "accelerator_type": kind, "state": state, "created": created, **more})


def queued() -> QueuedResource:
    none: dict[str, Any] = dict.fromkeys(each.name for each in fields(QueuedResource))
    more = {"id": "big", "zone": "us-east5-a", "accelerator_types": ("v6e-16",), "nodes": (), "provisioning": "on-demand"}
    return QueuedResource(**{**none, **more, "state": "WAITING_FOR_RESOURCES", "created": "2026-11-22T10:04:00Z"})


NODES = (
    node(
        "llm-tpu-vm",
        "us-central1-b",
        "v6e-1",
        "CREATING",
        192,
        endpoints=(Endpoint("10.128.0.2", "203.0.113.5"),),
    ),
    node("sweep-8", "us-east5-a", "v6e-8", "READY", 41.5, provisioning="spot", health="UNHEALTHY_MAINTENANCE"),
    node("old", "us-central1-b", "v5litepod-1", "STOPPED", 60 * 24 * 12.2, runtime_version="v2-alpha-tpuv5-lite"),
    node("overnight", "us-central1-b", "v6e-1", "READY", 60 * 31, health="HEALTHY"),
)


class Still(Driven):
    """The app on a fleet that stands still."""

    WORKERS = ("looks", "offers")


class StillFleet(InventoryMonitor):
    """Sees two looks, in the second of which one node has come to be READY."""

    def look(self) -> float:
        self.environment = SimpleNamespace(target=TARGET, endpoint=None, open_session=None)  # type: ignore[assignment]
        self.put(rates=RATES, project="llm-dev")
        ready = replace(NODES[0], state="READY", health="HEALTHY")
        for at, nodes in ((NOW - timedelta(seconds=7), NODES), (NOW - timedelta(seconds=2), (ready, *NODES[1:]))):
            self.keep(Inventory(at, "llm-dev", "-", nodes, (queued(),)))
        return 3600.0

    def price(self, *, again: bool = False) -> None:
        pass


def offers(project: str, zone: str) -> TargetOffers:
    del project
    return TargetOffers(("llm-dev",), (zone, "us-east5-a"), ("v6e-1", "v6e-4", "v6e-8"), ("v2-alpha-tpuv6e", "tpu-ubuntu2204-base"))


@pytest.mark.parametrize(
    ("keys", "size", "theme"),
    [
        pytest.param("", (120, 40), "", id="vms-120x40"),
        pytest.param("down space down enter", (120, 40), "heartbeat-light", id="describe-120x40-light"),
        pytest.param("n", (80, 24), "", id="create-80x24"),
    ],
)
def test_the_pane_looks_as_it_did(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, keys: str, size: tuple[int, int], theme: str
) -> None:
    monkeypatch.setattr("heartbeat_core.vms.request.last_request", lambda: None)
    monkeypatch.setattr(create_form, "QUIET_S", 0.001)
    fleet = StillFleet(lambda: None, offers, now=lambda: NOW)  # type: ignore[arg-type, return-value]
    app = HeartbeatApp(BenchmarkConfig(), lambda plan: None, inventory_monitor=lambda: fleet, mode="vms", theme=theme, reduced_motion=True)  # type: ignore[arg-type, return-value]

    async def act(pilot: Pilot[None]) -> None:
        driver = Still(app, pilot)
        await driver.settle()
        await driver.press(*keys.split())
        driver.still()
        await driver.settle()

    assert snap_compare(app, terminal_size=size, run_before=act)
