"""The two charts of a sweep: throughput under the roof, of a model tokens/s, and latency against what was varied."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from heartbeat_core.benchmark.parameters import varied, written
from heartbeat_core.benchmark.roofline import Roof, floor
from heartbeat_core.charts.latency import LEAST
from heartbeat_core.charts.spec import (
    Axis,
    Caption,
    ChartSpec,
    Curve,
    RuleLine,
    curve_marker,
    curve_of,
    curve_style,
    fitting,
    interval_curves,
    legend_of,
    log_ticks,
    tick_label,
)
from heartbeat_core.experiments.experiment import TrialResult
from heartbeat_core.experiments.sweep import SweepCurve, Swept
from heartbeat_core.units import FLOP_RATE, TIME, Units, significant, unit_of

ROOF_STEPS = 60  # points of a roof or floor between the ends of the axis


def roofline_chart(swept: Swept, width: int, height: int) -> ChartSpec | None:
    """Return the points under their roof, throughput against arithmetic intensity; None without points or without room.

    Of a model's layer tokens/s against the time of a token.
    """
    if swept.limit:
        return tokens_chart(swept, width, height)
    curves = swept.curves
    points = [
        [(point.config.workload.intensity, point.report.flops_per_s) for point in curve.points if point.report and point.report.flops_per_s]
        for curve in curves
    ]
    reach = [x for some in points for x, _ in some]
    rates = [y for some in points for _, y in some]
    if not reach or width < LEAST[0] or height < LEAST[1]:
        return None
    roof = common_roof(curves)
    if roof is not None:
        turn = roof.flops_per_s / roof.bytes_per_s
        reach += [turn] if turn < 30 * max(reach) else []
        rates += [attainable(roof, max(reach)), attainable(roof, min(reach))]
    x = log_axis(reach, width // 10)
    y = log_axis(rates, height // 3, FLOP_RATE)
    at = [
        (knee.flops_per_s / knee.bytes_per_s, number)
        for number, curve in enumerate(curves)
        if (knee := curve.knee) and knee.flops_per_s and knee.bytes_per_s
    ]
    drawn = (
        *((line(x, lambda value: attainable(roof, value), "roof", y),) if roof else ()),
        *intervals_of(curves, lambda point: point.config.workload.intensity, y, height - 2, rate=True),
        *point_curves(points),
    )
    return with_knees(ChartSpec(f"roofline, {unit_of(y.high, FLOP_RATE)[1]} at FLOP/byte (log)", x, y, curves=drawn), at, curves)


def tokens_chart(swept: Swept, width: int, height: int) -> ChartSpec | None:
    """Return what a model gives at most, tokens/s against the time that each sequence waits for a token; None without room."""
    limits = [[(point, point.limit) for point in curve.points if point.limit] for curve in swept.curves]
    points = [[(limit.pass_ns, limit.tokens_per_s) for _, limit in some] for some in limits]
    if width < LEAST[0] or height < LEAST[1]:
        return None
    x = log_axis([ns for some in points for ns, _ in some], width // 10, TIME)
    y = log_axis([rate for some in points for _, rate in some], height // 3, ((1.0, "tokens/s"),))
    at = []
    for number, (curve, some) in enumerate(zip(swept.curves, limits, strict=True)):
        knee = curve.knee.batch if curve.knee else None
        beyond = [limit.pass_ns for point, limit in some if knee is not None and point.config.workload.batch >= knee]
        at += [(min(beyond), number)] if beyond else []
    title = f"tokens/s at {unit_of(x.high, TIME)[1]}/token (log), at most"
    return with_knees(ChartSpec(title, x, y, curves=point_curves(points)), at, swept.curves)


def latency_sweep_chart(swept: Swept, width: int, height: int) -> ChartSpec | None:
    """Return the latency against what was varied; words stand at even distances. None without points or without room."""
    axis, curves = swept.main, swept.curves
    places = {value: float(value) if isinstance(value, int) else float(index + 1) for index, value in enumerate(axis.values)}
    points = [
        [(places[point.values[axis.name]], point.ns) for point in curve.points if point.ns and point.values[axis.name] in places]
        for curve in curves
    ]
    times = [ns for some in points for _, ns in some]
    if not times or width < LEAST[0] or height < LEAST[1]:
        return None
    roof = common_roof(curves)
    floors = [point.report.floor.ns for curve in curves for point in curve.points if roof and point.report and point.report.floor]
    y = log_axis(times + [ns for ns in floors if ns], height // 3, TIME)
    labels = tuple((places[value], written(value)) for value in axis.values)
    span = list(places.values())
    x = log_axis(span, 1, room=1.15) if axis.numeric else Axis(0.5, len(span) + 0.5)
    x = Axis(x.low, x.high, x.log, fitting(labels, x, width))
    at = [(curve.knee.batch, number) for number, curve in enumerate(curves) if curve.knee and curve.knee.batch is not None]
    below = (line(x, lambda batch: floor_at(curves[0], roof, batch), "roof", y),) if roof is not None and axis.name == "batch" else ()
    spans = intervals_of(curves, lambda point: places.get(point.values[axis.name]), y, height - 2)
    title = f"latency, {unit_of(y.high, TIME)[1]}, against {axis.name}{' (log)' if axis.numeric else ''}"
    return with_knees(ChartSpec(title, x, y, curves=(*below, *spans, *point_curves(points))), at, curves)


def with_knees(spec: ChartSpec, at: Sequence[tuple[float, int]], curves: Sequence[SweepCurve]) -> ChartSpec:
    """Return a chart of these curves with their legend and a line at each knee, named at its head, on the side where there is room."""
    legend = legend_of(curve.name for curve in curves)
    return replace(
        spec,
        rules=tuple(RuleLine(value, "knee", vertical=True) for value, _ in at),
        captions=tuple(
            Caption(value, spec.y.high, f" knee {number + 1} " if legend else " knee ", "knee", right=spec.x.share(value) > 0.5)
            for value, number in at
            if spec.x.low <= value <= spec.x.high
        ),
        legend=legend,
    )


def common_roof(curves: Sequence[SweepCurve]) -> Roof | None:
    """Return the roof of all curves: another dtype has another one, and two lines over mixed points would mislead."""
    roofs = [curve.roof for curve in curves]
    return roofs[0] if roofs and all(roof == roofs[0] for roof in roofs) else None


def attainable(roof: Roof, intensity: float) -> float:
    """Return the most FLOP/s that a roof allows at so many FLOP/byte."""
    return min(roof.flops_per_s, intensity * roof.bytes_per_s)


def floor_at(curve: SweepCurve, roof: Roof, batch: float) -> float | None:
    """Return the floor of any batch, also between those measured, nanoseconds."""
    whole = round(batch)
    return floor(varied(curve.points[0].config, {"batch": whole}).workload, roof).ns if whole >= 1 else None


def line(x: Axis, value: Callable[[float], float | None], style: str, y: Axis) -> Curve:
    """Return a function as a line over the whole axis, as far as the other axis reaches."""
    low, high = math.log(x.low), math.log(x.high)
    along = [math.exp(low + (high - low) * step / ROOF_STEPS) for step in range(ROOF_STEPS + 1)]
    return curve_of(((at, found) for at in along if (found := value(at)) is not None and y.low <= found <= y.high), style, joined=True)


def point_curves(points: Sequence[Sequence[tuple[float, float]]]) -> tuple[Curve, ...]:
    return tuple(curve_of(some, curve_style(number), marker=curve_marker(number)) for number, some in enumerate(points) if some)


def intervals_of(
    curves: Sequence[SweepCurve], place: Callable[[TrialResult], float | None], axis: Axis, rows: int, *, rate: bool = False
) -> Iterator[Curve]:
    """Return the 95 % interval of each point's median, or of its rate, in the colour of its curve."""
    for number, curve in enumerate(curves):
        spans: list[tuple[float, float, float]] = []
        for point in curve.points:
            found, x = point.report.statistics if point.report else None, place(point)
            if x is None or found is None or found.interval is None:
                continue
            ends = found.interval
            flops = point.report.flops_per_s * found.median_ns if rate and point.report and point.report.flops_per_s else 0.0
            spans.append((x, flops / ends[1], flops / ends[0]) if rate else (x, *ends))
        yield from interval_curves(spans, curve_style(number), axis, rows)


def log_axis(values: Sequence[float], most: int, units: Units | None = None, *, room: float = 1.3) -> Axis:
    low, high = min(values) / room, max(values) * room
    size = unit_of(high, units)[0] if units else 1.0
    ticks = log_ticks(low, high, max(2, most))
    return Axis(low, high, True, tuple((tick, tick_label(tick / size) if units else significant(tick, 1)) for tick in ticks))
