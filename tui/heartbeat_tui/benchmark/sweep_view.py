"""Everything a sweep shows: both charts, its points as a table, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content

from heartbeat_core.benchmark.parameters import varied
from heartbeat_core.benchmark.roofline import Roof, floor
from heartbeat_core.experiments.knee import Knee, knee_gist, knee_notes, knee_serving
from heartbeat_core.experiments.sweep import SweepCurve, SweepPoint, Swept
from heartbeat_core.units import FLOP_RATE, NOTHING, format_bytes_rate, format_ns, format_rate, format_share, significant
from heartbeat_tui.benchmark.text import MARKS, half_interval
from heartbeat_tui.widgets.chart import ChartScale, unit_for
from heartbeat_tui.widgets.scatter_chart import Mark, Plot, PlotChart, VerticalLine, log_scale
from heartbeat_tui.widgets.text import Lines, sentence, styled

TITLE = "{unit} against FLOP/byte, under the roof (log)"


def roofline_plot(curves: Sequence[SweepCurve], knees: Sequence[Knee | None], height: int) -> Plot | None:
    """Lay out the points and the roof over them; None where there are no points."""
    marks = tuple(
        Mark(point.config.workload.intensity, point.report.flops_per_s, number)
        for number, curve in enumerate(curves)
        for point in curve.points
        if point.report and point.report.flops_per_s
    )
    if not marks:
        return None
    roof = common_roof(curves)
    reach = [mark.x for mark in marks]
    rates = [mark.y for mark in marks]
    if roof is not None:
        turn = roof.flops_per_s / roof.bytes_per_s
        reach += [turn] if turn < 30 * max(reach) else []
        rates += [min(roof.flops_per_s, max(reach) * roof.bytes_per_s), min(roof.flops_per_s, min(reach) * roof.bytes_per_s)]
    x, y = log_scale(reach, 40), log_scale(rates, height)
    size, _ = unit_of(y.high)
    return Plot(
        x=x,
        y=y,
        labels=tuple((tick, significant(tick, 1)) for tick in x.ticks),
        tick=lambda value: f"{value / size:.4g}",
        marks=marks,
        rules=tuple(rule for number, knee in enumerate(knees) if (rule := knee_rule(knee, number, len(knees)))),
        line=(lambda intensity: min(roof.flops_per_s, intensity * roof.bytes_per_s)) if roof else None,
        legend=tuple(curve.name for curve in curves) if len(curves) > 1 else (),
    )


def common_roof(curves: Sequence[SweepCurve]) -> Roof | None:
    """Find the roof over the first curve: another dtype has another one, and two lines over mixed points would mislead."""
    roofs = [curve.roof for curve in curves]
    return roofs[0] if roofs and all(roof == roofs[0] for roof in roofs) else None


def knee_rule(knee: Knee | None, number: int, of: int) -> VerticalLine | None:
    """Mark the knee at the intensity where both fitted lines meet."""
    if knee is None or knee.kind != "knee" or not knee.flops_per_s or not knee.bytes_per_s:
        return None
    return VerticalLine(knee.flops_per_s / knee.bytes_per_s, "knee" if of == 1 else f"knee {number + 1}")


def roofline_title(plot: Plot) -> str:
    return TITLE.format(unit=unit_of(plot.y.high)[1])


def unit_of(flops_per_s: float) -> tuple[float, str]:
    fitting = [unit for unit in FLOP_RATE if unit[0] <= flops_per_s]
    return fitting[-1] if fitting else FLOP_RATE[0]


def sweep_plot(swept: Swept, curves: Sequence[SweepCurve], knees: Sequence[Knee | None], height: int) -> Plot | None:
    """Lay out the latencies; None where there are none. Words stand at even distances, numbers by their logarithm."""
    axis = swept.main
    places = {value: float(value) if isinstance(value, int) else float(index + 1) for index, value in enumerate(axis.values)}
    marks = tuple(
        Mark(places[point.values[axis.name]], point.ns, number)
        for number, curve in enumerate(curves)
        for point in curve.points
        if point.ns and point.values[axis.name] in places
    )
    if not marks:
        return None
    span = list(places.values())
    x = log_scale(span, 40, room=1.15) if axis.numeric else ChartScale(0.5, len(span) + 0.5, False, ())
    floors = floors_of(curves)
    y = log_scale([mark.y for mark in marks] + [value for value in floors.values() if value], height)
    size, _ = unit_for(y.high)
    return Plot(
        x=x,
        y=y,
        labels=tuple((places[value], f"{value:,}" if isinstance(value, int) else value) for value in axis.values),
        tick=lambda value: f"{value / size:.4g}",
        marks=marks,
        rules=tuple(
            VerticalLine(knee.batch, "knee" if len(knees) == 1 else f"knee {number + 1}")
            for number, knee in enumerate(knees)
            if knee is not None and knee.batch is not None
        ),
        line=floor_line(curves) if axis.name == "batch" else None,
        legend=tuple(curve.name for curve in curves) if len(curves) > 1 else (),
    )


def floors_of(curves: Sequence[SweepCurve]) -> dict[float, float]:
    """Give the floor of each measured batch, nanoseconds, where all curves share a roof."""
    if common_roof(curves) is None:
        return {}
    reports = [point.report for curve in curves for point in curve.points if point.report]
    return {float(report.config.workload.batch): report.floor.ns for report in reports if report.floor}


def floor_line(curves: Sequence[SweepCurve]) -> FloorLine | None:
    """Give the floor of every batch, also between those measured."""
    roof = common_roof(curves)
    return FloorLine(curves[0]) if roof is not None else None


class FloorLine:
    """The floor under a curve as a function of the batch."""

    def __init__(self, curve: SweepCurve) -> None:
        self.config, self.roof = curve.points[0].config, curve.roof

    def __call__(self, batch: float) -> float | None:
        whole = round(batch)
        if self.roof is None or whole < 1:
            return None
        return floor(varied(self.config, {"batch": whole}).workload, self.roof).ns


def sweep_title(swept: Swept, plot: Plot) -> str:
    scale = " (log)" if swept.main.numeric else ""
    return f"latency, {unit_for(plot.y.high)[1]}, against {swept.main.name}{scale}"


COLUMNS = (("latency", 16), ("computed", 15), ("moved", 10), ("of floor", 9))
BEFORE = "Points appear as they are measured; each is a run of its own, and is recorded."


class SweepBody(Container):
    """Shows a sweep, growing or loaded from its recordings; draws anew only where a point has come."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    SweepBody { display: none; height: 1fr; }
    .-sweep SweepBody { display: block; }
    #sweep-charts { height: 1fr; layout: horizontal; }
    #sweep-charts PlotChart { width: 1fr; height: 1fr; }
    #sweep-below { height: 14; layout: horizontal; }
    #sweep-below VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    #sweep-table { width: 72; }
    #sweep-meaning { width: 1fr; }
    #sweep-points { text-wrap: nowrap; text-overflow: ellipsis; }
    #sweep-gist { display: none; height: 3; padding: 0 1; }
    .-idle SweepBody, .-form SweepBody { display: none; }
    .-narrow #sweep-below { layout: vertical; }
    .-narrow #sweep-below #sweep-table, .-narrow #sweep-below #sweep-meaning { width: 100%; }
    .-low #sweep-below { display: none; }
    .-low #sweep-gist { display: block; }
    .-low.-details #sweep-below { display: block; height: 1fr; }
    .-low.-details #sweep-charts, .-low.-details #sweep-gist { display: none; }
    """

    swept: Swept | None = None
    knees: tuple[Knee | None, ...] = ()

    def compose(self) -> ComposeResult:
        with Container(id="sweep-charts"):
            yield PlotChart(classes="panel", id="roofline-chart")
            yield PlotChart(classes="panel", id="sweep-chart")
        with Container(id="sweep-below"):
            with VerticalScroll(classes="panel", id="sweep-table") as table:
                table.border_title = "points"
                yield Lines(id="sweep-points")
            with VerticalScroll(classes="panel", id="sweep-meaning") as scroll:
                scroll.border_title = "what it means"
                yield Lines(id="sweep-words")
        yield Lines(id="sweep-gist")

    def show(self, swept: Swept) -> None:
        """Draw a sweep as far as it is."""
        before, self.swept = self.swept, swept
        if before is not None and before.points == swept.points and before.group == swept.group:
            return
        curves = swept.curves()
        self.knees = tuple(curve.knee() for curve in curves)
        self.show_charts(swept, curves)
        points = self.query_one("#sweep-points", Lines)
        points.set_lines(table(swept))
        self.query_one("#sweep-table", VerticalScroll).scroll_end(animate=False)
        words = meaning(swept, curves, self.knees)
        self.query_one("#sweep-words", Lines).set_lines(words)
        self.query_one("#sweep-gist", Lines).set_lines(words[:1])

    def take_keys(self) -> None:
        """Let the arrows scroll the points; tab goes on to what they mean."""
        self.query_one("#sweep-table").focus()

    def show_charts(self, swept: Swept, curves: Sequence[SweepCurve]) -> None:
        roofline, latency = self.query_one("#roofline-chart", PlotChart), self.query_one("#sweep-chart", PlotChart)
        left, right = roofline_plot(curves, self.knees, 20), sweep_plot(swept, curves, self.knees, 20)
        roofline.show(lambda _, height: roofline_plot(curves, self.knees, height), roofline_title(left) if left else "")
        latency.show(lambda _, height: sweep_plot(swept, curves, self.knees, height), sweep_title(swept, right) if right else "")


def table(swept: Swept) -> list[Content]:
    """Write one line a point, under a header."""
    names = [axis.name for axis in swept.axes]
    widths = [max(len(axis.name), *(len(written(value)) for value in axis.values)) + 2 for axis in swept.axes]
    header = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    lines = [styled(header + "".join(f"{title:>{width}}" for title, width in COLUMNS), "quiet")]
    for point in swept.points:
        values = "".join(f"{written(point.values[name]):>{width}}" for name, width in zip(names, widths, strict=True))
        lines.append(Content.assemble(styled(values, "strong"), *figures_of(point)))
    return lines


def written(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def figures_of(point: SweepPoint) -> list[Content]:
    report = point.report
    if report is None or point.ns is None:
        return [styled(f"  ✗ not measured: {point.error.title if point.error else 'no figures'}", "attention")]
    half = half_interval(report)
    latency = format_ns(point.ns) + (f" ±{half}" if half else "")
    cells = (latency, format_rate(report.flops_per_s or 0), format_bytes_rate(report.bytes_per_s or 0))
    share = format_share(report.share) if report.share else NOTHING
    text = "".join(f"{cell:>{width}}" for cell, (_, width) in zip((*cells, share), COLUMNS, strict=True))
    glyph, kind = MARKS[report.verdict.kind]
    word = "" if report.verdict.kind == "plausible" else f" {report.verdict.kind}"
    return [styled(text, "plain"), styled(f"  {glyph}{word}", kind)]


def meaning(swept: Swept, curves: Sequence[SweepCurve], knees: Sequence[Knee | None]) -> list[Content]:
    """Say what the points mean, the most important first: the knee, what it means for serving, and what to be wary of."""
    lines: list[Content] = []
    going = len(swept.points) < swept.total
    for curve, knee in zip(curves, knees, strict=True):
        if knee is None or (going and knee.kind != "knee"):
            continue
        before = f"{curve.name}: " if curve.name else ""
        so_far = "So far: " if going else ""
        lines.append(styled(before + so_far + knee_gist(knee), "strong" if knee.kind == "knee" else "plain"))
        lines += [styled(before + text, "plain") for text in (knee_serving(knee),) if text]
        lines += [styled(f"! {before}{note}", "attention") for note in knee_notes(knee)]
    for point in swept.missing:
        if point.error:
            lines.append(styled(f"! {point.name} was not measured: {sentence(point.error.title)} {point.error.cause}", "attention"))
    if going:
        lines.append(styled(f"{len(swept.points)} of {swept.total} points so far. {BEFORE}", "quiet"))
    elif not lines:
        lines.append(styled("A knee is looked for along the batch; here the points stand for themselves.", "quiet"))
    return lines
