"""What is said of a job: its steps with the time each took, and how it ended. As (text, ink); no Textual here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heartbeat_tui.vm_rows import key_of
from heartbeat_tui.vms_messages import LogLine
from heartbeat_tui.widgets.vm_columns import STATES, age_words
from heartbeat_tui.widgets.vm_questions import queue_of
from heartbeat_tui.widgets.vm_words import Line, Piece, clock_time

if TYPE_CHECKING:
    from heartbeat_core.vms.operation import Step
    from heartbeat_tui.vms_messages import FleetView, Job

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


def step_words(step: Step, what: str) -> Piece:
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


def doing(view: FleetView, now: datetime) -> Mapping[str, Piece]:
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


def busy(view: FleetView) -> frozenset[str]:
    """Name the rows that something is being done to."""
    return frozenset(key for job in view.jobs if job.ended is None for key in rows_of(job, view))


def rows_of(job: Job, view: FleetView) -> tuple[str, ...]:
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
