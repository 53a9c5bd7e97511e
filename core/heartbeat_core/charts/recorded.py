"""The charts of recorded runs: the latencies of one, of several laid over one another, and their distributions on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.series import Series
from heartbeat_core.charts.latency import OverlayCurve, latency_chart, overlay_chart
from heartbeat_core.charts.spec import (
    Axis,
    ChartSpec,
    Curve,
    RuleLine,
    curve_marker,
    curve_style,
    drawable,
    legend_of,
    linear_ticks,
    tick_label,
    value_axis,
)
from heartbeat_core.comparison.groups import MeasuredRun, RunGroup
from heartbeat_core.units import format_ns

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Bin

BINS = 40


def run_chart(report: Report, series: Series, width: int, height: int) -> ChartSpec | None:
    """Return the latency of each iteration of one run, with its warm-up; None without room, or where nothing was measured."""
    quantiles = dict(report.statistics.quantiles) if report.statistics else {}
    return latency_chart(series.chart, width, height, median_ns=quantiles.get(0.5), p95_ns=quantiles.get(0.95))


def runs_overlay(sides: Sequence[Sequence[MeasuredRun]], groups: Sequence[RunGroup], width: int, height: int) -> ChartSpec | None:
    """Return the steady state of every run, a colour for each group; None without room."""
    curves = [
        OverlayCurve(number, name_of(group), run.series.chart)
        for number, (group, runs) in enumerate(zip(groups, sides, strict=True))
        for run in runs
    ]
    return overlay_chart(curves, width, height)


def name_of(group: RunGroup) -> str:
    return f"{group.title} {format_ns(group.ns)}"


def distribution_chart(sides: Sequence[Sequence[MeasuredRun]], groups: Sequence[RunGroup], height: int) -> ChartSpec:
    """Return how many samples lie where, as shares of each group, with its median; groups that lie far apart have bins of their own."""
    counted = bins_of(sides)
    reach = [ns for bins in counted for ns in inner_edges(bins) if drawable(ns)]
    x, unit = value_axis(reach, height, log=max(reach) > 4 * min(reach), room=1.0)
    shares = [[each.count / max(1, sum(other.count for other in bins)) for each in bins] for bins in counted]
    top = 1.1 * max(share for some in shares for share in some)
    ends = "; the outermost hold all beyond" if any(beyond(bins) for bins in counted) else ""
    curves = tuple(outline(bins, some, curve_style(number)) for number, (bins, some) in enumerate(zip(counted, shares, strict=True)))
    return ChartSpec(
        f"distribution of the steady state, {unit}{ends}",
        x,
        Axis(0.0, top, ticks=tuple((tick, f"{tick_label(100 * tick)} %") for tick in linear_ticks(0.0, top, max(2, height // 3)))),
        rules=tuple(RuleLine(group.ns, curve_style(number), vertical=True) for number, group in enumerate(groups)),
        curves=(*curves, *(Curve((group.ns,), (top,), curve_style(n), marker=curve_marker(n)) for n, group in enumerate(groups))),
        legend=legend_of(map(name_of, groups)),
    )


def bins_of(sides: Sequence[Sequence[MeasuredRun]]) -> list[tuple[Bin, ...]]:
    """Count the steady samples of each group; groups near enough to one another have the same bins."""
    from heartbeat_core.benchmark.statistics import common_edges, counted, edges_for
    from heartbeat_core.comparison.groups import pooled

    statistics = [runs[0].statistics for runs in sides]
    common = common_edges(statistics, BINS)
    return [
        counted(pooled(runs), common or edges_for([found], BINS), runs[0].report.config.products_per_sample)
        for runs, found in zip(sides, statistics, strict=True)
    ]


def step_of(bins: Sequence[Bin]) -> float:
    """Return the width of the bins: the outermost ones are as wide as their samples reach."""
    return min(each.high_ns - each.low_ns for each in bins[1:-1] or bins)


def beyond(bins: Sequence[Bin]) -> bool:
    return any(each.high_ns - each.low_ns > 1.01 * step_of(bins) for each in (bins[0], bins[-1]))


def inner_edges(bins: Sequence[Bin]) -> tuple[float, float]:
    """Return where the outermost bins end once they are as wide as the others at most."""
    step = step_of(bins)
    return max(bins[0].low_ns, bins[0].high_ns - step), min(bins[-1].high_ns, bins[-1].low_ns + step)


def outline(bins: Sequence[Bin], shares: Sequence[float], style: str) -> Curve:
    """Return the steps of a histogram as one line."""
    first, last = inner_edges(bins)
    edges = [first, *(each.high_ns for each in bins[:-1]), last]
    x, y = [first], [0.0]
    for (low, high), share in zip(pairwise(edges), shares, strict=True):
        x += [low, high]
        y += [share, share]
    return Curve((*x, last), (*y, 0.0), style, joined=True)
