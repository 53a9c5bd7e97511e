"""The chart of a sweep: the roof with its points under it, and the latency along the axis that was swept."""

from __future__ import annotations

from collections.abc import Sequence

from heartbeat_core.benchmark.roofline import Roof
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.knee_words import knee_gist, knee_serving
from heartbeat_core.runs.svg import SERIES, Picture, Scale, log_scale, short, wrapped
from heartbeat_core.runs.sweep import Curve, Point, Swept
from heartbeat_core.units import format_count, format_ns, format_rate, significant

WIDTH, TOP, BOTTOM = 960, 64, 360
LEFT, LEFT_END, RIGHT, RIGHT_END = 92, 470, 570, 936
ROW = 20
Places = list[tuple[Point, float, float]]


def sweep_svg(swept: Swept) -> str:
    """Draw a sweep; raise HeartbeatError where no point was measured."""
    curves = swept.curves()
    if not curves:
        raise HeartbeatError("the sweep holds no measured point", "There is nothing to draw.", "Choose another sweep.", exit_code=3)
    words = [text for curve in curves for text in meaning(curve)]
    picture = Picture(WIDTH, f"Sweep of {swept.main.name}", " ".join(words))
    picture.text(LEFT, 26, f"Sweep of {' and '.join(axis.name for axis in swept.axes)}", kind="big", width=700)
    draw_roofline(picture, curves)
    draw_latency(picture, curves, swept.main.name)
    y = BOTTOM + 56.0
    if len(curves) > 1:
        for series, curve in enumerate(curves):
            picture.line(LEFT, y - 4, LEFT + 26, y - 4, f"s{series % SERIES}", series=series)
            picture.text(LEFT + 34, y, curve.name)
            y += ROW
    notes = [label for label in first_labels(curves) if "recorded on" not in label]
    for text, kind in (*((text, "ink") for text in words), *((note, "faint") for note in notes)):
        for line in wrapped(text, 128):
            picture.text(LEFT, y, line, kind=kind)
            y += ROW
    return picture.render(y + 4)


def meaning(curve: Curve) -> list[str]:
    """Say where the knee of a curve lies and what that means for serving."""
    knee = curve.knee()
    if knee is None:
        return []
    gist = " ".join(text for text in (knee_gist(knee), knee_serving(knee)) if text)
    return [f"{curve.name}: {gist}" if curve.name else gist]


def first_labels(curves: Sequence[Curve]) -> tuple[str, ...]:
    return next((point.report.labels for curve in curves for point in curve.points if point.report), ())


def draw_roofline(picture: Picture, curves: Sequence[Curve]) -> None:
    """Draw what was computed a second against the FLOP of a byte, and the roofs above."""
    roofs = list(dict.fromkeys(roof for curve in curves if (roof := curve.roof)))
    points = [[(p.plan.workload.intensity, 1e9 * p.plan.workload.flops / p.ns) for p in curve.points if p.ns] for curve in curves]
    every = [place for curve in points for place in curve]
    ridges = [roof.flops_per_s / roof.bytes_per_s for roof in roofs]
    across = log_scale((x for x in (*(place[0] for place in every), *ridges)), LEFT, LEFT_END, room=1.3)
    upward = log_scale((y for y in (*(place[1] for place in every), *(roof.flops_per_s for roof in roofs))), BOTTOM, TOP, room=1.3)
    picture.text(LEFT, 46, "FLOP/s under the roof", kind="faint")
    picture.text(LEFT_END, BOTTOM + 36, "FLOP per byte", kind="faint", anchor="end")
    picture.axes(across, upward, significant_short, lambda rate: short(format_rate(rate)))
    for roof in roofs:
        draw_roof(picture, roof, across, upward)
    for series, curve in enumerate(points):
        places = [(across.at(x), upward.at(y)) for x, y in curve]
        picture.path(places, f"s{series % SERIES}", series=series)
        picture.dots(places, series, radius=3)


def draw_roof(picture: Picture, roof: Roof, across: Scale, upward: Scale) -> None:
    """Draw memory's slope up to the ridge and arithmetic's flat top behind it."""
    least = max(across.low, upward.low / roof.bytes_per_s)
    ridge = roof.flops_per_s / roof.bytes_per_s
    corners = [(least, least * roof.bytes_per_s), (max(least, ridge), roof.flops_per_s), (across.high, roof.flops_per_s)]
    picture.path([(across.at(x), upward.at(y)) for x, y in corners], "rule")
    picture.text(across.end, upward.at(roof.flops_per_s) - 6, f"{roof.name}: {roof.source}", kind="faint", anchor="end", width=320)


def draw_latency(picture: Picture, curves: Sequence[Curve], axis: str) -> None:
    """Draw the latency along an axis of numbers; words have no such chart."""
    values = [[(p.values[axis], p.ns) for p in curve.points if p.ns] for curve in curves]
    numbers = [[(float(x), y) for x, y in curve if isinstance(x, int) and x > 0] for curve in values]
    every = [place for curve in numbers for place in curve]
    if not every:
        return
    across = log_scale((x for x, _y in every), RIGHT, RIGHT_END, room=1.2)
    upward = log_scale((y for _x, y in every), BOTTOM, TOP, room=1.2)
    picture.text(RIGHT, 46, "latency of a product", kind="faint")
    picture.text(RIGHT_END, BOTTOM + 36, axis, kind="faint", anchor="end")
    picture.axes(across, upward, lambda value: format_count(round(value)), lambda ns: short(format_ns(ns)))
    for series, (curve, places) in enumerate(zip(curves, numbers, strict=True)):
        drawn = [(across.at(x), upward.at(y)) for x, y in places]
        picture.path(drawn, f"s{series % SERIES}", series=series)
        picture.dots(drawn, series, radius=3)
        knee = curve.knee()
        if knee and knee.kind == "knee" and knee.batch:
            x = across.at(float(knee.batch))
            picture.line(x, upward.start, x, upward.end, "rule")
            picture.text(x + 4, TOP + 10 + 14 * series, f"knee at {format_count(round(knee.batch))}", kind="faint")


def significant_short(value: float) -> str:
    return short(significant(value))
