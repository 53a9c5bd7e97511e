"""A cluster for all tests of a module: real Ray, several raylets on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
SCRIPT = Path(__file__).parent / "ray_cluster_process.py"


class Cluster:
    """The process that owns the cluster; ``hosts`` are the ids of their nodes."""

    def __init__(self, home: Path, hosts: int = 3) -> None:
        self.home = home
        settings = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # as our runs have it
            "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # the hosts end so long after the head, not after a minute
        }
        environ = {**os.environ, "HOME": str(home), **settings}
        environ.pop("RAY_ADDRESS", None)
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(hosts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            text=True,
        )
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if line.startswith("{"))
        self.address: str = json.loads(line)["address"]
        self.hosts: list[str] = json.loads(line)["hosts"]

    def do(self, *words: str) -> None:
        """Have it done, and return when it is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        assert "done\n" in self.process.stdout

    def workers(self) -> list[int]:
        """Return the processes on its hosts that carry out a run: each names the engine in the home of this cluster."""
        found, engine = [], str(self.home / ".heartbeat-tui" / "engine-").encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += [int(path.parent.name)] if engine in path.read_bytes() else []
            except OSError:
                continue
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("ray-home"))
    try:
        yield made
    finally:
        made.close()
