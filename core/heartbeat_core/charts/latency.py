"""The latency of each iteration: of one run with its warm-up, and of several runs laid over one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from heartbeat_core.benchmark.envelope import EnvelopeColumn
from heartbeat_core.benchmark.run import HostLine
from heartbeat_core.benchmark.series import ChartData
from heartbeat_core.charts.spec import (
    COLOURS,
    Axis,
    Band,
    Caption,
    ChartSpec,
    Curve,
    Level,
    RuleLine,
    count_ticks,
    curve_marker,
    curve_of,
    curve_style,
    drawable,
    value_axis,
)
from heartbeat_core.units import TIME, significant

WARM_CELLS = 12  # room for the warm-up and its marks, however long the run
GUTTER = 8  # cells that the vertical axis takes
LEVELS_LEAST = 8  # cells of height from which there is room for the duty cycle
LEAST = (20, 3)  # cells under which a chart shows nothing that can be read
MARKS = {"cold": "◆", "warm": "◇", "compile": "✕"}
USUAL, FAR = 0.97, 4.0  # the share of columns that is always shown, and how far beyond them the others may be
APART = 14  # cells between two markers of one run
MOST_HOSTS = 8  # lines that can be followed: of more hosts the one shown and the slowest
TITLE = "latency per iteration"


@dataclass(frozen=True)
class OverlayCurve:
    """One of several runs: the number and name of its group, and the means to draw it (columns, steady state only).

    The one that is ``shown`` among hosts is drawn last, in the accent, with its band.
    """

    number: int
    name: str
    chart: Callable[[int, bool], ChartData]
    style: str = ""
    shown: bool = False


@dataclass(frozen=True)
class Point:
    """The samples ``first`` to ``last``, nanoseconds per iteration."""

    first: int
    last: int
    low: float
    high: float
    p5: float
    median: float
    p95: float

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


def points_of(columns: Iterable[EnvelopeColumn], products: int) -> list[Point]:
    """Return the columns as times of one iteration, without those that no axis has room for."""
    return [
        Point(c.first, c.last, c.low_ns / products, c.high_ns / products, c.p5_ns / products, c.median_ns / products, c.p95_ns / products)
        for c in columns
        if drawable(c.low_ns) and drawable(c.high_ns)
    ]


def latency_chart(
    chart: Callable[[int, bool], ChartData],
    width: int,
    height: int,
    *,
    steady_only: bool = False,
    log: bool = True,
    expected: int | None = None,
    median_ns: float | None = None,
    p95_ns: float | None = None,
) -> ChartSpec | None:
    """Return the chart of one run for so many cells; None where there is nothing to draw, or no room.

    ``chart`` draws up as many columns as there is room for. Few samples are joined by a line; of more samples than columns: the median
    of each column, a band from p5 to p95, and the greatest as dots. ``expected`` steady samples make the horizontal axis, so that
    nothing moves while they come in.
    """
    data = chart(max(1, width - GUTTER), steady_only)
    if data.steady and data.steady[-1].last - data.steady[0].first < 2 * width - len(data.warm):  # a dot for each sample
        data = chart(2 * width, steady_only)
    warm, steady = points_of(data.warm, data.products), points_of(data.steady, data.products)
    compiles = [(index, ns / data.products) for index, ns in data.compiles if drawable(ns)]
    values = [value for point in (*warm, *steady) for value in (point.low, point.high)] + [ns for _, ns in compiles]
    if not values or width < LEAST[0] or height < LEAST[1]:
        return None
    y, unit = value_axis(values, height - 2, log=log)
    place = Placing(data, warm, steady, width - GUTTER, expected)
    x = [place(point.middle) for point in steady]
    few = all(point.first == point.last for point in steady)
    return ChartSpec(
        f"{TITLE}, {unit} ({'log' if y.log else 'linear'})",
        place.axis(),
        y,
        bands=() if few else (band(x, steady),),
        rules=rules(place, median_ns, p95_ns, steady),
        curves=(*(steady_curves(x, steady, few=few) if steady else ()), *mark_curves(warm, compiles, place)),
        captions=captions(place, y, unit, height - 2, (("p95", p95_ns), ("median", median_ns))) if steady else (),
        levels=levels(data, place) if height >= LEVELS_LEAST else (),
        levels_name="duty",
    )


class Placing:
    """Where an iteration stands on the horizontal axis: the warm-up has a room of its own at the left."""

    def __init__(self, data: ChartData, warm: Sequence[Point], steady: Sequence[Point], cells: int, expected: int | None) -> None:
        warm_last = max((point.last for point in warm), default=-1)
        self.warm_count = data.boundary if data.boundary is not None else warm_last + 1
        self.bounded = data.boundary is not None and bool(warm)
        self.products, self.cells = data.products, max(4, cells)
        self.shows_warm = bool(warm)
        self.expected = max(expected or 1, max((point.last for point in steady), default=-1) + 1 - self.warm_count, 1)
        share = min(WARM_CELLS, self.cells // 4) / self.cells if warm else 0.0
        self.warm_room = self.expected * share / (1 - share)

    def __call__(self, index: float) -> float:
        """Return the coordinate of a sample: 0 to ``expected`` in the steady state, below 0 in the warm-up."""
        if index >= self.warm_count:
            return index - self.warm_count + 0.5
        return (index + 0.5) / self.warm_count * self.warm_room - self.warm_room

    def axis(self) -> Axis:
        """Return the axis, numbered by iterations from the first of the run on."""
        first, last = self.warm_count * self.products, (self.warm_count + self.expected) * self.products
        ticks = [
            (number / self.products - self.warm_count, label)
            for number, label in count_ticks(first + 1, last, max(2, self.cells // 12))
            if number > first
        ]
        name = "warm-up" if self.warm_count > 1 else "cold"
        if self.shows_warm and self.cells >= 30:
            ticks.insert(0, (-self.warm_room / 2, name))
            if len(ticks) > 1 and ticks[1][0] < 0.08 * self.expected:
                del ticks[1]
        return Axis(-self.warm_room, float(self.expected), ticks=tuple(ticks))


def band(x: Sequence[float], points: Sequence[Point]) -> Band:
    return Band(tuple(x), tuple(point.p5 for point in points), tuple(point.p95 for point in points), "band")


def median_line(x: Sequence[float], points: Sequence[Point], style: str) -> Curve:
    return Curve(tuple(x), tuple(point.median for point in points), style, joined=True)


def steady_curves(x: Sequence[float], steady: Sequence[Point], *, few: bool) -> list[Curve]:
    line = median_line(x, steady, "steady")
    beyond = [(at, point.high) for at, point in zip(x, steady, strict=True) if point.high > point.p95 and not few]
    return [curve_of(beyond, "greatest"), line] if beyond else [line]


def mark_curves(warm: Sequence[Point], compiles: Sequence[tuple[int, float]], place: Placing) -> list[Curve]:
    found: list[Curve] = []
    for point in warm:
        kind = "cold" if point.first == 0 else "warm"
        found.append(Curve((place(point.first),), (point.high,), kind, marker=MARKS[kind]))
        if point.last > point.first:
            found.append(Curve((place(point.last),), (point.low,), "warm", marker=MARKS["warm"]))
    found += [
        Curve((place(index),), (ns,), "compile", marker=MARKS["compile"])
        for index, ns in compiles
        if index >= place.warm_count or place.shows_warm
    ]
    return found


def rules(place: Placing, median_ns: float | None, p95_ns: float | None, steady: Sequence[Point]) -> tuple[RuleLine, ...]:
    found = [RuleLine(0.0, "boundary", vertical=True)] if place.bounded else []
    if steady:
        found += [RuleLine(ns, "median") for ns in (median_ns, p95_ns) if ns and drawable(ns)]
    return tuple(found)


def captions(place: Placing, y: Axis, unit: str, rows: int, named: Sequence[tuple[str, float | None]]) -> tuple[Caption, ...]:
    """Name values at the right ends of their lines; the last one where two share a row."""
    size = {name: factor for factor, name in TIME}[unit]
    found: dict[int, Caption] = {}
    for name, ns in named:
        if ns and drawable(ns) and y.low < ns < y.high:
            found[round(y.share(ns) * rows)] = Caption(place.expected, ns, f"{name} {significant(ns / size)}", "caption")
    return tuple(found.values())


def levels(data: ChartData, place: Placing) -> tuple[Level, ...]:
    """Return the duty cycle of the chip beside the samples it was measured at, as shares of 1."""
    return tuple(
        Level(place(column.first) - 0.5, place(column.last) + 0.5, column.percent / 100)
        for column in data.duty
        if column.percent is not None and (column.last >= place.warm_count or place.shows_warm)
    )


def host_curves(hosts: Sequence[HostLine]) -> list[OverlayCurve]:
    """Return a curve for each host, named without what their names have in common before a colon."""

    def rank(host: HostLine) -> tuple[bool, float]:
        return host.shown, host.report.statistics.median_ns if host.report.statistics else 0.0

    least = sorted(map(rank, hosts))[-MOST_HOSTS:][0]
    drawn = [host for host in hosts if rank(host) >= least][:MOST_HOSTS]
    common = len({host.name.rpartition(":")[0] for host in hosts}) == 1
    compared = not any(host.shown for host in hosts)
    return [
        OverlayCurve(
            number,
            ":" + host.name.rpartition(":")[2] if common else host.name,
            host.chart,
            "" if compared else "steady" if host.shown else curve_style(1 + number % (COLOURS - 1)),  # the first colour is the accent
            host.shown,
        )
        for number, host in enumerate(drawn)
    ]


def overlay_chart(
    runs: Sequence[OverlayCurve], width: int, height: int, *, log: bool = True, steady_only: bool = True, expected: int | None = None
) -> ChartSpec | None:
    """Return several runs in one chart: ``expected`` samples make the horizontal axis, or each run fills it.

    Each is a line with a marker of its own, named in the legend. A few iterations that took very long do not flatten all
    others: they are drawn at the upper edge.
    """
    if width < LEAST[0] or height < LEAST[1] or not runs:
        return None
    charts = [run.chart(width - GUTTER, steady_only) for run in runs]
    shown = [points_of((*data.warm, *data.steady), data.products) for data in charts]
    if not any(shown):
        return None
    if expected is not None:
        expected = max(expected, *(some[-1].last + 1 - some[0].first for some in shown if some))
    least = min(point.low for some in shown for point in some)
    most = max(point.high for some in shown for point in some)
    usual = max(sorted(point.high for point in some)[int(USUAL * (len(some) - 1))] for some in shown if some)
    top = most if most < FAR * usual else 1.5 * usual
    y, unit = value_axis((least, top), height - 3, log=log)
    curves: list[Curve] = []
    bands: list[Band] = []
    for run, some in sorted(zip(runs, shown, strict=True), key=lambda pair: pair[0].shown):
        x = [place / expected if expected else place for place in places(some, relative=not expected)]
        curves += run_curves(run, some, x, (width - GUTTER) * (x[-1] if x else 1), y)
        if run.shown and any(point.first < point.last for point in some):
            bands.append(band(x, some))
    scale = "log" if y.log else "linear"
    cut = ", ↑ above the axis" if most > y.high else ""
    ticks: tuple[tuple[float, str], ...] = ()
    if expected is not None:
        count = expected * charts[0].products
        ticks = tuple((number / count, label) for number, label in count_ticks(1, count, max(2, width // 12)))
    elif width >= 50:
        ticks = ((0.04, "first steady iteration" if steady_only else "first iteration"), (1.0, "last"))
    return ChartSpec(
        f"{TITLE}, {unit} ({scale}{cut})",
        Axis(0.0, 1.0, ticks=ticks),
        y,
        bands=tuple(bands),
        curves=tuple(curves),
        legend=tuple(("▸" * run.shown + curve_marker(run.number), run.name, run.style or curve_style(run.number)) for run in runs),
    )


def places(some: Sequence[Point], *, relative: bool) -> list[float]:
    """Return the middle of each point, counted from the first sample, or as a share of all samples."""
    count = some[-1].last + 1 - some[0].first if some and relative else 1
    return [(point.middle + 0.5 - some[0].first) / count for point in some]


def run_curves(run: OverlayCurve, some: Sequence[Point], x: Sequence[float], cells: float, y: Axis) -> list[Curve]:
    """Return the line of a run on so many cells, markers along it, and arrows where it leaves the axis."""
    if not some:
        return []
    style = run.style or curve_style(run.number)
    line = median_line(x, some, style)
    every = max(1, round(len(some) * APART / max(1.0, cells)))
    at = range(min(len(some) - 1, (run.number * every) // 3), len(some), every)
    markers = curve_of(((x[i], some[i].median) for i in at), style, marker=curve_marker(run.number))
    above = [place for place, point in zip(x, some, strict=True) if point.high > y.high]
    return [line, markers, Curve(tuple(above), (y.high,) * len(above), style, marker="↑")] if above else [line, markers]
