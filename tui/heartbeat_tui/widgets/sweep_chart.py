"""Latency against what a sweep varies, over the floor that the machine's roof sets."""

from __future__ import annotations

from collections.abc import Sequence

from heartbeat_core.benchmark.parameters import varied
from heartbeat_core.benchmark.roofline import floor
from heartbeat_core.experiments.knee import Knee
from heartbeat_core.experiments.sweep import Curve, Swept
from heartbeat_tui.widgets.plot import Mark, Plot, Rule, log_scale
from heartbeat_tui.widgets.roofline_chart import common_roof
from heartbeat_tui.widgets.scale import Scale, unit_for


def sweep_plot(swept: Swept, curves: Sequence[Curve], knees: Sequence[Knee | None], height: int) -> Plot | None:
    """Lay out the latencies; None where there are none. Words stand at even distances, numbers by their logarithm."""
    axis = swept.main
    places = {value: float(value) if isinstance(value, int) else float(index + 1) for index, value in enumerate(axis.values)}
    marks = tuple(
        Mark(places[point.values[axis.name]], point.ns, number)
        for number, curve in enumerate(curves)
        for point in curve.points
        if point.ns and point.values[axis.name] in places
    )
    if not marks:
        return None
    span = list(places.values())
    x = log_scale(span, 40, room=1.15) if axis.numeric else Scale(0.5, len(span) + 0.5, False, ())
    floors = floors_of(curves)
    y = log_scale([mark.y for mark in marks] + [value for value in floors.values() if value], height)
    size, _ = unit_for(y.high)
    return Plot(
        x=x,
        y=y,
        labels=tuple((places[value], f"{value:,}" if isinstance(value, int) else value) for value in axis.values),
        tick=lambda value: f"{value / size:.4g}",
        marks=marks,
        rules=tuple(
            Rule(knee.batch, "knee" if len(knees) == 1 else f"knee {number + 1}")
            for number, knee in enumerate(knees)
            if knee is not None and knee.batch is not None
        ),
        line=floor_line(curves) if axis.name == "batch" else None,
        legend=tuple(curve.name for curve in curves) if len(curves) > 1 else (),
    )


def floors_of(curves: Sequence[Curve]) -> dict[float, float]:
    """Give the floor of each measured batch, nanoseconds, where all curves share a roof."""
    if common_roof(curves) is None:
        return {}
    reports = [point.report for curve in curves for point in curve.points if point.report]
    return {float(report.plan.workload.batch): report.floor.ns for report in reports if report.floor}


def floor_line(curves: Sequence[Curve]) -> FloorLine | None:
    """Give the floor of every batch, also between those measured."""
    roof = common_roof(curves)
    return FloorLine(curves[0]) if roof is not None else None


class FloorLine:
    """The floor under a curve as a function of the batch."""

    def __init__(self, curve: Curve) -> None:
        self.plan, self.roof = curve.points[0].plan, curve.roof

    def __call__(self, batch: float) -> float | None:
        whole = round(batch)
        if self.roof is None or whole < 1:
            return None
        return floor(varied(self.plan, {"batch": whole}).workload, self.roof).ns


def title_of(swept: Swept, plot: Plot) -> str:
    scale = " (log)" if swept.main.numeric else ""
    return f"latency, {unit_for(plot.y.high)[1]}, against {swept.main.name}{scale}"
