"""What a TPU VM's state and health mean, in sentences, and all its fields as YAML. No Textual here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.inventory import age_s
from heartbeat_core.vms.pricing import cost_so_far, rate_of
from heartbeat_core.vms.serialize import as_yaml, node_json, queued_json
from heartbeat_tui.widgets.vm_columns import age_words, money, state_cell, unit_price
from heartbeat_tui.widgets.vm_words import Line, rated

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Rates

STATES: Mapping[str, str] = {
    "CREATING": "It is being made; that takes minutes.",
    "READY": "It runs, and costs. Connect to it, or beat on it.",
    "RESTARTING": "It starts again; what ran on it has ended.",
    "REIMAGING": "Its disk is being made anew.",
    "DELETING": "It will be gone in a moment.",
    "REPAIRING": "Google repairs it. What ran on it has ended.",
    "STOPPED": "It does not run, and its chips cost nothing; its disk does. Start it, or delete it.",
    "STOPPING": "It is being stopped.",
    "STARTING": "It is being started.",
    "PREEMPTED": "Google has taken it back, as spot VMs may be at any time. It does not come back: delete it, and create another.",
    "TERMINATED": "It is at its end. Delete it, and create another.",
}
QUEUED: Mapping[str, str] = {
    "CREATING": "The request is being taken.",
    "ACCEPTED": "It waits for capacity, and costs nothing meanwhile.",
    "WAITING_FOR_RESOURCES": "It waits for capacity, and costs nothing meanwhile. It may wait for days.",
    "PROVISIONING": "There is capacity: the TPU VM is being made.",
    "ACTIVE": "Its TPU VM is there, and costs.",
    "FAILED": "It failed, and holds its quota until it is deleted.",
    "SUSPENDED": "Its TPU VM is gone; it holds its quota until it is deleted.",
    "SUSPENDING": "Its TPU VM is going.",
    "DELETING": "It will be gone in a moment.",
}
UNKNOWN = "What this state means is not known here."


def meaning(thing: Node | QueuedResource, rates: Rates | None, now: datetime) -> list[Line]:
    """Say what matters of it."""
    words, kind = state_cell(thing.state)
    if isinstance(thing, QueuedResource):
        lines: list[Line] = [((words, kind), (f"  {QUEUED.get(thing.state or '', UNKNOWN)}", "plain"))]
        return lines + ([((f"! {thing.problem}", "attention"),)] if thing.problem else [])
    lines = [((words, kind), (f"  {STATES.get(thing.state or '', UNKNOWN)}", "plain"))]
    if thing.health and thing.health != "HEALTHY":
        detail = f": {thing.health_description}" if thing.health_description else ""
        lines.append(((f"! its health is {thing.health}{detail}", "attention"),))
    lines += [
        ((f"! {' '.join(part for part in (symptom.kind, symptom.details, on_worker(symptom.worker), symptom.at) if part)}", "attention"),)
        for symptom in thing.symptoms
    ]
    kind_of = find_accelerator(thing.accelerator_type)
    if kind_of and thing.runtime_version and runtime_fits(kind_of, thing.runtime_version) is False:
        fits = f"{thing.runtime_version} has no driver for {kind_of.type}: programs on it find no TPU. {kind_of.family.runtime} has."
        lines.append(((f"✗ {fits}", "failed"),))
    return [*lines, cost_line(thing, rates, now)]


def on_worker(worker: str | None) -> str:
    return f"on worker {worker}" if worker else ""


def cost_line(node: Node, rates: Rates | None, now: datetime) -> Line:
    rate, so_far = rate_of(rates, node), cost_so_far(rates, node, now)
    if rate is None:
        return (("What it costs is not known.", "quiet"),)
    hourly = f"about ${money(rate.per_hour)}/h ({rate.chips} × ${unit_price(rate.per_chip)}, {rated(rate.rates)})"
    if not rate.running:
        return ((f"While it runs it costs {hourly}; not now.", "quiet"),)
    age = age_words(age_s(node.created, now))
    since = f", at most ${money(so_far)} in the {age} since it was created" if so_far is not None else ""
    return ((f"It costs {hourly}{since}.", "plain"),)


def yaml_of(thing: Node | QueuedResource, rates: Rates | None, now: datetime) -> str:
    """Write every field."""
    table = queued_json(thing, now) if isinstance(thing, QueuedResource) else node_json(thing, rates, now)
    return "\n".join(as_yaml(table))


def yaml_pieces(line: str) -> Line:
    """Colour a line of YAML: its key quietly, its value not."""
    key, colon, value = line.partition(": ")
    return ((key + colon, "quiet"), (value, "plain")) if colon else ((line, "quiet" if line.endswith(":") else "plain"),)
