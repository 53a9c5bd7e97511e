"""Pictures in SVG, drawn by hand: scales, axes and a style that is legible on light and on dark paper.

Colours are set by classes, for the style of the paper's scheme to change them; a series is told apart by its dashes too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from xml.sax.saxutils import escape

from heartbeat_core.benchmark.roofline import Roof
from heartbeat_core.comparison.compare import Comparison
from heartbeat_core.comparison.groups import MeasuredRun
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.knee import knee_serving, knee_summary
from heartbeat_core.experiments.sweep import SweepCurve, SweepPoint, Swept
from heartbeat_core.units import format_count, format_ns, format_rate, significant

LIGHT = ("#0b62b8", "#b3471d", "#1d7a3e", "#7a3fb0", "#8a6a00", "#b0246a")
DARK = ("#6cb2ff", "#ff9a6b", "#6fd08c", "#c79bff", "#e2c04a", "#ff8abf")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
SERIES = len(LIGHT)  # more take up the first one's colours again
TEXT_PX = 6.6  # the mean width of a character of 12 px, to cut lines by


@dataclass(frozen=True)
class SvgScale:
    """Maps values from ``low``..``high`` to ``start``..``end`` of the picture, in logarithms where ``log``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, value = (math.log(x) if self.log else x for x in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Choose a handful of round values."""
        if not self.log:
            return steps(self.low, self.high)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = max(1, (last - first) // 6)
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
            found = [digit * 10.0**power for power in range(first, last + 1, every) for digit in digits]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) >= 4:
                return found
        return steps(self.low, self.high)


def steps(low: float, high: float) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten within the range, about five."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [step * index for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def wrapped(text: str, width: int) -> list[str]:
    """Break a sentence into lines of so many characters."""
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


def short(text: str) -> str:
    """Leave out the zeros that end a number on an axis: "10 ms" for "10.0 ms"."""
    return re.sub(r"(\.\d*?)0+(?=\D|$)", lambda found: found[1].rstrip("."), text)


def log_scale(values: Iterable[float], start: float, end: float, *, room: float = 1.06) -> SvgScale:
    """Return a logarithmic scale for these values, with a little room; there is at least one, and all are above 0."""
    kept = list(values)
    return SvgScale(min(kept) / room, max(kept) * room, start, end, log=True)


class SvgPicture:
    """Grows element by element. Coordinates are pixels from the upper left corner."""

    def __init__(self, width: int, title: str, description: str) -> None:
        self.width, self.title, self.description = width, title, description
        self.parts: list[str] = []

    def text(self, x: float, y: float, text: str, *, kind: str = "ink", anchor: str = "start", width: float = 0) -> None:
        """Write a line; one that would be wider than ``width`` is cut."""
        most = int(width / TEXT_PX)
        shown = text if not width or len(text) <= most else f"{text[: most - 1]}…"
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shown)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str, *, series: int = 0) -> None:
        dashes = DASHES[series % SERIES]
        dash = f' stroke-dasharray="{dashes}"' if dashes and kind.startswith("s") else ""
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{dash}/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str, *, series: int = 0, closed: bool = False) -> None:
        if not points:
            return
        track = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashes = DASHES[series % SERIES]
        dash = f' stroke-dasharray="{dashes}"' if dashes and not closed else ""
        self.parts.append(f'<path class="{kind}" d="M{track}{"Z" if closed else ""}"{dash}/>')

    def dots(self, points: Iterable[tuple[float, float]], series: int, radius: float = 1.8) -> None:
        """Draw points as one path of round caps: a thousand circles would be ten times the size."""
        track = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
        self.parts.append(f'<path class="d{series % SERIES}" style="stroke-width:{2 * radius:g}" d="{track}"/>')

    def axes(self, x: SvgScale, y: SvgScale, x_words: Callable[[float], str], y_words: Callable[[float], str]) -> None:
        """Draw the grid and its numbers; ``y`` grows upward."""
        for value in y.ticks():
            self.line(x.start, y.at(value), x.end, y.at(value), "grid")
            self.text(x.start - 6, y.at(value) + 4, y_words(value), kind="faint", anchor="end")
        for value in x.ticks():
            self.line(x.at(value), y.start, x.at(value), y.start + 4, "rule")
            self.text(x.at(value), y.start + 18, x_words(value), kind="faint", anchor="middle")
        self.line(x.start, y.start, x.end, y.start, "rule")

    def render(self, height: float) -> str:
        """Return the whole file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height:.0f}" '
            f'viewBox="0 0 {self.width} {height:.0f}" role="img" aria-label="{escape(self.title, {chr(34): "&quot;"})}">'
        )
        titles = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        paper = f'<rect class="paper" width="{self.width}" height="{height:.0f}"/>'
        return "\n".join((head, titles, f"<style>{style()}</style>", paper, *self.parts, "</svg>")) + "\n"


def style() -> str:
    """Return the colours of light paper, and those of dark paper for readers who prefer it."""
    common = (
        "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}.big{font-size:15px;font-weight:600}"
        "path,line{fill:none;stroke-width:1.4}.grid,.rule{stroke-width:1}"
        + "".join(f".d{i}{{stroke-linecap:round;stroke-opacity:.7}}.f{i}{{fill-opacity:.16;stroke:none}}" for i in range(SERIES))
    )
    light = scheme("#ffffff", "#1b1f24", "#5b6470", "#e4e7eb", LIGHT)
    dark = scheme("#14181d", "#e6e9ee", "#9aa5b1", "#2b323b", DARK)
    return f"{common}{light}@media (prefers-color-scheme:dark){{{dark}}}"


def scheme(paper: str, ink: str, faint: str, grid: str, colours: Sequence[str]) -> str:
    series = "".join(f".s{i},.d{i}{{stroke:{colour}}}.f{i}{{fill:{colour}}}" for i, colour in enumerate(colours))
    return f".paper{{fill:{paper}}}.ink,.big{{fill:{ink}}}.faint{{fill:{faint}}}.grid{{stroke:{grid}}}.rule{{stroke:{faint}}}{series}"


WIDTH, TOP, BOTTOM = 960, 64, 360
LEFT, MIDDLE, RIGHT = 76, 650, 936  # of the latencies, between, and of the distributions
ROW = 20  # of the legend
DOTS = 500  # samples drawn one by one; more are drawn as a band with the medians of its parts
COLUMNS = 400
BINS = 60


def runs_svg(runs: Sequence[MeasuredRun], comparisons: Sequence[Comparison]) -> str:
    """Draw the steady samples of at least one run; the comparisons say below what they come to."""
    title = runs[0].entry.title if len(runs) == 1 else f"{len(runs)} runs"
    picture = SvgPicture(WIDTH, f"Latency per product: {title}", ". ".join(comparison.sentence for comparison in comparisons))
    picture.text(LEFT, 26, f"Latency per product, steady state: {title}", kind="big", width=(RIGHT - LEFT) * 0.8)
    picture.text(LEFT, 46, "each sample in its order", kind="faint")
    picture.text(MIDDLE + 34, 46, "how often", kind="faint")
    scale = log_scale((ns for run in runs for ns in reach(run)), BOTTOM, TOP)
    count = max(len(run.steady) for run in runs)
    across = SvgScale(0, max(1, count - 1), LEFT, MIDDLE)
    picture.axes(across, scale, lambda value: format_count(round(value)), lambda ns: short(format_ns(ns)))
    for series, run in enumerate(runs):
        draw_latencies(picture, run, series, across, scale)
        draw_distribution(picture, run, series, scale)
    bottom = draw_legend(picture, runs, comparisons)
    return picture.render(bottom)


def reach(run: MeasuredRun) -> tuple[float, float]:
    """Return the shortest and the longest time of a product, at least 1 ns, for a clock may be too coarse for it."""
    products = run.report.config.products_per_sample
    return tuple(max(1, ns or 1) / products for ns in (run.steady.minimum, run.steady.maximum))  # type: ignore[return-value]  # two of them


def draw_latencies(picture: SvgPicture, run: MeasuredRun, series: int, across: SvgScale, scale: SvgScale) -> None:
    products, store = run.report.config.products_per_sample, run.steady
    if store.exact and len(store) <= DOTS:
        picture.dots(((across.at(i), scale.at(max(1, ns) / products)) for i, ns in enumerate(store.values())), series)
    else:
        columns = run.series.steady_envelope.columns(COLUMNS)
        first = columns[0].first
        upper = [(across.at(c.first - first), scale.at(max(1, c.high_ns) / products)) for c in columns]
        lower = [(across.at(c.first - first), scale.at(max(1, c.low_ns) / products)) for c in reversed(columns)]
        picture.path(upper + lower, f"f{series % SERIES}", closed=True)
        medians, size = store.batches()
        track = [(across.at(i * size), scale.at(max(1.0, float(ns)) / products)) for i, ns in enumerate(medians)]
        picture.path(track, f"s{series % SERIES}", series=series)
    median = run.report.statistics.median_ns if run.report.statistics else None
    if median:
        picture.line(across.start, scale.at(median), RIGHT, scale.at(median), f"s{series % SERIES}", series=series)


def draw_distribution(picture: SvgPicture, run: MeasuredRun, series: int, scale: SvgScale) -> None:
    """Draw how many samples lie in each stretch of the axis, over the fullest stretch."""
    products, ordered = run.report.config.products_per_sample, run.steady.ordered()
    step = (math.log(scale.high) - math.log(scale.low)) / BINS
    edges = [scale.low * math.exp(i * step) for i in range(BINS + 1)]
    counts = [ordered.within(low * products, math.nextafter(high * products, 0)) for low, high in pairwise(edges)]
    most, x = max(*counts, 1), MIDDLE + 34
    outline: list[tuple[float, float]] = [(x, scale.at(edges[0]))]
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        at = x + (RIGHT - x) * count / most
        outline += [(at, scale.at(low)), (at, scale.at(high))]
    outline.append((x, scale.at(edges[-1])))
    picture.path(outline, f"f{series % SERIES}", closed=True)
    picture.path(outline, f"s{series % SERIES}", series=series)


def draw_legend(picture: SvgPicture, runs: Sequence[MeasuredRun], comparisons: Sequence[Comparison]) -> float:
    """Draw each run with its figures, then the comparisons; return where the picture ends."""
    y = BOTTOM + 48.0
    for series, run in enumerate(runs):
        picture.line(LEFT, y - 4, LEFT + 26, y - 4, f"s{series % SERIES}", series=series)
        picture.text(LEFT + 34, y, run_line(run), width=RIGHT - LEFT - 34)
        y += ROW
    for text in (text for comparison in comparisons for text in (comparison.sentence, comparison.why) if text):
        for line in wrapped(f"{text}.", 128):
            picture.text(LEFT, y + 4, line, kind="ink")
            y += ROW
    notes = dict.fromkeys(label for run in runs for label in run.report.labels if "recorded on" not in label)
    notes.update(
        dict.fromkeys(difference.sentence for comparison in comparisons for difference in comparison.differences if difference.work)
    )
    for note in notes:
        picture.text(LEFT, y + 4, note, kind="faint", width=RIGHT - LEFT)
        y += ROW
    return y + 8


def run_line(run: MeasuredRun) -> str:
    """Return a line with the run and what it measured."""
    found, entry, plan = run.report.statistics, run.entry, run.report.config
    interval = ""
    if found and found.median_low_ns is not None and found.median_high_ns is not None:
        interval = f" ({format_ns(found.median_low_ns)} to {format_ns(found.median_high_ns)})"
    time = format_ns(run.report.iteration_ns or 0)
    return f"{entry.title}: {time}{interval}, {entry.where}, {plan.workload.shape} {plan.workload.dtype}, {plan.method}"


WIDTH, TOP, BOTTOM = 960, 64, 360
SWEEP_LEFT, LEFT_END, SWEEP_RIGHT, RIGHT_END = 92, 470, 570, 936
ROW = 20
Places = list[tuple[SweepPoint, float, float]]


def sweep_svg(swept: Swept) -> str:
    """Draw a sweep; raise HeartbeatError where no point was measured."""
    curves = swept.curves()
    if not curves:
        raise HeartbeatError("the sweep holds no measured point", "There is nothing to draw.", "Choose another sweep.", exit_code=3)
    words = [text for curve in curves for text in meaning(curve)]
    picture = SvgPicture(WIDTH, f"Sweep of {swept.main.name}", " ".join(words))
    picture.text(SWEEP_LEFT, 26, f"Sweep of {' and '.join(axis.name for axis in swept.axes)}", kind="big", width=700)
    draw_roofline(picture, curves)
    draw_latency(picture, curves, swept.main.name)
    y = BOTTOM + 56.0
    if len(curves) > 1:
        for series, curve in enumerate(curves):
            picture.line(SWEEP_LEFT, y - 4, SWEEP_LEFT + 26, y - 4, f"s{series % SERIES}", series=series)
            picture.text(SWEEP_LEFT + 34, y, curve.name)
            y += ROW
    notes = [label for label in first_labels(curves) if "recorded on" not in label]
    for text, kind in (*((text, "ink") for text in words), *((note, "faint") for note in notes)):
        for line in wrapped(text, 128):
            picture.text(SWEEP_LEFT, y, line, kind=kind)
            y += ROW
    return picture.render(y + 4)


def meaning(curve: SweepCurve) -> list[str]:
    """Return where the knee of a curve is and what that means for serving."""
    knee = curve.knee()
    if knee is None:
        return []
    gist = " ".join(text for text in (knee_summary(knee), knee_serving(knee)) if text)
    return [f"{curve.name}: {gist}" if curve.name else gist]


def first_labels(curves: Sequence[SweepCurve]) -> tuple[str, ...]:
    return next((point.report.labels for curve in curves for point in curve.points if point.report), ())


def draw_roofline(picture: SvgPicture, curves: Sequence[SweepCurve]) -> None:
    """Draw what was computed a second against the FLOP of a byte, and the roofs above."""
    roofs = list(dict.fromkeys(roof for curve in curves if (roof := curve.roof)))
    points = [[(p.config.workload.intensity, 1e9 * p.config.workload.flops / p.ns) for p in curve.points if p.ns] for curve in curves]
    every = [place for curve in points for place in curve]
    ridges = [roof.flops_per_s / roof.bytes_per_s for roof in roofs]
    across = log_scale((x for x in (*(place[0] for place in every), *ridges)), SWEEP_LEFT, LEFT_END, room=1.3)
    upward = log_scale((y for y in (*(place[1] for place in every), *(roof.flops_per_s for roof in roofs))), BOTTOM, TOP, room=1.3)
    picture.text(SWEEP_LEFT, 46, "FLOP/s under the roof", kind="faint")
    picture.text(LEFT_END, BOTTOM + 36, "FLOP per byte", kind="faint", anchor="end")
    picture.axes(across, upward, significant_short, lambda rate: short(format_rate(rate)))
    for roof in roofs:
        draw_roof(picture, roof, across, upward)
    for series, curve in enumerate(points):
        places = [(across.at(x), upward.at(y)) for x, y in curve]
        picture.path(places, f"s{series % SERIES}", series=series)
        picture.dots(places, series, radius=3)


def draw_roof(picture: SvgPicture, roof: Roof, across: SvgScale, upward: SvgScale) -> None:
    """Draw memory's slope up to the ridge and arithmetic's flat top behind it."""
    least = max(across.low, upward.low / roof.bytes_per_s)
    ridge = roof.flops_per_s / roof.bytes_per_s
    corners = [(least, least * roof.bytes_per_s), (max(least, ridge), roof.flops_per_s), (across.high, roof.flops_per_s)]
    picture.path([(across.at(x), upward.at(y)) for x, y in corners], "rule")
    picture.text(across.end, upward.at(roof.flops_per_s) - 6, f"{roof.name}: {roof.source}", kind="faint", anchor="end", width=320)


def draw_latency(picture: SvgPicture, curves: Sequence[SweepCurve], axis: str) -> None:
    """Draw the latency along an axis of numbers; words have no such chart."""
    values = [[(p.values[axis], p.ns) for p in curve.points if p.ns] for curve in curves]
    numbers = [[(float(x), y) for x, y in curve if isinstance(x, int) and x > 0] for curve in values]
    every = [place for curve in numbers for place in curve]
    if not every:
        return
    across = log_scale((x for x, _y in every), SWEEP_RIGHT, RIGHT_END, room=1.2)
    upward = log_scale((y for _x, y in every), BOTTOM, TOP, room=1.2)
    picture.text(SWEEP_RIGHT, 46, "latency of a product", kind="faint")
    picture.text(RIGHT_END, BOTTOM + 36, axis, kind="faint", anchor="end")
    picture.axes(across, upward, lambda value: format_count(round(value)), lambda ns: short(format_ns(ns)))
    for series, (curve, places) in enumerate(zip(curves, numbers, strict=True)):
        drawn = [(across.at(x), upward.at(y)) for x, y in places]
        picture.path(drawn, f"s{series % SERIES}", series=series)
        picture.dots(drawn, series, radius=3)
        knee = curve.knee()
        if knee and knee.kind == "knee" and knee.batch:
            x = across.at(float(knee.batch))
            picture.line(x, upward.start, x, upward.end, "rule")
            picture.text(x + 4, TOP + 10 + 14 * series, f"knee at {format_count(round(knee.batch))}", kind="faint")


def significant_short(value: float) -> str:
    return short(significant(value))
