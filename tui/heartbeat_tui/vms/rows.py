"""The rows of the TPU VMs pane: what is known of each resource, what changed a moment ago, and what is being done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from heartbeat_core.columns import StyledText
from heartbeat_core.vms.columns import VmRow, vm_rows
from heartbeat_core.vms.inventory import Transition, age_words
from heartbeat_core.vms.vocabulary import ACTIONS, Action, find_state, key_of, queue_of, state_of
from heartbeat_tui.vms.model import InventoryView, Job

RECENT_S = 12.0  # for so long a row shows what has changed
FAILED_S = 60.0  # and that a job on it failed
OLD: StyledText = ("no answer now: as last seen", "attention")


def rows_of(view: InventoryView, now: datetime) -> tuple[VmRow, ...]:
    """Return a row for each node and queued resource, with prices, recent changes and jobs."""
    inventory = view.inventory
    if inventory is None:
        return ()
    notes, doing = recent_changes(view, now), job_notes(view, now)

    def noted(row: VmRow) -> VmRow:
        note = OLD if inventory.is_silent(row.kind, row.zone) else notes.get(row.key)
        return replace(row, note=note, doing=doing.get(row.key)) if note or row.key in doing else row

    return tuple(noted(row) for row in vm_rows(inventory, view.rates, now))


def recent_changes(view: InventoryView, now: datetime) -> Mapping[str, StyledText]:
    """Return what changed a moment ago, by the keys of rows."""
    since = now - timedelta(seconds=RECENT_S)
    recent = [event for event in view.events if isinstance(event, Transition) and event.at > since]
    return {key_of(event.kind, event.zone, event.name): (before_text(event), change_style(event)) for event in recent}


def before_text(change: Transition) -> str:
    if change.before is None:
        return "new"
    return f"was {change.before}{f' for {age_words(change.took_s)}' if change.took_s is not None else ''}"


def change_style(change: Transition) -> str:
    return find_state(change.after, queued=change.kind == "queued").style if change.after else "quiet"


# -- jobs


def job_notes(view: InventoryView, now: datetime) -> Mapping[str, StyledText]:
    """Return what is being done from here, or has just failed, by the keys of rows."""
    found: dict[str, StyledText] = {}
    for job in view.jobs:
        keys = job_rows(job, view)
        if job.ended is None:
            found |= dict.fromkeys(keys, (f"{ACTIONS[job.what].doing}, {age_words((now - job.begun).total_seconds())}", "accent"))
        elif job.outcome.ok or now - job.ended > timedelta(seconds=FAILED_S):
            for key in keys:
                found.pop(key, None)
        elif job.outcome.interrupted:
            found |= dict.fromkeys(keys, ("! not watched from here", "attention"))
        else:
            found |= dict.fromkeys(keys, (f"✗ not {ACTIONS[job.what].done}: {job.outcome.title}", "failed"))
    return found


def busy_rows(view: InventoryView) -> frozenset[str]:
    return frozenset(key for job in view.jobs if job.ended is None for key in job_rows(job, view))


def job_rows(job: Job, view: InventoryView) -> tuple[str, ...]:
    """Return the keys of the rows a job changes: in a zone search the zone tried now, with a queued resource its TPU VMs."""
    if job.what == "create":
        zone = next((step.detail for step in reversed(job.steps) if step.what == "zone"), None)
        return (key_of("node", zone, job.name) if zone else job.key,)
    resource = view.find(job.key)
    queue = queue_of(resource) if resource is not None and job.what == "delete" else None
    if resource is None or queue is None:
        return (job.key,)
    of_queue = [key for key, node in view.nodes.items() if (node.queued_resource, node.zone) == (queue, resource.zone)]
    return tuple({job.key: None, **dict.fromkeys(of_queue), key_of("queued", resource.zone, queue): None})


def is_changeable(view: InventoryView, key: str, what: Action) -> bool:
    """Return whether the state of a row's resource allows an action, and no job changes it."""
    resource = view.find(key)
    return resource is not None and what in state_of(resource).actions and key not in busy_rows(view)
