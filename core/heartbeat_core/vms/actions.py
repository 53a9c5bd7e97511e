"""What may be done with a TPU VM in the state it is in, and the commands of gcloud's that do the same."""

from __future__ import annotations

from typing import Literal

from heartbeat_core.cloud.tpu import CLOSED, Node, QueuedResource

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
