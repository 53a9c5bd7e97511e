"""What the TPU VMs pane shows beside its list, as styled text."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.tpu import EVERYWHERE, Node, QueuedResource
from heartbeat_core.columns import StyledText, cut
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Diagnosis, Remedy
from heartbeat_core.units import plural, some
from heartbeat_core.vms.columns import VmRow
from heartbeat_core.vms.inventory import Transition, age_s, age_words
from heartbeat_core.vms.pricing import Rates, cost_so_far, money, rate_of, unit_price
from heartbeat_core.vms.vocabulary import ACTIONS, Resource, find_state, state_of, step_text
from heartbeat_tui.vms.model import InventoryView, Job
from heartbeat_tui.vms.rows import change_style, rows_of

Line = tuple[StyledText, ...]
STALE_S = 20.0  # from this age on an answer is marked as old


def clock_time(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S")


def counts(view: InventoryView, rows: Sequence[VmRow], shown: int) -> str:
    """Return how many there are, in which states (problems first), and in which zone."""
    nodes = [row for row in rows if row.kind == "node"]
    states = Counter(row.resource.state for row in nodes)
    ordered = sorted(states.most_common(), key=lambda pair: find_state(pair[0]).style != "failed")
    by_state = ", ".join(f"{count:,} {state}" for state, count in ordered)
    parts = [plural(len(nodes), "node") + (f": {by_state}" if by_state else "")]
    if len(rows) > len(nodes):
        parts.append(f"{len(rows) - len(nodes)} queued")
    if shown != len(rows):
        parts.append(f"{shown} shown")
    if view.zone != EVERYWHERE:
        parts.append(f"{view.zone} alone")
    else:
        parts.append(some(sorted({row.zone for row in rows if row.zone}), 3) or "all zones")
    return " · ".join(parts)


def seen(view: InventoryView, at: datetime, now: datetime) -> StyledText:
    age_s = max(0.0, (now - at).total_seconds())
    return f"seen {clock_time(at)}, {age_words(age_s)} ago", "attention" if age_s > STALE_S or view.problem else "quiet"


def cost(rows: Sequence[VmRow]) -> StyledText:
    """Return what all that runs costs an hour, as far as prices are known."""
    charged = [row for row in rows if row.charged]
    if not charged:
        return "nothing runs", "quiet"
    prices = [row.per_hour for row in charged if row.per_hour is not None]
    if not prices:
        return f"{len(charged)} running, price unknown", "attention"
    unknown = f" + {len(charged) - len(prices)} unknown" if len(prices) < len(charged) else ""
    return f"about ${money(sum(prices))}/h{unknown} running now", "plain"


def head_line(view: InventoryView, rows: Sequence[VmRow], shown: int, now: datetime, width: int) -> Line:
    """Return counts, time of the last answer and cost, each a third; the middle is left out first."""
    if view.seen is not None:
        left, middle, right = (counts(view, rows, shown), "strong"), seen(view, view.seen, now), cost(rows)
    else:
        left = ("✗ the TPU VMs could not be listed", "failed") if view.problem else ("◌ asking which TPU VMs there are …", "quiet")
        middle, right = ("", ""), (f"asking again in {view.wait_s:.0f} s" if view.problem and view.wait_s else "", "quiet")
    room = width - len(right[0])
    if len(left[0]) + len(middle[0]) + 4 > room:
        middle = (clock_time(view.seen) if view.seen else "", middle[1])
    left = (cut(left[0], max(0, room - len(middle[0]) - 4)), left[1])
    spare = max(2, room - len(left[0]) - len(middle[0]))
    before = spare // 2
    return (left, (" " * before, ""), middle, (" " * max(0, room - len(left[0]) - before - len(middle[0])), ""), right)


def notices(view: InventoryView, rows: Sequence[VmRow]) -> list[Line]:
    lines: list[Line] = []
    inventory = view.inventory
    if inventory is None:
        return lines
    if view.problem is not None:
        remedy = view.problem.remedies[0].text if view.problem.remedies else view.problem.cause
        again = f" Asking again in {view.wait_s:.0f} s." if view.wait_s else ""
        lines.append(((f"✗ {view.problem.title}: the list is old.{again}", "failed"), (f" {remedy}", "plain")))
    if inventory.queued_problem is not None:
        title = diagnose_exception(inventory.queued_problem, "call").title
        lines.append(((f"! queued resources could not be listed: {title}", "attention"),))
    if inventory.unreachable:
        zones = ", ".join(inventory.unreachable)
        lines.append(((f"! {zones} did not answer: there may be more there that is not shown", "attention"),))
    if inventory.more():
        lines.append(((f"! {inventory.more()}", "attention"),))
    if forgotten := [row for row in rows if row.long_ready]:
        lines.append(((forgotten_text(forgotten), "attention"),))
    return lines


def forgotten_text(rows: list[VmRow]) -> str:
    oldest = max(rows, key=lambda row: row.age_s or 0.0)
    age, so_far = age_words(oldest.age_s), f", at most ${money(oldest.so_far)} so far" if oldest.so_far is not None else ""
    if len(rows) == 1:
        return f"! {oldest.id} was created {age} ago and is READY{so_far}. Is it still needed?"
    return f"! {oldest.id}, created {age} ago{so_far}, and {len(rows) - 1} more have been READY for long. Are they still needed?"


READINESS = "Press 1 for Readiness"


def problem_lines(problem: Diagnosis) -> list[Line]:
    lines: list[Line] = [((f"✗ {problem.title}", "failed"),), ((problem.cause, "plain"),), ()]
    for remedy in problem.remedies:
        lines += remedy_lines(remedy)
    if problem.evidence and not problem.evidence.startswith(problem.title):  # our own errors contain no more than the lines above
        lines += [(), ((f"It said: {problem.evidence}", "quiet"),)]
    if not any(remedy.text.startswith(READINESS) for remedy in problem.remedies):
        lines += [(), ((f"{READINESS}, which checks account, project and permissions one by one.", "strong"),)]
    return lines


def remedy_lines(remedy: Remedy) -> list[Line]:
    command: list[Line] = [((f"  {remedy.shell or remedy.page}", "command"),)] if remedy.shell or remedy.page else []
    return [((remedy.text, "plain"),), *command]


def empty_lines(view: InventoryView, query: str) -> list[Line]:
    inventory = view.inventory
    count = len(view.nodes) + len(view.queued)
    if query and count:
        return [((f"None of {count:,} matches “{query}”. Press escape to see all.", "quiet"),)]
    if inventory is None:
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
    if inventory.unreachable:
        lines.append(((f"  {', '.join(inventory.unreachable)} did not answer, and may hold it", "quiet"),))
    return [
        *lines,
        (("  it may be in another project: press 1, then t", "quiet"),),
        (("  TPUs of Compute Engine and GKE are not shown by the Cloud TPU API:", "quiet"),),
        (("  gcloud compute instances list", "command"), (" and ", "quiet"), ("gcloud container clusters list", "command")),
    ]


def log_lines(view: InventoryView, count: int) -> list[Line]:
    """Return the newest events, newest first."""
    if not view.events:
        return [(("no events yet", "quiet"),)] if view.inventory is not None else []
    return [event_line(event) for event in view.events[-count:][::-1]]


def event_line(event: Transition | Job) -> Line:
    if isinstance(event, Transition):
        took = f" after {age_words(event.took_s)}" if event.took_s is not None else ""
        text = f"{event.before} → {event.after or 'gone'}{took}" if event.before is not None else f"new: {event.after}"
        at, style = event.at, change_style(event)
    elif event.ended is not None:
        at, (text, style) = event.ended, ended_text(event)
    else:
        step = event.steps[-1]
        at, (text, style) = step.at, step_text(step.what, step.detail)
    return (f"{clock_time(at)} ", "quiet"), (f"{event.name}  ", "plain"), (text, style)


def rated(rates: Rates) -> str:
    """Return whose prices they are and of when, and that they are an estimate."""
    return "EMULATED, invented" if rates.emulated else f"estimate by {rates}"


def price_source(view: InventoryView) -> str:
    if view.rates is not None:
        return f"$: {rated(view.rates)}"
    return f"$: unknown, {view.unpriced}" if view.unpriced else ""


def left_behind(view: InventoryView, now: datetime) -> list[tuple[str, str]]:
    """Return what goes on after the program has ended: operations at Google, and TPU VMs that cost."""
    found = []
    under_way = [f"{ACTIONS[job.what].doing} {job.name}" for job in view.jobs if job.ended is None]
    if under_way:
        after = "Google carries out the requests that were sent; they are not watched from here, and no further zone is tried."
        found.append((some(under_way, 3), after))
    others = (VmRow(each, now, rate_of(view.rates, each) if isinstance(each, Node) else None) for each in view.other_zones)
    rows = (*rows_of(view, now), *others)
    charged = [row for row in rows if row.charged]
    if charged:
        prices = [row.per_hour for row in charged if row.per_hour is not None]
        more = " and more" if len(prices) < len(charged) else ""
        price = f"about ${money(sum(prices))}/h{more}, an estimate" if prices else "at an unknown price"
        seen_at = f", as of {clock_time(view.seen)}" if view.seen else ""
        what = f"{plural(len(charged), 'TPU VM')} {'runs' if len(charged) == 1 else 'run'}"
        found.append((what, f"{some((row.id for row in charged), 3)}: {price}{seen_at}. Leaving stops none of them."))
    pending = [row.id for row in rows if state_of(row.resource).pending]
    if pending:
        after = f"{some(pending, 3)}: charged as soon as there is capacity."
        found.append((f"{plural(len(pending), 'queued resource')} {'waits' if len(pending) == 1 else 'wait'}", after))
    return found


# -- jobs


def step_lines(job: Job, now: datetime) -> list[Line]:
    lines: list[Line] = []
    for index, step in enumerate(job.steps):
        last = index + 1 == len(job.steps)
        until = (job.ended or now) if last else job.steps[index + 1].at
        text, style = step_text(step.what, step.detail)
        took = "" if step.what == "done" else duration((until - step.at).total_seconds())
        going_on = " …" if last and job.ended is None else ""
        lines.append(((f"{clock_time(step.at)}  ", "quiet"), (f"{text:<52}", style), (f"{took:>9}{going_on}", "quiet")))
    return lines or ([] if job.ended else [(("starting …", "quiet"),)])


def duration(seconds: float) -> str:
    return f"{max(0.0, seconds):.1f} s" if seconds < 10 else age_words(seconds)


def job_head(job: Job, now: datetime) -> StyledText:
    if job.ended is None:
        return (
            f"◐ {'stopping' if job.stopping else f'{ACTIONS[job.what].doing} {job.name}'}, {age_words((now - job.begun).total_seconds())}",
            "accent",
        )
    took, done = age_words((job.ended - job.begun).total_seconds()), ACTIONS[job.what].done
    if job.outcome.ok:
        return f"✓ {job.name} {done} in {took}", "ok"
    if job.outcome.interrupted:
        text = "stopped" if job.what == "create" and not job.outcome.goes_on else "no longer watched from here"
        return f"! {text} after {took}", "attention"
    return f"✗ {job.name} was not {done}: {job.outcome.title}", "failed"


def ended_text(job: Job) -> StyledText:
    assert job.ended is not None
    done = ACTIONS[job.what].done
    if job.outcome.ok:
        return f"✓ {done} in {age_words((job.ended - job.begun).total_seconds())}", "ok"
    if job.outcome.interrupted:
        return "no longer watched from here", "attention"
    return f"✗ not {done}: {job.outcome.title}", "failed"


def outcome_lines(job: Job) -> list[Line]:
    """Return why a job ended so, what became of the TPU VM, and what can be done."""
    outcome = job.outcome
    if job.ended is None or (outcome.ok and job.what != "create"):
        return []
    if outcome.ok:
        return [((f"{job.name} is charged from now on. In the list: i sets it up, b runs a benchmark, c connects, D deletes.", "strong"),)]
    lines: list[Line] = [((outcome.cause, "plain"),)] if outcome.cause else []
    if outcome.remedy:
        lines += [(), ((outcome.remedy, "strong"),)]
    lines += [((f"  {shlex.join(command)}", "command"),) for command in outcome.commands]
    for remedy in outcome.remedies:
        lines += [(), *remedy_lines(remedy)]
    return lines


# -- one resource


def meaning(resource: Resource, rates: Rates | None, now: datetime) -> list[Line]:
    """Return what its state means, what it costs, and what is wrong."""
    state = state_of(resource)
    lines: list[Line] = [(state.label, (f"  {state.meaning}", "plain"))]
    if isinstance(resource, QueuedResource):
        return [*lines, ((f"! {resource.problem}", "attention"),)] if resource.problem else lines
    lines.append(cost_line(resource, rates, now))
    if resource.health and resource.health != "HEALTHY":
        detail = f": {resource.health_description}" if resource.health_description else ""
        lines.append(((f"! health: {resource.health}{detail}", "attention"),))
    for symptom in resource.symptoms:
        worker = f"on worker {symptom.worker}" if symptom.worker else ""
        lines.append(((f"! {' '.join(part for part in (symptom.kind, symptom.details, worker, symptom.at) if part)}", "attention"),))
    kind = find_accelerator(resource.accelerator_type)
    if kind and resource.runtime_version and runtime_fits(kind, resource.runtime_version) is False:
        text = f"✗ {resource.runtime_version} has no driver for {kind.type}: programs on it find no TPU. Use {kind.family.runtime}."
        lines.append(((text, "failed"),))
    return lines


def cost_line(node: Node, rates: Rates | None, now: datetime) -> Line:
    price, so_far = rate_of(rates, node), cost_so_far(rates, node, now)
    if price is None:
        return (("Its price is not known.", "quiet"),)
    per_hour = f"${money(price.per_hour)}/h ({price.chips} × ${unit_price(price.per_chip)}, {rated(price.rates)})"
    if not price.charged:
        return ((f"Not charged now; {per_hour} while it runs.", "quiet"),)
    since = f", at most ${money(so_far)} in the {age_words(age_s(node.created, now))} since it was created" if so_far is not None else ""
    return ((f"{per_hour}{since}.", "plain"),)


def yaml_line(line: str) -> Line:
    """Return a line of YAML with its key in a quiet style."""
    key, colon, value = line.partition(": ")
    return ((key + colon, "quiet"), (value, "plain")) if colon else ((line, "quiet" if line.endswith(":") else "plain"),)
