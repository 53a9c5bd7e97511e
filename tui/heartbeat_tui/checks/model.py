"""The checks at one moment, and what a target can be chosen from, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import CheckReport


@dataclass(frozen=True)
class Watch:
    """A check that is looked at until it turns: how often it was, and how long until the next look."""

    check_id: str
    tries: int
    wait_s: float


@dataclass(frozen=True)
class Checklist:
    """The checks at one moment: all there are, the answers so far, and those being asked."""

    report: CheckReport
    checks: tuple[Check, ...]
    asking: frozenset[str] = frozenset()
    busy: bool = False
    watch: Watch | None = None
    endpoint: str | None = None
