"""One look at all TPU VMs and queued resources of a project, and what changed between two looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Literal

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.json_fields import last
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import CLOSED, EVERYWHERE, HOLDING, Node, Nodes, QueuedResource, list_nodes, list_queued_resources

Kind = Literal["node", "queued"]
Key = tuple[Kind, str, str]  # kind, zone, name

LONG_READY = timedelta(hours=8)  # a working day: whatever is READY for longer may have been forgotten
WHY_EMPTY = (
    "They may be in another project",
    "in another zone",
    "or TPUs of Compute Engine or GKE, which the Cloud TPU API does not show",
)


@dataclass(frozen=True)
class Inventory:
    """What there was at one moment; ``unreachable`` names the zones that did not answer and may hold more.

    ``queued_problem`` says why queued resources could not be listed, though the nodes could; ``queued`` is empty then.
    """

    at: datetime
    project: str
    zone: str
    nodes: tuple[Node, ...] = ()
    queued: tuple[QueuedResource, ...] = ()
    unreachable: tuple[str, ...] = ()
    queued_problem: CloudError | None = None

    def named(self, name: str, zone: str | None = None) -> tuple[Node, ...]:
        """Find the nodes of that name: each zone may have one."""
        return tuple(node for node in self.nodes if node.id == name and zone in (None, node.zone))

    def queue_named(self, name: str, zone: str | None = None) -> tuple[QueuedResource, ...]:
        """Find the queued resources of that name."""
        return tuple(queued for queued in self.queued if queued.id == name and zone in (None, queued.zone))

    def is_silent(self, kind: Kind, zone: str) -> bool:
        """Say whether there may be more of that kind in that zone than is known."""
        return zone in self.unreachable or (kind == "queued" and self.queued_problem is not None)

    def why_empty(self) -> str:
        """Say why there may be nothing to see here though somebody has TPUs."""
        parts = [part for part in WHY_EMPTY if self.zone != EVERYWHERE or "zone" not in part]
        silent = f" {', '.join(self.unreachable)} did not answer." if self.unreachable else ""
        return f"{', '.join(parts)}.{silent}"


@dataclass(frozen=True)
class Transition:
    """One thing changed its state: None before it was there, None after it was gone.

    ``took_s`` is how long it had been in the state before, None where that beginning was not seen.
    """

    at: datetime
    kind: Kind
    name: str
    zone: str
    before: str | None
    after: str | None
    took_s: float | None = None


def fetch_inventory(session: CloudSession, project: str, zone: str = EVERYWHERE) -> Inventory:
    """Ask for nodes and queued resources side by side; raise CloudError where the nodes cannot be had."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="queued") as pool:
        asked = pool.submit(list_queued_resources, session, project, zone)
        nodes = list_nodes(session, project, zone)
        problem: CloudError | None = None
        try:
            waiting = asked.result()
        except CloudError as error:
            waiting, problem = Nodes(), error
    silent = tuple(dict.fromkeys(last(name) for name in (*nodes.unreachable, *waiting.unreachable)))
    return Inventory(datetime.now(timezone.utc), project, zone, nodes.nodes, waiting.queued, silent, problem)


def states(look: Inventory) -> dict[Key, str]:
    """Give the state of everything in a look; what has none said is "?", which is no word of Google's."""
    found: dict[Key, str] = {("node", node.zone, node.id): node.state or "?" for node in look.nodes}
    return found | {("queued", queued.zone, queued.id): queued.state or "?" for queued in look.queued}


def transitions(before: Inventory, after: Inventory, since: Mapping[Key, datetime] | None = None) -> tuple[Transition, ...]:
    """Find what changed between two looks, in the order of the names; ``since`` tells when each came into its state.

    What did not answer, a zone or the queued resources, does not tell what is not there.
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


def carried_over(before: Inventory | None, look: Inventory) -> Inventory:
    """Keep what was known of what did not answer this time: nothing is forgotten because its zone is silent."""
    if before is None:
        return look
    there = states(look)
    nodes = [node for node in before.nodes if ("node", node.zone, node.id) not in there and look.is_silent("node", node.zone)]
    queued = [each for each in before.queued if ("queued", each.zone, each.id) not in there and look.is_silent("queued", each.zone)]
    return replace(look, nodes=(*look.nodes, *nodes), queued=(*look.queued, *queued))


class History:
    """What changed since the first look, and when everything came into the state it is in, as far as that was seen.

    ``last`` is the newest look, with what was known before of what did not answer.
    """

    def __init__(self) -> None:
        self.last: Inventory | None = None
        self.since: dict[Key, datetime] = {}

    def add(self, look: Inventory) -> tuple[Transition, ...]:
        """Take in the next look; give what changed, nothing for the first."""
        look = carried_over(self.last, look)
        found = transitions(self.last, look, self.since) if self.last else ()
        for change in found:
            key: Key = (change.kind, change.zone, change.name)
            if change.after is None:
                self.since.pop(key, None)
            else:
                self.since[key] = look.at
        for node in look.nodes:  # of these the beginning is known without having been seen
            if node.state == "CREATING" and (created := moment(node.created)):
                self.since[("node", node.zone, node.id)] = created
        self.last = look
        return found


def moment(stamp: str | None) -> datetime | None:
    """Read one of Google's time stamps, None where it is none: 2026-11-22T10:00:00.123456789Z."""
    if not stamp:
        return None
    whole, dot, rest = stamp.strip().upper().removesuffix("Z").partition(".")
    digits = rest[:6].ljust(6, "0") if dot else "000000"
    try:
        return datetime.strptime(f"{whole}.{digits}+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return None


def age_s(created: str | None, now: datetime) -> float | None:
    """Count the seconds since ``created``, None where that is not known; clocks differ, so it is never below 0."""
    began = moment(created)
    return max(0.0, (now - began).total_seconds()) if began else None


def is_long_ready(node: Node, now: datetime) -> bool:
    """Say whether a node is READY and was created so long ago that it may have been forgotten."""
    age = age_s(node.created, now)
    return node.state == "READY" and age is not None and age >= LONG_READY.total_seconds()


HEALTHY = ("HEALTHY", None)
TAKEN_BACK = ("PREEMPTED", "TERMINATED")


def notes_on(node: Node, now: datetime) -> tuple[str, ...]:
    """Say what is worth a second look in a node, nothing for one that is as it should be."""
    return tuple(found(node, now))


def found(node: Node, now: datetime) -> Iterator[str]:
    if node.health not in HEALTHY:
        yield f"{node.health}{f': {node.health_description}' if node.health_description else ''}"
    for symptom in node.symptoms:
        where = f" on worker {symptom.worker}" if symptom.worker else ""
        when = f" ({symptom.at})" if symptom.at else ""
        yield f"{symptom.kind or 'a symptom without a name'}{where}: {symptom.details or 'no details'}{when}"
    kind = find_accelerator(node.accelerator_type)
    if kind and node.runtime_version and runtime_fits(kind, node.runtime_version) is False:
        yield f"programs find no TPU: the runtime {node.runtime_version} has no driver for {kind.type} (take {kind.family.runtime})"
    if node.state in TAKEN_BACK:
        yield "it does not come back: delete it and create it again"
    if is_long_ready(node, now):
        yield f"READY, and created {age_words(age_s(node.created, now) or 0.0)} ago: is it still needed?"


def notes_on_queued(queued: QueuedResource) -> tuple[str, ...]:
    """Say what is worth a second look in a queued resource."""
    notes = [queued.problem] if queued.problem else []
    if queued.state in HOLDING:
        notes.append("it holds its quota until it is deleted")
    return tuple(notes)


def age_words(seconds: float | None) -> str:
    """Return an age in its two largest units, "1m 40s", "3h 12m" or "12d 4h"; "–" where it is not known."""
    if seconds is None:
        return "–"
    seconds = max(0.0, seconds)  # clocks differ: nothing is younger than 0
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)}s"
    days, hours = minutes // 1440, minutes // 60
    if days:
        return f"{days}d {hours % 24}h"
    return f"{hours}h {minutes % 60:02d}m" if hours else f"{minutes}m {int(seconds) % 60:02d}s"


Action = Literal["start", "stop", "delete", "ssh", "beat"]
Change = Literal["start", "stop", "delete"]

# In these nothing runs that would be charged by the chip; whatever is not known here is taken to cost.
IDLE = frozenset({"CREATING", "STOPPED", "STARTING", "PREEMPTED", "TERMINATED", "HIDDEN"})


def allowed(state: str | None) -> frozenset[Action]:
    """Say what a node's state allows; of an unknown one, that it may be tried to connect to it and to delete it."""
    if state == "DELETING":
        return frozenset()
    found: set[Action] = {"delete"}
    if state not in CLOSED:
        found.add("ssh")
    if state == "READY":
        found |= {"stop", "beat"}
    if state == "STOPPED":
        found.add("start")
    return frozenset(found)


def allowed_queued(state: str | None) -> frozenset[Action]:
    """Say what a queued resource's state allows."""
    return frozenset() if state == "DELETING" else frozenset({"delete"})


def costing(state: str | None) -> bool:
    """Say whether a node in that state is charged by the chip, as far as is known."""
    return state not in IDLE


def command_of(action: Change, thing: Node | QueuedResource, project: str) -> tuple[str, ...]:
    """Give gcloud's command that does the same; a node of a queued resource is deleted with that, as Google wants it."""
    queued = thing.id if isinstance(thing, QueuedResource) else thing.queued_resource
    where = (f"--project={project}", f"--zone={thing.zone}")
    if action == "delete" and queued:
        return ("gcloud", "compute", "tpus", "queued-resources", "delete", queued, *where, "--force")
    return ("gcloud", "compute", "tpus", "tpu-vm", action, thing.id, *where)
