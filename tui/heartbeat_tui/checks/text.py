"""What the readiness pane says, as (text, ink), so that all of it can be tested and copied as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from heartbeat_core.checks.result import GLYPHS, SECTIONS, Result, Status, count, group_of
from heartbeat_core.units import scaled

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import Evidence
    from heartbeat_core.cloud.target import Target
    from heartbeat_core.diagnosis.model import Remedy
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_tui.checks.model import Checklist, Watch

Piece = tuple[str, str]  # text, ink
Line = tuple[Piece, ...]
Fold = Literal["open", "shut"]

STATUS_INKS: dict[Status, str] = {
    "pass": "ok",
    "warn": "attention",
    "fail": "failed",
    "unknown": "attention",
    "blocked": "quiet",
    "not_applicable": "quiet",
}
STATUS_WORDS: dict[Status, str] = {"not_applicable": "not applicable", "unknown": "could not tell"}
SHORT_WORDS: dict[Status, str] = {"not_applicable": "n/a", "unknown": "unknown"}
FINE: tuple[Status, ...] = ("pass", "not_applicable", "blocked")  # nothing to be done about these now
TELLING: tuple[Status, ...] = ("fail", "unknown", "warn")
WORST: tuple[Status, ...] = ("fail", "unknown", "blocked", "warn", "pass", "not_applicable")
ASKING = "◌"
LABEL = 10  # columns of the words at the left of the details
PROVISIONING = {"on-demand": "on demand", "spot": "as spot", "reserved": "from a reservation"}


@dataclass(frozen=True)
class CheckRow:
    """One line of the checklist: a section, or a check with what it found (None: not answered yet)."""

    key: str
    text: str
    section: str
    check: Check | None = None
    result: Result | None = None
    results: tuple[Result, ...] = ()
    checks: tuple[Check, ...] = ()
    asking: int = 0
    next: bool = False
    open: bool = False

    @property
    def is_section(self) -> bool:
        return self.check is None


# -- the checklist


def rows_of(checklist: Checklist, folds: Mapping[str, Fold], sought: str = "") -> tuple[CheckRow, ...]:
    """List each section, and below it what there is to do or to know; all of it where it was opened, or what is sought."""
    found = {result.id: result for result in checklist.report.results}
    after = checklist.report.next
    rows: list[CheckRow] = []
    for title, groups in SECTIONS:
        checks = tuple(check for check in checklist.checks if check.group in groups)
        if not checks:
            continue
        results = tuple(found[check.id] for check in checks if check.id in found)
        asking = tuple(check.id for check in checks if check.id in checklist.asking)
        below = tuple(check for check in checks if shown(check, found.get(check.id), folds.get(title), sought))
        if sought and not below:
            continue
        rows.append(CheckRow(title, title, title, results=results, checks=checks, asking=len(asking), open=bool(below)))
        rows += [
            CheckRow(
                check.id,
                check.id.partition(".")[2],
                title,
                check=check,
                result=found.get(check.id),
                asking=int(check.id in asking),
                next=after is not None and after.id == check.id,
            )
            for check in below
        ]
    return tuple(rows)


def shown(check: Check, result: Result | None, fold: Fold | None, sought: str) -> bool:
    if sought:
        words = [check.id, check.question, *((result.summary, result.status) if result else ())]
        return sought.casefold() in " ".join(words).casefold()
    if fold is not None:
        return fold == "open"
    return result is not None and result.status in TELLING


def row_line(row: CheckRow, width: int, names: int) -> Line:
    """Write a row into ``width`` columns; ``names`` is how wide the names of checks are."""
    return section_line(row, width) if row.is_section else check_line(row, width, names)


def section_line(row: CheckRow, width: int) -> Line:
    counts = count(row.results)
    worst = next((status for status in WORST if status in counts), None)
    complete = len(row.results) == len(row.checks) and not row.asking
    mark: Piece = (GLYPHS[worst], STATUS_INKS[worst]) if worst and complete else (ASKING, "quiet")
    head: list[Piece] = [(" ▾ " if row.open else " ▸ ", "quiet"), mark, (f" {row.text}", "strong")]
    words = [(f"{number} {SHORT_WORDS.get(status, status)}", STATUS_INKS[status]) for status, number in counts.items()]
    glyphs = [(f"{number} {GLYPHS[status]}", STATUS_INKS[status]) for status, number in counts.items()]
    if not complete:
        left = len(row.checks) - len(row.results)
        to_come = (f"{max(left, row.asking)} to come" if left else f"asking {row.asking}", "quiet")
        words, glyphs = [*words, to_come], [*glyphs, to_come]
    room = width - sum(len(text) for text, _ in head) - 2
    return justified(head, spaced(words if sum(len(text) + 2 for text, _ in words) - 2 <= room else glyphs), width)


def spaced(pieces: list[Piece]) -> list[Piece]:
    return [piece for index, part in enumerate(pieces) for piece in ([("  ", ""), part] if index else [part])]


def check_line(row: CheckRow, width: int, names: int) -> Line:
    result = row.result
    glyph, kind = (GLYPHS[result.status], STATUS_INKS[result.status]) if result and not row.asking else (ASKING, "quiet")
    said = result.summary if result else "asking …" if row.asking else "not asked yet"
    head: list[Piece] = [
        (" ➤ " if row.next else "   ", "beat"),
        (f"{glyph} ", kind),
        (f"{shortened(row.text, names):<{names}}  ", "plain"),
        (said, "quiet" if result is None or result.status in FINE else "plain"),
    ]
    return justified(head, [("next", "beat")] if row.next else [], width)


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def justified(head: list[Piece], tail: list[Piece], width: int) -> Line:
    """Put ``tail`` at the right edge, and cut ``head`` where it does not fit."""
    room = max(0, width - sum(len(text) for text, _ in tail) - (2 if tail else 1))
    cut: list[Piece] = []
    for text, kind in head:
        if len(text) > room:
            cut.append((text[: max(0, room - 1)] + "…" if room else "", kind))
            room = 0
            break
        cut.append((text, kind))
        room -= len(text)
    return (*cut, (" " * room + " ", ""), *tail)


# -- the head


def problem_lines(problem: HeartbeatError) -> list[Line]:
    """Say why nothing could be checked, and what to do."""
    said: list[Line] = [((f"✗ {problem.title}", "failed"),), ((problem.cause, "plain"),), (), ((problem.remedy, "plain"),)]
    return [*said, (), (("Then press R to look again.", "quiet"),)]


def headline(checklist: Checklist | None, *, failed: bool = False) -> Line:
    """Say how far one is: ready, how many steps are left, or that it cannot be told."""
    if checklist is None and failed:
        return (("✗ nothing could be checked", "failed"),)
    if checklist is None:
        return ((f"{ASKING} looking around …", "quiet"),)
    report, total = checklist.report, len(checklist.checks)
    goal: Piece = (goal_of(report.target), "plain")
    answered = len(report.results)
    if answered < total:
        doing = "asking" if checklist.busy else "asked"
        return ((f"{ASKING} {doing} {answered} of {total}", "beat"), goal, *so_far(report.steps_left))
    glyph, kind = {True: ("✓", "ok"), False: ("●", "failed"), None: ("?", "attention")}[report.ready]
    return ((f"{glyph} {report.headline()}", kind), goal)


def so_far(steps: int) -> Line:
    return ((f" · {steps} step{'s' * (steps != 1)} so far", "attention"),) if steps else ()


def goal_of(target: Target | None) -> str:
    if target is None or not target.accelerator_type:
        return ""
    model = target.provisioning.value or "on-demand"
    return f" for {target.accelerator_type.value} in {target.zone.value}, {PROVISIONING.get(model, model)}"


def progress(checklist: Checklist) -> str:
    """Say what is being done beside the first round: "asking 3 …", "watching tpu, next look in 8 s"."""
    watch, asking = checklist.watch, len(checklist.asking)
    if watch is not None:
        return watch_words(watch)
    return f"asking {asking} …" if asking else "asking …" if checklist.busy else ""


def watch_words(watch: Watch) -> str:
    name = watch.check_id.partition(".")[2]
    return f"watching {name}: looked {watch.tries}×, again after {watch.wait_s:g} s" if watch.tries else f"watching {name}"


def who(checklist: Checklist) -> str:
    """Say as whom this asks and of which project, and where each came from."""
    report = checklist.report
    parts = [f"as {report.principal}"] if report.principal else []
    target = report.target
    if target is not None:
        project = target.project
        parts.append(f"project {project.value} ({came_from(project.source)})" if project else "no project: press t to choose one")
        parts.append(f"zone {came_from(target.zone.source)}")
        parts.append(f"type {came_from(target.accelerator_type.source)}")
    return " · ".join(parts)


def came_from(source: str) -> str:
    """Say where a part of the target came from: "from PROJECT_ID", "by default"."""
    if source == "default":
        return "by default"
    return source if source.startswith(("chosen here", "goes with")) else f"from {source}"


# -- the details


def details(row: CheckRow | None, checklist: Checklist, width: int) -> list[Line]:
    """Write all that is known of a row, wrapped to ``width``."""
    if row is None:
        return [(("Nothing here. Press escape to see all checks.", "quiet"),)]
    if row.is_section:
        return section_details(row, width)
    assert row.check is not None
    if row.result is None:
        said = "It is being asked." if row.asking else "It has not been asked yet."
        return [((said, "quiet"),), *needs(row.check, width)]
    return result_details(row.result, row.check, checklist, width)


def section_details(row: CheckRow, width: int) -> list[Line]:
    lines: list[Line] = []
    found = {result.id: result for result in row.results}
    names = max(len(check.id) for check in row.checks)
    for check in row.checks:
        result = found.get(check.id)
        glyph, kind = (GLYPHS[result.status], STATUS_INKS[result.status]) if result else (ASKING, "quiet")
        head: list[Piece] = [(f"{glyph} ", kind), (f"{check.id:<{names}}  ", "quiet"), (result.summary if result else "…", "plain")]
        lines.append(justified(head, [], width))
    return lines


def result_details(result: Result, check: Check, checklist: Checklist, width: int) -> list[Line]:
    status, kind = STATUS_WORDS.get(result.status, result.status), STATUS_INKS[result.status]
    lines = labelled(f"{GLYPHS[result.status]} {status}", result.summary, width, label_ink=kind, ink="strong")
    if result.blocked_by:
        lines += labelled("", f"Mend {' and '.join(result.blocked_by)} first.", width)
    if result.why:
        lines += [(), *labelled("why", result.why, width)]
    for number, remedy in enumerate(result.remedies):
        lines += [(), *remedy_lines(remedy, "remedy" if number == 0 else "or", width)]
    if result.link:
        lines += [(), *labelled("more", result.link, width, ink="quiet")]
    if result.evidence:
        lines.append(())
        for number, evidence in enumerate(result.evidence):
            lines += evidence_lines(evidence, "evidence" if number == 0 else "", width)
    lines += [(), *labelled("id", f"{result.id}, {took(result.took_ms)}", width, ink="quiet"), *needs(check, width)]
    if checklist.watch is not None and checklist.watch.check_id == result.id:
        lines += [(), *labelled("watched", f"{watch_words(checklist.watch)}. {PATIENCE}", width, ink="beat")]
    return lines


PATIENCE = "Enabling takes minutes, an answer about quota one or two days."


def needs(check: Check, width: int) -> list[Line]:
    lines = labelled("after", ", ".join(check.needs), width, ink="quiet") if check.needs else []
    return lines + (labelled("needs", f"{check.permission}, to look", width, ink="quiet") if check.permission else [])


def remedy_lines(remedy: Remedy, label: str, width: int) -> list[Line]:
    lines = labelled(label, remedy.text, width)
    if remedy.shell or remedy.page:
        lines += labelled("", remedy.shell or remedy.page or "", width, ink="command")
    return lines + labelled("", effects(remedy), width, ink="quiet")


def effects(remedy: Remedy) -> str:
    """Say what a remedy changes and costs: "changes the project · costs nothing"."""
    if not remedy.changes and not remedy.missing:
        return "changes nothing" if remedy.command else ""
    parts = [f"changes {remedy.changes}" if not remedy.changes.startswith(VERBS) else remedy.changes] if remedy.changes else []
    parts.append(costs(remedy))
    parts += [f"asks for {', '.join(place.strip('<>').lower().replace('_', ' ') for place in remedy.missing)}"] if remedy.missing else []
    return " · ".join(part for part in parts if part)


VERBS = ("creates ", "deletes ", "enables ", "installs ", "replaces ", "asks ", "builds ", "grants ")


def costs(remedy: Remedy) -> str:
    return "may cost money" if remedy.costs is None else "costs money" if remedy.costs else "costs nothing"


def evidence_lines(evidence: Evidence, label: str, width: int) -> list[Line]:
    where = evidence.principal if evidence.principal.startswith("this machine") else f"as {evidence.principal}"
    when = f"{clock_time(evidence.at)}, {took(evidence.took_ms)}, {where}" if evidence.took_ms else f"{clock_time(evidence.at)}, {where}"
    return labelled(label, f"{evidence.asked} → {evidence.answered}", width, ink="plain") + labelled("", when, width, ink="quiet")


def clock_time(at: str) -> str:
    """Write a moment as the time of day here."""
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return at


def took(milliseconds: float) -> str:
    return scaled(milliseconds, ((1.0, "ms"), (1e3, "s"))) if milliseconds >= 1 else "< 1 ms"


def labelled(label: str, text: str, width: int, *, ink: str = "plain", label_ink: str = "quiet") -> list[Line]:
    """Put a word at the left and the text beside it, wrapped below itself."""
    column = max(LABEL, len(label) + 2)
    room = max(20, width - column)
    wrapped = [part for line in text.splitlines() for part in wrap(line, room, break_on_hyphens=False) or [""]] or [""]
    lines: list[Line] = [((f"{label:<{column}}", label_ink), (wrapped[0], ink))]
    room_left = " " * (LABEL if column == LABEL else column)
    return lines + [((room_left, ""), (line, ink)) for line in wrapped[1:]]


# -- for the clipboard


def command_of(result: Result | None) -> str | None:
    """Give what is worth copying of a result: the first command, else the first page."""
    remedies = result.remedies if result else ()
    shells = [remedy.shell for remedy in remedies if remedy.shell]
    pages = [remedy.page for remedy in remedies if remedy.page]
    return next(iter([*shells, *pages]), result.link if result else None)


def plain(lines: Iterable[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def group_name(row: CheckRow) -> tuple[str, ...]:
    """Name the groups that a row stands in, as the runner takes them."""
    return tuple(dict.fromkeys(group_of(check.id) for check in row.checks)) or tuple(
        group for title, groups in SECTIONS if title == row.section for group in groups
    )
