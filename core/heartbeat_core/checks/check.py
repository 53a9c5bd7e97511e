"""What a check is: a question, what it depends on, and the function that finds the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heartbeat_core.checks.result import Status, group_of
from heartbeat_core.diagnosis.model import Remedy

if TYPE_CHECKING:
    from heartbeat_core.checks.context import Context

LIMIT_S = 10.0


@dataclass(frozen=True)
class Finding:
    """What a check found: a status, a line that says it, and what it means and mends."""

    status: Status
    summary: str
    why: str = ""
    remedies: tuple[Remedy, ...] = ()
    link: str | None = None


@dataclass(frozen=True)
class Check:
    """One question of the checklist.

    It is asked when all of ``needs`` have been answered, and not asked at all where one of them failed. ``permission`` is the
    least that the one who asks must have, empty for none. ``limit_s`` bounds it, waiting for a shared answer included.
    """

    id: str
    question: str
    ask: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()
    permission: str = ""
    limit_s: float = LIMIT_S
    link: str | None = None

    @property
    def group(self) -> str:
        return group_of(self.id)


def passed(summary: str, why: str = "") -> Finding:
    return Finding("pass", summary, why)


def warned(summary: str, why: str = "", *remedies: Remedy, link: str | None = None) -> Finding:
    return Finding("warn", summary, why, remedies, link)


def failed(summary: str, why: str = "", *remedies: Remedy, link: str | None = None) -> Finding:
    return Finding("fail", summary, why, remedies, link)


def unknown(summary: str, why: str = "", *remedies: Remedy, link: str | None = None) -> Finding:
    return Finding("unknown", summary, why, remedies, link)


def not_applicable(summary: str) -> Finding:
    return Finding("not_applicable", summary)
