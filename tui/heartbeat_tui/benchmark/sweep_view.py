"""Everything a sweep shows: both charts, its points as a table, and what they mean."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content

from heartbeat_core.benchmark.parameters import written
from heartbeat_core.benchmark.verdict import badge
from heartbeat_core.charts.sweep import latency_sweep_chart, roofline_chart
from heartbeat_core.columns import aligned
from heartbeat_core.experiments.experiment import TrialResult
from heartbeat_core.experiments.knee import knee_meaning, knee_notes
from heartbeat_core.experiments.sweep import Swept
from heartbeat_core.units import NOTHING, format_bytes_rate, format_ns, format_rate, format_share, significant
from heartbeat_tui.benchmark.body import Body
from heartbeat_tui.benchmark.session import Snapshot
from heartbeat_tui.benchmark.text import interval_text
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.text import Lines, sentence, styled

TITLES = ("latency", "95 % CI", "computed", "moved", "of peak")
BEFORE = "Points appear as they are measured; each is a run of its own, and is recorded."


class SweepBody(Body):
    """Shows a sweep, growing or loaded from its recordings; draws anew only where a point has come."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    SweepBody { display: none; height: 1fr; }
    .-sweep SweepBody { display: block; }
    #sweep-charts { height: 1fr; layout: horizontal; }
    #sweep-charts Chart { width: 1fr; height: 1fr; }
    #sweep-below { height: 14; layout: horizontal; }
    #sweep-below VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    #sweep-table { width: 80; }
    #sweep-meaning { width: 1fr; }
    #sweep-points { text-wrap: nowrap; text-overflow: ellipsis; }
    #sweep-worst { display: none; height: 3; padding: 0 1; }
    .-idle SweepBody, .-form SweepBody { display: none; }
    .-narrow #sweep-below { layout: vertical; }
    .-narrow #sweep-below #sweep-table, .-narrow #sweep-below #sweep-meaning { width: 100%; }
    .-low #sweep-below { display: none; }
    .-low #sweep-worst { display: block; }
    .-low.-details #sweep-below { display: block; height: 1fr; }
    .-low.-details #sweep-charts, .-low.-details #sweep-worst { display: none; }
    """

    swept: Swept | None = None

    def compose(self) -> ComposeResult:
        with Container(id="sweep-charts"):
            yield Chart(classes="panel", id="roofline-chart")
            yield Chart(classes="panel", id="sweep-chart")
        with Container(id="sweep-below"):
            with VerticalScroll(classes="panel", id="sweep-table") as table:
                table.border_title = "points"
                yield Lines(id="sweep-points")
            with VerticalScroll(classes="panel", id="sweep-meaning") as scroll:
                scroll.border_title = "findings"
                yield Lines(id="sweep-words")
        yield Lines(id="sweep-worst")

    def show(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        del log, steady_only  # its charts have scales of their own
        assert snapshot.swept is not None
        before, self.swept = self.swept, (swept := snapshot.swept)
        if before is not None and before.points == swept.points and before.group == swept.group:
            return
        empty = "Fills as points are measured."
        self.query_one("#roofline-chart", Chart).draw(partial(roofline_chart, swept), title="roofline", empty=empty)
        self.query_one("#sweep-chart", Chart).draw(partial(latency_sweep_chart, swept), title="latency", empty=empty)
        self.query_one("#sweep-points", Lines).set_lines(table(swept))
        self.query_one("#sweep-table", VerticalScroll).scroll_end(animate=False)
        words = meaning(swept)
        self.query_one("#sweep-words", Lines).set_lines(words)
        self.query_one("#sweep-worst", Lines).set_lines(words[:1])

    def take_keys(self) -> None:
        self.query_one("#sweep-table").focus()


def table(swept: Swept) -> list[Content]:
    names = [axis.name for axis in swept.axes]
    titles = ["tokens/s" if title == "computed" and swept.limit else title for title in TITLES]
    starts = aligned([names, *([written(point.values[name]) for name in names] for point in swept.points)], left=())
    figures = aligned([titles, *(figures_of(point) or [""] * len(TITLES) for point in swept.points)], left=())
    lines = [styled(f"  {starts[0]}  {figures[0]}", "quiet")]
    for point, start, figure in zip(swept.points, starts[1:], figures[1:], strict=True):
        lines.append(Content.assemble(styled(f"  {start}", "strong"), styled(figure and f"  {figure}", "plain"), judgement(point)))
    return lines


def figures_of(point: TrialResult) -> tuple[str, ...]:
    """Return the figures under TITLES; none where the point was not measured."""
    report = point.report
    if report is None or point.ns is None:
        return ()
    share = format_share(report.share) if report.share else NOTHING
    computed = significant(point.limit.tokens_per_s) if point.limit else format_rate(report.flops_per_s or 0)
    rates = computed, format_bytes_rate(report.bytes_per_s or 0)
    return (format_ns(point.ns), interval_text(report) or NOTHING, *rates, share)


def judgement(point: TrialResult) -> Content:
    if point.report is None or point.ns is None:
        return styled(f"  ✗ not measured: {point.error.title if point.error else 'no figures'}", "attention")
    word, kind = badge(point.report.quality.kind)
    return styled(f"  {word[:1] if kind == 'ok' else word}", kind)


def meaning(swept: Swept) -> list[Content]:
    """Return what the points mean, the most important first: the knee, what it means for serving, and warnings."""
    lines: list[Content] = []
    going = len(swept.points) < swept.total
    for curve in swept.curves:
        knee = curve.knee
        if knee is None or (going and knee.kind != "knee"):
            continue
        before = f"{curve.name}: " if curve.name else ""
        so_far = "So far: " if going else ""
        first, *rest = knee_meaning(knee)
        lines.append(styled(before + so_far + first, "strong" if knee.kind == "knee" else "plain"))
        lines += [styled(before + text, "plain") for text in rest]
        lines += [styled(f"! {before}{note}", "attention") for note in knee_notes(knee)]
    for point in swept.missing:
        if point.error:
            lines.append(styled(f"! {point.trial.name} was not measured: {sentence(point.error.title)} {point.error.cause}", "attention"))
    if going:
        lines.append(styled(f"{len(swept.points)} of {swept.total} points so far. {BEFORE}", "quiet"))
    elif not lines:
        lines.append(styled("A knee is looked for along the batch; here the points stand for themselves.", "quiet"))
    return lines
