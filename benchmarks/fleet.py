"""Fleet: the time to the first sample of every host of a Ray cluster, over that of a bare Ray task on each; 8 raylets on this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, interleave, quiet, ratio
from tests.fleet_ray.conftest import Cluster

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.fleet.ray_run import RayCluster, RayRun

ROUNDS, HOSTS = 3, 8
CONFIG = BenchmarkConfig(MatMul(64, 256, 256), threads=1, iterations=20)
# The least that anybody must do: join the cluster, import torch on each host, and multiply once.
BARE = """
import ray, sys
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=1, max_retries=0)
def multiply():
    import torch
    torch.set_num_threads(1)
    return float((torch.randn(64, 256) @ torch.randn(256, 256)).sum())

hosts = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
ray.get([multiply.options(scheduling_strategy=NodeAffinitySchedulingStrategy(host, soft=False)).remote() for host in hosts])
"""


def bare_s(address: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", BARE, address], check=True, capture_output=True)
    return perf_counter() - start


def first_samples_s(address: str) -> float:
    start = perf_counter()
    with closing(RayRun(CONFIG, RayCluster(address))) as run:
        version = 0
        while run.ending is None and not all(host.count for host in run.fleet().hosts):
            version = run.wait_for_news(version, 1.0)
        taken = perf_counter() - start
        run.wait()
    assert all(host.ending == "done" for host in run.fleet().hosts), run.fleet()
    return taken


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as home, closing(Cluster(Path(home), HOSTS)) as cluster:
        first_samples_s(cluster.address)  # the engine is sent once
        taken = interleave(ROUNDS, {"ours": lambda: first_samples_s(cluster.address), "bare": lambda: bare_s(cluster.address)})
    note = f"{min(taken['ours']):.1f} s over {min(taken['bare']):.1f} s"
    return [ratio(f"first sample of {HOSTS} hosts over a bare Ray task", taken["ours"], taken["bare"], 1.5, note=note)]


if __name__ == "__main__":
    with quiet():
        figures = main()
    finish(figures)
