"""What the TPU VMs pane says beside its list, as (text, ink). No Textual here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_core.vms.inventory import costing
from heartbeat_tui.widgets.vm_columns import age_words, money

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis
    from heartbeat_core.vms.inventory import Transition
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_tui.vm_rows import VmRow
    from heartbeat_tui.vms_messages import FleetView

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


def counts(view: FleetView, shown: int | None = None) -> str:
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


def where(view: FleetView) -> str:
    if view.zone != EVERYWHERE:
        return f"{view.zone} alone"
    zones = sorted({row.zone for row in view.rows or () if row.zone})
    if not zones:
        return "all zones"
    return some(zones)


def seen(view: FleetView, now: datetime) -> Piece:
    """Say of when the list is."""
    if view.seen is None:
        return ("asking …", "quiet")
    age_s = max(0.0, (now - view.seen).total_seconds())
    return f"seen {clock_time(view.seen)}, {age_words(age_s)} ago", "attention" if age_s > STALE_S or view.problem else "quiet"


def cost(view: FleetView) -> Piece:
    """Say what all that runs costs an hour, as far as prices are known."""
    costly = running(view.rows or ())
    if not costly:
        return ("nothing runs", "quiet") if view.rows is not None else ("", "quiet")
    known = [row.per_hour for row in costly if row.per_hour is not None]
    if not known:
        return f"{len(costly)} running, price unknown", "attention"
    unknown = f" + {len(costly) - len(known)} unknown" if len(known) < len(costly) else ""
    return f"about ${money(sum(known))}/h{unknown} running now", "plain"


def head_line(view: FleetView, now: datetime, width: int, shown: int | None = None) -> Line:
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


def notices(view: FleetView, now: datetime) -> list[Line]:
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


def empty_lines(view: FleetView, sought: str) -> list[Line]:
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


def log_lines(view: FleetView, count: int) -> list[Line]:
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


def price_words(view: FleetView) -> str:
    """Say whence the prices are."""
    if view.rates is not None:
        return f"$: {rated(view.rates)}"
    return f"$: unknown, {view.unpriced}" if view.unpriced else ""


def left_behind(view: FleetView) -> list[tuple[str, str]]:
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
