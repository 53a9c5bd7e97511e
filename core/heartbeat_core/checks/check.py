"""The definition of a check: its title and question, what it needs, and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heartbeat_core.checks.context import Context
from heartbeat_core.checks.result import Status, group_of
from heartbeat_core.diagnosis.model import Remedy

LIMIT_S = 10.0
EXISTS = ("project.exists",)  # what most checks of the project need


@dataclass(frozen=True)
class Finding:
    """The outcome of a check: a status, a summary in a line, why, and what fixes it; ``link`` is a page, None for that of the check."""

    status: Status
    summary: str
    why: str = ""
    remedies: tuple[Remedy, ...] = ()
    link: str | None = None


@dataclass(frozen=True)
class Check:
    """One check of the checklist; ``title`` is a noun phrase.

    It runs when all of ``needs`` have a result, and not at all where one of them failed. ``permission`` is the one its calls need,
    empty for none. ``limit_s`` includes waiting for a shared query.
    """

    id: str
    title: str
    question: str
    run: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()
    permission: str = ""
    limit_s: float = LIMIT_S
    link: str | None = None

    @property
    def group(self) -> str:
        return group_of(self.id)


def passed(summary: str, why: str = "") -> Finding:
    return Finding("pass", summary, why)


def warned(summary: str, why: str = "", *remedies: Remedy) -> Finding:
    return Finding("warn", summary, why, remedies)


def failed(summary: str, why: str = "", *remedies: Remedy) -> Finding:
    return Finding("fail", summary, why, remedies)


def unknown(summary: str, why: str = "", *remedies: Remedy, link: str | None = None) -> Finding:
    return Finding("unknown", summary, why, remedies, link)


def not_applicable(summary: str) -> Finding:
    return Finding("not_applicable", summary)
