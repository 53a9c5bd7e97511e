"""The latencies of several runs in one chart, each with a marker of its own: told apart without colour as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from heartbeat_tui.widgets.chart import (
    BLANK,
    NOTHING,
    ROWS_PER_TICK,
    Bar,
    Canvas,
    ChartPicture,
    ChartScale,
    PictureWidget,
    Run,
    bars,
    cell_row,
    scale_for,
    unit_for,
)
from heartbeat_tui.widgets.table import cut

if TYPE_CHECKING:
    from heartbeat_core.benchmark.series import ChartData

MARKERS = "●▲■◆✚○△□"
COLOURS = 4
APART = 12  # cells between two markers of one run
LEAST = (24, 5)  # cells that a chart needs
USUAL, FAR = 0.97, 4.0  # the share of columns that is always shown, and how far beyond them the others may be


@dataclass(frozen=True)
class OverlayCurve:
    """One run: the number and name of its side, and the means to draw as much of it as there is room for (columns, steady only)."""

    number: int
    name: str
    chart: Callable[[int, bool], ChartData]


def ink_of(number: int) -> str:
    """Name the ink of a run: there are four, and eight markers."""
    return f"run-{number % COLOURS}"


def marker_of(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def draw(curves: Sequence[OverlayCurve], width: int, height: int, *, log: bool = True, steady_only: bool = True) -> ChartPicture:
    """Draw the runs on ``width`` × ``height`` cells, each from its first beat at the left to its last at the right.

    Its first line is the legend.
    """
    if width < LEAST[0] or height < LEAST[1] or not curves:
        return NOTHING
    shown = [bars_of(curve.chart(2 * width, steady_only)) for curve in curves]
    if not any(shown):
        return NOTHING
    rows = height - 2  # the legend and the foot
    least, most, top = reach(shown)
    scale = scale_for(least, top, log, max(2, rows // ROWS_PER_TICK))
    size, unit = unit_for(scale.high)
    labels = {cell_row(scale, tick, rows): f"{tick / size:.4g}" for tick in scale.ticks}
    gutter = max(map(len, labels.values()))
    room = width - gutter - 2
    drawn = [canvas_of(some, room, rows, scale) for some in shown]
    numbers = [curve.number for curve in curves]
    marks = [
        {**marks_of(some, room, rows, scale, number, 1 + max(numbers)), **above_of(some, room, scale)}
        for number, some in zip(numbers, shown, strict=True)
    ]
    lines: list[tuple[Run, ...]] = [legend(curves, width)]
    for y in range(rows):
        label = labels.get(y)
        axis = f"{label:>{gutter}} ┤" if label else " " * gutter + " │"
        lines.append(((axis, "axis"), *composed(numbers, drawn, marks, y, room)))
    lines.append(((" " * gutter + " └" + foot(steady_only, most > scale.high, room), "axis"),))
    return ChartPicture(tuple(lines), unit)


def reach(shown: Sequence[Sequence[Bar]]) -> tuple[float, float, float]:
    """Give the least and the greatest sample, and how far up to draw: a few that took very long do not flatten all others."""
    least, most = min(bar.low for some in shown for bar in some), max(bar.high for some in shown for bar in some)
    usual = max(sorted(bar.high for bar in some)[int(USUAL * (len(some) - 1))] for some in shown if some)
    return least, most, most if most < FAR * usual else 1.5 * usual


def bars_of(data: ChartData) -> list[Bar]:
    return [*bars(data.warm, data.products), *bars(data.steady, data.products)]


def span(some: Sequence[Bar], room: int) -> Callable[[Bar], tuple[int, int]]:
    """Give the dots from and to which a bar reaches."""
    first, count = some[0].first, some[-1].last + 1 - some[0].first

    def of(bar: Bar) -> tuple[int, int]:
        start = (bar.first - first) * 2 * room // count
        end = max(start + 1, (bar.last + 1 - first) * 2 * room // count)
        return start, end - 1 if bar.first == bar.last and end - start > 3 else end  # few samples: a dash each, air between

    return of


def dot_row(scale: ChartScale, ns: float, rows: int) -> int:
    return round((1 - scale.at(ns)) * (4 * rows - 1))


def canvas_of(some: Sequence[Bar], room: int, rows: int, scale: ChartScale) -> Canvas:
    canvas = Canvas(room, rows)
    if some:
        of = span(some, room)
        for bar in some:
            start, end = of(bar)
            for x in range(start, end):
                canvas.bar(x, dot_row(scale, bar.high, rows), dot_row(scale, bar.low, rows))
    return canvas


def marks_of(some: Sequence[Bar], room: int, rows: int, scale: ChartScale, number: int, runs: int) -> dict[tuple[int, int], str]:
    """Say where the markers of a run stand: every so many cells, in turn with those of the others, as high as its beats."""
    if not some:
        return {}
    of = span(some, room)
    places = {}
    for x in range(number * max(1, APART // runs) + 1, room, APART):
        bar = next((bar for bar in reversed(some) if of(bar)[0] <= 2 * x), some[0])
        middle = (bar.low * bar.high) ** 0.5 if scale.log else (bar.low + bar.high) / 2
        places[x, dot_row(scale, middle, rows) >> 2] = marker_of(number)
    return places


def above_of(some: Sequence[Bar], room: int, scale: ChartScale) -> dict[tuple[int, int], str]:
    """Say where beats lie above the top."""
    if not some:
        return {}
    of = span(some, room)
    return {(of(bar)[0] // 2, 0): "↑" for bar in some if bar.high > scale.high}


def composed(numbers: Sequence[int], drawn: Sequence[Canvas], marks: Sequence[dict[tuple[int, int], str]], y: int, room: int) -> list[Run]:
    """Lay the runs over one another: a cell has the dots of all, and the ink of the one with most of them."""
    runs: list[Run] = []
    for x in range(room):
        text, kind = " ", "axis"
        dots = [canvas.dots[y][x] for canvas in drawn]
        if any(dots):
            every = 0
            for some in dots:
                every |= some
            most = max(some.bit_count() for some in dots)
            leading = [number for number, some in zip(numbers, dots, strict=True) if some.bit_count() == most]
            text, kind = chr(BLANK + every), ink_of(leading[x % len(leading)])
        for number, places in zip(numbers, marks, strict=True):
            if (x, y) in places:
                text, kind = places[x, y], ink_of(number)
        if runs and runs[-1][1] == kind:
            runs[-1] = (runs[-1][0] + text, kind)
        else:
            runs.append((text, kind))
    return runs


def legend(curves: Sequence[OverlayCurve], width: int) -> tuple[Run, ...]:
    """Name every run beside its marker; names are cut where there is no room for all."""
    names = {curve.number: curve.name for curve in curves}
    most = max(6, width // len(names) - 4)
    return tuple((f"{marker_of(number)} {cut(name, most)}  ", ink_of(number)) for number, name in names.items())


def foot(steady_only: bool, cut_off: bool, room: int) -> str:
    """Give the horizontal axis with the names of its ends, and say where beats lie above the top."""
    left = ("─ first steady beat " if steady_only else "─ first beat ") + ("─ ↑ longer than the axis " if cut_off else "")
    right = " last"
    return left.ljust(room - len(right), "─")[: max(0, room - len(right))] + right


class OverlayChart(PictureWidget):
    """The chart as a widget: drawn once for each change and each size."""

    INKS = "overlay"
    DEFAULT_CSS = """
    OverlayChart .overlay--axis { color: $text-muted; }
    OverlayChart .overlay--run-0 { color: $series-a; }
    OverlayChart .overlay--run-1 { color: $series-b; }
    OverlayChart .overlay--run-2 { color: $series-c; }
    OverlayChart .overlay--run-3 { color: $series-d; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"overlay--axis", *(f"overlay--{ink_of(number)}" for number in range(COLOURS))}

    curves: tuple[OverlayCurve, ...] = ()
    in_log = steady_only = True

    def show(self, curves: Sequence[OverlayCurve], *, log: bool, steady_only: bool) -> None:
        """Draw at this size, and again at every other size the widget takes."""
        self.curves, self.in_log, self.steady_only = tuple(curves), log, steady_only
        self.draw()

    def draw(self) -> None:
        width, height = self.size
        if width and height:
            self.picture = draw(self.curves, width, height, log=self.in_log, steady_only=self.steady_only)
            unit = f", {self.picture.unit}" if self.picture.unit else ""
            self.border_title = f"latency per product{unit} ({'log' if self.in_log else 'linear'})"
            self.refresh()

    def on_resize(self) -> None:
        self.draw()
