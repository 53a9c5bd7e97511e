"""A sweep: one run for each value of an axis, or of two, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from heartbeat_core.benchmark.config import MatMul, Plan
from heartbeat_core.benchmark.parameters import MOST_AXES, SWEPT, Axis, Value, grid, in_words, value_of, varied
from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.roofline import CeilingCache, Roof
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.course import Course, Leg, ending_error
from heartbeat_core.runs.knee import Knee, Measured, find_knee
from heartbeat_core.runs.recording import load

A_POINT_S = 1.0  # of beats after the warm-up
LEAST_SAMPLES, MOST_SAMPLES = 12, 1000  # of a point; under six there is no interval
FIRST_SAMPLES = 30  # of the first point, of which nothing is known yet


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its report, or why there is none worth having."""

    values: Mapping[str, Value]
    plan: Plan
    report: Report | None = None
    error: HeartbeatError | None = None
    path: Path | None = None

    @property
    def ns(self) -> float | None:
        """Give the latency of a product, nanoseconds; None where none was measured."""
        return self.report.iteration_ns or None if self.report else None

    @property
    def name(self) -> str:
        return in_words(self.values)


@dataclass(frozen=True)
class Curve:
    """The measured points of a sweep along its main axis, everything else the same."""

    name: str  # what is the same, "" where there is only one curve
    axis: str
    points: tuple[Point, ...]

    @property
    def roof(self) -> Roof | None:
        return next((p.report.floor.roof for p in self.points if p.report and p.report.floor), None)

    def knee(self) -> Knee | None:
        """Find the knee, where it is the batch that varies."""
        if self.axis != "batch":
            return None
        return find_knee([Measured(point.plan.workload, point.ns) for point in self.points if point.ns], self.roof)


@dataclass(frozen=True)
class Swept:
    """A sweep as far as it is: ``points`` in the order they were measured, ``total`` as many as there will be."""

    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    total: int
    group: str

    @property
    def main(self) -> Axis:
        """Name the axis that latency is drawn against: the batch, else the first one of numbers."""
        named = [axis for axis in self.axes if axis.name == "batch"] + [axis for axis in self.axes if axis.numeric]
        return (named or list(self.axes))[0]

    @property
    def measured(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.ns)

    @property
    def missing(self) -> tuple[Point, ...]:
        """List the points that could not be measured, with their errors."""
        return tuple(point for point in self.points if not point.ns)

    def curves(self) -> tuple[Curve, ...]:
        """Sort the measured points into one curve for each value of the other axis."""
        main, curves = self.main, dict[str, list[Point]]()
        for point in self.measured:
            rest = {name: value for name, value in point.values.items() if name != main.name}
            curves.setdefault(in_words(rest), []).append(point)
        order = {value: index for index, value in enumerate(main.values)}
        return tuple(
            Curve(name, main.name, tuple(sorted(points, key=lambda point: order.get(point.values[main.name], 0))))
            for name, points in curves.items()
        )


class NoSweep(HeartbeatError):
    """Runs that make no sweep together."""


class Sweep(Course):
    """The course of a sweep. ``exact``: every point has the plan's own length; else one that takes about a second."""

    kind = "sweep"

    def __init__(self, plan: Plan, axes: tuple[Axis, ...], *, exact: bool = False, group: str = "") -> None:
        """Lay out the points; raise HeartbeatError where one of them makes no sense, or the plan has no end."""
        super().__init__(group)
        if plan.iterations is None and plan.duration_s is None:
            raise HeartbeatError("a sweep needs an end", "Each point goes on until stopped.", "Give --iterations or --duration.")
        self.axes, self.exact = axes, exact
        self.coming = [(values, varied(plan, values)) for values in grid(axes)]
        self.total = len(self.coming)
        self.points: tuple[Point, ...] = ()
        self.values: Mapping[str, Value] = {}

    @property
    def more(self) -> bool:
        return bool(self.coming) and not self.stopped

    def next(self) -> Leg | None:
        if not self.more:
            return None
        self.values, plan = self.coming.pop(0)
        return Leg(len(self.points) + 1, in_words(self.values), plan if self.exact else self.paced(plan))

    def paced(self, plan: Plan) -> Plan:
        """Give a point as many products as take about a second, by the last one measured; handbook readings stay as they are."""
        if plan.method == "handbook" or plan.duration_s is not None:
            return plan
        last = next((point for point in reversed(self.points) if point.ns), None)
        if last is None or not last.ns:
            return plan.with_iterations(plan.products_per_sample * FIRST_SAMPLES)
        expected_ns = last.ns * max(0.1, plan.workload.flops / last.plan.workload.flops)
        samples = round(1e9 * A_POINT_S / expected_ns / plan.products_per_sample)
        return plan.with_iterations(plan.products_per_sample * max(LEAST_SAMPLES, min(MOST_SAMPLES, samples)))

    def ended(self, leg: Leg, report: Report, path: Path | None) -> None:
        """Keep the point; a device that cannot be used at all ends the sweep."""
        if self.stopped and report.ending and report.ending.kind == "stopped":
            return  # cut short: its recording stays, the sweep does without
        error = ending_error(report)
        self.keep(Point(self.values, leg.plan, None if error else report, error, path))
        if error and error.exit_code == 3 and not any(point.ns for point in self.points):
            self.coming.clear()

    def refused(self, leg: Leg, error: HeartbeatError) -> None:
        """Keep why the point was not measured; a worker that cannot be started ends the sweep."""
        self.keep(Point(self.values, leg.plan, error=error))
        if error.exit_code == 3:
            self.coming.clear()

    def keep(self, point: Point) -> None:
        self.points = (*self.points, point)

    def swept(self) -> Swept:
        return Swept(self.axes, self.points, self.total, self.group)


def load_sweep(paths: Iterable[Path], ceilings: CeilingCache, group: str = "") -> Swept:
    """Put a sweep together again from its recordings: what differs between their plans are its axes.

    Raises NoSweep where nothing differs or more than a sweep varies, HeartbeatError where a recording cannot be read.
    """
    loaded = [load(path) for path in paths]
    plans = [each.series.plan for each in loaded]
    values = {name: tuple(dict.fromkeys(value_of(plan, name) for plan in plans)) for name in SWEPT}
    axes = tuple(Axis(name, ordered(found)) for name, found in values.items() if len(found) > 1)
    if not axes:
        raise NoSweep("these runs are no sweep", "All of them have the same shape, dtype, precision and threads.", "Choose a sweep.")
    if len(axes) > MOST_AXES or len({without_axes(plan) for plan in plans}) > 1:
        raise NoSweep("these runs are no sweep", "They differ in more than a sweep varies.", "Choose the runs of one sweep.")
    points = []
    for each, plan in zip(loaded, plans, strict=True):
        report = each.report(ceilings)
        error = ending_error(report)
        at = {axis.name: value_of(plan, axis.name) or 0 for axis in axes}
        points.append(Point(at, plan, None if error else report, error, each.path))
    return Swept(axes, tuple(points), len(points), group)


def ordered(values: tuple[Value | None, ...]) -> tuple[Value, ...]:
    """Put numbers in order; words stay in the order they came. Threads that torch chose count as 0."""
    known = [value or 0 for value in values]
    return tuple(sorted(known, key=lambda value: value if isinstance(value, int) else 0))


def without_axes(plan: Plan) -> Plan:
    """Keep of a plan what a sweep leaves alone."""
    return replace(plan, workload=MatMul(), precision="default", threads=None, iterations=1, duration_s=None, calibrate=False)
