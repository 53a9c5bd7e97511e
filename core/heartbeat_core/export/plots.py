"""Charts as PNG, SVG or PDF files, drawn by matplotlib: the one file that knows it.

matplotlib is an extra, and takes a third of a second to import: it is imported where a figure is drawn. No display is needed.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from heartbeat_core.charts.recorded import distribution_chart, run_chart, runs_overlay
from heartbeat_core.charts.spec import Axis, ChartSpec
from heartbeat_core.charts.sweep import latency_sweep_chart, roofline_chart
from heartbeat_core.charts.trend import trend_chart
from heartbeat_core.comparison.groups import MeasuredRun
from heartbeat_core.comparison.trend import Trend
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.knee import knee_meaning
from heartbeat_core.experiments.sweep import Swept
from heartbeat_core.export.tables import Exported
from heartbeat_core.units import format_interval, format_ns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


CELLS = (120, 30)  # the detail of a chart: as on a large screen
INCHES, DPI = (13.0, 5.2), 150
WORDS = 170  # characters of a line below the charts
FAINT, ACCENT, WARNING = "#6b7480", "#0b6f8c", "#8a5a00"
COLOURS = {
    "steady": ACCENT,
    "band": ACCENT,
    "levels": ACCENT,
    "compile": WARNING,
    "knee": WARNING,
    "caption": "#23272d",
    "cold": "#23272d",
    "series-0": ACCENT,
    "series-1": "#a8327d",
    "series-2": "#5b4bb5",
    "series-3": "#66661a",
}  # others are faint
MARKERS = {"●": "o", "▲": "^", "■": "s", "◆": "D", "✚": "P", "○": "o", "△": "^", "▼": "v", "□": "s", "◇": "D", "✕": "x", "↑": "^"}
HOLLOW = "○△□◇"


def check_matplotlib() -> None:
    """Raise HeartbeatError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        remedy = "Install it: pip install 'heartbeat-tui[plots]', or pip install matplotlib."
        raise HeartbeatError("matplotlib is not installed", "It draws the charts of png, svg and pdf files.", remedy)


def runs_figure(exported: Exported) -> Figure:
    """Draw the latencies of at least one run beside their distribution; below them stands what the comparisons come to."""
    runs, groups = exported.runs, exported.figures
    alone = runs[0] if len(runs) == 1 else None
    latency = run_chart(alone.report, alone.series, *CELLS) if alone else runs_overlay(exported.groups, groups, *CELLS)
    title = alone.entry.title if alone else f"{len(runs)} runs"
    words = [run_line(run) for run in runs]
    words += [f"{text}." for comparison in exported.comparisons for text in (comparison.sentence, comparison.why) if text]
    words += [difference.sentence for comparison in exported.comparisons for difference in comparison.differences if difference.work]
    labels = (label for run in runs for label in run.report.labels if "recorded on" not in label)
    return figure_of(title, (latency, distribution_chart(exported.groups, groups, CELLS[1])), (*words, *labels))


def sweep_figure(swept: Swept) -> Figure:
    """Draw a sweep under its roof, and its latencies; raise HeartbeatError where no point was measured."""
    if not swept.curves:
        raise HeartbeatError("the sweep holds no measured point", "There is nothing to draw.", "Choose another sweep.", exit_code=3)
    charts = (roofline_chart(swept, *CELLS), latency_sweep_chart(swept, *CELLS))
    words = [(f"{curve.name}: " if curve.name else "") + " ".join(knee_meaning(curve.knee)) for curve in swept.curves if curve.knee]
    reports = [point.report for point in swept.measured if point.report]
    labels = (label for report in reports for label in report.labels if "recorded on" not in label)
    return figure_of(f"Sweep of {' and '.join(axis.name for axis in swept.axes)}", charts, (*words, *labels))


def trend_figure(trend: Trend) -> Figure:
    """Draw the medians of one benchmark over time; below stands what changed when."""
    words = [f"{point.started:%Y-%m-%d %H:%M} {point.figures.title}: {point.sentence}" for point in trend.points if point.change]
    return figure_of(trend.title, (trend_chart(trend, *CELLS),), words)


def run_line(run: MeasuredRun) -> str:
    found, config = run.statistics, run.report.config
    interval = f" (95 % CI {format_interval(*found.interval)})" if found.interval else ""
    where = f"{run.entry.where}, {config.workload.shape} {config.workload.dtype}, {config.method}"
    return f"{run.entry.title}: {format_ns(run.report.iteration_ns)}{interval}, {where}"


def settings() -> Any:
    """Return the context in which a figure is drawn and written: text stays text in SVG, and "$" is no formula."""
    import matplotlib as mpl

    return mpl.rc_context({"svg.fonttype": "none", "text.parse_math": False, "font.size": 9.0})


def figure_of(title: str, charts: Sequence[ChartSpec | None], words: Iterable[str]) -> Figure:
    """Return a figure with the charts side by side and sentences below."""
    from matplotlib.figure import Figure

    drawn = [spec for spec in charts if spec is not None]
    lines = [line for text in dict.fromkeys(words) for line in wrap(text, WORDS, break_long_words=False, break_on_hyphens=False)]
    with settings():
        figure = Figure(figsize=(INCHES[0], INCHES[1] + 0.17 * len(lines)), dpi=DPI, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", size=9.0)
        for axes, spec in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
            draw_chart(axes, spec)
    return figure


def figure_bytes(figure: Figure, format_: str) -> bytes:
    made = io.BytesIO()
    with settings(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks is drawn as a box
        figure.savefig(made, format=format_)
    return made.getvalue()


def draw_chart(axes: Axes, spec: ChartSpec) -> None:
    axes.set_title(spec.title, loc="left", size=9.0)
    set_axis(axes.xaxis, spec.x)
    set_axis(axes.yaxis, spec.y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    for band in spec.bands:
        axes.fill_between(band.x, band.low, band.high, color=colour(band.style), alpha=0.2, linewidth=0)
    for rule in spec.rules:
        draw = axes.axvline if rule.vertical else axes.axhline
        draw(rule.at, color=colour(rule.style), linestyle=":", linewidth=1.0)
    for curve in spec.curves:
        style = marker_style(curve.marker, joined=curve.joined)
        axes.plot(curve.x, curve.y, color=colour(curve.style), linestyle="-" if curve.joined else "", linewidth=1.2, **style)
    for caption in spec.captions:
        side = "right" if caption.right else "left"
        axes.text(caption.x, caption.y, caption.text, color=colour(caption.style), ha=side, va="bottom")
    if spec.levels:
        duty = axes.twinx()
        duty.set_ylim(0.0, 1.0)
        duty.set_ylabel(f"{spec.levels_name}, share of 1")
        spans = [(level.start, level.end - level.start) for level in spec.levels]
        duty.bar([start for start, _ in spans], [level.share for level in spec.levels], [width for _, width in spans], align="edge",
                 color=colour("levels"), alpha=0.1)  # fmt: skip
    draw_legend(axes, spec)


def draw_legend(axes: Axes, spec: ChartSpec) -> None:
    from matplotlib.lines import Line2D

    entries = list(dict.fromkeys(spec.legend))
    if entries:
        handles = [Line2D([], [], color=colour(style), **marker_style(marker)) for marker, _, style in entries]
        # a name that begins with "_" is left out by matplotlib
        axes.legend(handles, [f" {name}" for _, name, _ in entries], loc="best", fontsize=8.0)


def set_axis(drawn: Any, axis: Axis) -> None:
    """Set scale, limits and ticks of an axis of matplotlib."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    set_scale, set_limits = (getattr(drawn.axes, f"set_{drawn.axis_name}{what}") for what in ("scale", "lim"))
    set_scale("log" if axis.log else "linear")
    set_limits(axis.low, axis.high)
    drawn.set_major_locator(FixedLocator([value for value, _ in axis.ticks]))
    drawn.set_major_formatter(FixedFormatter([label for _, label in axis.ticks]))
    drawn.set_minor_locator(NullLocator())


def colour(style: str) -> str:
    return COLOURS.get(style, FAINT)


def marker_style(marker: str, *, joined: bool = False) -> dict[str, Any]:
    """Return how matplotlib draws a marker: dots where it is empty, nothing on a line."""
    if not marker:
        return {"marker": "" if joined else ".", "markersize": 2.5}
    return {"marker": MARKERS[marker], "markersize": 5.0, "fillstyle": "none" if marker in HOLLOW else "full"}
