"""The comparison pane: the ratio large, latencies in one chart, distributions and figures side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Digits

from heartbeat_core.benchmark.verdict import GLYPH_STYLES
from heartbeat_core.charts.latency import TITLE, OverlayCurve, overlay_chart
from heartbeat_core.charts.recorded import distribution_chart
from heartbeat_core.charts.spec import curve_marker, curve_style
from heartbeat_core.columns import StyledText, fitted
from heartbeat_core.comparison.compare import Comparison, Difference, between, change, test_words
from heartbeat_core.comparison.groups import RunGroup, group_table, price_notes
from heartbeat_core.units import format_ns
from heartbeat_tui.runs.compared import Compared, comparison_lines
from heartbeat_tui.runs.forms import RateForm
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.pane import ChartPane, PaneContext, chart_keys, pane_key
from heartbeat_tui.widgets.text import Lines, sentence, styled, styled_line

REHEARSAL = "rehearsal on the CPU: not a TPU"

key = partial(pane_key, "comparison")


class ComparisonPane(ChartPane):
    """Draws one comparison."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "dismiss", "Back", "back to where you came from"),
        key("s", "swap", "Swap", "exchange reference and candidate"),
        *chart_keys("comparison"),
        key("u", "rates", "Cost …", "set what an hour of each device costs, to see what a million products cost", show=False),
        key("y", "copy", "Copy", "copy the comparison as text", show=False),
    ]

    def __init__(self, context: PaneContext, mode: str, compared: Compared) -> None:
        super().__init__(context, mode)
        self.compared = compared
        self.steady_only = True
        self.body = ComparisonBody(compared)

    async def fill(self) -> None:
        await self.fill_with(self.body)
        self.show_labels(*([REHEARSAL] if any(group.rehearsal for group in self.compared.groups) else []))

    def draw(self) -> None:
        if self.filled:
            self.body.show(log=self.log_scale, steady_only=self.steady_only)
        self.refresh_bindings()

    def offered(self) -> dict[str, bool]:
        return {"swap": len(self.compared.comparisons) == 1, **self.chart_offers(charted=True, detailed=self.low)}

    async def action_swap(self) -> None:
        await self.replace_body(self.compared.swapped())

    async def action_rates(self) -> None:
        devices = dict.fromkeys(group.device for group in self.compared.groups)
        form = RateForm(tuple(devices), self.compared.rates.given)
        await self.open_form(form, lambda form: self.replace_body(self.compared.at(form.rates)), before=0)

    async def replace_body(self, compared: Compared) -> None:
        self.compared = compared
        with self.app.batch_update():
            await self.body.remove()
            self.body = ComparisonBody(compared)
            await self.query_one("#pane").mount(self.body)
            self.draw()

    def action_details(self) -> None:
        super().action_details()
        self.body.take_keys()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(comparison_lines(self.compared.comparisons, self.compared.left_out)) + "\n")
        self.notify("The comparison is on the clipboard.", markup=False)


Line = tuple[StyledText, ...]
KIND_STYLES = {"faster": "ok", "slower": "attention", "same": "strong", "cannot tell": "attention"}


def group_name(group: RunGroup, number: int) -> StyledText:
    return f"{curve_marker(number)} {group.title}", curve_style(number)


def headline(comparison: Comparison) -> tuple[str, list[Line]]:
    """Return by how much the first candidate is faster or slower: a number to draw large, empty if there is none, and lines beside it."""
    this, that = group_name(comparison.candidate, 1), group_name(comparison.reference, 0)
    style, other = KIND_STYLES[comparison.kind], other_work(comparison)
    first: list[Line] = [((f"! The work differs: {other}.", "attention"),)] if other else []
    if comparison.kind == "cannot tell":
        return "", [*first, (("? ", style), *names(this, "and", that)), ((f"{comparison.sentence}.", style),)]
    figure = ""
    said: Line = ("= no difference that these runs can show: ", style), *names(this, "and", that)
    if comparison.kind != "same":
        figure, _, rest = change(comparison.ratio.value).partition(" ")  # "7.9 % more", "3.21 × slower"
        said = (f"{rest if '×' in rest else f'{rest} time'}: ", style), *names(this, "than", that)
    return figure, [*first, said, times(comparison), *([] if other else [sureness(comparison)])]


def times(comparison: Comparison) -> Line:
    this, that = comparison.candidate, comparison.reference
    return (
        (f"{curve_marker(1)} {format_ns(this.ns)}", curve_style(1)),
        (f" on {this.where}", "plain"),
        (" · ", "quiet"),
        (f"{curve_marker(0)} {format_ns(that.ns)}", curve_style(0)),
        (f" on {that.where}", "plain"),
    )


def names(this: StyledText, between_: str, that: StyledText) -> Line:
    return this, (f" {between_} ", "quiet"), that


def sureness(comparison: Comparison) -> Line:
    """Return the confidence interval of the ratio, and the test."""
    ratio = comparison.ratio
    if ratio.low is None or ratio.high is None:
        return ((ratio.lacking, "attention"),)
    return ((f"95 % CI {between(ratio.low, ratio.high)} · {test_words(ratio)}", "quiet"),)


def summary_line(comparison: Comparison, number: int = 1) -> Line:
    this, that = group_name(comparison.candidate, number), group_name(comparison.reference, 0)
    style = KIND_STYLES[comparison.kind]
    ratio = comparison.ratio
    if comparison.kind == "cannot tell":
        return (*names(this, "and", that), (f": {comparison.sentence}.", style))
    range_ = f"  (95 % CI {between(ratio.low, ratio.high)})" if ratio.low and ratio.high else ""
    if comparison.kind == "same":
        return (("= no difference shown: ", style), *names(this, "and", that), (range_, "quiet"))
    figure = change(ratio.value)
    verb = "is" if "×" in figure else "takes"
    words = f" {figure} than " if "×" in figure else f" {figure} time than "
    other = other_work(comparison)
    first: Line = ((f"! The work differs: {other}. ", "attention"),) if other else ()
    return (*first, this, (f" {verb}", "plain"), (words, style), that, (range_, "quiet"))


def why(comparison: Comparison) -> str:
    """Return what the difference comes from, in one sentence, as far as it is known."""
    if comparison.why:
        return sentence(comparison.why)
    if other_work(comparison):  # said first
        return sentence("".join(text for text, _ in sureness(comparison)))
    differ = spelled(comparison.differences)
    if differ:
        return f"The same work; what differs: {differ}."
    return "The same work on the same device, and nothing else is known to differ."


def other_work(comparison: Comparison) -> str:
    """Return what makes the two other work, empty where they did the same."""
    return spelled(difference for difference in comparison.differences if difference.work)


def spelled(differences: Iterable[Difference]) -> str:
    return ", ".join(f"{each.what} {each.reference} and {each.candidate}" for each in differences)


# -- figures side by side


def figures(compared: Compared) -> list[tuple[str, list[StyledText]]]:
    """Return the rows of the table of all groups: (label, cells)."""
    groups = compared.groups
    styles = {"median": "strong", "95 % CI": "quiet"}
    _, *rows = group_table(groups)
    table: list[tuple[str, list[StyledText]]] = [("", [group_name(group, number) for number, group in enumerate(groups)])]
    for label, *cells in rows:
        table.append((label, [(cell, GLYPH_STYLES.get(cell[:1]) or styles.get(label, "plain")) for cell in cells]))
    return table


FEW = 3  # warnings that there is room for above the chart


def table_lines(rows: Sequence[tuple[str, list[StyledText]]], width: int) -> list[Content]:
    """Return the rows in columns of equal width, aligned right."""
    label = max(len(name) for name, _ in rows) + 1
    columns = len(rows[0][1])
    room = max(6, (width - label - 1) // columns - 2)
    return [
        styled_line([(name.ljust(label), "quiet"), *((f"  {fitted(text, room, right=True)}", kind) for text, kind in cells)])
        for name, cells in rows
    ]


def side_by_side(compared: Compared, width: int) -> list[Content]:
    rows = table_lines(figures(compared), width)
    warnings = [part for warning in compared.warnings for part in wrap(f"! {warning}", width - 1)]
    prices = [part for note in price_notes(compared.groups) for part in wrap(f"{note}.", width - 1)]
    notes = [*(styled(warning, "attention") for warning in warnings), *(styled(note, "quiet") for note in prices)]
    return [*rows, *([Content("")] if notes else []), *notes]


class ComparisonBody(Container):
    """Ratio and reason above, chart and distributions below; on a low screen one of the two."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    ComparisonBody { height: 1fr; }
    #ratio { height: 3; margin: 1 1 0 1; }
    #ratio Digits { width: auto; min-width: 3; text-style: bold; margin-right: 2; }
    #ratio.-faster Digits { color: $text-success; }
    #ratio.-slower Digits { color: $text-warning; }
    #ratio.-wordless Digits { display: none; }
    #ratio-summary { display: none; margin: 0 1; }
    #ratio-why, #ratio-warnings { margin: 0 1; }
    #ratio-warnings { max-height: 4; }
    .-low #ratio-warnings { max-height: 2; }
    .-low.-details #ratio-warnings { display: none; }
    .-tall #ratio-why { margin: 1 1 0 1; }
    #overlay { height: 3fr; }
    #groups { width: 100%; height: 2fr; min-height: 12; }  /* 1fr would leave room for the margins of the others */
    #groups .panel { height: 1fr; }
    #distribution { width: 4fr; }
    #side-by-side { width: 4fr; scrollbar-size-vertical: 1; }
    #side-by-side Lines { text-wrap: nowrap; }
    .-narrow #groups { layout: vertical; height: 4fr; }
    .-narrow #side-by-side { width: 100%; height: 3fr; }
    .-low #ratio, .-low #groups, .-low.-details #overlay { display: none; }
    .-low #ratio-summary { display: block; }
    .-low.-details #groups { display: block; height: 1fr; }
    .-narrow #distribution { width: 100%; height: 2fr; }
    """

    def __init__(self, compared: Compared) -> None:
        super().__init__()
        self.compared = compared

    def take_keys(self) -> None:
        self.query_one("#side-by-side").focus()

    def compose(self) -> ComposeResult:
        first = self.compared.comparisons[0]
        number, lines = headline(first)
        classes = f"-{first.kind}" if " " not in first.kind else ""
        with Horizontal(id="ratio", classes=classes if number else f"{classes} -wordless"):
            yield Digits(number)
            yield Lines().with_text(*map(styled_line, lines))
        yield Lines(id="ratio-summary").with_text(styled_line(summary_line(first)))
        yield Lines(id="ratio-why").with_text(*self.reasons())
        yield Lines(id="ratio-warnings").with_text(*self.warnings())
        yield Chart(classes="panel", id="overlay")
        with Horizontal(id="groups"):
            yield Chart(classes="panel", id="distribution")
            with VerticalScroll(id="side-by-side", classes="panel") as box:
                box.border_title = "side by side"
                yield Lines(id="figures-rows")

    def reasons(self) -> list[Content]:
        """Return why, and the headlines of the other candidates."""
        first, *others = self.compared.comparisons
        return [
            styled(why(first), "plain"),
            *(styled_line(summary_line(comparison, number)) for number, comparison in enumerate(others, 2)),
        ]

    def warnings(self) -> list[Content]:
        """Return the warnings; all of them stand below the figures as well."""
        found = self.compared.warnings
        more = f" ({len(found) - 1} more below the figures)" if len(found) > FEW else ""
        return [styled(f"! {warning}{more if not number else ''}", "attention") for number, warning in enumerate(found)]

    def show(self, *, log: bool, steady_only: bool) -> None:
        curves = [
            OverlayCurve(number, f"{group.title} {format_ns(group.ns)}", snapshot.chart)
            for number, (group, snapshots) in enumerate(zip(self.compared.groups, self.compared.snapshots, strict=True))
            for snapshot in snapshots
        ]
        self.query_one("#overlay", Chart).draw(partial(overlay_chart, curves, log=log, steady_only=steady_only), title=TITLE)
        self.query_one("#figures-rows", Lines).show_sized(lambda width, _: side_by_side(self.compared, width))
        self.query_one("#distribution", Chart).draw(
            lambda _, height: distribution_chart(self.compared.runs, self.compared.groups, height), empty="Too small to draw."
        )
