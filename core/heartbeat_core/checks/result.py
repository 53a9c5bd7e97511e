"""Results of checks, and the report they form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from heartbeat_core.cloud.auth import Principal
from heartbeat_core.cloud.session import Evidence
from heartbeat_core.cloud.target import Target
from heartbeat_core.diagnosis.model import Remedy

SCHEMA = 1
Status = Literal["pass", "warn", "fail", "unknown", "blocked", "not_applicable"]

GLYPHS: dict[Status, str] = {"pass": "✓", "warn": "!", "fail": "✗", "unknown": "?", "blocked": "…", "not_applicable": "–"}
# As shown, each with the groups of checks in it.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("this machine", ("host",)),
    ("account", ("account",)),
    ("project and APIs", ("project", "api")),
    ("permissions", ("iam",)),
    ("network and policies", ("network", "policy")),
    ("quota", ("quota",)),
    ("zone", ("zone",)),
    ("Ray cluster", ("ray",)),
)
GROUPS: tuple[str, ...] = tuple(group for _, groups in SECTIONS for group in groups)


def group_of(check_id: str) -> str:
    """Return the group of a check: "quota.cpus" → "quota"."""
    return check_id.partition(".")[0]


@dataclass(frozen=True)
class Result:
    """The result of one check: ``summary`` in a line, ``why`` it matters; ``blocked_by`` are the checks to fix first."""

    id: str
    group: str
    question: str
    status: Status
    summary: str
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    blocked_by: tuple[str, ...] = ()
    permission: str = ""
    link: str | None = None
    took_ms: float = 0.0
    title: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "title": self.title or self.id,
            "why": self.why or None,
            "evidence": [evidence.to_json() for evidence in self.evidence],
            "remedies": [remedy.to_json() for remedy in self.remedies],
            "blocked_by": list(self.blocked_by),
            "permission": self.permission or None,
            "took_ms": round(self.took_ms, 1),
        }


@dataclass(frozen=True)
class CheckReport:
    """All results in the order of the checklist, for one target; ``principal`` is the account that was used, None if unknown."""

    results: tuple[Result, ...]
    target: Target | None = None
    principal: Principal | None = None

    @property
    def ready(self) -> bool | None:
        """Return whether all checks that apply pass, None where one is unknown and none failed, or where none applies; warnings pass."""
        statuses = {result.status for result in self.results} - {"not_applicable"}
        if "fail" in statuses:
            return False
        return True if statuses and statuses <= {"pass", "warn"} else None

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.status == "fail")

    @property
    def steps_left(self) -> int:
        """Return the number of failures; blocked checks may add to it."""
        return len(self.failed)

    @property
    def next(self) -> Result | None:
        """Return the result to fix next: the first failure, else the first unknown."""
        unknown = (result for result in self.results if result.status == "unknown")
        return next(iter(self.failed), next(unknown, None))

    def get(self, check_id: str) -> Result | None:
        return next((result for result in self.results if result.id == check_id), None)

    def sections(self) -> tuple[tuple[str, tuple[Result, ...]], ...]:
        """Return the results of each section, empty sections left out."""
        found = ((title, tuple(result for result in self.results if result.group in groups)) for title, groups in SECTIONS)
        return tuple((title, results) for title, results in found if results)

    def headline(self) -> str:
        if self.ready:
            return "ready"
        if self.ready is None:
            return "could not tell" if any(result.status != "not_applicable" for result in self.results) else "nothing to check"
        least = "at least " if any(result.status == "blocked" for result in self.results) else ""
        return f"{least}{self.steps_left} step{'s' * (self.steps_left != 1)} left"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "ready": self.ready,
            "steps_left": self.steps_left,
            "next": self.next.id if self.next else None,
            "principal": str(self.principal) if self.principal else None,
            "target": self.target.to_json() if self.target else None,
            "checks": [result.to_json() for result in self.results],
        }


def count(results: Iterable[Result]) -> dict[Status, int]:
    """Return the number of results of each status that occurs, in the order of the glyphs."""
    kept = [result.status for result in results]
    return {status: kept.count(status) for status in GLYPHS if status in kept}
