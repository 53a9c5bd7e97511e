"""Everything several hosts show together: a table with the slow ones first and how each did over time, their chart, and the result."""

from __future__ import annotations

import math
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from heartbeat_core.columns import GAP
from heartbeat_core.fleet.columns import COLUMNS
from heartbeat_core.fleet.heat import HeatHistory
from heartbeat_core.fleet.slow_hosts import FleetFindings, HostFinding
from heartbeat_core.units import format_share
from heartbeat_tui.benchmark.body import Body, draw_chart
from heartbeat_tui.benchmark.session import Snapshot
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.table import MARGIN, Table
from heartbeat_tui.widgets.text import Lines, retitle, styled, styled_line

LEAST_STRIP, MOST_STRIP = 14, 120  # cells of the history of a host; a sixth of a wide screen
HEAT = ((1, "▁", "ok"), (2, "▃", "attention"), (4, "▅", "attention"), (math.inf, "█", "failed"))  # up to so many times what matters
NO_HEAT = ("·", "quiet")


def heat_cell(ratio: float, max_slow: float) -> tuple[str, str]:
    """Return the glyph and the style of one cell: the slower, the higher."""
    if math.isnan(ratio):
        return NO_HEAT
    return next((glyph, style) for times, glyph, style in HEAT if ratio <= 1 + times * max_slow)


def heat_legend(max_slow: float) -> str:
    steps = " · ".join(f"{glyph} ≤ {format_share(times * max_slow)}" for times, glyph, _ in HEAT[:-1])
    return f"slower than the median: {steps} · {HEAT[-1][1]} more"


class FleetTable(Table[HostFinding]):
    """A row a host; what the columns leave of the width is its history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", tooltip="open this host as a run: its chart and its figures", id="heartbeat.open"),
    ]
    heat = HeatHistory()
    max_slow = 0.0

    def __init__(self) -> None:
        super().__init__(COLUMNS, ("", False), id="fleet-table")

    def show_findings(self, found: FleetFindings, heat: HeatHistory) -> None:
        self.heat, self.max_slow = heat, found.max_slow
        self.show(found.hosts, {}, self.order)
        self.refresh()  # the history of every row has grown; only those that are visible are drawn

    def room(self, width: int) -> int:
        return width - MARGIN - max(LEAST_STRIP, (width - MARGIN) // 6) - GAP

    @property
    def strip_width(self) -> int:
        return min(MOST_STRIP, self.size.width - MARGIN - sum(cells + GAP for _, cells in self.shown))

    def draw_heading(self) -> Content:
        each = f", {self.heat.cell_s(self.strip_width):g} s a cell"
        title = "OVER TIME" + each * (self.strip_width >= len("OVER TIME" + each))
        return super().draw_heading() + styled(" " * GAP + title, "quiet")

    def draw_row(self, index: int, width: int) -> Content:
        cells = [heat_cell(ratio, self.max_slow) for ratio in self.heat.row(self.keys[index], self.strip_width)]
        runs = [("".join(glyph for glyph, _ in run), style) for style, run in groupby(cells, key=lambda cell: cell[1])]
        return super().draw_row(index, width) + styled_line([(" " * GAP, "plain"), *runs])


class FleetBody(Body):
    """The table, the chart of the hosts whose samples are here, and the result in a sentence."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    FleetBody { display: none; height: 1fr; }
    .-fleet FleetBody { display: block; }
    .-idle FleetBody, .-form FleetBody, .-sweep FleetBody { display: none; }
    #fleet-panel { height: 1fr; padding: 0; border-subtitle-color: $text-muted; border-subtitle-style: none; }
    #fleet-chart { display: none; height: 1fr; }
    FleetBody.-charted #fleet-panel { height: auto; max-height: 50%; }
    FleetBody.-charted #fleet-table { height: auto; max-height: 100%; }
    FleetBody.-charted #fleet-chart { display: block; }
    #fleet-result { height: auto; max-height: 3; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel", id="fleet-panel"):
            yield FleetTable()
        yield Chart(classes="panel", id="fleet-chart")
        yield Lines(id="fleet-result")

    @property
    def key(self) -> str | None:
        return self.query_one(FleetTable).key

    def take_keys(self) -> None:
        self.query_one(FleetTable).focus()

    def show(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        assert snapshot.fleet is not None
        found = snapshot.fleet.findings
        self.set_class(len(snapshot.hosts) > 1, "-charted")
        panel = self.query_one("#fleet-panel")
        retitle(panel, f"{len(found.hosts)} hosts")
        panel.border_subtitle = heat_legend(found.max_slow)
        self.query_one(FleetTable).show_findings(found, snapshot.fleet.heat)
        going = snapshot.fleet.state != "ended"
        style = "failed" if found.of("slow", "wrong") else "quiet" if going else "attention" if found.of("unsure") else "ok"
        self.query_one("#fleet-result", Lines).set_lines([styled(found.sentence, style), *reasons(found, going=going)])
        self.show_chart(snapshot, log=log, steady_only=steady_only)

    def show_chart(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        if len(snapshot.hosts) > 1:
            draw_chart(self.query_one("#fleet-chart", Chart), snapshot, log=log, steady_only=steady_only)


def reasons(found: FleetFindings, *, going: bool) -> list[Content]:
    """Return why the first hosts are not judged or slow; while they run only what is slow, lost or wrong."""
    named = [one for one in found.of("wrong", "slow", "unsure") if not going or one.verdict != "unsure" or one.host.lost]
    return [styled(f"{one.host.name}: {one.reason}", "plain") for one in named[:2]]
