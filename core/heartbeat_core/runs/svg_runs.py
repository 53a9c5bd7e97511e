"""The chart of a run, or of several: their latencies on one axis, their distributions beside it, and what that comes to in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from heartbeat_core.runs.compare import Comparison
from heartbeat_core.runs.side import Measured
from heartbeat_core.runs.svg import SERIES, Picture, Scale, log_scale, short, wrapped
from heartbeat_core.units import format_count, format_ns

WIDTH, TOP, BOTTOM = 960, 64, 360
LEFT, MIDDLE, RIGHT = 76, 650, 936  # of the latencies, between, and of the distributions
ROW = 20  # of the legend
DOTS = 500  # samples drawn one by one; more are drawn as a band with the medians of its parts
COLUMNS = 400
BINS = 60


def runs_svg(runs: Sequence[Measured], comparisons: Sequence[Comparison]) -> str:
    """Draw the steady samples of at least one run; the comparisons say below what they come to."""
    title = runs[0].entry.title if len(runs) == 1 else f"{len(runs)} runs"
    picture = Picture(WIDTH, f"Latency per product: {title}", ". ".join(comparison.sentence for comparison in comparisons))
    picture.text(LEFT, 26, f"Latency per product, steady state: {title}", kind="big", width=(RIGHT - LEFT) * 0.8)
    picture.text(LEFT, 46, "each sample in its order", kind="faint")
    picture.text(MIDDLE + 34, 46, "how often", kind="faint")
    scale = log_scale((ns for run in runs for ns in reach(run)), BOTTOM, TOP)
    count = max(len(run.steady) for run in runs)
    across = Scale(0, max(1, count - 1), LEFT, MIDDLE)
    picture.axes(across, scale, lambda value: format_count(round(value)), lambda ns: short(format_ns(ns)))
    for series, run in enumerate(runs):
        draw_latencies(picture, run, series, across, scale)
        draw_distribution(picture, run, series, scale)
    bottom = draw_legend(picture, runs, comparisons)
    return picture.render(bottom)


def reach(run: Measured) -> tuple[float, float]:
    """Give the shortest and the longest time of a product; a clock too coarse for it reads 1 ns at least."""
    products = run.report.plan.products_per_sample
    return tuple(max(1, ns or 1) / products for ns in (run.steady.minimum, run.steady.maximum))  # type: ignore[return-value]  # two of them


def draw_latencies(picture: Picture, run: Measured, series: int, across: Scale, scale: Scale) -> None:
    products, store = run.report.plan.products_per_sample, run.steady
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


def draw_distribution(picture: Picture, run: Measured, series: int, scale: Scale) -> None:
    """Draw how many samples lie in each stretch of the axis, over the fullest stretch."""
    products, ordered = run.report.plan.products_per_sample, run.steady.ordered()
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


def draw_legend(picture: Picture, runs: Sequence[Measured], comparisons: Sequence[Comparison]) -> float:
    """Name each run with its figures, then say what they come to; return where the picture ends."""
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


def run_line(run: Measured) -> str:
    """Say in a line which run that is and what it measured."""
    found, entry, plan = run.report.statistics, run.entry, run.report.plan
    interval = ""
    if found and found.median_low_ns is not None and found.median_high_ns is not None:
        interval = f" ({format_ns(found.median_low_ns)} to {format_ns(found.median_high_ns)})"
    time = format_ns(run.report.iteration_ns or 0)
    return f"{entry.title}: {time}{interval}, {entry.where}, {plan.workload.shape} {plan.workload.dtype}, {plan.method}"
