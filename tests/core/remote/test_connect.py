from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heartbeat_core.cloud.tpu import Endpoint, Node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.ssh import connect

NODE = Node(
    id="vm", zone="us-central1-b", state="READY", health="HEALTHY", health_description=None, accelerator_type="v6e-1",
    runtime_version="v2-alpha-tpuv6e", provisioning="on-demand", endpoints=(Endpoint("10.0.0.2", "198.51.100.7"),), service_account=None,
    created=None, queued_resource=None, symptoms=(), labels={},
)  # fmt: skip


def node(**changes: Any) -> Node:
    return replace(NODE, **changes)


def test_it_is_gclouds_own_command_in_our_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_CORE_ACCOUNT", "ada@example.com")
    opened = connect(NODE, "p", flags=("-p 2222",))
    assert opened.command == (
        "gcloud", "compute", "tpus", "tpu-vm", "ssh", "vm", "--zone=us-central1-b", "--project=p", "--ssh-flag=-p 2222",
    )  # fmt: skip
    assert opened.environ["CLOUDSDK_CORE_ACCOUNT"] == "ada@example.com"
    assert opened.warnings == ()


@pytest.mark.parametrize("state", ["STOPPED", "STOPPING", "DELETING", "HIDDEN", "PREEMPTED", "TERMINATED"])
def test_states_in_which_nothing_answers_are_refused(state: str) -> None:
    with pytest.raises(HeartbeatError) as raised:
        connect(node(state=state), "p")
    assert raised.value.title == f"vm is {state}"
    assert raised.value.exit_code == 1
    assert "{" not in raised.value.remedy


@pytest.mark.parametrize("state", ["CREATING", "STARTING", "REPAIRING", "HIDING", "UNHIDING", "WARMED_OVER", None])
def test_other_states_are_tried_with_a_warning(state: str | None) -> None:
    opened = connect(node(state=state), "p")
    assert state is None or state in opened.warnings[0]
    assert len(opened.warnings) == 1


def test_an_unhealthy_node_is_warned_of() -> None:
    opened = connect(node(health="UNHEALTHY_MAINTENANCE", health_description="It is being maintained."), "p")
    assert opened.warnings == ("Its health is UNHEALTHY_MAINTENANCE: It is being maintained.",)


def test_a_host_that_is_not_there_is_named() -> None:
    with pytest.raises(HeartbeatError, match="no worker 1"):
        connect(NODE, "p", worker=1)
    with pytest.raises(HeartbeatError, match="no address yet"):
        connect(node(state="CREATING", endpoints=()), "p")


def test_without_an_external_address_the_way_must_be_said() -> None:
    inside = node(endpoints=(Endpoint("10.0.0.2", None),))
    with pytest.raises(HeartbeatError) as raised:
        connect(inside, "p")
    assert "--way iap" in raised.value.remedy
    assert "--internal-ip" in connect(inside, "p", way="internal").command
    assert connect(inside, "p", way="iap").command[:2] == ("gcloud", "alpha")


def test_an_emulated_machine_that_is_not_there_is_not_waited_for() -> None:
    with pytest.raises(HeartbeatError, match="no machine behind it"):
        connect(NODE, "p", endpoint="http://127.0.0.1:1")


def test_towards_an_emulator_neither_gclouds_things_nor_the_keys_are_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own, cache = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    opened = connect(node(endpoints=(Endpoint("127.0.0.1", "127.0.0.1"),)), "p", endpoint="http://127.0.0.1:1")
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        assert opened.environ[name].startswith(str(cache))
    assert opened.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU"] == "http://127.0.0.1:1/"
