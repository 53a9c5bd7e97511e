"""A comparison, drawn: the ratio large, latencies in one chart, distributions and figures side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Digits

from heartbeat_core.charts.latency import OverlayCurve
from heartbeat_core.charts.spec import curve_marker, curve_style, unit_for
from heartbeat_core.comparison.compare import between, change, p_words
from heartbeat_core.comparison.groups import costs, price_notes
from heartbeat_core.units import NOTHING, format_bytes_rate, format_ns, format_rate, format_share
from heartbeat_tui.benchmark.text import MARKS
from heartbeat_tui.widgets.chart import OverlayChart
from heartbeat_tui.widgets.histogram import draw as draw_histogram
from heartbeat_tui.widgets.pane import ChartPane, chart_keys, pane_key
from heartbeat_tui.widgets.table import fitted
from heartbeat_tui.widgets.text import Lines, sentence, styled, styled_line

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.comparison.compare import Comparison, Difference
    from heartbeat_core.comparison.groups import RunGroup
    from heartbeat_tui.runs.compared import Compared
    from heartbeat_tui.widgets.form import Form


REHEARSAL = "rehearsal on the CPU: not a TPU"

key = partial(pane_key, "comparison")


class ComparisonPane(ChartPane):
    """Draws one comparison."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "leave", "Back", "back to where you came from"),
        key("s", "swap", "Swap", "hold it the other way round"),
        *chart_keys("comparison"),
        key("u", "rates", "Cost …", "say what an hour of each device costs, to see what a million products cost", show=False),
        key("y", "copy", "Copy", "copy the comparison as text", show=False),
    ]

    def __init__(self, tabs: Iterable[tuple[str, str, str]], mode: str, compared: Compared) -> None:
        super().__init__(tabs, mode)
        self.compared = compared
        self.steady_only = True
        self.body: ComparisonBody | None = None

    async def fill(self) -> None:
        await self.mount_body()
        await self.mount_foot()
        self.show_labels(*([REHEARSAL] if any(side.rehearsal for side in self.compared.sides) else []))
        self.refresh_bindings()

    async def mount_body(self) -> None:

        self.body = ComparisonBody(self.compared)
        await self.query_one("#pane").mount(self.body)
        self.draw()

    def draw(self) -> None:
        if self.body is not None:
            self.body.show(log=self.log_scale, steady_only=self.steady_only)
        self.refresh_bindings()

    def offered(self) -> dict[str, bool]:
        return {
            "swap": len(self.compared.comparisons) == 1,
            **self.chart_offers(charted=True, detailed=self.low),
        }

    async def action_leave(self) -> None:
        await self.dismiss(None)

    async def action_swap(self) -> None:
        await self.replace_body(self.compared.swapped())

    async def action_rates(self) -> None:
        from heartbeat_tui.runs.forms import RateForm

        devices = dict.fromkeys(side.device for side in self.compared.sides)
        await self.open_form(RateForm(tuple(devices), self.compared.tariff.given), before=0)

    async def on_form_accepted(self, event: Form.Accepted) -> None:
        from heartbeat_tui.runs.forms import RateForm

        event.stop()
        await self.close_form()
        if isinstance(event.form, RateForm):
            await self.replace_body(self.compared.at(event.form.rates))

    async def replace_body(self, compared: Compared) -> None:
        self.compared = compared
        if self.body is not None:
            with self.app.batch_update():
                await self.body.remove()
                await self.mount_body()

    def action_details(self) -> None:
        super().action_details()
        if self.body is not None:
            self.body.take_keys()

    def action_copy(self) -> None:

        self.app.copy_to_clipboard(comparison_text(self.compared.comparisons, self.compared.doubts))
        self.notify("The comparison is on the clipboard.", markup=False)


Piece = tuple[str, str]  # text, ink
INKS = {"faster": "ok", "slower": "attention", "same": "strong", "cannot tell": "attention"}
LABEL = 13  # cells of the names of the rows


@dataclass(frozen=True)
class Headline:
    """The ratio for a glance: a number to be drawn large, empty where there is none, and what stands beside it, line by line."""

    number: str
    lines: tuple[tuple[Piece, ...], ...]


def side_name(side: RunGroup, number: int) -> Piece:
    """Name a side with its marker."""
    return f"{curve_marker(number)} {side.title}", curve_style(number)


def headline(comparison: Comparison, number: int = 1) -> Headline:
    """Say by how much the candidate, side ``number``, is quicker or slower than the reference."""
    this, that = side_name(comparison.candidate, number), side_name(comparison.reference, 0)
    styled = INKS[comparison.kind]
    if comparison.kind == "cannot tell":
        return Headline("", ((("? ", styled), *sides(this, "and", that)), ((f"{comparison.sentence}.", styled),)))
    sure = sureness(comparison)
    took = times(comparison, number)
    if comparison.kind == "same":
        return Headline("", ((("= no difference that these runs can show: ", styled), *sides(this, "and", that)), took, sure))
    figure, _, rest = change(comparison.ratio.value).partition(" ")  # "7.9 % more", "3.21 × slower"
    words = rest if "×" in rest else f"{rest} time"
    return Headline(figure, (((f"{words}: ", styled), *sides(this, "than", that)), took, sure))


def times(comparison: Comparison, number: int) -> tuple[Piece, ...]:
    """Say what both take, and where."""
    this, that = comparison.candidate, comparison.reference
    return (
        (f"{curve_marker(number)} {format_ns(this.ns)}", curve_style(number)),
        (f" on {this.where}", "plain"),
        (" · ", "quiet"),
        (f"{curve_marker(0)} {format_ns(that.ns)}", curve_style(0)),
        (f" on {that.where}", "plain"),
    )


def sides(this: Piece, between_: str, that: Piece) -> tuple[Piece, ...]:
    return this, (f" {between_} ", "quiet"), that


def sureness(comparison: Comparison) -> tuple[Piece, ...]:
    """Say how sure the ratio is."""
    ratio = comparison.ratio
    if ratio.low is None or ratio.high is None:
        return ((ratio.lacking, "attention"),)
    return ((f"{between(ratio.low, ratio.high)} with 95 % confidence · {ratio.test}, {p_words(ratio.p_value)}", "quiet"),)


def summary_line(comparison: Comparison, number: int = 1) -> tuple[Piece, ...]:
    """Say the same in one line."""
    this, that = side_name(comparison.candidate, number), side_name(comparison.reference, 0)
    styled = INKS[comparison.kind]
    ratio = comparison.ratio
    if comparison.kind == "cannot tell":
        return (*sides(this, "and", that), (f": {comparison.sentence}.", styled))
    range_ = f"  ({between(ratio.low, ratio.high)})" if ratio.low and ratio.high else ""
    if comparison.kind == "same":
        return (("= no difference shown: ", styled), *sides(this, "and", that), (range_, "quiet"))
    said = change(ratio.value)
    verb = "is" if "×" in said else "takes"
    words = f" {said} than " if "×" in said else f" {said} time than "
    return this, (f" {verb}", "plain"), (words, styled), that, (range_, "quiet")


def why(comparison: Comparison) -> str:
    """Say in one sentence what the difference comes from, as far as it is known."""
    if comparison.why:
        return sentence(comparison.why)
    other = spelled(difference for difference in comparison.differences if difference.work)
    if other:
        return sentence(f"they did other work: {other}")
    differ = spelled(comparison.differences)
    same = "the same work"
    return sentence(f"{same}; what differs: {differ}" if differ else f"{same} on the same device, and nothing else is known to differ")


def spelled(differences: Iterable[Difference]) -> str:
    return ", ".join(f"{each.what} {each.reference} against {each.candidate}" for each in differences)


# -- both sides in figures


def table(comparisons: Sequence[Comparison]) -> list[tuple[str, list[Piece]]]:
    """Set the sides beside one another, row by row; what no side has is left out."""
    every = [comparisons[0].reference, *(comparison.candidate for comparison in comparisons)]
    rows: list[tuple[str, list[Piece]]] = [
        ("", [side_name(side, number) for number, side in enumerate(every)]),
        ("where", [(side.where, "plain") for side in every]),
        ("product", [(f"{side.workload.batch}×{side.workload.hidden}×{side.workload.intermediate}", "plain") for side in every]),
        ("dtype", [(side.workload.dtype, "plain") for side in every]),
        ("method", [(side.method, "plain") for side in every]),
        ("processes", [(str(side.processes) if side.processes > 1 else NOTHING, "plain") for side in every]),
        ("median", [(format_ns(side.ns), "strong") for side in every]),
        ("from … to", [(span(side), "quiet") for side in every]),
        ("samples", [(f"{side.n:,}", "plain") for side in every]),
    ]
    for name, label in (("cold", "first beat"), ("compile", "compile"), ("transfer", "transfer")):
        rows.append((label, [(ns_or_nothing(side.apart_ns.get(name)), "plain") for side in every]))
    rows += [
        ("computes", [(format_rate(side.flops_per_s), "plain") for side in every]),
        ("moves", [(format_bytes_rate(side.bytes_per_s), "plain") for side in every]),
        ("of its limit", [(NOTHING if side.share is None else format_share(side.share), "plain") for side in every]),
        ("verdict", [(f"{MARKS[side.verdict][0]} {side.verdict}", MARKS[side.verdict][1]) for side in every]),
        ("a million cost", [(text, "plain") for text in costs(every)]),
    ]
    return [row for row in rows if any(text != NOTHING for text, _ in row[1])]


def span(side: RunGroup) -> str:
    return NOTHING if side.low_ns is None or side.high_ns is None else f"{format_ns(side.low_ns)} … {format_ns(side.high_ns)}"


def ns_or_nothing(ns: float | None) -> str:
    return NOTHING if ns is None else format_ns(ns)


def comparison_text(comparisons: Sequence[Comparison], doubts: Iterable[str]) -> str:
    """Write the comparison and what makes it doubtful as plain text, for the clipboard."""
    rows = table(comparisons)
    widths = [max(len(row[1][index][0]) for row in rows) for index in range(len(rows[0][1]))]
    lines = [
        f"{label:<15}" + "  ".join(f"{text:>{width}}" for (text, _), width in zip(cells, widths, strict=True)) for label, cells in rows
    ]
    for comparison in comparisons:
        lines += ["", f"{comparison.sentence}.", why(comparison)]
    return "\n".join(line.rstrip() for line in [*lines, *(f"warning: {warning}" for warning in doubts)]) + "\n"


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
        styled_line([(name.ljust(label), "quiet"), *((f"  {fitted(text, room, right=True)}", kind) for text, kind in cells)])
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
            said = [*(styled(doubt, "attention") for doubt in doubts), *(styled(note, "quiet") for note in notes)]
            self.set_lines([*rows, *([Content("")] if said else []), *said])


class Distribution(Lines):
    """The steady samples of one side; sides that lie near one another share their bins, so that they can be held together."""

    def __init__(self, number: int, side: RunGroup, bins: Counts, marks: dict[str, float]) -> None:
        super().__init__(classes="panel distribution")
        self.number, self.side, self.bins, self.marks = number, side, bins, marks

    def on_resize(self) -> None:
        width, height = self.size
        if width and height:
            bins = self.bins(self.number, height)
            unit = f", {unit_for(bins[-1].low_ns)[1]}" if bins else ""
            self.border_title = f"{curve_marker(self.number)} {self.side.title}{unit}"
            self.set_lines(
                draw_histogram(bins, width, self.marks, curve_style(self.number)) or [styled("There is no room for it.", "quiet")]
            )


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
            yield Lines().with_text(*map(styled_line, head.lines))
        yield Lines(id="ratio-gist").with_text(styled_line(summary_line(first)))
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
        return [
            styled(why(first), "plain"),
            *(styled_line(summary_line(comparison, number)) for number, comparison in enumerate(others, 2)),
        ]

    def doubts(self) -> list[Content]:
        """Say what makes it doubtful; all of it stands below the figures as well."""
        found = self.compared.doubts
        more = f" ({len(found) - 1} more below the figures)" if len(found) > FEW else ""
        return [styled(f"! {warning}{more if not number else ''}", "attention") for number, warning in enumerate(found)]

    def marks(self, number: int) -> dict[str, float]:
        quantiles = self.compared.quantiles(number)
        return {name: quantiles[q] for name, q in MARKED if q in quantiles}

    def show(self, *, log: bool, steady_only: bool) -> None:
        """Draw the chart."""
        curves = [
            OverlayCurve(number, f"{side.title} {format_ns(side.ns)}", snapshot.chart)
            for number, (side, snapshots) in enumerate(zip(self.compared.sides, self.compared.snapshots, strict=True))
            for snapshot in snapshots
        ]
        self.query_one(OverlayChart).show(curves, log=log, steady_only=steady_only)
