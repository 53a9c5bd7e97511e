"""A comparison, drawn: the ratio large, latencies in one chart, distributions and figures side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Digits

from heartbeat_core.comparison.groups import price_notes
from heartbeat_core.units import format_ns
from heartbeat_tui.widgets.columns import fitted
from heartbeat_tui.widgets.comparison_words import Piece, gist, headline, table, why
from heartbeat_tui.widgets.histogram import draw as draw_histogram
from heartbeat_tui.widgets.overlay import Curve, OverlayChart, ink_of, marker_of
from heartbeat_tui.widgets.scale import unit_for
from heartbeat_tui.widgets.text import Lines, ink, inked

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.comparison.groups import Side
    from heartbeat_tui.compared import Compared

MARKED = (("median", 0.5), ("p95", 0.95))
MOST_SIDES, MOST_NARROW = 3, 2  # whose distributions are drawn on a very wide screen, and on others
FEW = 3  # doubts that there is room for above the chart
Counts = Callable[[int, int], tuple["Bin", ...]]  # side, bins


def table_lines(rows: Sequence[tuple[str, list[Piece]]], width: int) -> list[Content]:
    """Set the rows in columns of equal width, numbers at the right."""
    label = max(len(name) for name, _ in rows) + 1
    columns = len(rows[0][1])
    room = max(6, (width - label - 1) // columns - 2)
    return [
        inked([(name.ljust(label), "quiet"), *((f"  {fitted(text, room, right=True)}", kind) for text, kind in cells)])
        for name, cells in rows
    ]


class SidesTable(Lines):
    """The sides in figures, and all that makes the comparison doubtful."""

    def __init__(self, compared: Compared) -> None:
        super().__init__(id="sides-rows")
        self.compared = compared

    def on_resize(self) -> None:
        width = self.size.width
        if width:
            doubts = [part for warning in self.compared.doubts for part in wrap(f"! {warning}", width - 1)]
            rows = table_lines(table(self.compared.comparisons), width)
            notes = [part for note in price_notes(self.compared.sides) for part in wrap(f"{note}.", width - 1)]
            said = [*(ink(doubt, "attention") for doubt in doubts), *(ink(note, "quiet") for note in notes)]
            self.set_lines([*rows, *([Content("")] if said else []), *said])


class Distribution(Lines):
    """The steady samples of one side; sides that lie near one another share their bins, so that they can be held together."""

    def __init__(self, number: int, side: Side, bins: Counts, marks: dict[str, float]) -> None:
        super().__init__(classes="panel distribution")
        self.number, self.side, self.bins, self.marks = number, side, bins, marks

    def on_resize(self) -> None:
        width, height = self.size
        if width and height:
            bins = self.bins(self.number, height)
            unit = f", {unit_for(bins[-1].low_ns)[1]}" if bins else ""
            self.border_title = f"{marker_of(self.number)} {self.side.title}{unit}"
            self.set_lines(draw_histogram(bins, width, self.marks, ink_of(self.number)) or [ink("There is no room for it.", "quiet")])


class ComparisonBody(Container):
    """Ratio and reason above, chart and distributions below; on a low screen one of both."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    ComparisonBody { height: 1fr; }
    #ratio { height: 3; margin: 1 1 0 1; }
    #ratio Digits { width: auto; min-width: 3; text-style: bold; margin-right: 2; }
    #ratio.-faster Digits { color: $text-success; }
    #ratio.-slower Digits { color: $text-warning; }
    #ratio.-wordless Digits { display: none; }
    #ratio-gist { display: none; margin: 0 1; }
    #ratio-why, #ratio-doubts { margin: 0 1; }
    #ratio-doubts { max-height: 4; }
    .-low #ratio-doubts { max-height: 2; }
    .-low.-details #ratio-doubts { display: none; }
    .-tall #ratio-why { margin: 1 1 0 1; }
    OverlayChart { height: 3fr; }
    #sides { width: 100%; height: 2fr; min-height: 12; }  /* 1fr would leave room for the margins of the others */
    #sides .panel { height: 1fr; }
    .distribution { width: 2fr; text-wrap: nowrap; }
    #sides-table { width: 4fr; scrollbar-size-vertical: 1; }
    #sides-table Lines { text-wrap: nowrap; }
    .-narrow #sides { layout: vertical; height: 4fr; }
    .-narrow #sides-table { width: 100%; height: 3fr; }
    .-low #ratio, .-low #sides, .-low.-details OverlayChart { display: none; }
    .-low #ratio-gist { display: block; }
    .-low.-details #sides { display: block; height: 1fr; }
    #distributions { width: 4fr; }
    .-narrow #distributions { width: 100%; height: 2fr; }
    .-many #distributions { display: none; }  /* there is room for two beside one another */
    .-very-wide .-many #distributions { display: block; width: 7fr; }
    """

    def __init__(self, compared: Compared) -> None:
        super().__init__(classes="-many" if len(compared.sides) > MOST_NARROW else "")
        self.compared = compared

    def take_keys(self) -> None:
        """Let the arrows scroll the figures."""
        self.query_one("#sides-table").focus()

    def compose(self) -> ComposeResult:
        first = self.compared.comparisons[0]
        head = headline(first)
        classes = f"-{first.kind}" if " " not in first.kind else ""
        with Horizontal(id="ratio", classes=classes if head.number else f"{classes} -wordless"):
            yield Digits(head.number)
            yield Lines().with_text(*map(inked, head.lines))
        yield Lines(id="ratio-gist").with_text(inked(gist(first)))
        yield Lines(id="ratio-why").with_text(*self.reasons())
        yield Lines(id="ratio-doubts").with_text(*self.doubts())
        yield OverlayChart(classes="panel")
        with Horizontal(id="sides"):
            with Horizontal(id="distributions"):
                for number, side in enumerate(self.compared.sides[:MOST_SIDES]):
                    yield Distribution(number, side, self.compared.bins, self.marks(number))
            with VerticalScroll(id="sides-table", classes="panel") as box:
                box.border_title = "side by side"
                yield SidesTable(self.compared)

    def reasons(self) -> list[Content]:
        """Say why, and how the other candidates stand."""
        first, *others = self.compared.comparisons
        return [ink(why(first), "plain"), *(inked(gist(comparison, number)) for number, comparison in enumerate(others, 2))]

    def doubts(self) -> list[Content]:
        """Say what makes it doubtful; all of it stands below the figures as well."""
        found = self.compared.doubts
        more = f" ({len(found) - 1} more below the figures)" if len(found) > FEW else ""
        return [ink(f"! {warning}{more if not number else ''}", "attention") for number, warning in enumerate(found)]

    def marks(self, number: int) -> dict[str, float]:
        quantiles = self.compared.quantiles(number)
        return {name: quantiles[q] for name, q in MARKED if q in quantiles}

    def show(self, *, log: bool, steady_only: bool) -> None:
        """Draw the chart."""
        curves = [
            Curve(number, f"{side.title} {format_ns(side.ns)}", snapshot.chart)
            for number, (side, snapshots) in enumerate(zip(self.compared.sides, self.compared.snapshots, strict=True))
            for snapshot in snapshots
        ]
        self.query_one(OverlayChart).show(curves, log=log, steady_only=steady_only)
