"""What is asked before something is done to TPU VMs: what comes of it and what it costs. No Textual here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.inventory import Change, allowed, allowed_queued, command_of
from heartbeat_core.vms.pricing import rate_of
from heartbeat_tui.widgets.vm_columns import money
from heartbeat_tui.widgets.vm_words import Line, rated

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_core.vms.quota_headroom import Room
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.vms_messages import FleetView

Thing = Node | QueuedResource
VERBS: Mapping[Change, str] = {"start": "Start", "stop": "Stop", "delete": "Delete"}
COMES: Mapping[Change, str] = {
    "start": "It runs again, and costs again.",
    "stop": "What runs there ends. The chips cost nothing while it is stopped; its disk stays, and costs.",
    "delete": "It is gone for good, with its disk and all that is on it.",
}
OF_QUEUE = "It belongs to the queued resource {}: that is deleted, with all its nodes."


@dataclass(frozen=True)
class Question:
    """``typed`` must be typed to say yes, where it is not empty."""

    title: str
    said: tuple[Line, ...]
    commands: tuple[str, ...]
    yes: str
    typed: str = ""


def things(view: FleetView, keys: Sequence[str]) -> tuple[Thing, ...]:
    found = [view.nodes.get(key) or view.queued.get(key) for key in keys]
    return tuple(thing for thing in found if thing is not None)


def may(thing: Thing | None, what: Change) -> bool:
    """Say whether its state allows it."""
    if thing is None:
        return False
    return what in (allowed_queued(thing.state) if isinstance(thing, QueuedResource) else allowed(thing.state))


def change_question(what: Change, chosen: Sequence[Thing], view: FleetView) -> Question:
    """Ask before ``what`` is done to the things chosen."""
    rates = view.rates
    names = ", ".join(thing.id for thing in chosen)
    one = len(chosen) == 1
    said: list[Line] = [((f"{VERBS[what]} {name_of(thing)}, {thing.state}", "strong"), cost_of(thing, what, rates)) for thing in chosen]
    said += [(), ((COMES[what] if one else COMES[what].replace("It ", "Each ", 1), "plain"),)]
    if what == "delete":
        said += of_queues(chosen, view)
    commands = tuple(dict.fromkeys(shlex.join(command_of(what, thing, view.project)) for thing in chosen))
    typed = "" if what != "delete" else chosen[0].id if one else f"delete {len(chosen)}"
    title = f"{VERBS[what]} {names}?" if one else f"{VERBS[what]} {len(chosen)} at once?"
    return Question(title, tuple(said), commands, f"{VERBS[what]} {'it' if one else f'all {len(chosen)}'}", typed)


def of_queues(chosen: Sequence[Thing], view: FleetView) -> list[Line]:
    """Say which queued resources are deleted, and which TPU VMs with them that were not chosen."""
    lines: list[Line] = []
    owners = {(queue_of(thing), thing.zone): isinstance(thing, QueuedResource) for thing in reversed(chosen) if queue_of(thing)}
    for (queue, zone), itself in owners.items():
        others = [node for node in view.nodes.values() if (node.queued_resource, node.zone) == (queue, zone) and node not in chosen]
        if not itself:
            lines.append(((OF_QUEUE.format(queue), "attention"),))
        lines += [((f"With it goes {node.id}, {node.state}", "attention"), cost_of(node, "delete", view.rates)) for node in others]
    return lines


def queue_of(thing: Thing) -> str | None:
    """Name the queued resource that is deleted where this is."""
    return thing.id if isinstance(thing, QueuedResource) else thing.queued_resource


def name_of(thing: Thing) -> str:
    kind = "queued resource " if isinstance(thing, QueuedResource) else ""
    return f"{kind}{thing.id} in {thing.zone}"


def cost_of(thing: Thing, what: Change, rates: Rates | None) -> tuple[str, str]:
    rate = rate_of(rates, thing) if isinstance(thing, Node) else None
    if rate is None:
        return ("", "plain")
    if what == "start":
        return (f"  costs about ${money(rate.per_hour)}/h ({rated(rate.rates)})", "attention")
    return (f"  saves about ${money(rate.per_hour)}/h", "quiet") if rate.running else ("", "plain")


def create_question(request: CreateRequest, zones: Sequence[str], rooms: Sequence[Room] | None, cost: str) -> Question:
    """Ask before a TPU VM is created."""
    said: list[Line] = [((request.gist(), "strong"),), ((cost, "attention"),), ((request.reach(), "plain"),), ()]
    said += [room_line(room) for room in rooms or ()]
    if not rooms:
        why = "Google has not answered yet" if rooms is None else f"the quota of {request.accelerator_type} is not known here"
        said.append(((f"How much quota is left for it is not known: {why}.", "quiet"),))
    said.append((("Quota is what you may have; whether there is one in stock shows only when it is asked for.", "quiet"),))
    if zones:
        rounds = f"Goes round {request.zone}, {', '.join(zones)} until one has it, and asks one zone at a time; stop it when you like."
        said += [(), ((rounds, "plain"),)]
    if request.queued:
        said += [(), (("Queued: it costs from when there is capacity, whenever that is.", "plain"),)]
    return Question(f"Create {request.name}?", tuple(said), (shlex.join(request.command()),), "Create it")


def room_line(room: Room) -> Line:
    glyph, kind = {True: ("✓", "ok"), False: ("✗", "failed"), None: ("?", "attention")}[room.enough]
    return ((f"{glyph} quota, {room}", kind),)
