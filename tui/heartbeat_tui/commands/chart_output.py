"""Charts that commands print below their table (``--plot``): of a run, of compared runs and of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.run import HostLine
from heartbeat_core.benchmark.series import Series
from heartbeat_core.charts.spec import ChartSpec
from heartbeat_core.comparison.groups import MeasuredRun, RunGroup
from heartbeat_core.comparison.trend import Trend
from heartbeat_core.experiments.sweep import Swept
from heartbeat_tui.plotting import render

WITHOUT_TERMINAL, WIDEST, ROWS = 100, 120, 16
# The terminal's own colours, which fit its background: cyan for the accent. Bold and dim would be left by NO_COLOR.
STYLES = {
    "steady": "bright_cyan", "band": "cyan", "levels": "cyan", "cold": "bright_yellow", "compile": "yellow", "knee": "yellow",
    "axis": "bright_black", "boundary": "bright_black", "roof": "bright_black", "warm": "bright_black", "median": "bright_black",
    "greatest": "bright_black", "series-0": "bright_cyan", "series-1": "magenta", "series-2": "blue", "series-3": "green",
}  # fmt: skip


def print_run(report: Report, series: Series) -> None:
    """Print the latency of each iteration of one run."""
    from heartbeat_core.charts.recorded import run_chart

    print_chart(lambda width, height: run_chart(report, series, width, height))


def print_overlay(sides: Sequence[Sequence[MeasuredRun]], groups: Sequence[RunGroup]) -> None:
    """Print the latencies of compared runs, laid over one another."""
    from heartbeat_core.charts.recorded import runs_overlay

    print_chart(lambda width, height: runs_overlay(sides, groups, width, height))


def print_hosts_chart(hosts: Sequence[HostLine]) -> None:
    """Print the latencies of the hosts of one run, laid over one another."""
    from heartbeat_core.charts.latency import host_curves, overlay_chart

    curves = host_curves([replace(host, shown=False) for host in hosts])
    print_chart(lambda width, height: overlay_chart(curves, width, height, steady_only=False, expected=1))


def print_trend(trend: Trend) -> None:
    """Print the medians of one benchmark over time."""
    from heartbeat_core.charts.trend import trend_chart

    print_chart(lambda width, height: trend_chart(trend, width, height))


def print_sweep_charts(swept: Swept) -> None:
    """Print a sweep under its roof, and its latencies."""
    from heartbeat_core.charts.sweep import latency_sweep_chart, roofline_chart

    curves = swept.curves()
    knees = [curve.knee() for curve in curves]
    print_chart(lambda width, height: roofline_chart(curves, knees, width, height))
    print_chart(lambda width, height: latency_sweep_chart(swept, curves, knees, width, height))


def print_chart(make: Callable[[int, int], ChartSpec | None]) -> None:
    """Print what ``make`` returns for the width of the terminal, after an empty line; without colours in a pipe or with NO_COLOR."""
    width = min(WIDEST, shutil.get_terminal_size((WITHOUT_TERMINAL, ROWS)).columns)
    spec = make(width, ROWS)
    lines = render(spec, width, ROWS) if spec else ()
    console = Console(width=width, highlight=False)
    console.print()
    if spec is None or not lines:
        console.print("No chart: nothing was measured, or the terminal is too narrow.")
        return
    for line in (((spec.title, ""),), *lines):
        text = Text.assemble(*((part, STYLES.get(style, "")) for part, style in line))
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ignore", crop=False)
