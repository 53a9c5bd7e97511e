"""Where a visitor stands on the tour, and what the steps so far have shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.benchmark.report import Report
from heartbeat_core.tour.steps import STEPS, Step

Phase = Literal["before", "running", "after"]


@dataclass
class Tour:
    """``running`` tells whether the run of the present step is on its way; ``lacks`` says why it cannot run here, if so."""

    steps: tuple[Step, ...] = STEPS
    at: int = 0
    running: bool = False
    lacks: str = ""
    reports: dict[str, Report] = field(default_factory=dict)

    @property
    def step(self) -> Step:
        return self.steps[self.at]

    @property
    def phase(self) -> Phase:
        if self.running:
            return "running"
        return "after" if self.step.plan is None or self.step.name in self.reports else "before"

    @property
    def first(self) -> bool:
        return self.at == 0

    @property
    def last(self) -> bool:
        return self.at == len(self.steps) - 1

    def go(self, by: int) -> None:
        """Go to another step, as far as there are any."""
        self.at = max(0, min(self.at + by, len(self.steps) - 1))
        self.running = False

    def took(self, report: Report) -> bool:
        """Take in how a run stands; tell whether it is that of the present step."""
        if self.step.plan is None or not same_work(report.plan, self.step.plan):
            return False
        self.running = report.ending is None
        if report.ending is not None:
            self.reports[self.step.name] = report
        return True

    def conclusions(self) -> tuple[str, ...]:
        return self.step.conclude(self.reports)


def same_work(one: Plan, other: Plan) -> bool:
    """Tell whether two plans differ at most in the measuring of a ceiling afterwards."""
    return replace(one, calibrate=False) == replace(other, calibrate=False)
