"""What is worth a second look in a TPU VM or a queued resource, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.tpu import HOLDING, Node, QueuedResource
from heartbeat_core.vms.look import age_s, is_long_ready

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


def age_words(seconds: float) -> str:
    """Write an age in its two largest units: 3h 12m."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)}s"
    days, hours = minutes // 1440, minutes // 60
    if days:
        return f"{days}d {hours % 24}h"
    return f"{hours}h {minutes % 60:02d}m" if hours else f"{minutes}m {int(seconds) % 60:02d}s"
