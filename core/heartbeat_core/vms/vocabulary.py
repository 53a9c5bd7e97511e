"""The vocabulary of TPU VMs: Google's states, what can be done in each, and the steps of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.columns import StyledText

Resource = Node | QueuedResource
Kind = Literal["node", "queued"]
Change = Literal["start", "stop", "delete"]
Action = Literal["start", "stop", "delete", "connect", "benchmark"]


@dataclass(frozen=True)
class VmState:
    """One state; ``style`` is the name of a style, ``meaning`` a sentence, ``actions`` what can be done in it.

    ``charged``: its chips are charged. ``pending``: it may come to be charged by itself. ``final``: nothing but its end follows.
    ``resting``: it lasts until it is changed.
    """

    name: str
    glyph: str
    style: str
    meaning: str
    actions: frozenset[Action]
    charged: bool = True
    pending: bool = False
    final: bool = False
    resting: bool = False

    @property
    def label(self) -> StyledText:
        return f"{self.glyph} {self.name}", self.style


NOTHING: frozenset[Action] = frozenset()
DELETE: frozenset[Action] = frozenset({"delete"})
REACHABLE: frozenset[Action] = frozenset({"delete", "connect"})


def changing(
    name: str, meaning: str, actions: frozenset[Action], *, charged: bool = True, pending: bool = False, final: bool = False
) -> VmState:
    return VmState(name, "◐", "attention", meaning, actions, charged, pending, final)


AGAIN = "It does not come back: delete it and create another."
HOLDS = "It holds its quota until it is deleted."
NODE_STATES: Mapping[str, VmState] = {
    state.name: state
    for state in (
        changing("CREATING", "Being created; this takes minutes.", REACHABLE, charged=False),
        VmState("READY", "●", "ok", "Running.", REACHABLE | {"stop", "benchmark"}),
        changing("RESTARTING", "Restarting; programs on it have ended.", REACHABLE),
        changing("REIMAGING", "Its disk is being written anew.", REACHABLE),
        changing("REPAIRING", "Google is repairing it; programs on it have ended.", REACHABLE),
        changing("STOPPING", "Stopping.", DELETE),
        VmState(
            "STOPPED", "○", "quiet", "Stopped: its chips cost nothing, its disk does.", DELETE | {"start"}, charged=False, resting=True
        ),
        changing("STARTING", "Starting.", REACHABLE, charged=False),
        changing("DELETING", "Deleting.", NOTHING, final=True),
        VmState("PREEMPTED", "✗", "failed", f"Google has taken its capacity back. {AGAIN}", DELETE, charged=False, final=True),
        VmState("TERMINATED", "✗", "failed", f"Terminated. {AGAIN}", DELETE, charged=False, final=True),
        changing("HIDING", "Google is hiding it.", REACHABLE),
        VmState("HIDDEN", "○", "quiet", "Hidden by Google.", DELETE, charged=False, resting=True),
        changing("UNHIDING", "Google is showing it again.", REACHABLE),
    )
}
QUEUED_STATES: Mapping[str, VmState] = {
    state.name: state
    for state in (
        changing("CREATING", "The request is being created.", DELETE, pending=True),
        VmState("ACCEPTED", "…", "attention", "Accepted: waiting for capacity, no cost yet.", DELETE, pending=True),
        VmState("WAITING_FOR_RESOURCES", "…", "attention", "Waiting for capacity, no cost yet; this may take days.", DELETE, pending=True),
        changing("PROVISIONING", "Capacity found: its TPU VM is being created.", DELETE, pending=True),
        VmState("ACTIVE", "●", "ok", "Its TPU VM is running.", DELETE),
        VmState("FAILED", "✗", "failed", f"Failed. {HOLDS}", DELETE, final=True),
        changing("SUSPENDING", "Its TPU VM is being removed.", DELETE),
        VmState("SUSPENDED", "✗", "failed", f"Its TPU VM is gone. {HOLDS}", DELETE, resting=True),
        changing("DELETING", "Deleting.", NOTHING, final=True),
    )
}


def find_state(name: str | None, *, queued: bool = False) -> VmState:
    """Return what is known of a state; one that is not known here is taken to be charged and to answer."""
    found = (QUEUED_STATES if queued else NODE_STATES).get(name or "")
    meaning = "Not a state that this program knows."
    return found or VmState(name or "not said", "?", "attention", meaning, DELETE if queued else REACHABLE)


def state_of(resource: Resource) -> VmState:
    """Return what is known of the state that a node or a queued resource is in."""
    return find_state(resource.state, queued=isinstance(resource, QueuedResource))


def key_of(kind: str, zone: str, name: str) -> str:
    """Return the key of a node or a queued resource in a list: of one name there may be both."""
    return f"{kind}/{zone}/{name}"


# -- what can be done


@dataclass(frozen=True)
class ActionWords:
    """What an action is called while it goes on and afterwards, what it is for, and what follows from it."""

    doing: str
    done: str
    purpose: str = ""
    effect: str = ""


ACTIONS: Mapping[str, ActionWords] = {
    "create": ActionWords("creating", "created"),
    "start": ActionWords("starting", "started", "start TPU VMs that are stopped", "It is charged again as soon as it runs."),
    "stop": ActionWords(
        "stopping", "stopped", "stop TPU VMs, which keeps their disks",
        "Programs on it end. Its chips cost nothing while it is stopped; its disk stays, and is charged.",
    ),
    "delete": ActionWords(
        "deleting", "deleted", "delete TPU VMs and queued resources", "It is deleted for good, with its disk and all data on it."
    ),
}  # fmt: skip


def command_of(action: Change | Literal["describe"], resource: Resource, project: str) -> tuple[str, ...]:
    """Return the gcloud command that does the same."""
    name, queued = named_by_request(resource, action)
    return gcloud_command(action, name, project, resource.zone, queued=queued)


def gcloud_command(action: str, name: str, project: str, zone: str, *, queued: bool) -> tuple[str, ...]:
    """Return the gcloud command about one TPU VM or queued resource; a queued resource is deleted with its nodes."""
    force = ("--force",) if queued and action == "delete" else ()
    kind = "queued-resources" if queued else "tpu-vm"
    return ("gcloud", "compute", "tpus", kind, action, name, f"--project={project}", f"--zone={zone}", *force)


def named_by_request(resource: Resource, action: Change | Literal["describe"]) -> tuple[str, bool]:
    """Return the name that a request names, and whether it is a queued resource's: a node of one is deleted with that."""
    queue = queue_of(resource) if action == "delete" or isinstance(resource, QueuedResource) else None
    return queue or resource.id, queue is not None


def queue_of(resource: Resource) -> str | None:
    """Return the name of the queued resource that is deleted where this is."""
    return resource.id if isinstance(resource, QueuedResource) else resource.queued_resource


# -- steps of an operation

Step = Literal[
    "looked", "sent", "accepted", "state", "lost", "back", "settling", "arrived", "absent", "there", "done", "zone", "failed", "dropped",
    "waiting",
]  # fmt: skip
# What each but "state" is called, and its style; the braces stand for the detail.
STEPS: Mapping[Step, StyledText] = {
    "looked": ("name is free", "plain"),
    "sent": ("request sent", "plain"),  # detail is the resource
    "accepted": ("accepted", "plain"),  # detail is the operation
    "lost": ("! no answer; asking again", "attention"),
    "back": ("answers again", "plain"),
    "settling": ("! answer lost; checking whether the request arrived", "attention"),
    "arrived": ("the request arrived", "plain"),
    "absent": ("! the request did not arrive", "attention"),
    "there": ("! exists already; watching it", "attention"),
    "done": ("✓ done", "ok"),
    "zone": ("trying {}", "strong"),
    "failed": ("✗ failed in {}", "failed"),  # detail is the zone and why
    "dropped": ("{} is not tried again", "plain"),
    "waiting": ("… next round in {}", "attention"),
}


def step_text(step: Step, detail: str) -> StyledText:
    """Return what a step is called, and its style; a state is its own name."""
    if step == "state":
        return find_state(detail, queued=detail in QUEUED_STATES).label  # of a name that both have the label is the same
    text, style = STEPS[step]
    return text.format(detail), style
