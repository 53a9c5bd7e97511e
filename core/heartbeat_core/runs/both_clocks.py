"""The handbook's clock, then the honest one, on the same work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.benchmark.report import Report
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.course import Course, Leg


class BothClocks(Course):
    """Two legs; the second one only where the first has ended well. ``handbook`` is its report, None until then."""

    kind = "clocks"
    total = 2

    def __init__(self, plan: Plan, group: str = "") -> None:
        super().__init__(group)
        same = replace(plan, iterations=plan.iterations or 100, duration_s=None)
        first, second = replace(same, method="handbook"), replace(same, method="synchronized")
        self.coming = [Leg(1, first.method, first), Leg(2, second.method, second)]
        self.handbook: Report | None = None

    @property
    def more(self) -> bool:
        return bool(self.coming) and not self.stopped

    def next(self) -> Leg | None:
        return self.coming.pop(0) if self.more else None

    def ended(self, leg: Leg, report: Report, path: Path | None) -> None:
        """Keep the first report; where that run failed there is nothing to hold the other against."""
        del path
        if leg.number == 1:
            self.handbook = report
        if report.ending is None or not report.ending.clean:
            self.coming.clear()

    def refused(self, leg: Leg, error: HeartbeatError) -> None:
        del leg, error
        self.coming.clear()
