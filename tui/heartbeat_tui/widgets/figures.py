"""The figures of a run, at the head of the pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Digits

from heartbeat_core.units import NOTHING
from heartbeat_tui.widgets.live import LiveLines
from heartbeat_tui.widgets.text import ink
from heartbeat_tui.widgets.words import Figures, figures, split_unit

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report


WIDE = 92  # cells from which the columns stand further apart


def block(shown: Figures, width: int) -> list[Content]:
    """Set the figures in three lines, in columns that keep their width; the median's number is drawn large beside them."""
    rows = (
        (split_unit(shown.median)[1], "last", shown.last, shown.rate, shown.verdict, shown.verdict_ink),
        (
            shown.median_name,
            "p95",
            shown.p95,
            shown.computed,
            f"{shown.share} {shown.share_of}",
            "quiet" if shown.share == NOTHING else "plain",
        ),
        (f"±{shown.half}" if shown.half else "", "max", shown.max, shown.moved, shown.source, "quiet"),
    )
    gap = " " * (4 if width < WIDE else 8)
    return [
        Content.assemble(
            ink(f"{beside:<10}", "quiet" if index else "beat"),
            gap[4:],
            ink(f"{name:<5}", "quiet"),
            figure(value, 8),
            gap[3:],
            figure(throughput, 14),
            gap,
            ink(judged, judged_ink),
        )
        for index, (beside, name, value, throughput, judged, judged_ink) in enumerate(rows)
    ]


def figure(value: str, width: int) -> Content:
    """Set a figure right-aligned, and quietly where there is none yet."""
    return ink(value.rjust(width), "quiet" if value == NOTHING else "strong")


def line(shown: Figures, width: int) -> Content:
    """Set the most important figures in one line."""
    parts = [
        (
            ink(f"{shown.median:>8}", "quiet" if shown.median == NOTHING else "beat")
            + ink(f" ±{shown.half}".ljust(7) if shown.half else " " * 7, "quiet"),
            15,
        ),
        (ink("  p95 ", "quiet") + figure(shown.p95, 7), 13),
        (figure(shown.rate, 14), 14),
        (figure(shown.computed, 15), 15),
        (figure(shown.moved, 12), 12),
        (ink("  max ", "quiet") + figure(shown.max, 7), 13),
        (ink("  last ", "quiet") + figure(shown.last, 7), 14),
    ]
    left = width - 15  # the verdict and the space before it
    kept = []
    for content, cells in parts:
        if cells > left:
            break
        left -= cells
        kept.append(content)
    return Content("").join([*kept, Content("   "), ink(shown.verdict, shown.verdict_ink)])


class Head(Horizontal):
    """The median drawn large and the other figures in three lines; on a low screen all of them in one."""

    shown = Figures()

    def compose(self) -> ComposeResult:
        yield Digits("", id="median")
        yield LiveLines(id="figures")
        yield LiveLines(id="figures-line")

    def show(self, report: Report | None) -> None:
        self.shown = figures(report)
        number = "" if self.shown.median == NOTHING else split_unit(self.shown.median)[0]
        median = self.query_one(Digits)
        if median.value != number:
            median.update(number)
        self.on_resize()

    def on_resize(self) -> None:
        self.query_one("#figures", LiveLines).set_lines(block(self.shown, self.size.width))
        self.query_one("#figures-line", LiveLines).set_lines([line(self.shown, self.size.width)])
