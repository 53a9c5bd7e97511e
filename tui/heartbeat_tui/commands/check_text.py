"""The checklist as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from heartbeat_core.checks.result import GLYPHS, GROUPS, Result, count
from heartbeat_core.errors import plain
from heartbeat_tui.commands.talk import folded

if TYPE_CHECKING:
    from heartbeat_core.checks.result import Readiness
    from heartbeat_core.diagnosis.model import Remedy

INDENT = " " * 10
OPEN = ("fail", "warn", "unknown")
MOST_REMEDIES = 4
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.googleapis\.com")  # the same failure at another API is the same


def words_of(status: str) -> str:
    return "n/a" if status == "not_applicable" else status


def text_lines(readiness: Readiness, label: str = "") -> Iterator[str]:
    """Write the headline, each group with what it counts, and for what is open why and what mends it."""
    yield plain(" · ".join(part for part in (label, headline(readiness), *about(readiness)) if part))
    following = readiness.next
    said: dict[object, str] = {}  # why and remedies -> the check that said them first
    for title, results in readiness.sections():
        counts = "  ".join(f"{number} {words_of(status)}" for status, number in count(results).items())
        yield f"\n{title:<24} {counts}"
        for result in results:
            mark = "   ← next" if following and result.id == following.id else ""
            yield f"  {GLYPHS[result.status]} {words_of(result.status):<8} {result.id:<30} {plain(result.summary)}{mark}"
            if result.status in OPEN:
                same = said.setdefault((HOST.sub("", result.why), result.remedies), result.id)
                again = same != result.id and bool(result.why or result.remedies)
                yield from lines("why", f"as for {same}") if again else details(result)


def headline(readiness: Readiness) -> str:
    """Say what it comes to; a part of the checklist makes nobody ready."""
    part = set(GROUPS) - {result.group for result in readiness.results}
    return readiness.headline() + (", as far as asked" if readiness.ready and part else "")


def about(readiness: Readiness) -> Iterator[str]:
    """Say what and who it is about, each with its source."""
    target = readiness.target
    if target:
        model = {"on-demand": "on demand"}.get(target.model, target.model)
        yield f"{target.accelerator_type.value or 'no accelerator'} in {target.zone.value or 'no zone'}, {model}"
        yield f"project {target.project.value} (from {target.project.source})" if target.project else "no project"
    if readiness.principal:
        yield f"as {readiness.principal}"


def details(result: Result) -> Iterator[str]:
    if result.why:
        yield from lines("why", result.why)
    for number, remedy in enumerate(result.remedies[:MOST_REMEDIES]):
        yield from lines("remedy" if number == 0 else "or, then", remedy.text)
        if remedy.shell or remedy.page:
            yield f"    {INDENT}{plain(remedy.shell or remedy.page or '')}"
            yield f"    {INDENT}{consequences(remedy)}"
    if result.link:
        yield from lines("more", result.link)


def lines(label: str, text: str) -> Iterator[str]:
    return folded(text, f"    {label:<{len(INDENT)}}", f"    {INDENT}")


def consequences(remedy: Remedy) -> str:
    """Say what a remedy changes, what it costs and what it wants."""
    notes = [f"changes: {remedy.changes}" if remedy.changes else "changes nothing"]
    notes.append({True: "costs money", False: "costs nothing", None: "may cost money"}[remedy.costs])
    notes += ["asks in the terminal"] if remedy.interactive else []
    notes += [f"fill in {', '.join(remedy.missing)}"] if remedy.missing else []
    return plain(f"({' · '.join(notes)})")
