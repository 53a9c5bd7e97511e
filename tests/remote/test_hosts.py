"""From a TPU VM of the emulator to a program that runs on its hosts: the real gcloud, the real ssh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.bundle import pack
from heartbeat_core.remote.hosts import bring_engine
from heartbeat_core.remote.ssh import SshCalls


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    with urlopen(Request(url, method=method, data=json.dumps(body).encode() if body is not None else None)) as answer:
        return json.load(answer)


def test_gcloud_brings_the_key_there_once_and_then_plain_ssh_leads_there(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where gcloud has no key yet
    destination = cluster.destination("slice:all")
    hosts = destination.hosts()
    assert [(host.label, host.ssh[-1].rpartition("@")[2]) for host in hosts] == [("slice:0", "127.0.0.1"), ("slice:1", "127.0.0.2")]
    keys = ask(f"{cluster.url}/v2/projects/demo-project/locations/us-central1-a/nodes/slice")["metadata"]["ssh-keys"]
    own = (Path(hosts[0].environ["HOME"]) / ".ssh" / "google_compute_engine.pub").read_text().split()[1]
    assert keys.count(own) == 1
    for host in hosts:
        done = host.run(["printf", "%s|", "two words", "$HOME", "'"], limit_s=60)
        assert done.stdout == b"two words|$HOME|'|"
        assert host.run(["cat"], b"over stdin\n").stdout == b"over stdin\n"
        assert host.run(["sh", "-c", "exit 7"]).returncode == 7
    assert (cluster.folder / f"engine-{pack().digest}" / "heartbeat_core" / "benchmark" / "worker.py").exists()
    assert destination.hosts() is hosts  # reached again, not found again


def test_one_host_is_asked_for_by_its_number(cluster: Any) -> None:
    (host,) = cluster.destination("slice:1").hosts()
    assert (host.label, host.alone, host.ssh[-1].rpartition("@")[2]) == ("slice:1", True, "127.0.0.2")
    (only,) = cluster.destination("vm").hosts()
    assert (only.label, only.alone) == ("vm", False)
    with pytest.raises(HeartbeatError, match="slice has no worker 2"):
        cluster.destination("slice:2").hosts()


def test_a_vm_that_is_not_there_is_reported_with_those_that_are(cluster: Any) -> None:
    with pytest.raises(HeartbeatError, match="there is no TPU VM other") as raised:
        cluster.destination("other").hosts()
    assert "slice, vm" in raised.value.cause


def test_a_host_that_is_not_set_up_is_not_taken_for_one_that_cannot_be_reached(cluster: Any) -> None:
    with pytest.raises(HeartbeatError) as raised:
        cluster.destination("vm", python="").hosts()
    assert raised.value.title == "vm is not set up"
    assert raised.value.remedy == "heartbeat-tui vms setup vm"
    with pytest.raises(HeartbeatError) as raised:
        cluster.destination("vm", ssh_flags="-p 1").hosts()
    assert raised.value.title == "vm cannot be reached: no ssh server answers there"
    assert raised.value.exit_code == 3


def test_created_watched_and_connected_to_by_our_own_commands(cluster: Any) -> None:
    created = cluster.command("vms", "create", "made", "--accelerator-type=v6e-1", "--zone=us-east5-b", "--yes", "--json")
    assert created.returncode == 0, created.stderr
    shown = cluster.command("vms", "ssh", "made", "--print", "--json")
    command = json.loads(shown.stdout)["command"]
    assert command[:7] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "made", "--zone=us-east5-b"]
    # the very command, with something to do
    (host,) = cluster.destination("made").hosts()
    done = subprocess.run(
        [*command, "--command=echo here $((6*7))"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=dict(host.environ),
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "here 42"), done.stderr


def test_a_stopped_vm_is_refused_with_what_starts_it(cluster: Any) -> None:
    node = f"{cluster.url}/v2/projects/demo-project/locations/us-central1-b/nodes"
    ask(f"{node}?nodeId=stopping", "POST", {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"})
    ask(f"{cluster.url}/emulator:advance", "POST", {})
    ask(f"{node}/stopping:stop", "POST", {})
    ask(f"{cluster.url}/emulator:advance", "POST", {})
    refused = cluster.command("vms", "ssh", "stopping")
    assert refused.returncode == 1
    assert "stopping is STOPPED" in refused.stderr
    assert "vms start stopping --zone us-central1-b" in refused.stderr


def test_old_engines_are_removed_but_never_one_in_use(cluster: Any) -> None:
    (host,) = cluster.destination("vm").hosts()
    names = {kind: uuid4().hex for kind in ("old", "used", "fresh")}  # what stands in no other command on this machine
    names |= {"part": f"part-{uuid4().hex}", "own": pack().digest}
    engines = {kind: cluster.folder / f"engine-{name}" for kind, name in names.items()}
    for kind, folder in engines.items():
        folder.mkdir(exist_ok=True)
        if kind != "fresh":
            os.utime(folder, (0, 0))
    program = [sys.executable, "-c", "import sys; sys.stdin.read()", str(engines["used"])]  # as a worker's command names its own
    with subprocess.Popen(program, stdin=subprocess.PIPE) as user:
        bring_engine(host, SshCalls())
        assert {kind for kind, folder in engines.items() if folder.exists()} == {"used", "fresh", "own"}
        user.communicate()
    bring_engine(host, SshCalls())
    assert not engines["used"].exists()
