"""Set-up over a real ssh: the procedure is the real one, its steps are small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.xla_environment import xla_packages
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import Host, bring_engine, hosts_of, reach
from heartbeat_core.remote.install import HAS_PINS, HAS_ROOM, InstallResult, InstallStep, install, probe_device, tpu_steps


@pytest.fixture
def host(cluster: Any) -> Host:
    """A host to which the engine was brought, and nothing else."""
    destination = cluster.destination("vm", python="")
    node = destination.find()
    hosts = hosts_of(node, "demo-project", destination.on, endpoint=cluster.url, remote=destination.remote)
    reach(hosts, partial(bring_engine, set_up=False))
    (host,) = hosts
    return host


def names(steps: list[InstallResult]) -> list[tuple[str, str]]:
    return [(done.step.name, done.how) for done in steps]


def follow(host: Host, steps: tuple[InstallStep, ...]) -> tuple[list[InstallResult], list[str]]:
    lines: list[str] = []
    return [install(host, step, lines.append) for step in steps], lines


def test_it_brings_what_is_missing_once_and_says_what_it_does(host: Host) -> None:
    steps = tpu_steps(host.folder)
    there, note = {step.name: step for step in steps}, f"{host.folder}/note"
    # the real steps, but for apt and 8 GB: a condition, an environment, and pip on a package that needs no download
    package = replace(
        there["torch"],
        check=(host.python, "-c", "import importlib.metadata as m; m.version('pip')"),
        commands=((host.python, "-m", "pip", "--version"),),
    )
    wanted = (
        replace(there["space"], check=("python3", "-c", HAS_ROOM, host.folder, "1000")),
        InstallStep("note", "a file", check=("test", "-e", note), commands=(("echo", "two  words"), ("touch", note))),
        replace(there["environment"], commands=((sys.executable, "-m", "venv", "--without-pip", f"{host.folder}/venv"),),
                check=(host.python, "-c", "import sys")),
    )  # fmt: skip
    done, lines = follow(host, wanted)
    assert names(done) == [("space", "there"), ("note", "brought"), ("environment", "brought")]
    assert "GB free" in done[0].detail
    assert lines == ["two  words"]
    again, lines = follow(host, wanted)
    assert {done.how for done in again} == {"there"}
    assert lines == []
    with pytest.raises(HeartbeatError, match="pip could not install"):
        follow(host, (package,))  # this environment has none


FAILURES = [
    ("echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1'; exit 100", "another package manager is running"),
    ("echo \"Temporary failure resolving 'archive.ubuntu.com'\" >&2; exit 100", "the TPU VM cannot reach the internet"),
    ("echo '[Errno 28] No space left on device'; exit 1", "the disk is full"),
    ("echo 'sudo: a password is required' >&2; exit 1", "sudo asks for a password there"),
    ("echo 'ensurepip is not available'; exit 1", "Python there cannot create virtual environments"),
    ("echo 'all is well'; exit 9", "it did not work"),
]


def test_a_failure_is_diagnosed_and_what_was_brought_stays(host: Host) -> None:
    first = InstallStep("first", "a file", check=("test", "-e", f"{host.folder}/first"), commands=(("touch", f"{host.folder}/first"),))
    how = "brought"
    for program, says in FAILURES:
        broken = InstallStep("broken", "what fails", ("false",), (("sh", "-c", program),), "it did not work", "Look at it.")
        assert names(follow(host, (first,))[0]) == [("first", how)]
        with pytest.raises(HeartbeatError) as raised:
            follow(host, (broken,))
        assert says in raised.value.title
        assert raised.value.remedy
        assert raised.value.exit_code == 1
        assert Path(host.folder, "first").exists()
        how = "there"


def test_a_condition_that_only_people_can_meet_names_what_they_can_do(host: Host) -> None:
    there = {step.name: step for step in tpu_steps(host.folder)}
    full = replace(there["space"], check=("python3", "-c", HAS_ROOM, host.folder, str(10**18)))
    with pytest.raises(HeartbeatError) as raised:
        follow(host, (full,))
    assert "too full" in raised.value.title
    assert "GB free" in raised.value.cause
    old = replace(there["python"], check=("python3", "-c", "import sys; sys.exit(1)"))
    with pytest.raises(HeartbeatError, match="does not fit"):
        follow(host, (old,))


def test_a_command_that_leaves_the_question_open_has_failed(host: Host) -> None:
    step = InstallStep("idle", "nothing", check=("false",), commands=(("true",),), problem="it is still not there", remedy="Look at it.")
    with pytest.raises(HeartbeatError, match="still not there"):
        follow(host, (step,))


def test_a_connection_that_is_lost_is_not_taken_for_a_step_that_failed(host: Host, cluster: Any) -> None:
    step = InstallStep("long", "what takes long", ("false",), (("sh", "-c", "echo begun; sleep 600"),))
    with pytest.raises(HeartbeatError, match="cannot be reached"):
        install(host, step, lambda line: cluster.sshds[0].cut() if line == "begun" else None)


def test_pins_are_compared_one_by_one(host: Host) -> None:
    code = host.run([sys.executable, "-c", HAS_PINS, "pytest==0.0.1"])
    assert code.returncode == 1
    assert b"not 0.0.1" in code.stderr
    from importlib.metadata import version

    assert host.run([sys.executable, "-c", HAS_PINS, f"pytest=={version('pytest')}"]).returncode == 0


def test_the_steps_for_a_tpu_install_the_pinned_pair_and_nothing_unpinned() -> None:
    steps = {step.name: step for step in tpu_steps("there")}
    pip, _ = steps["torch"].commands
    assert pip[0] == "there/venv/bin/python"
    assert set(xla_packages()) < set(pip)
    check = steps["torch"].check
    assert check is not None
    assert {"torch==2.9.1", "torch-xla==2.9.0", "libtpu==0.0.21"} < set(check)
    assert [step.name for step in steps.values() if not step.commands] == ["python", "space"]
    for step in steps.values():
        assert step.problem
        assert step.remedy
        assert all(command[0] != "sudo" or command[1] == "-n" for command in step.commands)


@pytest.mark.torch
def test_the_device_is_looked_at_by_the_worker_itself(cluster: Any) -> None:
    (host,) = cluster.destination("vm").hosts()
    device = probe_device(host, "cpu")
    assert device.usable, device
    assert (device.found["device"], device.found["tpu_vm"]) == ("cpu", "vm")
    without = probe_device(host, "xla")
    assert not without.usable
    assert "torch_xla" in without.problem


def test_the_command_shows_what_it_would_do(cluster: Any) -> None:
    shown = cluster.command("vms", "setup", "vm", "--print")
    assert shown.returncode == 0, shown.stderr
    assert "apt-get" in shown.stdout
    assert "torch==2.9.1" in shown.stdout


def test_the_command_stops_where_a_step_fails_and_says_so(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # the real steps, on a machine whose python3 says it does not fit: nothing is installed
    monkeypatch.setattr("heartbeat_core.remote.install.PYTHON_FITS", "import sys; sys.exit(1)")
    from heartbeat_tui.cli import dispatch

    for name, value in cluster.environ().items():
        monkeypatch.setenv(name, value)
    assert dispatch(["vms", "setup", "vm", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    (host,) = answer["hosts"]
    assert "does not fit" in host["problem"]
    assert host["steps"] == []


UNENDING = """
import json, sys
from heartbeat_core.remote.hosts import Host
from heartbeat_core.remote.install import InstallStep
from heartbeat_tui.commands.vms_connect import set_up_one
from concurrent.futures import ThreadPoolExecutor
step = InstallStep("long", "a long one", ("false",), (("sh", "-c", "echo $$; exec sleep 45"),))  # which writes no more
with ThreadPoolExecutor(max_workers=1) as pool:
    list(pool.map(lambda host: set_up_one(host, (step,)), [Host(**json.loads(sys.argv[1]))]))
"""


def test_ctrl_c_ends_the_step_under_way_here_and_there(host: Host, watch_process: Callable[[int], Callable[[], bool]]) -> None:
    told = json.dumps({**vars(host), "environ": dict(host.environ)})
    command = [sys.executable, "-c", UNENDING, told]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as program:
        assert program.stderr is not None
        try:
            gone = watch_process(int(program.stderr.readline().split()[-1]))
            os.killpg(program.pid, signal.SIGINT)  # as a terminal does
            _, said = program.communicate(timeout=30)
        finally:
            program.kill()
    assert program.returncode
    assert "KeyboardInterrupt" in said
    assert gone()
