"""The chart of a trend: one benchmark over time, a point with its interval for each run, changes marked."""

from __future__ import annotations

from itertools import pairwise

from heartbeat_core.charts.latency import GUTTER, LEAST
from heartbeat_core.charts.spec import Axis, Caption, ChartSpec, Curve, curve_of, fitting, interval_curves, value_axis
from heartbeat_core.comparison.compare import change
from heartbeat_core.comparison.trend import Trend

FAR = 4.0  # the ratio from which times stand on a logarithmic axis


def trend_chart(trend: Trend, width: int, height: int) -> ChartSpec | None:
    """Return the medians in the order of time, at even distances; None without room.

    The line of a level, the typical time of all runs from one change to the next, breaks where a change is.
    """
    points = trend.points
    if width < LEAST[0] or height < LEAST[1] or not points:
        return None
    at = [float(number) for number in range(1, len(points) + 1)]
    spans = [(point.figures.low_ns or point.figures.ns, point.figures.high_ns or point.figures.ns) for point in points]
    reach = [ns for span in spans for ns in span] + [point.figures.ns for point in points]
    y, unit = value_axis(reach, height - 2, log=max(reach) > FAR * min(reach), room=1.3)
    x = Axis(0.5, len(points) + 0.5)
    many_days = len({point.started.date() for point in points if point.started}) > 1
    form = "%b %d" if many_days else "%H:%M"
    first_at: dict[str, float] = {}  # where a day or minute begins
    for place, point in zip(at, points, strict=True):
        if point.started:
            first_at.setdefault(point.started.strftime(form), place)
    labels = [(place, label) for label, place in first_at.items()]
    changed = [index for index, point in enumerate(points) if point.change]
    levels = []
    for first, after in pairwise((0, *changed, len(points))):
        typical = sorted(point.figures.ns for point in points[first:after])[(after - first) // 2]
        levels.append(Curve((at[first] - 0.5, at[after - 1] + 0.5), (typical, typical), "median", joined=True))
    plain = [index for index in range(len(points)) if index not in changed]
    return ChartSpec(
        f"{trend.title}: median and 95 % CI of each run, {unit}",
        Axis(x.low, x.high, ticks=fitting(labels, x, width - GUTTER)),
        y,
        curves=(
            *levels,
            *interval_curves([(place, *span) for place, span in zip(at, spans, strict=True)], "band", y, height - 2),
            curve_of(((at[index], points[index].figures.ns) for index in plain), "steady", marker="●"),
            *(
                Curve((at[index],), (points[index].figures.ns,), "knee", marker="▲" if points[index].change == "slower" else "▼")
                for index in changed
            ),
        ),
        captions=tuple(
            Caption(
                at[index],
                beside(spans[index], y, height - 2, above=points[index].change == "slower"),
                f"{'' if points[index].certain else '? '}{change(ratio.value)}",
                "knee",
                right=index > len(points) // 2,
            )
            for index in changed
            if (ratio := points[index].ratio)
        ),
    )


def beside(span: tuple[float, float], axis: Axis, rows: int, *, above: bool) -> float:
    """Return the value a row and a half above an interval, or below it."""
    rise = 1.5 / rows if above else -1.5 / rows
    return span[above] * (axis.high / axis.low) ** rise if axis.log else span[above] + (axis.high - axis.low) * rise
