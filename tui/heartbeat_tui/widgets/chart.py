"""Latency against iteration: the one file that draws a chart.

Drawn as braille through Textual's Line API: about 3 ms a frame here against 18–28 for plotext in a widget, which would
take its time from the beat on two cores. A column of the envelope is a bar from its least to its greatest sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from heartbeat_core.benchmark.statistics import round_step
from heartbeat_tui.widgets.text import refresh_rows, retitle

if TYPE_CHECKING:
    from heartbeat_core.benchmark.series import ChartData, DutyColumn


UNITS: tuple[tuple[float, str], ...] = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
LOG_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class ChartScale:
    """A vertical axis from ``low`` to ``high``, both finite and low < high; ``log`` needs low > 0."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Place a value between 0 (low) and 1 (high); values outside stay at the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def scale_for(low: float, high: float, log: bool, ticks: int) -> ChartScale:
    """Choose round bounds around [low, high], both positive, and about ``ticks`` ticks."""
    if high - low < 0.02 * high:  # a flat series keeps its noise small
        middle = (low + high) / 2
        low, high = min(low, 0.99 * middle), max(high, 1.01 * middle)
    step = round_step((high - low) / max(1, ticks - 1))
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if log and (high > 2 * low or bottom <= 0):
        bottom, top = log_floor(low), log_ceiling(high)
        return ChartScale(bottom, top, True, spread(log_steps(bottom, top), ticks))
    count = round((top - bottom) / step)
    return ChartScale(bottom, top, log, tuple(bottom + step * i for i in range(count + 1)))


def unit_for(value_ns: float) -> tuple[float, str]:
    """Choose the unit in which a value in nanoseconds reads best: (nanoseconds in it, its name)."""
    for size, name in UNITS:
        if value_ns >= size:
            return size, name
    return UNITS[-1]


def log_floor(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    return power * max(step for step in LOG_STEPS if power * step <= value * (1 + 1e-9))


def log_ceiling(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    return power * min(step for step in LOG_STEPS if power * step >= value * (1 - 1e-9))


def log_steps(low: float, high: float) -> list[float]:
    """List the round values of a logarithmic axis; whole decades where it spans many."""
    steps = LOG_STEPS[:-1] if high / low < 1e3 else (1.0, 3.0) if high / low < 1e5 else (1.0,)
    first, last = math.floor(math.log10(low) + 1e-12), math.ceil(math.log10(high))
    values = [10.0**power * step for power in range(first, last + 1) for step in steps]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def spread(values: list[float], most: int) -> tuple[float, ...]:
    """Keep at most about ``most`` of the values, evenly far apart in the logarithm."""
    if len(values) < 2:
        return tuple(values)
    gap = math.log(values[-1] / values[0]) / max(1, most - 1) * 0.7
    kept = [values[0]]
    for value in values[1:]:
        if math.log(value / kept[-1]) >= gap:
            kept.append(value)
    return tuple(kept)


BLANK = 0x2800
# Dots of the left and the right column of a cell: from a row down to the last, and from the first down to a row.
DOWN_FROM = ((0x47, 0x46, 0x44, 0x40), (0xB8, 0xB0, 0xA0, 0x80))
DOWN_TO = ((0x01, 0x03, 0x07, 0x47), (0x08, 0x18, 0x38, 0xB8))

Run = tuple[str, str]  # text, kind of ink


class Canvas:
    """Dots and characters on ``width`` × ``height`` cells; characters lie above dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.dots = [bytearray(width) for _ in range(height)]
        self.characters: list[dict[int, tuple[str, str]]] = [{} for _ in range(height)]

    def bar(self, x: int, top: int, bottom: int) -> None:
        """Set the dots of column ``x`` from row ``top`` down to ``bottom``, both included."""
        cell, side = x >> 1, x & 1
        top, bottom = max(0, top), min(bottom, 4 * self.height - 1)
        if top > bottom or not 0 <= cell < self.width:
            return
        first, last = top >> 2, bottom >> 2
        for y in range(first, last + 1):
            dots = DOWN_FROM[side][top & 3 if y == first else 0] & DOWN_TO[side][bottom & 3 if y == last else 3]
            self.dots[y][cell] |= dots

    def put(self, x: int, y: int, character: str, kind: str) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self.characters[y][x] = (character, kind)

    def row(self, y: int, ink: str) -> list[Run]:
        """Give one row of cells as runs of one kind; dots are of the kind ``ink``."""
        runs: list[Run] = []
        characters, dots = self.characters[y], self.dots[y]
        for x in range(self.width):
            if x in characters:
                text, kind = characters[x]
            else:
                text, kind = (chr(BLANK + dots[x]), ink) if dots[x] else (" ", ink)
            if runs and runs[-1][1] == kind:
                runs[-1] = (runs[-1][0] + text, kind)
            else:
                runs.append((text, kind))
        return runs


TITLE, SHORT_TITLE = "latency per iteration", "latency"
MARKS = {"cold": "◆", "warm": "◇", "compile": "✕"}
ROWS_PER_TICK = 4
BAND = "duty"
BAND_LEVELS = "▁▂▃▄▅▆▇█"  # 0 % is drawn: what was not told is a gap
BAND_LEAST = 8  # cells of height from which there is room for the band
WARM_CELLS = 12  # room for "warm-up" and its marks, however long the run


class ChartColumn(Protocol):
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def low_ns(self) -> int: ...
    @property
    def high_ns(self) -> int: ...


@dataclass(frozen=True)
class Bar:
    """Samples ``first`` to ``last``, nanoseconds per product."""

    first: int
    last: int
    low: float
    high: float


@dataclass(frozen=True)
class ChartPicture:
    """Lines of runs of text, each of one kind of ink, and the unit of the vertical axis."""

    lines: tuple[tuple[Run, ...], ...]
    unit: str

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines)


NOTHING = ChartPicture((), "")


def draw(
    data: ChartData, width: int, height: int, *, log: bool = True, expected: int | None = None, median_ns: float | None = None
) -> ChartPicture:
    """Draw the samples on ``width`` × ``height`` cells.

    ``expected`` steady samples make the horizontal axis, so that nothing moves while they come in; None: those so far.
    """
    warm, steady = bars(data.warm, data.products), bars(data.steady, data.products)
    compiles = [(index, ns / data.products) for index, ns in data.compiles if drawable(ns)]
    values = [value for bar in (*warm, *steady) for value in (bar.low, bar.high)] + [ns for _, ns in compiles]
    if not values or width < 16 or height < 4:
        return NOTHING
    band = bool(data.duty) and height >= BAND_LEAST
    rows = height - 1 - band
    scale = scale_for(min(values), max(values), log, max(2, rows // ROWS_PER_TICK))
    size, unit = unit_for(scale.high)
    labels = {cell_row(scale, tick, rows): f"{tick / size:.4g}" for tick in scale.ticks}
    gutter = max(len(BAND) if band else 0, *map(len, labels.values()))
    field = PlotArea(width - gutter - 2, rows, scale, data, last=max((bar.last for bar in steady), default=None), expected=expected)
    field.draw_steady(steady, median_ns)
    field.draw_marks(warm, compiles)
    lines: list[tuple[Run, ...]] = []
    for y in range(rows):
        label = labels.get(y)
        axis = f"{label:>{gutter}} ┤" if label else " " * gutter + " │"
        lines.append(((axis, "axis"), *field.canvas.row(y, "steady")))
    lines.append(((" " * gutter + " └" + field.foot(), "axis"),))
    if band:
        lines.append(((f"{BAND:>{gutter}}  ", "axis"), (field.band(data.duty), "duty")))
    return ChartPicture(tuple(lines), unit)


def drawable(ns: float) -> bool:
    """Tell whether an axis has room for it: NaN, infinity and what is not positive have none."""
    return math.isfinite(ns) and ns > 0


def bars(columns: Iterable[ChartColumn], products: int) -> list[Bar]:
    return [
        Bar(column.first, column.last, column.low_ns / products, column.high_ns / products)
        for column in columns
        if drawable(column.low_ns) and drawable(column.high_ns)
    ]


def cell_row(scale: ChartScale, value: float, rows: int) -> int:
    return round((1 - scale.at(value)) * (4 * rows - 1)) >> 2


class PlotArea:
    """The part within the axes: warm-up at the left in a room of its own, steady state at the right."""

    def __init__(self, width: int, height: int, scale: ChartScale, data: ChartData, *, last: int | None, expected: int | None) -> None:
        self.width, self.height, self.scale = width, height, scale
        self.canvas = Canvas(width, height)
        warm_last = max((column.last for column in data.warm), default=-1)
        self.bounded = data.boundary is not None
        self.warm_count = data.boundary if data.boundary is not None else warm_last + 1
        self.warm_width = min(WARM_CELLS, width // 4) if data.warm else 0
        self.left = self.warm_width + 1 if self.warm_width else 0  # the first cell of the steady state
        self.expected = max(expected or 1, 0 if last is None else last + 1 - self.warm_count)
        self.products = data.products

    def draw_steady(self, steady: list[Bar], median_ns: float | None) -> None:
        if self.warm_width and self.bounded:
            for y in range(self.height):
                self.canvas.put(self.warm_width, y, "┊", "axis")
        for bar in steady:
            self.draw_bar(bar)
        if median_ns and steady and drawable(median_ns):
            row = cell_row(self.scale, median_ns, self.height)
            for x in range(self.left, self.width):
                if not self.canvas.dots[row][x]:  # the samples lie above it
                    self.canvas.put(x, row, "┄", "median")

    def draw_bar(self, bar: Bar) -> None:
        dots = 2 * (self.width - self.left)
        start = (bar.first - self.warm_count) * dots // self.expected
        end = max(start + 1, (bar.last + 1 - self.warm_count) * dots // self.expected)
        if bar.last == bar.first and end - start > 3:
            end -= 1  # few samples: a short dash each, with air between
        top, bottom = self.dot_row(bar.high), self.dot_row(bar.low)
        for x in range(2 * self.left + start, 2 * self.left + end):
            self.canvas.bar(x, top, bottom)

    def draw_marks(self, warm: list[Bar], compiles: list[tuple[int, float]]) -> None:
        for bar in warm:
            kind = "cold" if bar.first == 0 else "warm"
            self.mark(bar.last, bar.low, "warm" if bar.last else kind)
            self.mark(bar.first, bar.high, kind)
        for index, ns in compiles:
            self.mark(index, ns, "compile")

    def mark(self, index: int, ns: float, kind: str) -> None:
        if index >= self.warm_count:
            x = self.cell(index)
        elif self.warm_width:
            x = (2 * index + 1) * self.warm_width // (2 * self.warm_count)
        else:
            return  # a warm-up mark while only the steady state is shown
        self.canvas.put(x, self.dot_row(ns) >> 2, MARKS[kind], kind)

    def cell(self, index: int) -> int:
        """Give the first cell of a sample; that of the steady state for one of a warm-up that is not shown."""
        if index >= self.warm_count:
            return self.left + (index - self.warm_count) * (self.width - self.left) // self.expected
        return index * self.warm_width // self.warm_count if self.warm_width else self.left

    def band(self, duty: tuple[DutyColumn, ...]) -> str:
        """Draw the duty cycle below the samples it was told of; a cell of several stretches has their mean."""
        told: list[list[float]] = [[] for _ in range(self.width)]
        for column in duty:
            if column.percent is None or (column.last < self.warm_count and not self.warm_width):
                continue
            start = self.cell(column.first)
            for x in range(start, min(self.width, max(start + 1, self.cell(column.last + 1)))):
                told[x].append(column.percent)
        most = len(BAND_LEVELS) - 1
        return "".join(BAND_LEVELS[round(most * min(100.0, max(0.0, sum(each) / len(each))) / 100)] if each else " " for each in told)

    def dot_row(self, ns: float) -> int:
        return round((1 - self.scale.at(ns)) * (4 * self.height - 1))

    def foot(self) -> str:
        """Give the horizontal axis with the names of its parts and the number of the last iteration shown."""
        end = f" #{(self.warm_count + self.expected) * self.products:,}"
        warm = ""
        if self.warm_width:
            name = f"─ {'warm-up' if self.warm_count > 1 else 'cold'} "
            warm = (name if len(name) <= self.warm_width else "").ljust(self.warm_width, "─") + "┴"
        return (warm + "─ steady ").ljust(self.width - len(end), "─")[: self.width - len(end)] + end


class PictureWidget(Widget):
    """Shows ``picture``; the style of a kind of ink is the component class ``INKS--kind``."""

    ALLOW_SELECT = False
    INKS: ClassVar[str]
    picture = NOTHING

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self.picture.lines):
            return Strip.blank(width, self.rich_style)
        segments = [Segment(text, self.get_component_rich_style(f"{self.INKS}--{kind}")) for text, kind in self.picture.lines[y]]
        return Strip(segments).adjust_cell_length(width, self.rich_style)


class LatencyChart(PictureWidget):
    """The chart as a widget: it asks for as many columns as it can show, and draws once for each change."""

    INKS = "chart"
    DEFAULT_CSS = """
    LatencyChart { border-subtitle-color: $text; }
    .chart--axis, .chart--warm, .chart--median { color: $text-muted; }
    .chart--steady { color: $accent; }
    .chart--duty { color: $secondary; }
    .chart--cold { text-style: bold; }
    .chart--compile { color: $warning; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{kind}" for kind in ("axis", "steady", "cold", "warm", "compile", "median", "duty")}

    redraw: Callable[[], None] | None = None

    def show(
        self,
        chart: Callable[[int, bool], ChartData],
        *,
        log: bool,
        steady_only: bool,
        expected: int | None,
        median_ns: float | None,
        chips: str = "",
    ) -> None:
        """Draw at this size, and again at every other size the widget takes; ``chips`` is what they tell now, in a line."""

        def redraw() -> None:
            width, height = self.size
            if width and height:
                data = chart(2 * width, steady_only)  # two dots in a cell
                before, self.picture = self.picture, draw(data, width, height, log=log, expected=expected, median_ns=median_ns)
                unit = f", {self.picture.unit}" if self.picture.unit else ""
                scale = f"{unit} ({'log' if log else 'linear'})"
                title = TITLE if len(TITLE + scale) <= width - 2 else SHORT_TITLE
                retitle(self, f"{title}{scale}", chips)
                refresh_rows(self, before.lines, self.picture.lines)

        self.redraw = redraw
        redraw()

    def clear(self) -> None:
        """Show nothing."""
        self.redraw, self.picture = None, NOTHING
        self.border_title, self.border_subtitle = TITLE, ""
        self.refresh()

    def on_resize(self) -> None:
        if self.redraw is not None:
            self.redraw()
