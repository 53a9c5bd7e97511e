"""Texts of the Readiness pane, as lines of (text, style)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from heartbeat_core.checks.check import Check
from heartbeat_core.checks.fix_plan import OPEN
from heartbeat_core.checks.result import GLYPHS, SECTIONS, Result, Status, count, group_of
from heartbeat_core.cloud.session import Evidence
from heartbeat_core.cloud.target import Target
from heartbeat_core.columns import StyledText, cut
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.units import plural, scaled

if TYPE_CHECKING:
    from heartbeat_tui.checks.monitor import Checklist, Watch

Line = tuple[StyledText, ...]
Fold = Literal["open", "shut"]

STATUS_STYLES: dict[Status, str] = {
    "pass": "ok",
    "warn": "attention",
    "fail": "failed",
    "unknown": "attention",
    "blocked": "quiet",
    "not_applicable": "quiet",
}
SHORT_WORDS: dict[Status, str] = {"not_applicable": "n/a"}
QUIET: tuple[Status, ...] = ("pass", "not_applicable", "blocked")  # nothing to do about these now
WORST: tuple[Status, ...] = ("fail", "unknown", "blocked", "warn", "pass", "not_applicable")
PENDING = "◌"
LABEL = 10  # columns of the labels in the details
PROVISIONING = {"on-demand": "on demand", "spot": "as spot", "reserved": "from a reservation"}


@dataclass(frozen=True)
class CheckRow:
    """One line of the checklist: a section, or a check with its result (None: none yet)."""

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


def rows_of(checklist: Checklist, folds: Mapping[str, Fold], query: str = "", height: int = 0) -> tuple[CheckRow, ...]:
    """Return the rows: each section, and below it its open checks; all where it is unfolded, or what matches ``query``.

    Once every check has a result, whole sections are open as far as ``height`` lines allow, the worst first.
    """
    found = {result.id: result for result in checklist.report.results}
    after = checklist.report.next
    folds = {**fitting(checklist, found, folds, height), **folds}
    rows: list[CheckRow] = []
    for title, groups in SECTIONS:
        checks = tuple(check for check in checklist.checks if check.group in groups)
        if not checks:
            continue
        results = tuple(found[check.id] for check in checks if check.id in found)
        asking = tuple(check.id for check in checks if check.id in checklist.asking)
        below = tuple(check for check in checks if shown(check, found.get(check.id), folds.get(title), query))
        if query and not below:
            continue
        rows.append(CheckRow(title, title, title, results=results, checks=checks, asking=len(asking), open=bool(below)))
        rows += [
            CheckRow(
                check.id,
                check.title,
                title,
                check=check,
                result=found.get(check.id),
                asking=int(check.id in asking),
                next=after is not None and after.id == check.id,
            )
            for check in below
        ]
    return tuple(rows)


def fitting(checklist: Checklist, found: Mapping[str, Result], folds: Mapping[str, Fold], height: int) -> dict[str, Fold]:
    """Return the sections to unfold because there is room for all of their checks."""
    if len(found) < len(checklist.checks):
        return {}
    sections = {title: [check for check in checklist.checks if check.group in groups] for title, groups in SECTIONS}
    below = {title: sum(shown(check, found[check.id], folds.get(title), "") for check in checks) for title, checks in sections.items()}
    room = height - sum(map(bool, sections.values())) - sum(below.values())
    unfolded: dict[str, Fold] = {}
    for title in sorted(sections, key=lambda title: min((WORST.index(found[check.id].status) for check in sections[title]), default=9)):
        more = len(sections[title]) - below[title]
        if title not in folds and more <= room:
            unfolded[title], room = "open", room - more
    return unfolded


def shown(check: Check, result: Result | None, fold: Fold | None, query: str) -> bool:
    if query:
        words = [check.id, check.title, check.question, *((result.summary, result.status) if result else ())]
        return query.casefold() in " ".join(words).casefold()
    if fold is not None:
        return fold == "open"
    return result is not None and result.status in OPEN


def row_line(row: CheckRow, width: int, names: int) -> Line:
    """Return a row in ``width`` columns; ``names`` is the width of the titles."""
    return section_line(row, width) if row.is_section else check_line(row, width, names)


def section_line(row: CheckRow, width: int) -> Line:
    counts = count(row.results)
    worst = next((status for status in WORST if status in counts), None)
    complete = len(row.results) == len(row.checks) and not row.asking
    mark: StyledText = (GLYPHS[worst], STATUS_STYLES[worst]) if worst and complete else (PENDING, "quiet")
    head: list[StyledText] = [(" ▾ " if row.open else " ▸ ", "quiet"), mark, (f" {row.text}", "strong")]
    words = [(f"{number} {SHORT_WORDS.get(status, status)}", STATUS_STYLES[status]) for status, number in counts.items()]
    glyphs = [(f"{number} {GLYPHS[status]}", STATUS_STYLES[status]) for status, number in counts.items()]
    if not complete:
        left = len(row.checks) - len(row.results)
        pending = (f"{max(left, row.asking)} pending" if left else f"checking {row.asking}", "quiet")
        words, glyphs = [*words, pending], [*glyphs, pending]
    room = width - sum(len(text) for text, _ in head) - 2
    shown = words if sum(len(text) + 2 for text, _ in words) - 2 <= room else glyphs
    return justified(head, [piece for part in shown for piece in (("  ", ""), part)][1:], width)


def check_line(row: CheckRow, width: int, names: int) -> Line:
    result = row.result
    glyph, kind = (GLYPHS[result.status], STATUS_STYLES[result.status]) if result and not row.asking else (PENDING, "quiet")
    summary = summary_of(result).removeprefix("could not tell: ") if result else "checking …" if row.asking else "not checked yet"
    head: list[StyledText] = [
        (" ➤ " if row.next else "   ", "accent"),
        (f"{glyph} ", kind),
        (f"{cut(row.text, names):<{names}}  ", "plain"),
        (summary, "quiet" if result is None or result.status in QUIET else "plain"),
    ]
    return justified(head, [("next", "accent")] if row.next else [], width)


def justified(head: list[StyledText], tail: list[StyledText], width: int) -> Line:
    """Return a line with ``tail`` at the right edge; ``head`` is cut where it does not fit."""
    room = max(0, width - sum(len(text) for text, _ in tail) - (2 if tail else 1))
    line: list[StyledText] = []
    for text, kind in head:
        line.append((cut(text, room), kind))
        room -= len(line[-1][0])
        if line[-1][0] != text:
            break
    return (*line, (" " * room + " ", ""), *tail)


# -- the head


def problem_lines(problem: HeartbeatError) -> list[Line]:
    lines: list[Line] = [((f"✗ {problem.title}", "failed"),), ((problem.cause, "plain"),), (), ((problem.remedy, "plain"),)]
    return [*lines, (), (("Then press R to check again.", "quiet"),)]


def headline(checklist: Checklist | None, *, failed: bool = False) -> Line:
    if checklist is None and failed:
        return (("✗ nothing could be checked", "failed"),)
    if checklist is None:
        return ((f"{PENDING} detecting the environment …", "quiet"),)
    report, total = checklist.report, len(checklist.checks)
    goal: StyledText = (goal_of(report.target), "plain")
    answered, steps = len(report.results), report.steps_left
    if answered < total:
        so_far = f" · {plural(steps, 'step')} so far" if steps else ""
        doing = "checking" if checklist.busy else "checked"
        return ((f"{PENDING} {doing} {answered} of {total}", "accent"), goal, (so_far, "attention"))
    glyph, kind = {True: ("✓", "ok"), False: ("●", "failed"), None: ("?", "attention")}[report.ready]
    waiting = count(report.results).get("blocked", 0)
    wait = f" · {waiting} check{' waits' if waiting == 1 else 's wait'}" if waiting else ""
    following = (" · n creates the TPU VM", "accent") if report.ready else (wait, "attention")
    return ((f"{glyph} {report.headline()}", kind), goal, following)


def goal_of(target: Target | None) -> str:
    if target is None or not target.accelerator_type:
        return ""
    model = target.provisioning.value or "on-demand"
    return f" for {target.accelerator_type.value} in {target.zone.value}, {PROVISIONING.get(model, model)}"


def head_lines(checklist: Checklist | None, width: int, *, failed: bool) -> tuple[Line, Line]:
    """Return how far the checks are, and for whom; without any, that they are being prepared, or could not be."""
    doing = progress(checklist) if checklist else ""
    first = justified(list(headline(checklist, failed=failed)), [(doing, "accent")] if doing else [], width)
    return first, justified([(who(checklist), "quiet")], [], width) if checklist else ()


def progress(checklist: Checklist) -> str:
    """Return what is in progress: "checking 3 …", "watching tpu, next check in 8 s"."""
    watch, asking = checklist.watch, len(checklist.asking)
    if watch is not None:
        return watch_text(watch)
    return f"checking {asking} …" if asking else "checking …" if checklist.busy else ""


def watch_text(watch: Watch) -> str:
    name = watch.check_id.partition(".")[2]
    return f"watching {name}: checked {watch.tries}×, again after {watch.wait_s:g} s" if watch.tries else f"watching {name}"


def who(checklist: Checklist) -> str:
    """Return principal, project, zone and type, each with its source."""
    report = checklist.report
    parts = [f"as {report.principal}"] if report.principal else []
    target = report.target
    if target is not None:
        project = target.project
        parts.append(f"project {project.value} ({came_from(project.source)})" if project else "no project: t chooses one")
        parts.append(f"zone {came_from(target.zone.source)}")
        parts.append(f"type {came_from(target.accelerator_type.source)}")
    return " · ".join(parts)


def came_from(source: str) -> str:
    """Return the source of a part of the target: "from PROJECT_ID", "by default"."""
    if source == "default":
        return "by default"
    return source if source.startswith(("chosen here", "goes with")) else f"from {source}"


# -- the details


def details(row: CheckRow | None, checklist: Checklist, width: int) -> list[Line]:
    if row is None:
        return [(("No check matches. escape shows all checks.", "quiet"),)]
    if row.is_section:
        return section_details(row, width)
    assert row.check is not None
    if row.result is None:
        state = "The check is running." if row.asking else "Not checked yet."
        return [((state, "quiet"),), *needs(row.check, width)]
    return result_details(row.result, row.check, checklist, width)


def section_details(row: CheckRow, width: int) -> list[Line]:
    lines: list[Line] = []
    found = {result.id: result for result in row.results}
    names = max(len(check.title) for check in row.checks)
    for check in row.checks:
        result = found.get(check.id)
        glyph, kind = (GLYPHS[result.status], STATUS_STYLES[result.status]) if result else (PENDING, "quiet")
        head: list[StyledText] = [
            (f"{glyph} ", kind),
            (f"{check.title:<{names}}  ", "quiet"),
            (summary_of(result) if result else "…", "plain"),
        ]
        lines.append(justified(head, [], width))
    return lines


def summary_of(result: Result) -> str:
    """Return the summary, in which a check that waits for others names them as the list does."""
    return f"waits for: {titles_of(result.blocked_by)}" if result.blocked_by else result.summary


def titles_of(ids: Iterable[str]) -> str:
    from heartbeat_core.checks.registry import checks_for

    titles = {check.id: check.title for check in checks_for()}
    return ", ".join(titles.get(name, name) for name in ids)


def result_details(result: Result, check: Check, checklist: Checklist, width: int) -> list[Line]:
    status, kind = result.status.replace("_", " "), STATUS_STYLES[result.status]
    lines = labelled(f"{GLYPHS[result.status]} {status}", summary_of(result), width, label_style=kind, style="strong")
    if result.blocked_by:
        lines += labelled("", f"Fix {titles_of(result.blocked_by)} first.", width)
    if result.why:
        lines += [(), *labelled("why", result.why, width)]
    for number, fix in enumerate(result.remedies):
        lines += [(), *fix_lines(fix, "fix" if number == 0 else "or", width)]
    if result.link:
        lines += [(), *labelled("more", result.link, width, style="quiet")]
    if result.evidence:
        lines.append(())
        for number, evidence in enumerate(result.evidence):
            lines += evidence_lines(evidence, "evidence" if number == 0 else "", width)
    lines += [(), *labelled("id", f"{result.id}, {took(result.took_ms)}", width, style="quiet"), *needs(check, width)]
    if checklist.watch is not None and checklist.watch.check_id == result.id:
        lines += [(), *labelled("watched", f"{watch_text(checklist.watch)}. {PROPAGATION}", width, style="accent")]
    return lines


PROPAGATION = "Enabling an API takes a few minutes to propagate, a quota request one or two days."


def needs(check: Check, width: int) -> list[Line]:
    lines = labelled("after", ", ".join(check.needs), width, style="quiet") if check.needs else []
    return lines + (labelled("needs", f"{check.permission}, to check", width, style="quiet") if check.permission else [])


def fix_lines(fix: Remedy, label: str, width: int) -> list[Line]:
    lines = labelled(label, fix.text, width)
    if fix.shell or fix.page:
        lines += labelled("", fix.shell or fix.page or "", width, style="command")
    return lines + labelled("", effects(fix), width, style="quiet")


def effects(remedy: Remedy) -> str:
    """Return what a fix changes and costs: "changes the project · costs nothing"."""
    if not remedy.changes and not remedy.missing:
        return "changes nothing" if remedy.command else ""
    parts = [f"changes {remedy.changes}" if not remedy.changes.startswith(VERBS) else remedy.changes] if remedy.changes else []
    parts.append(costs(remedy))
    parts += [f"needs {', '.join(place.strip('<>').lower().replace('_', ' ') for place in remedy.missing)}"] if remedy.missing else []
    return " · ".join(part for part in parts if part)


VERBS = ("creates ", "deletes ", "enables ", "installs ", "replaces ", "requests ", "builds ", "grants ")


def costs(remedy: Remedy) -> str:
    return "may cost money" if remedy.costs is None else "costs money" if remedy.costs else "costs nothing"


def evidence_lines(evidence: Evidence, label: str, width: int) -> list[Line]:
    where = evidence.principal if evidence.principal.startswith("this machine") else f"as {evidence.principal}"
    when = f"{clock_time(evidence.at)}, {took(evidence.took_ms)}, {where}" if evidence.took_ms else f"{clock_time(evidence.at)}, {where}"
    return labelled(label, f"{evidence.asked} → {evidence.answered}", width, style="plain") + labelled("", when, width, style="quiet")


def clock_time(at: str) -> str:
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return at


def took(milliseconds: float) -> str:
    return scaled(milliseconds, ((1.0, "ms"), (1e3, "s"))) if milliseconds >= 1 else "< 1 ms"


def labelled(label: str, text: str, width: int, *, style: str = "plain", label_style: str = "quiet") -> list[Line]:
    column = max(LABEL, len(label) + 2)
    room = max(20, width - column)
    wrapped = [part for line in text.splitlines() for part in wrap(line, room, break_on_hyphens=False) or [""]] or [""]
    lines: list[Line] = [((f"{label:<{column}}", label_style), (wrapped[0], style))]
    room_left = " " * (LABEL if column == LABEL else column)
    return lines + [((room_left, ""), (line, style)) for line in wrapped[1:]]


# -- clipboard and groups


def command_of(result: Result | None) -> str | None:
    """Return what to copy of a result: the first command, else the first page, else the link."""
    remedies = result.remedies if result else ()
    shells = [remedy.shell for remedy in remedies if remedy.shell]
    pages = [remedy.page for remedy in remedies if remedy.page]
    return next(iter([*shells, *pages]), result.link if result else None)


def group_name(row: CheckRow) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group_of(check.id) for check in row.checks)) or tuple(
        group for title, groups in SECTIONS if title == row.section for group in groups
    )
