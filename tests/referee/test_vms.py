"""What we make and what gcloud makes is the same: each sees the other's, and the command we show asks for what we ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import tpu_v2
from google.protobuf.json_format import ParseDict
from tests.emulation import EmulatorThread, start_emulator

from heartbeat_core.cloud.session import CloudSession, open_session
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.create import create
from heartbeat_core.vms.inventory import fetch_inventory
from heartbeat_core.vms.operation import PollPolicy, VmError
from heartbeat_core.vms.power import carry_out
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.vocabulary import command_of

PROJECT, ZONE = "demo-project", "us-central1-b"
ROBOT = "heartbeat-tpu@demo-project.iam.gserviceaccount.com"
PLAIN = CreateRequest(PROJECT, ZONE, "a", "v6e-1", "v2-alpha-tpuv6e")
QUICK = PollPolicy(poll_s=0.01, longest_poll_s=0.1, total_s=60.0, absent_s=0.3)
RICH = replace(PLAIN, external_ip=False, network="net", subnetwork="sub", service_account=ROBOT, labels={"team": "llm", "a": "b"})


@pytest.fixture
def session(emulator: EmulatorThread) -> CloudSession:
    return open_session(endpoint=emulator.url, environ={})


def bodies(said: str) -> list[Any]:
    """Find the bodies of requests in what gcloud's --log-http says."""
    found = [part.partition("== body end ==")[0].strip() for part in said.split("== body start ==")[1:]]
    return [json.loads(body) for body in found if body.startswith("{")]


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN,
        replace(RICH, provisioning="reserved"),
        replace(RICH, queued=True, provisioning="spot"),
        replace(PLAIN, queued=True, provisioning="reserved"),
    ],
    ids=["plain", "rich-reserved", "queued-rich-spot", "queued-reserved"],
)
def test_the_command_shown_asks_for_what_we_ask_for(gcloud: Any, request_: CreateRequest, tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text("echo hello\n", encoding="utf-8")
    wish = replace(request_, startup_script=str(script)) if request_.labels else request_
    done = gcloud.run("", *wish.command()[1:], "--async", "--log-http")
    kind = tpu_v2.QueuedResource if wish.queued else tpu_v2.Node
    theirs = ParseDict(bodies(done.stdout + done.stderr)[0], kind.pb()())
    assert theirs == kind.pb(kind(wish.body()))


def test_flex_start_is_asked_for_through_gcloud(gcloud: Any, session: CloudSession, home: Path) -> None:
    wish = replace(PLAIN, provisioning="flex-start", queued=True, max_run_time="90m")
    assert create(session, wish, policy=QUICK).state == "ACTIVE"
    seen = fetch_inventory(session, PROJECT)
    assert (seen.nodes[0].provisioning, seen.queued[0].provisioning) == ("flex-start", "flex-start")
    assert gcloud("alpha compute tpus queued-resources describe a")["runDuration"] == {"maxRunDuration": "5400s"}
    with start_emulator("no-tpu-admin") as refusing, pytest.raises(VmError, match="a permission is missing") as caught:
        create(open_session(endpoint=refusing.url, environ={}), wish, policy=QUICK)
    assert caught.value.outcome == "nothing"


def test_gcloud_sees_what_we_make_and_we_see_what_gcloud_makes(gcloud: Any, emulator: EmulatorThread, session: CloudSession) -> None:
    create(session, replace(RICH, network="", subnetwork=""), policy=QUICK)
    gcloud.run("", *replace(RICH, network="", subnetwork="", name="b").command()[1:])
    ours, theirs = (ParseDict(gcloud(f"compute tpus tpu-vm describe {name}"), tpu_v2.Node.pb()()) for name in ("a", "b"))
    for field in ("name", "id", "create_time", "network_endpoints"):
        ours.ClearField(field)
        theirs.ClearField(field)
    assert ours == theirs
    seen = {node.id: node for node in fetch_inventory(session, PROJECT).nodes}
    assert {name: node.state for name, node in seen.items()} == {"a": "READY", "b": "READY"}
    assert [node["name"].rpartition("/")[2] for node in gcloud("compute tpus tpu-vm list")] == ["a", "b"]
    with pytest.raises(HeartbeatError, match="there is already a TPU VM b"):
        create(session, replace(PLAIN, name="b"), policy=QUICK)


def test_the_commands_shown_do_what_we_do(gcloud: Any, session: CloudSession) -> None:
    create(session, PLAIN, policy=QUICK)
    create(session, replace(PLAIN, name="q", queued=True), policy=QUICK)

    def seen(name: str) -> Any:
        return next((node for node in fetch_inventory(session, PROJECT).nodes if node.id == name), None)

    def theirs(action: Any, name: str) -> None:
        done = gcloud.run("", *command_of(action, seen(name), PROJECT)[1:])
        assert done.returncode == 0, done.stderr

    theirs("stop", "a")
    assert seen("a").state == "STOPPED"
    carry_out(session, PROJECT, seen("a"), "start", policy=QUICK)
    carry_out(session, PROJECT, seen("a"), "stop", policy=QUICK)
    theirs("start", "a")
    assert seen("a").state == "READY"
    for name in ("a", "q"):
        theirs("delete", name)
        assert seen(name) is None
    assert fetch_inventory(session, PROJECT).queued == ()
