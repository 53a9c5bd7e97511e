"""Chips looked at over a real ssh, and beside a run that beats there: tpu-info of the torch_xla environment, a server of its protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.recordings.recording import load
from heartbeat_core.settings import Settings, TelemetrySettings

LONG_S = 120.0
GIB = 2**30
SERVER = Path(__file__).parents[1] / "xla/metrics_server.py"
TOLD = {"total": {"0": 32 * GIB}, "used": {"0": 3 * GIB}, "duty": {"0": 87.5}}


@pytest.fixture
def metrics_port(xla_python: str) -> Iterator[int]:
    server = subprocess.Popen([xla_python, str(SERVER), json.dumps(TOLD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    yield int(server.stdout.readline())
    server.kill()
    server.communicate()


@pytest.mark.xla
def test_the_chips_of_all_hosts_are_shown_without_any_set_up(cluster: Any, xla_python: str, metrics_port: int) -> None:
    done = cluster.command("chips", "--on", "slice:all", "--python", xla_python, "--port", str(metrics_port), "--json")
    assert done.returncode == 0, done.stderr
    told = {each["host"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert sorted(told) == ["slice:0", "slice:1"]
    assert {each["state"] for each in told.values()} == {"told"}
    assert {each["chips"][0]["used_bytes"] for each in told.values()} == {3 * GIB}
    assert not cluster.folder.exists()  # the reader came along with its order


def test_a_python_that_is_not_there_is_reported(cluster: Any) -> None:
    done = cluster.command("chips", "--on", "vm", "--python", "/nonexistent/python", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert (told["host"], told["state"]) == ("vm", "broken")
    assert "/nonexistent/python" in told["problem"]["cause"]


@pytest.mark.xla
@pytest.mark.torch
def test_a_run_on_a_host_has_the_readings_of_the_chips_there(
    launcher: Callable[..., Any], small: Any, xla_python: str, metrics_port: int
) -> None:
    there = launcher("vm", python=xla_python)
    there.settings = Settings(telemetry=TelemetrySettings(port=metrics_port))
    run = there.start(small(backend="xla", iterations=None))
    with run.changed:
        assert run.changed.wait_for(lambda: bool(run.series.gauges.columns()) or run.ending, LONG_S), run.stderr
    run.stop()
    assert run.wait(LONG_S)
    figures = run.report().chips
    assert (run.ending.kind, figures.peak_bytes, figures.problem) == ("stopped", 3 * GIB, None)
    assert load(run.path).gauges.figures() == figures


@pytest.mark.xla
def test_a_cut_connection_leaves_no_reader_behind(
    launcher: Callable[..., Any], cluster: Any, xla_python: str, metrics_port: int, watch_process: Callable[[int], Callable[[], bool]]
) -> None:
    from heartbeat_core.telemetry.monitor import ChipReader

    there = launcher("vm", python=xla_python)
    (host,) = there.destination.hosts()
    watcher = ChipReader(there.reader((metrics_port,), host), 0.05)
    looks = watcher.readings()
    assert next(looks).state == "told"
    gone = [watch_process(pid) for connection in cluster.sshds[0].connections() for pid in readers_below(connection)]
    assert gone
    cluster.sshds[0].cut()
    assert [look.state for look in looks][-1] == "broken"
    assert all(each() for each in gone)


def readers_below(pid: int) -> list[int]:
    """List the processes below one, the leaves of its tree: what ssh runs for us."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [leaf for child in children for leaf in (readers_below(child) or [child])]


def test_a_network_that_falls_silent_ends_the_looks(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from heartbeat_core.remote import ssh
    from heartbeat_core.telemetry.monitor import ChipReader, Reader

    assert ssh.OPTIONS[5:9] == ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
    hasty = tuple(option.replace("ServerAliveInterval=5", "ServerAliveInterval=1") for option in ssh.OPTIONS)
    monkeypatch.setattr(ssh, "OPTIONS", hasty)
    (host,) = cluster.destination("vm").hosts()
    looks = ChipReader(Reader(host.python, on_host=host.command, environ=host.environ, limit_s=LONG_S), 0.05).readings()
    assert not next(looks).failure
    held = cluster.sshds[0].connections()
    for connection in held:
        os.kill(connection, signal.SIGSTOP)  # nothing comes, and nothing is closed
    try:
        *_, last = looks
        assert last.state == "broken"
        assert "not responding" in str(last.failure)
    finally:
        for connection in held:
            os.kill(connection, signal.SIGKILL)
