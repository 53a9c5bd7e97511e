"""Points between two axes, with a line below them and rules across: what the charts of a sweep are drawn with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from heartbeat_tui.widgets.chart import NOTHING, ROWS_PER_TICK, Canvas, ChartPicture, ChartScale, PictureWidget, Run
from heartbeat_tui.widgets.overlay_chart import marker_of

LEAST = (24, 6)  # cells that a plot needs
SERIES = 4  # inks of curves; more share them, and differ by their markers
CELLS_PER_LABEL = 2  # at least between two labels of the horizontal axis


@dataclass(frozen=True)
class Mark:
    """A point of the curve ``series``."""

    x: float
    y: float
    series: int = 0


@dataclass(frozen=True)
class VerticalLine:
    """A line from top to bottom, named at its head."""

    x: float
    name: str


@dataclass(frozen=True)
class Plot:
    """``labels`` are what stands below the horizontal axis; ``ticks`` write the vertical one's; ``line`` gives y for an x."""

    x: ChartScale
    y: ChartScale
    labels: tuple[tuple[float, str], ...]
    tick: Callable[[float], str]
    marks: tuple[Mark, ...]
    rules: tuple[VerticalLine, ...] = ()
    line: Callable[[float], float | None] | None = None
    legend: tuple[str, ...] = ()  # of the curves, where there are several


def draw(plot: Plot, width: int, height: int) -> ChartPicture:
    """Draw on ``width`` × ``height`` cells; points lie above rules, rules above the line."""
    if width < LEAST[0] or height < LEAST[1]:
        return NOTHING
    rows = height - 2 - bool(plot.legend)
    ticks = {row_of(plot.y, tick, rows): plot.tick(tick) for tick in plot.y.ticks}
    gutter = max(map(len, ticks.values()), default=0)
    room = width - gutter - 2
    canvas = Canvas(room, rows)
    if plot.line is not None:
        draw_line(canvas, plot, plot.line)
    for rule in plot.rules:
        draw_rule(canvas, plot, rule)
    for mark in plot.marks:
        canvas.put(column_of(plot.x, mark.x, room), row_of(plot.y, mark.y, rows), marker_of(mark.series), f"series-{mark.series % SERIES}")
    lines: list[tuple[Run, ...]] = [legend(plot, width)] if plot.legend else []
    for y in range(rows):
        label = ticks.get(y)
        lines.append(((f"{label:>{gutter}} ┤" if label else " " * gutter + " │", "axis"), *canvas.row(y, "roof")))
    line, below = feet(plot, room)
    lines += [((" " * gutter + " └" + line, "axis"),), ((" " * (gutter + 2) + below, "axis"),)]
    return ChartPicture(tuple(lines), "")


def draw_line(canvas: Canvas, plot: Plot, line: Callable[[float], float | None]) -> None:
    """Draw the line dot by dot, each column joined to the one before it."""
    dots, before = 4 * canvas.height - 1, None
    for x in range(2 * canvas.width):
        value = line(along(plot.x, (x + 0.5) / (2 * canvas.width)))
        if value is None or not plot.y.low <= value <= plot.y.high:
            before = None
            continue
        row = round((1 - plot.y.at(value)) * dots)
        top, bottom = (row, row) if before is None else (min(row, before), max(row, before))
        canvas.bar(x, top, bottom)
        before = row


def draw_rule(canvas: Canvas, plot: Plot, rule: VerticalLine) -> None:
    if not plot.x.low <= rule.x <= plot.x.high:
        return
    x = column_of(plot.x, rule.x, canvas.width)
    for y in range(canvas.height):
        canvas.put(x, y, "┊", "knee")
    name = f" {rule.name} "
    start = x + 1 if x + len(name) <= canvas.width else max(0, x - len(name))
    for offset, character in enumerate(name):
        canvas.put(start + offset, 0, character, "knee")


def along(scale: ChartScale, share: float) -> float:
    """Give the value at a share of an axis, from 0 to 1."""
    if scale.log:
        return scale.low * math.exp(share * math.log(scale.high / scale.low))
    return scale.low + share * (scale.high - scale.low)


def column_of(scale: ChartScale, value: float, width: int) -> int:
    return min(width - 1, max(0, math.floor(scale.at(value) * width)))


def row_of(scale: ChartScale, value: float, rows: int) -> int:
    return round((1 - scale.at(value)) * (4 * rows - 1)) >> 2


def feet(plot: Plot, room: int) -> tuple[str, str]:
    """Give the horizontal axis, with a tick for each label there is room for, and the labels below it."""
    line, below, free = ["─"] * room, [" "] * room, 0
    for value, text in plot.labels:
        at = column_of(plot.x, value, room)
        start = min(max(0, at - len(text) // 2), room - len(text))
        if start < free or start < 0:
            continue
        line[at] = "┬"
        below[start : start + len(text)] = text
        free = start + len(text) + CELLS_PER_LABEL
    return "".join(line), "".join(below)


def legend(plot: Plot, width: int) -> tuple[Run, ...]:
    most = max(6, width // len(plot.legend) - 4)
    return tuple((f"{marker_of(number)} {name[:most]}  ", f"series-{number % SERIES}") for number, name in enumerate(plot.legend))


def log_scale(values: Sequence[float], rows: int, *, room: float = 1.3) -> ChartScale:
    """Make a logarithmic axis around values above 0, with decades as ticks, and steps between where it spans few."""
    low, high = min(values) / room, max(values) * room
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1.0,) if high / low > 1e3 else (1.0, 3.0) if high / low > 30 else (1.0, 2.0, 5.0)
    ticks = [10.0**power * step for power in range(first, last + 1) for step in steps if low <= 10.0**power * step <= high]
    every = max(1, math.ceil(len(ticks) / max(2, rows // (ROWS_PER_TICK // 2))))
    return ChartScale(low, high, True, tuple(ticks[::every]))


class PlotChart(PictureWidget):
    """A plot as a widget: made anew at each size; what makes it is given, and gives None where there is nothing to draw."""

    INKS = "plot"
    DEFAULT_CSS = """
    PlotChart .plot--axis, PlotChart .plot--roof { color: $text-muted; }
    PlotChart .plot--series-0 { color: $accent; text-style: bold; }
    PlotChart .plot--series-1 { color: $foreground; text-style: bold; }
    PlotChart .plot--series-2 { color: $text-success; text-style: bold; }
    PlotChart .plot--series-3 { color: $text-muted; text-style: bold; }
    PlotChart .plot--knee { color: $warning; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--axis", "plot--roof", "plot--knee", *(f"plot--series-{number}" for number in range(SERIES))
    }  # fmt: skip

    make: Callable[[int, int], Plot | None] | None = None

    def show(self, make: Callable[[int, int], Plot | None], title: str) -> None:
        self.make, self.border_title = make, title
        self.on_resize()

    def on_resize(self) -> None:
        width, height = self.size
        if self.make is not None and width and height:
            plot = self.make(width, height)
            self.picture = draw(plot, width, height) if plot else NOTHING
            self.refresh()
