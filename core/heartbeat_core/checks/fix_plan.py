"""The fixes of a report in an order that works: billing before APIs, all APIs in one command, one step after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from heartbeat_core.checks.result import CheckReport, Result
from heartbeat_core.diagnosis.model import Remedy

OPEN = ("fail", "warn", "unknown")
ENABLE = ("gcloud", "services", "enable")


@dataclass(frozen=True)
class FixStep:
    """A command to run for a check; ``count`` is the number of checks that it fixes."""

    result: Result
    remedy: Remedy
    count: int = 1


def open_results(report: CheckReport) -> tuple[Result, ...]:
    """Return the results with fixes, in order; the APIs that are off are one result with one command.

    A check that could not be made because one of these is off has no fix of its own.
    """
    found = [result for result in report.results if result.status in OPEN and result.remedies]
    off = [result for result in found if result.group == "api" and enables(result.remedies[0])]
    if not off:
        return tuple(found)
    enabled = {service for result in off for service in services(result.remedies[0])}
    kept = tuple(result for result in found if result not in off and not services(result.remedies[0]) & enabled)
    # after the results of the project, whose billing the APIs need
    before = tuple(result for result in kept if result.group in ("host", "account", "project"))
    return (*before, together(off), *kept[len(before) :])


def together(off: list[Result]) -> Result:
    """Return one result for the APIs that are off, each of which has a command that enables it."""
    first = off[0].remedies[0]
    names = tuple(dict.fromkeys(service for result in off for service in sorted(services(result.remedies[0]))))
    if len(names) == 1:  # also where no API can be seen without it
        return off[0]
    flags = [word for word in first.command or () if word.startswith("--")]
    text = f"Enable {len(names)} APIs; takes a few minutes to propagate."
    remedy = replace(first, text=text, command=(*ENABLE, *names, *flags), changes="enables these APIs in the project")
    worst = next((result for result in off if result.status == "fail"), off[0])
    title = ", ".join(result.title.removesuffix(" API") for result in off)
    return replace(worst, title=f"APIs: {title}", summary=f"{len(names)} APIs are off", remedies=(remedy,))


def enables(remedy: Remedy) -> bool:
    return (remedy.command or ())[: len(ENABLE)] == ENABLE


def services(remedy: Remedy) -> frozenset[str]:
    """Return the services that a command enables."""
    command = (remedy.command or ())[len(ENABLE) :] if enables(remedy) else ()
    return frozenset(word for word in command if not word.startswith("--"))


def is_safe(remedy: Remedy) -> bool:
    """Return whether a command needs no decision: it costs nothing, deletes nothing, creates no project and is no alternative.

    A project that cannot be seen may be another user's, or misspelt.
    """
    decision = "delete" in remedy.changes or remedy.changes == "creates a project" or remedy.text.startswith("Or ")
    return remedy.costs is not True and not decision


def follows(remedy: Remedy) -> bool:
    """Return whether a fix is a further step of the one before, not an alternative."""
    return remedy.text.startswith("Then ") or "add-iam-policy-binding" in (remedy.command or ())


def chain_of(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return the commands that follow one another: what lists, what changes, and its further steps; empty where none changes anything."""
    steps: list[Remedy] = []
    changed = False
    for remedy in remedies:
        if remedy.command and is_safe(remedy) and (follows(remedy) if changed else True):
            steps.append(remedy)
            changed = changed or bool(remedy.changes)
    return tuple(steps) if changed else ()


def all_steps(report: CheckReport) -> tuple[FixStep, ...]:
    """Return every command that fixes something, each once, in an order that works."""
    steps: list[FixStep] = []
    for result in open_results(report):
        for remedy in chain_of(result.remedies):
            if remedy.command not in [step.remedy.command for step in steps]:
                steps.append(FixStep(result, remedy, max(1, len(services(remedy)))))
    return tuple(steps)
