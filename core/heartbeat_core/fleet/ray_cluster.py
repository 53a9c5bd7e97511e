"""A Ray cluster: its address and versions, its nodes and what they offer, and who holds a device. Ray is imported in the functions."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.fleet.model import HostSummary

CONNECT_S = 5.0
SLICE, TOPOLOGY, ACCELERATOR = "ray.io/tpu-slice-name", "ray.io/tpu-topology", "ray.io/accelerator-type"
ON_THE_HEAD = (
    "Run this on the head node, in its own Python: pip install 'heartbeat-tui[ray]' && heartbeat-tui bench --on ray. "
    "With KubeRay: kubectl exec -it HEAD_POD -- bash; with ray up: ray attach CLUSTER.yaml."
)


@dataclass(frozen=True)
class RayNode:
    """A node of the cluster with the device that is asked for; ``amount`` of it is what the run holds.

    ``alone``: it is one of several hosts of a slice, and is not to wait for the others.
    """

    id: str
    name: str
    address: str
    amount: int
    slice: str = ""
    device: str = ""
    alone: bool = False

    def summary(self) -> HostSummary:
        """Return the summary of a host on which nothing has started."""
        return HostSummary(self.id, self.name, node=self.address, slice=self.slice, device=self.device, chips=self.amount)


def choose_nodes(found: Iterable[Mapping[str, Any]], resource: str) -> list[RayNode]:
    """Return the living nodes that offer ``resource``, by name; raise HeartbeatError for none.

    A run holds the whole of the CPUs or of the TPU chips of its host, and one GPU.
    """
    living = [node for node in found if node.get("Alive", node.get("alive"))]
    offering = [node for node in living if node["Resources"].get(resource, 0) >= 1]
    if not offering:
        totals: Counter[str] = Counter()
        for node in living:
            totals.update({name: math.floor(node["Resources"].get(name, 0)) for name in ("TPU", "GPU", "CPU")})
        offered = ", ".join(f"{count} {name}" for name, count in totals.items() if count) or "nothing"
        raise HeartbeatError(
            f"no host of the cluster offers a {resource}",
            f"Its {len(living)} nodes offer {offered}.",
            "Add hosts, or name another backend: --backend accelerator for GPUs, --backend cpu for a rehearsal on CPUs.",
            exit_code=3,
        )
    names = Counter(node["NodeManagerHostname"] for node in offering)
    slices = Counter(node.get("Labels", {}).get(SLICE, "") for node in offering)
    nodes = []
    for node in offering:
        name, labels = node["NodeManagerHostname"], node.get("Labels", {})
        name = sanitize_line(name if names[name] == 1 else f"{name}-{node['NodeID'][:6]}")
        amount = 1 if resource == "GPU" else math.floor(node["Resources"][resource])
        device = labels.get(ACCELERATOR, "")
        slice_, sizes = labels.get(SLICE, ""), labels.get(TOPOLOGY, "").split("x")
        known = resource == "TPU" and all(size.isdecimal() for size in sizes)  # not all hosts of the slice may have joined
        alone = math.prod(map(int, sizes)) > amount if known else bool(slice_) and slices[slice_] > 1
        nodes.append(RayNode(node["NodeID"], name, node["NodeManagerAddress"], amount, slice_, device, alone))
    return sorted(nodes, key=lambda node: node.name)


def connect(address: str) -> tuple[Any, str]:
    """Join the cluster as a driver; return the module ``ray`` and the address of the head. Raise HeartbeatError in words."""
    os.environ.setdefault("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # else its notes would be the last words of a driver that ends
    import ray

    server = head_of(address)
    check_versions(server, ray.__version__)
    try:
        ray.init(address=server, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except Exception as error:
        said = sanitize_line(str(error))
        raise HeartbeatError(f"the Ray cluster at {server} cannot be joined", said, ON_THE_HEAD, exit_code=3) from error
    return ray, server


def head_of(address: str) -> str:
    """Return HOST:PORT of the head, that of a cluster on this machine for an empty address; raise HeartbeatError if nothing answers."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    if address.startswith("ray://"):
        cause = "That is the address of a Ray Client, which cannot carry a stream of figures."
        raise HeartbeatError(f"{address} cannot be used", cause, f"Give the address of the head, HOST:6379. {ON_THE_HEAD}")
    try:
        server: str = canonicalize_bootstrap_address_or_die(address or "auto")
    except (ConnectionError, ValueError) as error:
        cause = "No address is given, and no Ray runs on this machine." if not address else sanitize_line(str(error))
        raise HeartbeatError(
            "there is no Ray cluster", cause, f"Give --on ray:HOST:6379 or RAY_ADDRESS. {ON_THE_HEAD}", exit_code=3
        ) from error
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise HeartbeatError(f"nothing answers at {server}", str(error), f"Check the address. {ON_THE_HEAD}", exit_code=3) from error
    return server


def versions_of(server: str) -> tuple[str, str]:
    """Return the versions of Ray and Python that the cluster was started with; nothing joins it for that. Raise HeartbeatError."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    try:
        found = GcsClient(address=server).internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster", timeout=CONNECT_S)
        values = json.loads(found)
        return str(values["ray_version"]), str(values["python_version"])
    except Exception as error:
        cause = sanitize_line(str(error)) or type(error).__name__
        raise HeartbeatError(f"the head at {server} does not say its version", cause, ON_THE_HEAD, exit_code=3) from error


def check_versions(server: str, ours: str) -> None:
    """Raise HeartbeatError where the cluster has another version of Ray, or another minor version of Python."""
    ray_there, python_there = versions_of(server)
    python = platform.python_version()
    if ray_there == ours and python_there.split(".")[:2] == python.split(".")[:2]:
        return
    raise HeartbeatError(
        f"the cluster has Ray {ray_there} and Python {python_there}, this program Ray {ours} and Python {python}",
        "Ray joins only the same version of Ray and the same minor version of Python.",
        ON_THE_HEAD,
        exit_code=3,
    )


@dataclass(frozen=True)
class Usage:
    """What is in use at one moment: what is ``free`` on each node, and the living actors, as Ray's tables have them."""

    free: Mapping[str, Mapping[str, float]]
    actors: Sequence[Mapping[str, Any]]

    def held_by(self, node: RayNode, resource: str) -> str:
        """State who holds what a host lacks, as far as Ray tells; empty where enough of it is free."""
        if node.id not in self.free:
            return "Ray does not say what is free there: the node may have died."
        count = self.free[node.id].get(resource, 0)
        if count >= node.amount:
            return ""
        there = [actor for actor in self.actors if actor["Address"]["NodeID"] == node.id]
        holders = sorted(f"{actor['ActorClassName']} (job {actor['JobID']}, process {actor['Pid']})" for actor in there)
        who = f"actors there are {', '.join(holders)}" if holders else "Ray names no actor there; `ray list tasks` may name a task"
        return f"{count:g} of {node.amount} {resource} are free; {who}."


def usage() -> Usage:
    """Return what is in use now; the driver has joined the cluster."""
    from ray._private import state

    return Usage(state.available_resources_per_node(), [actor for actor in state.actors().values() if actor["State"] == "ALIVE"])


def main() -> None:
    """Write what can be seen of the cluster at the address in the arguments without joining it: one object of JSON."""
    try:
        import ray
        from ray._raylet import GcsClient  # type: ignore[attr-defined]

        server = head_of(sys.argv[3])
        version, python = versions_of(server)
        nodes = [node for node in GcsClient(address=server).get_all_node_info(timeout=CONNECT_S).values() if node.state == 0]
        totals = {name: sum(math.floor(node.resources_total.get(name, 0)) for node in nodes) for name in ("TPU", "GPU", "CPU")}
        ours = {"ours": ray.__version__, "our_python": platform.python_version()}
        found: dict[str, Any] = {"head": server, "ray": version, "python": python, "nodes": len(nodes), "totals": totals, **ours}
    except HeartbeatError as error:
        found = {"title": error.title, "cause": error.cause, "remedy": error.remedy}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
