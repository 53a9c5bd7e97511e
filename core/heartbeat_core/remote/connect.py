"""Opens a connection for a person: gcloud's own ssh, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heartbeat_core.checks.fix_runner import remedy_environ
from heartbeat_core.cloud.auth import is_loopback
from heartbeat_core.cloud.tpu import CLOSED, Endpoint, Node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.ssh import Route, Vm, Way

# As gcloud sees them: it refuses those in CLOSED, and warns of these.
DOUBTFUL = frozenset({"CREATING", "STARTING", "REPAIRING", "HIDING", "UNHIDING"})
# What helps against each of CLOSED.
OPENED_BY = {
    "STOPPED": "Start it: heartbeat-tui vms start {name} --zone {zone}",
    "STOPPING": "Wait until it is STOPPED, then start it: heartbeat-tui vms start {name} --zone {zone}",
    "PREEMPTED": "It does not come back: delete it and create it again.",
    "TERMINATED": "It does not come back: delete it and create it again.",
}


@dataclass(frozen=True)
class Connection:
    """A command that opens a shell on a TPU VM, the environment to run it in, and what to say before."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def connect(
    node: Node,
    project: str,
    *,
    endpoint: str | None = None,
    worker: int = 0,
    way: Way = "auto",
    flags: tuple[str, ...] = (),
) -> Connection:
    """Give the command that connects to one host of ``node``; raise HeartbeatError where nothing can answer there.

    ``endpoint`` is the emulator that is asked in Google's stead, ``flags`` are for ssh.
    """
    check_state(node)
    where = endpoint_of(node, worker)
    vm = Vm(node.id, node.zone, project, choose_way(node, where, way), flags)
    refuse_made_up(node, where, endpoint)
    return Connection(vm.gcloud(worker), gcloud_environ(endpoint), warnings_of(node))


def check_state(node: Node) -> None:
    """Raise HeartbeatError for a state in which no host of the node can answer."""
    if node.state in CLOSED:
        remedy = OPENED_BY.get(node.state or "", "See what becomes of it: heartbeat-tui vms watch {name} --zone {zone}")
        raise HeartbeatError(
            f"{node.id} is {node.state}", "No ssh answers in that state.", remedy.format(name=node.id, zone=node.zone), exit_code=1
        )


def warnings_of(node: Node) -> tuple[str, ...]:
    """Say why a connection may fail all the same."""
    warnings = []
    if node.state in DOUBTFUL:
        warnings.append(f"{node.id} is {node.state}: it may not answer yet.")
    elif node.state != "READY":
        warnings.append(f"{node.id} is {node.state or 'in no state that was told'}: whether it answers is not known.")
    if node.health and node.health != "HEALTHY":
        detail = f": {node.health_description.rstrip('.')}" if node.health_description else ""
        warnings.append(f"Its health is {node.health}{detail}.")
    return tuple(warnings)


def endpoint_of(node: Node, worker: int) -> Endpoint:
    """Find a host by its number; raise HeartbeatError where there is no such host, or none yet."""
    if not node.endpoints:
        raise HeartbeatError(
            f"{node.id} has no address yet",
            f"It is {node.state or 'in no state that was told'}.",
            f"Wait until it is READY: heartbeat-tui vms watch {node.id} --zone {node.zone} --until READY",
            exit_code=1,
        )
    if not 0 <= worker < len(node.endpoints):
        last = len(node.endpoints) - 1
        raise HeartbeatError(
            f"{node.id} has no worker {worker}",
            f"It has {len(node.endpoints)} host{'s' if last else ''}, counted from 0.",
            f"Name one from 0 to {last}, or all." if last else "Leave the number out.",
        )
    return node.endpoints[worker]


def choose_way(node: Node, where: Endpoint, way: Way) -> Route:
    """Choose how to reach a host: as wished, or by its external address; raise HeartbeatError where it has none and nothing is wished."""
    if way != "auto":
        return way
    if where.external:
        return "external"
    raise HeartbeatError(
        f"{node.id} has no external address",
        "It can be reached from its own network, or through Google's tunnel (IAP), which needs gcloud's alpha commands and a "
        "firewall rule that lets 35.235.240.0/20 in.",
        "Say which: --way internal or --way iap, or set remote.way.",
    )


def refuse_made_up(node: Node, where: Endpoint, endpoint: str | None) -> None:
    """Raise HeartbeatError for an emulated TPU VM without a machine behind it: nobody waits for an address that cannot answer."""
    address = where.external or where.address or ""
    if endpoint is not None and not is_loopback(address):
        raise HeartbeatError(
            f"{node.id} is emulated: there is no machine behind it",
            f"Its address, {address}, is made up.",
            'A scenario can name real ones: addresses = ["127.0.0.1"].',
            exit_code=3,
        )


def gcloud_environ(endpoint: str | None) -> dict[str, str]:
    """Give the environment that gcloud and ssh run in; towards an emulator, with keys of their own too."""
    environ = remedy_environ(endpoint)
    if endpoint is not None:
        home = Path(environ["CLOUDSDK_CONFIG"]) / "home"
        home.mkdir(parents=True, exist_ok=True)
        environ["HOME"] = str(home)
    return environ
