"""A Ray cluster of several raylets on this machine, in a process of its own: a node without a device, and so many hosts of one CPU
each as the argument says.

It prints its address and the hosts, then does what each line of its stdin says, and says "done".
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

SMALL = {"object_store_memory": 80_000_000, "include_dashboard": False}


class Holder:
    """Holds the CPU of a host."""

    def ready(self) -> None:
        pass


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    hosts = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(int(sys.argv[1]))]
    print(json.dumps({"address": cluster.address, "hosts": [host.node_id for host in hosts]}), flush=True)
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        host = next((host for host in hosts if host.node_id == argument), None)
        if word == "kill" and host is not None:
            cluster.remove_node(host, allow_graceful=False)
        elif word == "hold":
            ray.init(address=cluster.address, log_to_driver=False)
            holder: Any = ray.remote(Holder)
            strategy = NodeAffinitySchedulingStrategy(argument, soft=False)
            ray.get(holder.options(num_cpus=1, lifetime="detached", name="h", scheduling_strategy=strategy).remote().ready.remote())
        elif word == "release":
            ray.kill(ray.get_actor("h"))
            ray.shutdown()
        elif word == "version":
            client = GcsClient(address=cluster.address)
            values = json.loads(client.internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster"))
            values["ray_version"] = argument or ray.__version__
            client.internal_kv_put(b"CLUSTER_METADATA", json.dumps(values).encode(), True, b"cluster")
        elif word == "head":
            cluster.head_node.kill_gcs_server()
        print("done", flush=True)
    cluster.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
