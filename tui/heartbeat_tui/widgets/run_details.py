"""The run pointed at: what is known of it from the list at once, its chart and environment when it has been read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content

from heartbeat_core.telemetry.text import chip_line
from heartbeat_core.units import format_ns
from heartbeat_tui.widgets.chart import LatencyChart
from heartbeat_tui.widgets.run_words import Piece
from heartbeat_tui.widgets.text import Lines, ink

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report
    from heartbeat_tui.messages import Snapshot

LABEL, WIDER_LABEL = 12, 13  # cells
SKIPPED = frozenset({"rehearsal", "features"})  # said elsewhere, or longer than its worth


def fact_lines(facts: Iterable[tuple[str, Piece]], width: int, label_width: int = LABEL) -> list[Content]:
    """Write each fact beside its label, what does not fit below it."""
    lines = []
    for label, (text, kind) in facts:
        for number, part in enumerate(wrap(text, max(10, width - label_width)) or [""]):
            lines.append(Content.assemble(ink(("" if number else label).ljust(label_width), "quiet"), ink(part, kind)))
    return lines


def environment_of(report: Report) -> list[tuple[str, Piece]]:
    """List where it ran, and how long what was done besides the beats took."""
    facts: list[tuple[str, Piece]] = [
        (name.replace("_", " "), (str(value), "plain"))
        for name, value in report.environment.items()
        if value not in (None, "", {}, []) and name not in SKIPPED
    ]
    done = " · ".join(f"{name} {format_ns(ns)}" for name, ns in report.stages.items() if ns is not None)
    return [*facts, *([("besides", (done, "plain"))] if done else [])]


class RunDetails(Horizontal):
    """Facts, chart and environment side by side, as many as there is room for."""

    SCOPED_CSS = False  # it depends on the classes of the screen

    DEFAULT_CSS = """
    RunDetails { height: 10; }
    RunDetails .panel { height: 1fr; }
    RunDetails VerticalScroll { scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    RunDetails #run-facts { width: 3fr; }
    RunDetails LatencyChart { width: 2fr; min-width: 28; }
    RunDetails #run-environment { width: 2fr; display: none; }
    .-tall RunDetails { height: 13; }
    .-wide RunDetails #run-environment { display: block; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="panel", id="run-facts", can_focus=False) as facts:
            facts.border_title = "this run"
            yield Lines(id="run-facts-lines")
        yield LatencyChart(classes="panel", id="run-chart")
        with VerticalScroll(classes="panel", id="run-environment", can_focus=False) as environment:
            environment.border_title = "where it ran"
            yield Lines(id="run-environment-lines")

    facts: Sequence[tuple[str, Piece]] = ()
    environment: Sequence[tuple[str, Piece]] = ()

    def draw_facts(self) -> None:
        for name, facts, label in (("run-facts", self.facts, LABEL), ("run-environment", self.environment, WIDER_LABEL)):
            width = self.query_one(f"#{name}").scrollable_content_region.width
            self.query_one(f"#{name}-lines", Lines).set_lines(fact_lines(facts, width, label))

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw_facts)

    def show(self, facts: Sequence[tuple[str, Piece]], snapshot: Snapshot | None, title: str) -> None:
        """Show what is known; without a ``snapshot`` the chart stays empty."""
        box = self.query_one("#run-facts", VerticalScroll)
        box.border_title = title
        self.facts, self.environment = facts, environment_of(snapshot.report) if snapshot is not None else ()
        self.draw_facts()
        chart = self.query_one(LatencyChart)
        if snapshot is None:
            chart.clear()
            return
        statistics = snapshot.report.statistics
        chart.show(
            snapshot.chart,
            log=True,
            steady_only=False,
            expected=None,
            median_ns=statistics.median_ns if statistics else None,
            chips=chip_line(snapshot.report),
        )
