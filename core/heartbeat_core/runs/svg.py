"""Pictures in SVG, drawn by hand: scales, axes and a style that is legible on light and on dark paper.

Colours are set by classes, for the style of the paper's scheme to change them; a series is told apart by its dashes too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape

LIGHT = ("#0b62b8", "#b3471d", "#1d7a3e", "#7a3fb0", "#8a6a00", "#b0246a")
DARK = ("#6cb2ff", "#ff9a6b", "#6fd08c", "#c79bff", "#e2c04a", "#ff8abf")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
SERIES = len(LIGHT)  # more take up the first one's colours again
TEXT_PX = 6.6  # the mean width of a character of 12 px, to cut lines by


@dataclass(frozen=True)
class Scale:
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
    """Give multiples of 1, 2 or 5 times a power of ten within the range, about five."""
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


def log_scale(values: Iterable[float], start: float, end: float, *, room: float = 1.06) -> Scale:
    """Make a scale in logarithms that holds all these values, with a little room; there is at least one, and all are above 0."""
    kept = list(values)
    return Scale(min(kept) / room, max(kept) * room, start, end, log=True)


class Picture:
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

    def axes(self, x: Scale, y: Scale, x_words: Callable[[float], str], y_words: Callable[[float], str]) -> None:
        """Draw the grid and its numbers; ``y`` grows upward."""
        for value in y.ticks():
            self.line(x.start, y.at(value), x.end, y.at(value), "grid")
            self.text(x.start - 6, y.at(value) + 4, y_words(value), kind="faint", anchor="end")
        for value in x.ticks():
            self.line(x.at(value), y.start, x.at(value), y.start + 4, "rule")
            self.text(x.at(value), y.start + 18, x_words(value), kind="faint", anchor="middle")
        self.line(x.start, y.start, x.end, y.start, "rule")

    def render(self, height: float) -> str:
        """Give the whole file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height:.0f}" '
            f'viewBox="0 0 {self.width} {height:.0f}" role="img" aria-label="{escape(self.title, {chr(34): "&quot;"})}">'
        )
        titles = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        paper = f'<rect class="paper" width="{self.width}" height="{height:.0f}"/>'
        return "\n".join((head, titles, f"<style>{style()}</style>", paper, *self.parts, "</svg>")) + "\n"


def style() -> str:
    """Give the colours of light paper, and those of dark paper for whoever prefers it."""
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
