"""The checks at one moment, and what a target can be chosen from, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import CheckReport


@dataclass(frozen=True)
class Watch:
    """A check that repeats until it passes: how often it ran, and the wait before the next run."""

    check_id: str
    tries: int
    wait_s: float


@dataclass(frozen=True)
class Checklist:
    """The checks at one moment: all of them, the results so far, and those that run."""

    report: CheckReport
    checks: tuple[Check, ...]
    asking: frozenset[str] = frozenset()
    busy: bool = False
    watch: Watch | None = None
    endpoint: str | None = None
