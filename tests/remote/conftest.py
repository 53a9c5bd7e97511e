"""Two hosts on one machine: an emulator whose addresses are loopback, the real gcloud, and a real sshd on each address.

The sshd takes keys from where a TPU VM's guest agent takes them: the metadata of the node, which gcloud writes.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.emulator.process import EmulatorProcess, start_emulator
from heartbeat_core.launcher import Launcher
from heartbeat_core.remote.hosts import Destination, find_node, parse_on
from heartbeat_core.settings import RemoteSettings, Settings

PROJECT = "demo-project"
ADDRESSES = ("127.0.0.1", "127.0.0.2")
SCENARIO = """
description = "a TPU VM and a slice of two hosts, on this machine"
extends = "ready"
addresses = ["127.0.0.1", "127.0.0.2"]

[timings]
update_s = 0.0

[[nodes]]
id = "vm"
zone = "us-central1-b"
accelerator_type = "v6e-1"
runtime_version = "v2-alpha-tpuv6e"

[[nodes]]
id = "slice"
zone = "us-central1-a"
accelerator_type = "v5p-16"
runtime_version = "v2-alpha-tpuv5"
"""
# Stands where the guest agent of a TPU VM stands: it gives the keys that are in the nodes' metadata, "user:key" a line.
AGENT = """#!{python} -IS
import json, urllib.request
for node in json.load(urllib.request.urlopen("{url}/v2/projects/{project}/locations/-/nodes"))["nodes"]:
    for line in node.get("metadata", {{}}).get("ssh-keys", "").splitlines():
        print(line.partition(":")[2])
"""
SSHD = """
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile none
AuthorizedKeysCommand {folder}/agent
AuthorizedKeysCommandUser root
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
PrintLastLog no
StrictModes no
LogLevel ERROR
"""


def missing() -> str:
    """Return why these tests cannot run here, nothing if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux: an sshd that asks a program for its keys runs as root"
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        return "needs sshd: apt-get install openssh-server"
    if shutil.which("gcloud") is None:
        return "needs gcloud: https://cloud.google.com/sdk/docs/install"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason, own = missing(), str(Path(__file__).parent)
    for item in items:
        if reason and str(item.path).startswith(own):
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass
class Sshd:
    """One server; ``cut`` ends its connections, as a VM that is preempted does."""

    address: str
    process: subprocess.Popen[bytes]

    def connections(self) -> list[int]:
        """List the processes that carry connections."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def cut(self) -> None:
        for child in self.connections():
            os.kill(child, signal.SIGKILL)


@pytest.fixture(scope="session")
def port() -> int:
    """Find a port that is free on both addresses."""
    for _ in range(100):
        with ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind((ADDRESSES[0], 0))
            number: int = first.getsockname()[1]
            try:
                stack.enter_context(socket.socket()).bind((ADDRESSES[1], number))
            except OSError:
                continue
            return number
    raise RuntimeError("no port is free on both addresses")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    scenario = tmp_path_factory.mktemp("scenario") / "two-hosts.toml"
    scenario.write_text(SCENARIO)
    with start_emulator(str(scenario), speed=1000.0) as started:
        yield started


@pytest.fixture(scope="session")
def sshds(emulator: EmulatorProcess, port: int) -> Iterator[tuple[Sshd, ...]]:
    """Start both servers; their things lie where only root can write, or sshd would not run the agent."""
    import tempfile

    Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/root", prefix=".heartbeat-tests-")))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")], check=True)
        (folder / "agent").write_text(AGENT.format(python=sys.executable, url=emulator.url, project=PROJECT))
        (folder / "agent").chmod(0o755)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None
        started = []
        for address in ADDRESSES:
            config = folder / f"sshd-{address}"
            config.write_text(SSHD.format(port=port, address=address, folder=folder))
            process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE)
            stack.callback(end, process)
            started.append(Sshd(address, process))
        for sshd in started:
            listening(sshd.address, port, sshd.process)
        yield tuple(started)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stderr:
        process.stderr.close()


def listening(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    pause = threading.Event()
    for _ in range(500):
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            pause.wait(0.02)
        else:
            return
    raise AssertionError(f"no sshd answers on {address}:{port}")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_key_for_all(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gcloud make its key and its configuration once, not for every test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@dataclass
class Cluster:
    """What a test has: where to ask, and how to get there; ``folder`` is where the hosts keep our things."""

    url: str
    port: int
    folder: Path
    sshds: tuple[Sshd, ...]

    def settings(self, **changes: Any) -> RemoteSettings:
        """Return settings that lead to the two sshd, and to this Python there."""
        plain = RemoteSettings(ssh_flags=f"-p {self.port}", folder=str(self.folder), python=sys.executable)
        return replace(plain, **changes)

    def destination(self, on: str, **changes: Any) -> Destination:
        from heartbeat_core.cloud.session import open_session

        named = parse_on(on)

        def find() -> Any:
            session = open_session(endpoint=self.url)
            try:
                return find_node(session, PROJECT, named.name)
            finally:
                session.close()

        return Destination(named, PROJECT, self.url, self.settings(**changes), find)

    def environ(self) -> dict[str, str]:
        """Return the environment for our own commands."""
        return {
            **os.environ,
            "HEARTBEAT_CLOUD_ENDPOINT": self.url,
            "PROJECT_ID": PROJECT,
            "HEARTBEAT_REMOTE_SSH_FLAGS": f"-p {self.port}",
            "HEARTBEAT_REMOTE_FOLDER": str(self.folder),
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "heartbeat_tui", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.environ(), timeout=240)


@pytest.fixture
def cluster(emulator: EmulatorProcess, sshds: tuple[Sshd, ...], port: int, tmp_path: Path) -> Cluster:
    return Cluster(emulator.url, port, tmp_path / "there", sshds)


@pytest.fixture
def launcher(cluster: Cluster) -> Iterator[Callable[..., Launcher]]:
    """Make launchers whose runs go to what ``on`` names."""
    with ExitStack() as stack:

        def make(on: str, **changes: Any) -> Launcher:
            made = Launcher(Settings())
            made.destination = cluster.destination(on, **changes)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def endless(small: Callable[..., BenchmarkConfig]) -> BenchmarkConfig:
    return small(iterations=None)
