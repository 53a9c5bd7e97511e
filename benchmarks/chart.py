"""Chart: a frame of the latency chart over a million samples, against one over a thousand and against plotext alone."""

from __future__ import annotations

import asyncio
import random
import statistics
from array import array
from functools import partial
from time import perf_counter

import plotext
from benchmarks.figure import Figure, finish, interleave, quiet, ratio
from benchmarks.terminal import COLUMNS, ROWS
from textual.app import App, ComposeResult

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Phase, Samples
from heartbeat_core.benchmark.series import ChartData, Series
from heartbeat_core.charts.latency import GUTTER, latency_chart
from heartbeat_tui.theme import DARK
from heartbeat_tui.widgets.chart import Chart

ROUNDS = 150
BATCH = 3_300  # samples, as at 1e5 a second
MEDIAN_NS = 145_000_000


class ChartApp(App[None]):
    """The chart alone, as large as the terminal: larger than it ever is beside the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield Chart()


def series_of(count: int) -> Series:
    """Make a run of so many steady samples, with outliers."""
    chance = random.Random(count)
    series = Series(config=BenchmarkConfig(iterations=None))
    batches: list[tuple[Phase, int]] = [("cold", 1), ("warm-up", 4)]
    batches += [("steady", min(BATCH, count - start)) for start in range(0, count, BATCH)]
    for phase, length in batches:
        slow = 3 if phase == "cold" else 1
        total = array("q", [int(slow * chance.lognormvariate(0, 0.05) * MEDIAN_NS) for _ in range(length)])
        series.apply(Samples(0, phase, series.count, {"total": total}))
    return series


def frame_ms(chart: Chart, series: Series) -> float:
    """Draw one frame: the envelope, the picture, and every line as the compositor asks for it."""

    def data(columns: int, steady_only: bool) -> ChartData:
        return series.chart(columns, steady_only=steady_only)

    start = perf_counter()
    chart.draw(partial(latency_chart, data, median_ns=MEDIAN_NS))
    for y in range(chart.size.height):
        chart.render_line(y)
    return 1e3 * (perf_counter() - start)


def bare_ms(series: Series) -> float:
    """Draw the same columns with plotext alone: greatest, p5, median and p95, of each as many points as there are columns."""
    columns = series.chart(COLUMNS - GUTTER, steady_only=False).steady
    x = [(column.first + column.last) / 2 for column in columns]
    start = perf_counter()
    figure = plotext.figure
    figure.clear()
    figure.plot_size(COLUMNS, ROWS)
    figure.draw(figure.signal(x, [column.high_ns for column in columns], marker="braille"))
    for name in ("p5_ns", "median_ns", "p95_ns"):
        figure.draw(figure.signal(x, [getattr(column, name) for column in columns], marker="braille").lines())
    figure.build().string()
    return 1e3 * (perf_counter() - start)


async def measure() -> list[Figure]:
    few, many = series_of(1_000), series_of(1_000_000)
    app = ChartApp()
    async with app.run_test(size=(COLUMNS, ROWS)):
        plotext.terminal.limit(False, False)
        chart = app.query_one(Chart)
        runs = {"few": partial(frame_ms, chart, few), "many": partial(frame_ms, chart, many), "bare": partial(bare_ms, many)}
        taken = interleave(ROUNDS, runs)
    note = f"{statistics.median(taken['many']):.1f} ms, slowest of {ROUNDS}: {max(taken['many']):.1f} ms"
    return [
        ratio("frame over 1e6 samples / over 1e3", taken["many"], taken["few"], most=1.1, note=note),
        ratio("frame over 1e6 samples / plotext alone", taken["many"], taken["bare"], most=1.5),
    ]


if __name__ == "__main__":
    with quiet():
        figures = asyncio.run(measure())
    finish(figures)
