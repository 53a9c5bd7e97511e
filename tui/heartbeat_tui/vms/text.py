"""What the TPU VMs pane says beside its list, as (text, ink). No Textual here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.pricing import rate_of
from heartbeat_tui.vms.model import InventoryView, Job
from heartbeat_tui.vms.rows import money

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_tui.vms.model import InventoryView


from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.vms.inventory import age_s, age_words, costing
from heartbeat_core.vms.pricing import cost_so_far
from heartbeat_core.vms.serialize import as_yaml, node_json, queued_json
from heartbeat_tui.vms.model import LogLine
from heartbeat_tui.vms.rows import STATES, key_of, state_cell, unit_price

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis
    from heartbeat_core.vms.inventory import Transition
    from heartbeat_core.vms.operation import OperationStep
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_tui.vms.model import InventoryView, Job
    from heartbeat_tui.vms.rows import VmRow


Piece = tuple[str, str]  # text, ink
Line = tuple[Piece, ...]
EVERYWHERE = "-"
MOST_NAMED = 3
WAITING = ("CREATING", "ACCEPTED", "WAITING_FOR_RESOURCES", "PROVISIONING")  # queued resources that may come to cost by themselves
STALE_S = 20.0  # an answer older than this is pointed out


def clock_time(at: datetime) -> str:
    """Write a moment as the time of day here."""
    return at.astimezone().strftime("%H:%M:%S")


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def running(rows: Iterable[VmRow]) -> tuple[VmRow, ...]:
    """List the nodes that cost now."""
    return tuple(row for row in rows if row.kind == "node" and costing(row.state))


def counts(view: InventoryView, shown: int | None = None) -> str:
    """Say how many there are, and where."""
    rows = view.rows or ()
    nodes = sum(row.kind == "node" for row in rows)
    parts = [plural(nodes, "node")]
    if len(rows) > nodes:
        parts.append(f"{len(rows) - nodes} queued")
    if shown is not None and shown != len(rows):
        parts.append(f"{shown} shown")
    parts.append(where(view))
    return " · ".join(parts)


def where(view: InventoryView) -> str:
    if view.zone != EVERYWHERE:
        return f"{view.zone} alone"
    zones = sorted({row.zone for row in view.rows or () if row.zone})
    if not zones:
        return "all zones"
    return some(zones)


def seen(view: InventoryView, now: datetime) -> Piece:
    """Say of when the list is."""
    if view.seen is None:
        return ("asking …", "quiet")
    age_s = max(0.0, (now - view.seen).total_seconds())
    return f"seen {clock_time(view.seen)}, {age_words(age_s)} ago", "attention" if age_s > STALE_S or view.problem else "quiet"


def cost(view: InventoryView) -> Piece:
    """Say what all that runs costs an hour, as far as prices are known."""
    costly = running(view.rows or ())
    if not costly:
        return ("nothing runs", "quiet") if view.rows is not None else ("", "quiet")
    known = [row.per_hour for row in costly if row.per_hour is not None]
    if not known:
        return f"{len(costly)} running, price unknown", "attention"
    unknown = f" + {len(costly) - len(known)} unknown" if len(known) < len(costly) else ""
    return f"about ${money(sum(known))}/h{unknown} running now", "plain"


def head_line(view: InventoryView, now: datetime, width: int, shown: int | None = None) -> Line:
    """Write counts, time of the last answer and cost, each a third; the middle goes where there is no room."""
    if view.rows is None and view.problem is not None:
        left: Piece = ("✗ the TPU VMs could not be listed", "failed")
    elif view.rows is None:
        left = ("◌ asking which TPU VMs there are …", "quiet")
    else:
        left = (counts(view, shown), "strong")
    middle, right = seen(view, now), cost(view)
    if view.rows is None:
        middle, right = ("", ""), (f"asking again in {view.wait_s:.0f} s" if view.problem and view.wait_s else "", "quiet")
    room = width - len(right[0])
    if len(left[0]) + len(middle[0]) + 4 > room:
        middle = (f"{clock_time(view.seen)}" if view.seen else "", middle[1])
    if len(left[0]) + len(middle[0]) + 4 > room:
        keep = max(0, room - len(middle[0]) - 4)
        left = (left[0] if len(left[0]) <= keep else f"{left[0][: max(0, keep - 1)]}…", left[1])
    spare = max(2, room - len(left[0]) - len(middle[0]))
    before = spare // 2
    return (left, (" " * before, ""), middle, (" " * max(0, room - len(left[0]) - before - len(middle[0])), ""), right)


def notices(view: InventoryView, now: datetime) -> list[Line]:
    """Say what is wrong or worth a look, below the head."""
    lines: list[Line] = []
    if view.problem is not None and view.rows is not None:
        remedy = view.problem.remedies[0].text if view.problem.remedies else view.problem.cause
        again = f" Asking again in {view.wait_s:.0f} s." if view.wait_s else ""
        lines.append(((f"✗ {view.problem.title}: what is shown is of before.{again}", "failed"), (f" {remedy}", "plain")))
    if view.queued_problem is not None:
        lines.append(((f"! queued resources could not be listed: {view.queued_problem.title}", "attention"),))
    if view.unreachable:
        zones = ", ".join(view.unreachable)
        lines.append(((f"! {zones} did not answer: there may be more there that is not shown", "attention"),))
    forgotten = [row for row in view.rows or () if row.long(now)]
    if forgotten:
        lines.append(((forgotten_words(forgotten, now), "attention"),))
    return lines


def forgotten_words(rows: list[VmRow], now: datetime) -> str:
    oldest = max(rows, key=lambda row: row.age_s(now) or 0.0)
    age, so_far = age_words(oldest.age_s(now)), f", at most ${money(oldest.so_far)} so far" if oldest.so_far is not None else ""
    if len(rows) == 1:
        return f"! {oldest.id} was created {age} ago and is READY{so_far}. Is it still needed?"
    return f"! {oldest.id}, created {age} ago{so_far}, and {len(rows) - 1} more have been READY for long. Are they still needed?"


READINESS = "Press 1 for Readiness"


def problem_lines(problem: Diagnosis) -> list[Line]:
    """Say what went wrong, why, and what mends it."""
    lines: list[Line] = [((f"✗ {problem.title}", "failed"),), ((problem.cause, "plain"),), ()]
    for remedy in problem.remedies:
        lines.append(((remedy.text, "plain"),))
        if remedy.shell or remedy.page:
            lines.append(((f"  {remedy.shell or remedy.page}", "command"),))
    if problem.evidence and not problem.evidence.startswith(problem.title):  # our own errors say no more than stands above
        lines += [(), ((f"It said: {problem.evidence}", "quiet"),)]
    if not any(remedy.text.startswith(READINESS) for remedy in problem.remedies):
        lines += [(), ((f"{READINESS}, which checks account, project and permissions one by one.", "strong"),)]
    return lines


def empty_lines(view: InventoryView, sought: str) -> list[Line]:
    """Say why a list may be empty."""
    if sought and view.rows:
        return [((f"None of {len(view.rows):,} holds “{sought}”. Press escape to see all.", "quiet"),)]
    if view.rows is None:
        return problem_lines(view.problem) if view.problem is not None else []
    place = f"in {view.zone}" if view.zone != EVERYWHERE else "in any zone"
    lines: list[Line] = [
        ((f"There is no TPU VM {place} of {view.project}, and none is queued.", "strong"),),
        (("Press n to create one.", "plain"),),
        (),
        (("If you expected one:", "quiet"),),
    ]
    if view.zone != EVERYWHERE:
        lines.append((("  it may be in another zone: press z to list them all", "quiet"),))
    if view.unreachable:
        lines.append(((f"  {', '.join(view.unreachable)} did not answer, and may hold it", "quiet"),))
    return [
        *lines,
        (("  it may be in another project: press 1, then t", "quiet"),),
        (("  TPUs of Compute Engine and GKE are not shown by the Cloud TPU API:", "quiet"),),
        (("  gcloud compute instances list", "command"), (" and ", "quiet"), ("gcloud container clusters list", "command")),
    ]


def log_lines(view: InventoryView, count: int) -> list[Line]:
    """Write the newest changes, newest first."""
    if not view.log:
        return [(("no change yet; what changes is noted here", "quiet"),)] if view.rows is not None else []
    return [((f"{clock_time(line.at)} ", "quiet"), (f"{line.name}  ", "plain"), (line.text, line.kind)) for line in view.log[-count:][::-1]]


def change_words(change: Transition) -> tuple[str, str]:
    """Say what has changed, for the log and, shorter, for the row."""
    took = f" after {age_words(change.took_s)}" if change.took_s is not None else ""
    if change.before is None:
        return f"new: {change.after}", "new"
    if change.after is None:
        return f"{change.before} → gone{took}", "gone"
    return f"{change.before} → {change.after}{took}", f"was {change.before}{took.replace(' after', ' for')}"


def rated(rates: Rates) -> str:
    """Say whose prices they are, of when, and that they are none to rely on."""
    return "EMULATED, invented" if rates.emulated else f"estimate by {rates}"


def price_words(view: InventoryView) -> str:
    """Say whence the prices are."""
    if view.rates is not None:
        return f"$: {rated(view.rates)}"
    return f"$: unknown, {view.unpriced}" if view.unpriced else ""


def left_behind(view: InventoryView) -> list[tuple[str, str]]:
    """Say what leaving would leave behind: jobs that Google goes on with, and TPU VMs that go on costing."""
    found = []
    under_way = [f"{job.what} {job.name}" for job in view.jobs if job.ended is None]
    if under_way:
        then = "Google goes on with what it has taken on; nobody watches it from here, or asks further zones."
        found.append((f"this is under way: {some(under_way)}", then))
    costly = running((*(view.rows or ()), *view.elsewhere))
    if costly:
        known = [row.per_hour for row in costly if row.per_hour is not None]
        more = " and more" if len(known) < len(costly) else ""
        price = f"about ${money(sum(known))} an hour{more}, an estimate" if known else "at a price that is not known"
        seen_at = f", as of {clock_time(view.seen)}" if view.seen else ""
        what = f"{plural(len(costly), 'TPU VM')} {'runs' if len(costly) == 1 else 'run'}"
        found.append((what, f"{some([row.id for row in costly])}: {price}{seen_at}. Leaving stops none of them."))
    waiting = [row.id for row in (*(view.rows or ()), *view.elsewhere) if row.kind == "queued" and row.state in WAITING]
    if waiting:
        then = f"{some(waiting)}: it costs from when there is capacity, watched or not."
        found.append((f"{plural(len(waiting), 'queued resource')} {'waits' if len(waiting) == 1 else 'wait'}", then))
    return found


def some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


DOING: Mapping[str, str] = {"create": "creating", "start": "starting", "stop": "stopping", "delete": "deleting"}
DONE: Mapping[str, str] = {"create": "created", "start": "started", "stop": "stopped", "delete": "deleted"}
SHOWN_S = 60.0  # for so long a row says that something went wrong with it
STEPS: Mapping[str, Piece] = {
    "looked": ("the name is free", "plain"),
    "sent": ("asked Google", "plain"),
    "accepted": ("Google has taken it on", "plain"),
    "lost": ("! no answer; asking on", "attention"),
    "back": ("answers again", "plain"),
    "settling": ("! the answer was lost: looking whether the request arrived", "attention"),
    "arrived": ("it arrived", "plain"),
    "absent": ("it did not arrive", "attention"),
    "there": ("one of that name is there already: watching it", "attention"),
    "dropped": ("that zone is not asked again", "plain"),
    "done": ("✓ done", "ok"),
}


def step_words(step: OperationStep, what: str) -> Piece:
    """Say what a step is; a state by its own word."""
    if step.what == "state":
        glyph, kind = STATES.get(step.detail, ("?", "attention"))
        return f"{glyph} {step.detail}", kind
    if step.what == "zone":
        return f"asking in {step.detail}", "strong"
    if step.what == "failed":
        return f"✗ {step.detail}", "failed"
    if step.what == "waiting":
        return f"… waiting {step.detail} before the next round", "attention"
    if step.what == "looked" and what != "create":
        return "looked it up", "plain"
    words, kind = STEPS.get(step.what, (step.what, "plain"))
    return words, kind


def step_lines(job: Job, now: datetime) -> list[Line]:
    """Write each step with its time and how long it took; the last one as long as it goes on."""
    lines: list[Line] = []
    for index, step in enumerate(job.steps):
        until = job.steps[index + 1].at if index + 1 < len(job.steps) else job.ended or now
        words, kind = step_words(step, job.what)
        last = index + 1 == len(job.steps)
        took = "" if step.what == "done" else duration((until - step.at).total_seconds())
        going_on = " …" if last and job.ended is None else ""
        lines.append(((f"{clock_time(step.at)}  ", "quiet"), (f"{words:<48}", kind), (f"{took:>9}{going_on}", "quiet")))
    if not job.steps and job.ended is None:
        lines.append((("beginning …", "quiet"),))
    return lines


def duration(seconds: float) -> str:
    return f"{max(0.0, seconds):.1f} s" if seconds < 10 else age_words(seconds)


def job_head(job: Job, now: datetime) -> Line:
    """Say how a job stands."""
    if job.ended is None:
        words = "stopping to ask" if job.stopping else f"{DOING[job.what]} {job.name}"
        return ((f"◐ {words}, {age_words((now - job.begun).total_seconds())}", "beat"),)
    took = age_words((job.ended - job.begun).total_seconds())
    if job.ending.well:
        return ((f"✓ {job.name} {DONE[job.what]} in {took}", "ok"),)
    if job.ending.interrupted:
        words = "stopped" if job.what == "create" and not job.ending.goes_on else "no longer watched from here"  # a VM may stop as well
        return ((f"! {words} after {took}", "attention"),)
    return ((f"✗ {job.name} was not {DONE[job.what]}: {job.ending.title}", "failed"),)


def ending_lines(job: Job) -> list[Line]:
    """Say why it ended so, what became of the TPU VM, and what can be done."""
    ending = job.ending
    if job.ended is None or (ending.well and job.what != "create"):
        return []
    if ending.well:
        return [((f"{job.name} costs from now on. In the list: i sets it up, b beats on it, c connects, D deletes it.", "strong"),)]
    lines: list[Line] = [((ending.cause, "plain"),)] if ending.cause else []
    if ending.remedy:
        lines += [(), ((ending.remedy, "strong"),)]
    lines += [((f"  {shlex.join(command)}", "command"),) for command in ending.commands]
    for remedy in ending.remedies:
        lines += [(), ((remedy.text, "plain"),)]
        if remedy.shell or remedy.page:
            lines.append(((f"  {remedy.shell or remedy.page}", "command"),))
    return lines


def doing(view: InventoryView, now: datetime) -> Mapping[str, Piece]:
    """Say of each row what is being done to it, or what just went wrong with that."""
    found: dict[str, Piece] = {}
    for job in view.jobs:
        keys = rows_of(job, view)
        if job.ended is None:
            found |= dict.fromkeys(keys, (f"{DOING[job.what]}, {age_words((now - job.begun).total_seconds())}", "beat"))
        elif job.ending.well or now - job.ended > timedelta(seconds=SHOWN_S):
            for key in keys:
                found.pop(key, None)
        elif job.ending.interrupted:
            found |= dict.fromkeys(keys, ("! no longer watched from here", "attention"))
        else:
            found |= dict.fromkeys(keys, (f"✗ not {DONE[job.what]}: {job.ending.title}", "failed"))
    return found


def busy(view: InventoryView) -> frozenset[str]:
    """Name the rows that something is being done to."""
    return frozenset(key for job in view.jobs if job.ended is None for key in rows_of(job, view))


def rows_of(job: Job, view: InventoryView) -> tuple[str, ...]:
    """Name the rows a job is about: one that goes round zones is where it has got to, and with a queued resource go its TPU VMs."""
    if job.what == "create":
        zone = next((step.detail for step in reversed(job.steps) if step.what == "zone"), None)
        return (key_of("node", zone, job.name) if zone else job.key,)
    thing = view.nodes.get(job.key) or view.queued.get(job.key)
    queue = queue_of(thing) if thing is not None and job.what == "delete" else None
    if thing is None or queue is None:
        return (job.key,)
    of_queue = [key for key, node in view.nodes.items() if (node.queued_resource, node.zone) == (queue, thing.zone)]
    return tuple({job.key: None, **dict.fromkeys(of_queue), key_of("queued", thing.zone, queue): None})


def job_log(job: Job, now: datetime) -> list[LogLine]:
    """Say what of a job's newest step belongs in the log of all that happens: rounds through zones, and how it ended."""
    if job.ended is not None:
        if job.ending.well:
            return [LogLine(now, job.name, f"✓ {DONE[job.what]} in {age_words((job.ended - job.begun).total_seconds())}", "ok")]
        if job.ending.interrupted:
            return [LogLine(now, job.name, "no longer watched from here", "attention")]
        return [LogLine(now, job.name, f"✗ not {DONE[job.what]}: {job.ending.title}", "failed")]
    if job.steps and job.steps[-1].what in ("zone", "failed", "waiting"):
        return [LogLine(job.steps[-1].at, job.name, *step_words(job.steps[-1], job.what))]
    return []


STATE_MEANINGS: Mapping[str, str] = {
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
    lines = [((words, kind), (f"  {STATE_MEANINGS.get(thing.state or '', UNKNOWN)}", "plain"))]
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


Thing = Node | QueuedResource


def queue_of(thing: Thing) -> str | None:
    """Name the queued resource that is deleted where this is."""
    return thing.id if isinstance(thing, QueuedResource) else thing.queued_resource
