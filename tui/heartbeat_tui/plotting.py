"""Charts drawn by plotext, as lines of styled text: only this file imports plotext.

plotext has one master figure, which knows neither threads nor colours of a theme: a lock lets one chart be drawn at a time,
and each style of a chart is drawn in a colour that stands for its name, which is read back from plotext's string.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from heartbeat_core.columns import cut

if TYPE_CHECKING:
    from heartbeat_core.charts.spec import Axis, ChartSpec, Curve

Run = tuple[str, str]  # text, style
Lines = tuple[tuple[Run, ...], ...]

SGR = re.compile(r"\x1b\[([0-9;]*)m")
AXIS = "axis"
EIGHTHS = "▁▂▃▄▅▆▇█"  # 0 is drawn: what was not measured is a gap
DRAWING = threading.Lock()
NO_BREAK = "\xa0"  # in a caption: a band does not show through it
BLANK = 0x2800  # the braille cell without dots
FROM, UNTIL = (0x95, 0x94, 0x84, 0x80), (0x01, 0x11, 0x15, 0x95)  # every second dot of a cell, from a line on and up to it
LEAST = (12, 3)  # cells under which plotext has no room for axes


def render(spec: ChartSpec, width: int, height: int) -> Lines:
    """Return the chart on ``width`` × ``height`` cells, the legend in its first line; no lines where there is no room."""
    legend = legend_line(spec, width)
    rows = height - bool(legend) - bool(spec.levels)
    if width < LEAST[0] or rows < LEAST[1]:
        return ()
    with DRAWING:
        text, styles = drawn(spec, width, rows)
    drawn_lines = text.split("\n")[:rows]
    below = {rule.style for rule in spec.rules if not rule.vertical}
    bands = band_dots(spec, *canvas(drawn_lines[0], width, rows))
    lines = [runs_of(line, styles, bands.get(row), below) for row, line in enumerate(drawn_lines)]
    if legend:
        lines.insert(0, legend)
    if spec.levels:
        lines.append(levels_line(spec, *canvas(drawn_lines[0], width, rows)[:2]))
    return tuple(lines)


def drawn(spec: ChartSpec, width: int, height: int) -> tuple[str, dict[str, str]]:
    """Return plotext's string, and which style each of its colours stands for."""
    import plotext

    plotext.terminal.limit(False, False)  # or no figure is larger than the terminal that plotext believes to have
    figure = plotext.figure
    styles: dict[str, str] = {}

    def ink(style: str) -> Any:
        number = next((int(key.split(";")[2]) for key, name in styles.items() if name == style), len(styles) + 1)
        styles[f"0;0;{number}"] = style
        return plotext.pixel((0, 0, number))

    figure.clear()
    figure.plot_size(width, height)
    figure.canvas("default")
    figure.axes(style="rounded", pixel=ink(AXIS))
    figure.axes(False, side=1)
    set_ruler(figure.ruler("x", "lower"), spec.x, ink(AXIS))
    set_ruler(figure.ruler("y", "left"), spec.y, ink(AXIS), len(spec.levels_name) if spec.levels else 0)
    for rule in spec.rules:
        axis = spec.x if rule.vertical else spec.y
        if axis.low <= rule.at <= axis.high:
            figure.line(axis.place(rule.at), "vertical" if rule.vertical else "horizontal", pixel=ink(rule.style), style="dotted")
    for curve in spec.curves:
        draw_curve(plotext, figure, spec, curve, ink(curve.style))
    for caption in spec.captions:
        alignment = "right" if caption.right else "left"
        label = figure.text(spec.x.place(caption.x), spec.y.place(caption.y), caption.text.replace(" ", NO_BREAK), alignment=alignment)
        add_signal(figure, label)
    return figure.build().string(), styles


def set_ruler(ruler: Any, axis: Axis, pixel: Any, least: int = 0) -> None:
    """Set limits and ticks by hand: a logarithmic axis of plotext loses every point once it is given ticks (6.1.0)."""
    ruler.lim(axis.place(axis.low), axis.place(axis.high))
    ruler.ticks([axis.place(value) for value, _ in axis.ticks], [label.rjust(least) for _, label in axis.ticks])
    ruler.pixel(pixel)


def draw_curve(plotext: Any, figure: Any, spec: ChartSpec, curve: Curve, pixel: Any) -> None:
    if not curve.x:
        return
    marker = plotext.marker(curve.marker or "braille", pixel)
    signal = figure.signal([spec.x.place(value) for value in curve.x], [spec.y.place(value) for value in curve.y], marker=marker)
    add_signal(figure, signal.lines() if curve.joined and len(curve.x) > 1 else signal)


def add_signal(figure: Any, signal: Any) -> None:
    """Add without ``figure.draw``, which asks each point for its colour to choose others later: a third of a frame (6.1.0)."""
    figure._signals._add(signal)  # noqa: SLF001


def canvas(first: str, width: int, rows: int) -> tuple[int, int, int]:
    """Return where plotext's first line leaves the vertical axis, and the columns and rows of the chart itself."""
    text = SGR.sub("", first)
    gutter = 1 + min((at for at in (text.find(edge) for edge in "│┤├┼") if at >= 0), default=0)
    return gutter, width - gutter, rows - 2


def band_dots(spec: ChartSpec, gutter: int, columns: int, rows: int) -> dict[int, dict[int, Run]]:
    """Return the cells of each row that a band fills, as every second dot; its edges are true to a dot.

    Filled by plotext a band costs three times as much as a line, and colours the cells of the median that lies in it.
    """
    found: dict[int, dict[int, Run]] = {}
    low, most = spec.y.place(spec.y.low), 4 * rows - 1
    scale = most / (spec.y.place(spec.y.high) - low)
    left = spec.x.place(spec.x.low)
    cell = (columns - 1) / (spec.x.place(spec.x.high) - left)
    for band in spec.bands:
        at = [round((spec.x.place(x) - left) * cell) for x in band.x]
        for index, first in enumerate(at):
            bottom = most - round((spec.y.place(band.low[index]) - low) * scale)
            top = most - round((spec.y.place(band.high[index]) - low) * scale)
            after = at[index + 1] if index + 1 < len(at) else first + 1
            for row in range(top // 4, bottom // 4 + 1):
                dots = FROM[max(0, top - 4 * row)] & UNTIL[min(3, bottom - 4 * row)]
                cells, shown = found.setdefault(row, {}), (chr(BLANK + dots), band.style)
                for column in range(gutter + first, gutter + max(after, first + 1)) if dots else ():
                    cells[column] = shown
    return found


def runs_of(line: str, styles: dict[str, str], band: dict[int, Run] | None, below: set[str]) -> tuple[Run, ...]:
    """Read one line of plotext's string back as runs of one style each; a band covers empty cells and the styles ``below`` it."""
    runs: list[Run] = []
    style, at, cell = "caption", 0, 0
    for code in (*SGR.finditer(line), None):
        text = line[at : code.start() if code else None]
        if band and (" " in text or style in below):
            for place, letter in enumerate(text, cell):
                add(runs, *(band.get(place, (letter, style)) if letter == " " or style in below else (letter, style)))
        else:
            add(runs, text.replace(NO_BREAK, " "), style)
        if code is not None:
            cell, at, parts = cell + len(text), code.end(), code[1].split(";")
            if parts[:2] == ["38", "2"]:
                style = styles.get(";".join(parts[2:5]), AXIS)
            elif parts in ([""], ["0"]):
                style = "caption"
    return tuple(runs)


def add(runs: list[Run], text: str, style: str) -> None:
    if not text:
        return
    if runs and (runs[-1][1] == style or not text.strip(" ")):
        runs[-1] = (runs[-1][0] + text, runs[-1][1])
    else:
        runs.append((text, style))


def legend_line(spec: ChartSpec, width: int) -> tuple[Run, ...]:
    """Name every curve beside its marker; names are cut where there is no room for all."""
    if not spec.legend:
        return ()
    most = max(6, width // len(spec.legend) - 4)
    return tuple((f"{marker} {cut(name, most)}  ", style) for marker, name, style in dict.fromkeys(spec.legend))


def levels_line(spec: ChartSpec, gutter: int, room: int) -> tuple[Run, ...]:
    """Draw the levels below the cells they belong to; a cell of several has their mean, one of none is empty."""
    found: list[list[float]] = [[] for _ in range(room)]
    for level in spec.levels:
        start, end = (round((value - spec.x.low) / (spec.x.high - spec.x.low) * room) for value in (level.start, level.end))
        for cell in range(max(0, start), min(room, max(start + 1, end))):
            found[cell].append(level.share)
    most = len(EIGHTHS) - 1
    cells = "".join(EIGHTHS[round(most * min(1.0, max(0.0, sum(some) / len(some))))] if some else " " for some in found)
    return ((f"{spec.levels_name[: gutter - 1]:>{gutter - 1}} ", AXIS), (cells, "levels"))
