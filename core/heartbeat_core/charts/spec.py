"""The parts of a chart as plain data: axes with their ticks, curves, bands, rules, captions, a legend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from heartbeat_core.units import TIME, significant, unit_of

DECADE = (1.0, 2.0, 5.0)
FLAT = 0.02  # a series that spans less than this share of its size keeps its noise small
MARKERS = "●▲■◆✚○△□"  # of curves, which differ without colour too
COLOURS = 4  # of curves; more share them and differ by their markers


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``, both finite and low < high, above 0 where ``log``; ticks are (value, label)."""

    low: float
    high: float
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()

    def place(self, value: float) -> float:
        """Return the coordinate of a value: its logarithm on a logarithmic axis; values outside stay at the edge."""
        value = min(max(value, self.low), self.high)
        return math.log10(value) if self.log else value

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, 0 to 1."""
        low = self.place(self.low)
        return (self.place(value) - low) / (self.place(self.high) - low)


@dataclass(frozen=True)
class Curve:
    """Points, joined by a line or not; ``marker`` is empty for dots. ``style`` names a colour of the theme."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    style: str
    joined: bool = False
    marker: str = ""


@dataclass(frozen=True)
class Band:
    """The room between two curves over the same ``x``."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    style: str


@dataclass(frozen=True)
class RuleLine:
    """A straight line through the whole chart at one value of an axis."""

    at: float
    style: str
    vertical: bool = False


@dataclass(frozen=True)
class Caption:
    """A few words that end (``right``) or begin at a point."""

    x: float
    y: float
    text: str
    style: str
    right: bool = True


@dataclass(frozen=True)
class Level:
    """A share of 1 that holds from ``start`` to ``end`` of the horizontal axis."""

    start: float
    end: float
    share: float


@dataclass(frozen=True)
class ChartSpec:
    """All of a chart: later parts lie above earlier ones. ``legend`` is (marker, name, style) of each curve that has a name.

    ``levels`` are drawn in a line of their own below the horizontal axis.
    """

    title: str
    x: Axis
    y: Axis
    bands: tuple[Band, ...] = ()
    rules: tuple[RuleLine, ...] = ()
    curves: tuple[Curve, ...] = ()
    captions: tuple[Caption, ...] = ()
    legend: tuple[tuple[str, str, str], ...] = ()
    levels: tuple[Level, ...] = ()
    levels_name: str = ""


def drawable(value: float) -> bool:
    """Return whether a time has a place on an axis: NaN, infinity and what is not positive have none."""
    return math.isfinite(value) and value > 0


def curve_style(number: int) -> str:
    """Return the style of a curve: there are four colours and eight markers."""
    return f"series-{number % COLOURS}"


def curve_marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def legend_of(names: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    """Return the legend of curves with these names; none of a single curve."""
    found = tuple((curve_marker(number), name, curve_style(number)) for number, name in enumerate(names))
    return found if len(found) > 1 else ()


def curve_of(points: Iterable[tuple[float, float]], style: str, *, joined: bool = False, marker: str = "") -> Curve:
    found = list(points)
    return Curve(tuple(x for x, _ in found), tuple(y for _, y in found), style, joined, marker)


def round_step(step: float) -> float:
    """Return the least 1, 2 or 5 times a power of ten that is not under ``step``."""
    power = 10.0 ** math.floor(math.log10(step) + 1e-12)
    return power * next(factor for factor in (*DECADE, 10.0) if power * factor >= step * (1 - 1e-9))


def linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return at most about ``most`` round values between two others, at steps of 1, 2 or 5."""
    if not high > low:
        return (low,)
    step = round_step((high - low) / max(1, most))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(index * step for index in range(first, last + 1))


def log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return round values of a logarithmic axis: 1, 2, 5 of each decade, decades alone where there are many."""
    first, last = math.floor(math.log10(low) + 1e-12), math.ceil(math.log10(high) - 1e-12)
    for steps in (DECADE, (1.0, 3.0), (1.0,)):
        values = [10.0**power * step for power in range(first, last + 1) for step in steps]
        found = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    if len(found) > most:
        found = found[:: -(-len(found) // max(1, most))]
    return tuple(found) if len(found) >= 2 else linear_ticks(low, high, most)


def value_axis(values: Iterable[float], rows: int, *, log: bool, room: float = 1.06) -> tuple[Axis, str]:
    """Return an axis around positive values with about a tick every fourth row, and the name of its unit.

    A flat series is not blown up: the axis spans at least 2 % of its middle. Raise ValueError where there are no values.
    """
    found = sorted(values)
    low, high = found[0], found[-1]
    if high - low < FLAT * high:
        middle = (low + high) / 2
        low, high = min(low, (1 - FLAT / 2) * middle), max(high, (1 + FLAT / 2) * middle)
    most = max(2, rows // 3)
    if log and high > 1.5 * low:
        low, high = low / room, high * room
        ticks = log_ticks(low, high, most)
    else:
        margin = (room - 1) * (high - low)
        low, high = max(low - margin, low / 2), high + margin
        log = False
        ticks = next(steps for count in range(most, 4 * most) if len(steps := linear_ticks(low, high, count)) >= 2)
    size, unit = unit_of(high, TIME)
    return Axis(low, high, log, tuple((tick, tick_label(tick / size)) for tick in ticks)), unit


def tick_label(value: float) -> str:
    """Write a tick without needless digits: 0.5, 20, 1,500."""
    text = f"{value:.4g}"
    return f"{value:,.0f}" if value >= 1000 and abs(value - round(value)) < 1e-6 else text if "e" not in text else significant(value)


def count_ticks(low: float, high: float, most: int) -> tuple[tuple[float, str], ...]:
    """Return ticks at whole numbers."""
    return tuple((tick, f"{round(tick):,}") for tick in linear_ticks(low, high, most) if tick >= 1 and abs(tick - round(tick)) < 1e-6)


def interval_curves(spans: Iterable[tuple[float, float, float]], style: str, axis: Axis, rows: int) -> tuple[Curve, ...]:
    """Return an upright line for each (x, low, high) that is longer than one of the rows of the axis: the marker covers others."""
    row = 1 / max(1, rows)
    return tuple(Curve((x, x), (low, high), style, joined=True) for x, low, high in spans if axis.share(high) - axis.share(low) > row)


def fitting(labels: Sequence[tuple[float, str]], axis: Axis, width: int) -> tuple[tuple[float, str], ...]:
    """Return the labels that do not run into one another."""
    found: list[tuple[float, str]] = []
    free = 0.0
    for value, text in labels:
        at = axis.share(value) * width
        if at - len(text) / 2 >= free:
            found.append((value, text))
            free = at + len(text) / 2 + 2
    return tuple(found)
