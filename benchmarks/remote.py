"""Remote: the median of a run whose stream comes over a real ssh, over that of a run here, on the same machine."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import sleep

from benchmarks.figure import Figure, finish, interleave, quiet, ratio

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.target import LocalTarget, RunTarget
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.remote.hosts import Host, bring_engine
from heartbeat_core.remote.ssh import SshCalls, direct

ROUNDS = 15
PLANS = {
    "a product of 7 ms": BenchmarkConfig(MatMul(128, 2048, 4096), threads=1, iterations=150),
    "a product of 20 µs": BenchmarkConfig(MatMul(8, 64, 64), threads=1, iterations=20_000),
}
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
LogLevel ERROR
"""


@contextmanager
def server() -> Iterator[Host]:
    """Start an sshd on loopback with a key of its own; yield the host behind it."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        sys.exit("There is no sshd here: apt-get install openssh-server")
    with suppress(PermissionError):  # as root it needs this folder, as another user it does not
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
        process = subprocess.Popen([program, "-D", "-f", str(folder / "config")])
        try:
            ssh = (
                "ssh",
                "-i",
                str(folder / "key"),
                "-o",
                f"UserKnownHostsFile={folder}/known",
                "-o",
                "IdentitiesOnly=yes",
                "-p",
                str(port),
            )
            user = pwd.getpwuid(os.geteuid()).pw_name
            host = Host("loopback", 0, direct((*ssh, f"{user}@127.0.0.1")), os.environ, str(folder / "there"), sys.executable)
            while bring_engine(host, SshCalls())[0]:
                sleep(0.1)
            yield host
        finally:
            process.kill()
            process.wait()


def median(place: RunTarget, plan: BenchmarkConfig, process_launcher: ProcessLauncher) -> float:
    with closing(Run(plan, process_launcher, place=place)) as run:
        run.wait()
    assert run.ending is not None
    assert run.ending.clean, run.ending
    statistics = run.report().statistics
    assert statistics is not None
    return statistics.median_ns


def main() -> list[Figure]:
    figures = []
    with server() as host, ProcessLauncher() as process_launcher:
        for name, plan in PLANS.items():
            taken = interleave(
                ROUNDS,
                {
                    "here": lambda plan=plan: median(LocalTarget(), plan, process_launcher),  # type: ignore[misc]
                    "there": lambda plan=plan: median(host, plan, process_launcher),  # type: ignore[misc]
                },
            )
            figures.append(ratio(f"median over ssh, {name}", taken["there"], taken["here"], 1.03, 0.97))
    return figures


if __name__ == "__main__":
    with quiet():
        figures = main()
    finish(figures)
