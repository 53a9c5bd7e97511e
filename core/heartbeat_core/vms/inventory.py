"""The TPU VMs and queued resources of a project at one moment, and what changed between two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.compute import list_tpu_zones
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.json_fields import last
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import EVERYWHERE, HOLDING, Node, Nodes, QueuedResource, list_nodes, list_queued_resources
from heartbeat_core.vms.vocabulary import HOLDS, Kind, find_state

Key = tuple[Kind, str, str]  # kind, zone, name

LONG_READY = timedelta(hours=8)  # a working day: what is READY for longer may have been forgotten
WHY_EMPTY = (
    "They may be in another project",
    "in another zone",
    "or TPUs of Compute Engine or GKE, which the Cloud TPU API does not show",
)


@dataclass(frozen=True)
class Inventory:
    """What there is at one moment; ``unreachable`` names the zones that did not answer and may hold more.

    ``queued_problem`` says why queued resources could not be listed, though the nodes could; ``queued`` is empty then.
    ``compute_engine`` is how many VMs with TPUs Compute Engine has, which the Cloud TPU API does not show; None if that is not known.
    """

    at: datetime
    project: str
    zone: str
    nodes: tuple[Node, ...] = ()
    queued: tuple[QueuedResource, ...] = ()
    unreachable: tuple[str, ...] = ()
    queued_problem: CloudError | None = None
    compute_engine: int | None = None

    def named(self, name: str, zone: str | None = None) -> tuple[Node, ...]:
        """Return the nodes of that name: each zone may have one."""
        return tuple(node for node in self.nodes if node.id == name and zone in (None, node.zone))

    def queue_named(self, name: str, zone: str | None = None) -> tuple[QueuedResource, ...]:
        """Return the queued resources of that name."""
        return tuple(queued for queued in self.queued if queued.id == name and zone in (None, queued.zone))

    def is_silent(self, kind: Kind, zone: str) -> bool:
        """Return whether there may be more of that kind in that zone than is known."""
        return zone in self.unreachable or (kind == "queued" and self.queued_problem is not None)

    def more(self) -> str:
        """Return what there is that the list does not show, empty for nothing."""
        return f"{self.compute_engine} more in Compute Engine, which the Cloud TPU API does not show" if self.compute_engine else ""

    def why_empty(self) -> str:
        """Return why the list may be empty though there are TPUs."""
        parts = [part for part in WHY_EMPTY if self.zone != EVERYWHERE or "zone" not in part]
        silent = f" {', '.join(self.unreachable)} did not answer." if self.unreachable else ""
        return f"{', '.join(parts)}.{silent}"


@dataclass(frozen=True)
class Transition:
    """A change of state: ``before`` is None for a new resource, ``after`` is None for one that is gone.

    ``took_s`` is the time in the state before, None if its beginning was not seen.
    """

    at: datetime
    kind: Kind
    name: str
    zone: str
    before: str | None
    after: str | None
    took_s: float | None = None


def fetch_inventory(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Inventory:
    """Ask for nodes, queued resources and Compute Engine's VMs side by side; raise CloudError if the nodes cannot be listed."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="queued") as pool:
        asked = pool.submit(list_queued_resources, session, project, zone)
        counted = pool.submit(count_in_compute_engine, session, project, zone)
        nodes = list_nodes(session, project, zone)
        problem: CloudError | None = None
        try:
            waiting = asked.result()
        except CloudError as error:
            waiting, problem = Nodes(), error
    flexible = {(each.zone, each.id) for each in waiting.queued if each.provisioning == "flex-start"}
    found = (replace(each, provisioning="flex-start") if (each.zone, each.queued_resource) in flexible else each for each in nodes.nodes)
    silent = tuple(dict.fromkeys(last(name) for name in (*nodes.unreachable, *waiting.unreachable)))
    return Inventory(datetime.now(timezone.utc), project, zone, tuple(found), waiting.queued, silent, problem, counted.result())


def count_in_compute_engine(session: CloudSession, project: str, zone: str) -> int | None:
    """Count the VMs with TPUs in Compute Engine, None where the caller may not see them or the API is off."""
    try:
        zones = list_tpu_zones(session, project)
    except CloudError:
        return None
    return sum(zone in (EVERYWHERE, each) for each in zones)


def states(inventory: Inventory) -> dict[Key, str]:
    """Return the state of each resource; "?", which is no word of Google's, where none is named."""
    found: dict[Key, str] = {("node", node.zone, node.id): node.state or "?" for node in inventory.nodes}
    return found | {("queued", queued.zone, queued.id): queued.state or "?" for queued in inventory.queued}


def transitions(before: Inventory, after: Inventory, since: Mapping[Key, datetime] | None = None) -> tuple[Transition, ...]:
    """Return what changed between two inventories, in the order of the names; ``since`` is when each came into its state.

    Where a zone, or the list of queued resources, did not answer, a resource that is missing is not taken to be gone.
    """
    old, new = states(before), states(after)

    def changed() -> Iterator[Transition]:
        for key in sorted({*old, *new}):
            kind, zone, name = key
            unsure = (key not in old and before.is_silent(kind, zone)) or (key not in new and after.is_silent(kind, zone))
            if old.get(key) == new.get(key) or unsure:
                continue
            began = (since or {}).get(key)
            took_s = (after.at - began).total_seconds() if began and key in old else None
            yield Transition(after.at, kind, name, zone, old.get(key), new.get(key), took_s)

    return tuple(changed())


def carried_over(before: Inventory | None, inventory: Inventory) -> Inventory:
    """Return the inventory with what was known before of zones and lists that did not answer this time."""
    if before is None:
        return inventory
    there = states(inventory)
    nodes = [node for node in before.nodes if ("node", node.zone, node.id) not in there and inventory.is_silent("node", node.zone)]
    queued = [each for each in before.queued if ("queued", each.zone, each.id) not in there and inventory.is_silent("queued", each.zone)]
    return replace(inventory, nodes=(*inventory.nodes, *nodes), queued=(*inventory.queued, *queued))


class History:
    """The newest inventory, with what was known before of what did not answer; ``since`` is when each resource came into its state."""

    def __init__(self) -> None:
        self.last: Inventory | None = None
        self.since: dict[Key, datetime] = {}

    def add(self, inventory: Inventory) -> tuple[Transition, ...]:
        """Add the next inventory; return what changed, nothing for the first."""
        inventory = carried_over(self.last, inventory)
        found = transitions(self.last, inventory, self.since) if self.last else ()
        for change in found:
            key: Key = (change.kind, change.zone, change.name)
            if change.after is None:
                self.since.pop(key, None)
            else:
                self.since[key] = inventory.at
        for node in inventory.nodes:  # of these the beginning is known without having been seen
            if node.state == "CREATING" and (created := moment(node.created)):
                self.since[("node", node.zone, node.id)] = created
        self.last = inventory
        return found


@lru_cache(maxsize=10_000)  # ages are computed anew with every drawing
def moment(stamp: str | None) -> datetime | None:
    """Return the time of one of Google's time stamps, None if it is none: 2026-11-22T10:00:00.123456789Z."""
    if not stamp:
        return None
    whole, _, digits = stamp.strip().upper().removesuffix("Z").partition(".")
    try:
        return datetime.strptime(f"{whole}.{digits[:6].ljust(6, '0')}+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return None


def age_s(created: str | None, now: datetime) -> float | None:
    """Return the seconds since ``created``, None if that is not known; clocks differ, so it is never below 0."""
    began = moment(created)
    return max(0.0, (now - began).total_seconds()) if began else None


def is_long_ready(node: Node, now: datetime) -> bool:
    """Return whether a node is READY and was created so long ago that it may have been forgotten."""
    age = age_s(node.created, now)
    return node.state == "READY" and age is not None and age >= LONG_READY.total_seconds()


def notes_on(node: Node, now: datetime) -> Iterator[str]:
    """Return what is wrong with a node, or may be."""
    if node.health not in ("HEALTHY", None):
        yield f"{node.health}{f': {node.health_description}' if node.health_description else ''}"
    for symptom in node.symptoms:
        where = f" on worker {symptom.worker}" if symptom.worker else ""
        when = f" ({symptom.at})" if symptom.at else ""
        yield f"{symptom.kind or 'a symptom without a name'}{where}: {symptom.details or 'no details'}{when}"
    kind = find_accelerator(node.accelerator_type)
    if kind and node.runtime_version and runtime_fits(kind, node.runtime_version) is False:
        yield f"programs find no TPU: the runtime {node.runtime_version} has no driver for {kind.type} (take {kind.family.runtime})"
    if node.state in ("PREEMPTED", "TERMINATED"):
        yield find_state(node.state).meaning
    if is_long_ready(node, now):
        yield f"READY, and created {age_words(age_s(node.created, now) or 0.0)} ago: is it still needed?"


def notes_on_queued(queued: QueuedResource) -> Iterator[str]:
    """Return what is wrong with a queued resource."""
    if queued.problem:
        yield queued.problem
    if queued.state in HOLDING:
        yield HOLDS


def age_words(seconds: float | None) -> str:
    """Return an age in its two largest units, "1m 40s", "3h 12m" or "12d 4h"; "–" if it is not known."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(max(0.0, seconds)), 60)  # clocks differ: nothing is younger than 0
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
