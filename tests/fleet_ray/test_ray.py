"""Runs on a real Ray cluster, the hosts of which share this machine: CPUs stand in for TPUs, and the product is small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.fleet_ray.conftest import Cluster
from tests.waiting import wait_until

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.model import HostSummary
from heartbeat_core.fleet.ray_run import RayCluster, RayRun
from heartbeat_core.recordings.recording import Recording, load

pytestmark = pytest.mark.torch

CONFIG = BenchmarkConfig(workload=MatMul(64, 256, 256, "float32"), backend="cpu", iterations=100, threads=1)
ENDLESS = replace(CONFIG, iterations=None)
COMMAND = ("bench", "--backend", "cpu", "--batch", "64", "--hidden", "256", "--intermediate", "256", "--threads", "1")


def program(cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "heartbeat_tui", *COMMAND, "--on", f"ray:{cluster.address}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def slowed(pids: list[int]) -> Iterator[None]:
    """Let processes run for a quarter of the time, however busy the machine is."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.is_set():
            for number, pause_s in ((signal.SIGSTOP, 0.03), (signal.SIGCONT, 0.01)):
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
                over.wait(pause_s)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_every_host_is_measured_recorded_and_reported_in_one_group(cluster: Cluster) -> None:
    done = program(cluster, "--iterations", "60", "--serial", "--json", "--name", "nightly")
    text, said = done.communicate()
    assert done.returncode == 0, said
    answer = json.loads(text)
    assert {host["id"] for host in answer["hosts"]} == set(cluster.hosts)
    for host in answer["hosts"]:
        assert (host["state"], host["ending"], host["n"]) == ("ended", "done", 60)
        assert "rehearsal on the CPU: not a TPU" in host["labels"]
        series = load(Path(host["recording"]))
        assert (len(series.steady), series.environment["ray_node"]) == (60, host["name"])
        assert series.label is not None
        assert series.label.group == "nightly"
    wait_until(lambda: not cluster.workers(), "the end of all processes on the hosts")


def test_a_host_that_is_held_up_is_the_slow_one(cluster: Cluster) -> None:
    slow = next(iter(cluster.hosts))
    config = replace(CONFIG, workload=MatMul(512, 1024, 1024, "float32"), iterations=None, duration_s=3.0)
    with closing(RayRun(config, RayCluster(cluster.address, serial=True))) as run:

        def summary() -> HostSummary:
            return next(host for host in run.fleet().hosts if host.id == slow)

        wait_until(lambda: summary().count or run.ending, "the first sample of the host", 120)
        with slowed(cluster.workers()):  # it alone is measured
            wait_until(lambda: summary().over, "its end", 120)
        wait_until(lambda: run.ending, "the end of the run", 120)
        fleet = run.fleet()
        ratios = {host.id: fleet.ratio(host) or 0.0 for host in fleet.hosts}
    assert all(host.ending == "done" for host in fleet.hosts)
    assert max(ratios, key=lambda id_: ratios[id_]) == slow
    assert ratios[slow] > 1.2


def test_a_host_in_use_ends_with_the_name_of_its_holder_and_the_others_are_measured(cluster: Cluster) -> None:
    held = next(iter(cluster.hosts))
    cluster.do("hold", held)
    with closing(RayRun(CONFIG, RayCluster(cluster.address, wait_s=2.0))) as run:
        wait_until(lambda: run.ending, "the end of the run", 120)
        hosts = {host.id: host for host in run.fleet().hosts}
    cluster.do("release")
    busy = hosts.pop(held)
    assert (busy.ending, "Holder" in busy.problem, "0 of 1 CPU are free" in busy.problem) == ("unavailable", True, True)
    assert "--wait" in busy.remedy
    assert {host.ending for host in hosts.values()} == {"done"}


def readiness(cluster: Cluster, address: str) -> dict[str, tuple[str, str]]:
    """Return the status and the summary of each check of the cluster."""
    command = [sys.executable, "-m", "heartbeat_tui", "check", "--only", "ray", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RAY_ADDRESS": address}, check=False)
    return {result["id"]: (result["status"], result["summary"]) for result in json.loads(done.stdout)["checks"]}


def test_another_version_is_said_before_anything_joins(cluster: Cluster) -> None:
    found = readiness(cluster, cluster.address)
    assert [status for status, _ in found.values()] == ["pass", "pass", "warn"]
    assert found["ray.devices"][1] == "no TPU: the cluster offers 3 CPU"
    cluster.do("version", "2.49.1")
    with pytest.raises(HeartbeatError, match=r"the cluster has Ray 2\.49\.1 and Python .*, this program Ray") as caught:
        RayRun(CONFIG, RayCluster(cluster.address))
    assert readiness(cluster, cluster.address)["ray.version"][0] == "fail"
    cluster.do("version")
    assert "on the head node" in caught.value.remedy
    assert caught.value.exit_code == 3
    with pytest.raises(HeartbeatError, match="no host of the cluster offers a TPU"):
        RayRun(replace(CONFIG, backend="xla"), RayCluster(cluster.address))


def test_a_cluster_that_is_not_there_is_said(home: Path) -> None:
    del home
    with pytest.raises(HeartbeatError, match="nothing answers at"):
        RayRun(CONFIG, RayCluster("127.0.0.1:9"))
    with pytest.raises(HeartbeatError, match="cannot be used"):
        RayRun(CONFIG, RayCluster("ray://127.0.0.1:10001"))


def test_ctrl_c_leaves_nothing_on_the_cluster(cluster: Cluster) -> None:
    running = program(cluster, "--until-stopped", "--no-save")
    wait_until(lambda: len(cluster.workers()) == 3, "a worker on each host", 120)
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130
    wait_until(lambda: not cluster.workers(), "the end of all processes on the hosts")


def test_a_driver_that_is_killed_leaves_nothing_on_the_cluster(cluster: Cluster) -> None:
    with closing(RayRun(ENDLESS, RayCluster(cluster.address))) as run:
        wait_until(lambda: all(host.count for host in run.fleet().hosts), "samples of all hosts", 120)
        os.kill(run.process.pid, signal.SIGKILL)
        wait_until(lambda: run.ending, "the end of the run")
    assert {(host.ending, "the driver of the Ray cluster ended" in host.problem) for host in run.fleet().hosts} == {("lost", True)}
    wait_until(lambda: not cluster.workers(), "the end of all processes on the hosts", 60)


def test_a_host_that_dies_is_named_and_the_others_go_on_and_an_opened_one_has_its_samples(cluster: Cluster, home: Path) -> None:
    record = partial(Recording.create, home, ENDLESS, 2**30)
    with closing(RayRun(ENDLESS, RayCluster(cluster.address), record, watched=True)) as run:
        wait_until(lambda: all(host.count for host in run.fleet().hosts), "samples of all hosts", 120)
        dead = run.fleet().hosts[1]
        cluster.do("kill", dead.id)
        wait_until(lambda: run.fleet().hosts[1].over, "news of its death", 60)
        first, lost, last = run.fleet().hosts
        assert (lost.ending, f"{dead.name} died" in lost.problem, first.over, last.over) == ("lost", True, False, False)
        run.choose(0)
        wait_until(lambda: run.shown().report().statistics, "the samples of the opened host")
        counts = first.count, last.count
        wait_until(lambda: run.fleet().hosts[0].count > counts[0] and run.fleet().hosts[2].count > counts[1], "more samples")
        run.stop()
        wait_until(lambda: run.ending, "the end of the run")
        assert [host.ending for host in run.fleet().hosts] == ["stopped", "lost", "stopped"]
        run.choose(2)
        assert run.shown().report().count == run.fleet().hosts[2].count


def test_the_end_of_the_head_is_said_and_nothing_stays(cluster: Cluster) -> None:
    """The last test: the cluster ends with it."""
    with closing(RayRun(ENDLESS, RayCluster(cluster.address, wait_s=1.0))) as run:
        wait_until(lambda: all(host.count or host.over for host in run.fleet().hosts), "samples of all hosts that live", 120)
        living = {host.id for host in run.fleet().hosts if not host.over}
        assert len(living) >= 2  # another test may have killed one
        cluster.do("head")
        wait_until(lambda: run.ending, "the end of the run", 60)
        hosts = [host for host in run.fleet().hosts if host.id in living]
    assert {(host.ending, "the head of the cluster is gone" in host.problem) for host in hosts} == {("lost", True)}
    wait_until(lambda: not cluster.workers(), "the end of all processes on the hosts", 120)
