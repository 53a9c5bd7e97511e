"""Where runs go that do not stay here: found when the first one starts, and looked at again for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.calls import Calls, GivenUp
from heartbeat_core.remote.hosts import Host, On, find_node, hosts_of, reach

if TYPE_CHECKING:
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.settings import RemoteSettings


FIND_S = 120.0  # far more than a list of nodes may take


@dataclass(frozen=True)
class Found:
    """A TPU VM, and its hosts as they were found."""

    node: Node
    hosts: tuple[Host, ...]


@dataclass
class Destination:
    """The hosts that ``on`` names; ``find`` looks the node up, and may raise HeartbeatError."""

    on: On
    project: str
    endpoint: str | None
    remote: RemoteSettings
    find: Callable[[], Node]
    found: Found | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    calls: Calls = field(default_factory=Calls, repr=False)  # of the last time the hosts were asked for

    @property
    def label(self) -> str:
        """Name it as ``--on`` does."""
        number = "" if self.on.worker is None else f":{self.on.worker}"
        return f"{self.on.name}{':all' if self.on.all else number}"

    def hosts(self) -> tuple[Host, ...]:
        """Give the hosts, each reached just now; one that moved since the last run is found anew. Raise HeartbeatError."""
        with self.lock:
            self.calls = calls = Calls()
            if self.found is not None:
                try:
                    reach(self.found.hosts, self.found.node, self.project, self.remote, calls=calls)
                except GivenUp:
                    raise
                except HeartbeatError:
                    self.found = None  # it may have been created again, at another address
                    self.calls = calls = Calls()  # a try that failed has ended its own
                else:
                    return self.found.hosts
            node = calls.wait_for(self.find, FIND_S)
            hosts = hosts_of(node, self.project, self.on, endpoint=self.endpoint, remote=self.remote, calls=calls)
            reach(hosts, node, self.project, self.remote, calls=calls)
            self.found = Found(node, hosts)
            return hosts

    def give_up(self) -> None:
        """Have whoever waits for the hosts raise GivenUp; from any thread, harmless where nobody does."""
        self.calls.end()


def destination_of(
    node: Node,
    project: str,
    worker: int | None,
    open_session: Callable[[], CloudSession],
    endpoint: str | None,
    remote: RemoteSettings,
) -> Destination:
    """Make the destination for a node that is at hand, all its hosts where ``worker`` is None; looked up again when it is gone to."""
    several = len(node.endpoints) > 1
    on = On(node.id, worker if several else None, all=several and worker is None)

    def find() -> Node:
        session = open_session()
        try:
            return find_node(session, project, node.id, node.zone)
        finally:
            session.close()

    return Destination(on, project, endpoint, remote, find)
