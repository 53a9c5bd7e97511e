"""The points of a sweep under the machine's roof: FLOP/s against intensity, both logarithmic."""

from __future__ import annotations

from collections.abc import Sequence

from heartbeat_core.benchmark.roofline import Roof
from heartbeat_core.experiments.knee import Knee
from heartbeat_core.experiments.sweep import Curve
from heartbeat_core.units import FLOP_RATE, significant
from heartbeat_tui.widgets.plot import Mark, Plot, Rule, log_scale

TITLE = "{unit} against FLOP/byte, under the roof (log)"


def roofline_plot(curves: Sequence[Curve], knees: Sequence[Knee | None], height: int) -> Plot | None:
    """Lay out the points and the roof over them; None where there are no points."""
    marks = tuple(
        Mark(point.plan.workload.intensity, point.report.flops_per_s, number)
        for number, curve in enumerate(curves)
        for point in curve.points
        if point.report and point.report.flops_per_s
    )
    if not marks:
        return None
    roof = common_roof(curves)
    reach = [mark.x for mark in marks]
    rates = [mark.y for mark in marks]
    if roof is not None:
        turn = roof.flops_per_s / roof.bytes_per_s
        reach += [turn] if turn < 30 * max(reach) else []
        rates += [min(roof.flops_per_s, max(reach) * roof.bytes_per_s), min(roof.flops_per_s, min(reach) * roof.bytes_per_s)]
    x, y = log_scale(reach, 40), log_scale(rates, height)
    size, _ = unit_of(y.high)
    return Plot(
        x=x,
        y=y,
        labels=tuple((tick, significant(tick, 1)) for tick in x.ticks),
        tick=lambda value: f"{value / size:.4g}",
        marks=marks,
        rules=tuple(rule for number, knee in enumerate(knees) if (rule := knee_rule(knee, number, len(knees)))),
        line=(lambda intensity: min(roof.flops_per_s, intensity * roof.bytes_per_s)) if roof else None,
        legend=tuple(curve.name for curve in curves) if len(curves) > 1 else (),
    )


def common_roof(curves: Sequence[Curve]) -> Roof | None:
    """Find the roof over the first curve: another dtype has another one, and two lines over mixed points would mislead."""
    roofs = [curve.roof for curve in curves]
    return roofs[0] if roofs and all(roof == roofs[0] for roof in roofs) else None


def knee_rule(knee: Knee | None, number: int, of: int) -> Rule | None:
    """Mark the knee at the intensity where both fitted lines meet."""
    if knee is None or knee.kind != "knee" or not knee.flops_per_s or not knee.bytes_per_s:
        return None
    return Rule(knee.flops_per_s / knee.bytes_per_s, "knee" if of == 1 else f"knee {number + 1}")


def title_of(plot: Plot) -> str:
    return TITLE.format(unit=unit_of(plot.y.high)[1])


def unit_of(flops_per_s: float) -> tuple[float, str]:
    fitting = [unit for unit in FLOP_RATE if unit[0] <= flops_per_s]
    return fitting[-1] if fitting else FLOP_RATE[0]
