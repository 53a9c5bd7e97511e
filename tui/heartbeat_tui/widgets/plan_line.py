"""One line about the run: what it is at the left, how far it has come at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from heartbeat_core.units import format_count
from heartbeat_tui.widgets.bars import progress
from heartbeat_tui.widgets.live import LiveLines
from heartbeat_tui.widgets.text import ink
from heartbeat_tui.widgets.words import clock, plan_line

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.benchmark.report import Report

SHORTEST, LONGEST = 8, 24  # cells of the bar


def how_far(report: Report) -> tuple[float | None, str]:
    """Give the share done, None where the end is not known, and its words with the time left."""
    if report.state == "starting":
        begun = report.stages.get("transfer") is not None
        return 0.0, "starting …" if not begun else "in the loop …" if report.plan.method == "handbook" else "first beat …"
    if report.state == "ended":
        kind = report.ending.kind if report.ending else "done"
        return None, f"{kind} · {format_count(report.count)} in {clock(report.elapsed_s)}"
    left = clock(report.remaining_s) if report.remaining_s is not None else clock(report.elapsed_s)
    if report.state in ("paused", "stopping", "finishing"):
        left = report.state
    if report.wanted:
        return report.count / report.wanted, f"{format_count(report.count)}/{format_count(report.wanted)}  {left}"
    if report.remaining_s is not None and report.elapsed_s + report.remaining_s > 0:
        return report.elapsed_s / (report.elapsed_s + report.remaining_s), f"{format_count(report.count)}  {left}"
    return None, f"{format_count(report.count)} so far  {left}"


class PlanLine(LiveLines):
    """The plan of the run, and its progress."""

    plan: Plan | None = None
    report: Report | None = None
    waiting = ""

    def show(self, plan: Plan, report: Report | None, waiting: str = "") -> None:
        """Show the plan; ``waiting`` says what a run waits for that has not begun yet."""
        self.plan, self.report, self.waiting = plan, report, waiting
        self.on_resize()

    def on_resize(self) -> None:
        if self.plan is not None:
            self.set_lines([self.drawn(self.plan, self.size.width)])

    def drawn(self, plan: Plan, width: int) -> Content:
        if self.report is None and not self.waiting:
            return ink(" " + plan_line(plan, {}, width - 2), "quiet")
        share, words = (None, self.waiting) if self.waiting or self.report is None else how_far(self.report)
        environment = self.report.environment if self.report is not None else {}
        left = " " + plan_line(plan, environment, width - len(words) - 4 - (SHORTEST + 2 if share is not None else 0))
        length = min(LONGEST, width - len(left) - len(words) - 5) if share is not None else 0
        done, rest = progress(share or 0.0, length)
        space = " " * (width - len(left) - length - len(words) - 3)
        return Content.assemble(ink(left, "quiet"), space, ink(done, "beat"), ink(rest, "quiet"), "  ", ink(words, "plain"))
