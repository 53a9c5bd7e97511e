"""All remedies as a shell script, in the order of the checklist: to be read before it is run."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from heartbeat_core.errors import plain
from heartbeat_tui.commands.check_text import consequences
from heartbeat_tui.commands.talk import WIDTH

if TYPE_CHECKING:
    from heartbeat_core.checks.result import Readiness, Result
    from heartbeat_core.diagnosis.model import Remedy

TO_MEND = ("fail", "warn", "unknown")


def plan_lines(readiness: Readiness, label: str = "") -> Iterator[str]:
    """Write the script; what costs money, creates a project, deletes, is a second way or lacks a word stands in it as a comment."""
    yield "#!/bin/sh"
    yield from comment(f"What heartbeat-tui check would mend: {readiness.headline()}.{f' {label}.' if label else ''}")
    yield from comment("Read it before running it. Lines that begin with '#? ' want a decision of yours, or something filled in.")
    if label:
        yield from comment(
            "It is for an emulated Google Cloud: point gcloud at it as heartbeat-tui emulator says, or it meets the real one."
        )
    yield "set -eu"
    done: set[tuple[str, ...]] = set()
    for result in readiness.results:
        if result.status in TO_MEND and result.remedies:
            yield ""
            yield from step(result, done)
    waiting = [result for result in readiness.results if result.status == "blocked"]
    if waiting:
        yield ""
        yield from comment("Not asked yet, for what blocks it comes first. Check again afterwards:")
        yield from (f"#   {result.id}: {plain(result.summary)}" for result in waiting)


def step(result: Result, done: set[tuple[str, ...]]) -> Iterator[str]:
    """Write what mends one check; ``done`` holds the commands that stand in the script already."""
    yield from comment(f"{result.id}, {result.status}: {result.summary}")
    mended = False
    for remedy in result.remedies:
        yield from comment(f"  {remedy.text} {consequences(remedy) if remedy.shell or remedy.page else ''}")
        if remedy.page:
            yield from comment(f"  {remedy.page}")
        if not remedy.command or not remedy.shell:
            continue
        if remedy.command in done:
            yield from comment("  Done above.")
            mended = mended or bool(remedy.changes)
        elif safe(remedy) and (not mended or "add-iam-policy-binding" in remedy.command):  # a further role is no second way
            yield plain(remedy.shell)
            done.add(remedy.command)
            mended = bool(remedy.changes)
        else:
            yield f"#? {plain(remedy.shell)}"


def safe(remedy: Remedy) -> bool:
    """Say whether a command may stand in the script as it is."""
    # a project that cannot be seen may be somebody's, or misspelt: whether to create it is for a person to say
    decision = "delete" in remedy.changes or remedy.changes == "creates a project" or remedy.text.startswith("Or ")
    return remedy.costs is not True and not remedy.missing and not decision


def comment(text: str) -> Iterator[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    for line in wrap(plain(text), WIDTH, break_long_words=False, break_on_hyphens=False) or [""]:
        yield f"# {indent if line[:1] != ' ' else ''}{line}".rstrip()
