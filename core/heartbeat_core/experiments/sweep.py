"""A sweep: one run for each value of an axis, or of two, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import MOST_AXES, SWEPT, Parameter, Value, grid, in_words, value_of, varied, written
from heartbeat_core.benchmark.roofline import PeakCache, Roof
from heartbeat_core.benchmark.serving import ServingLimit
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.experiment import Experiment, Trial, TrialResult, result_of
from heartbeat_core.experiments.knee import Knee, MeasuredPoint, find_knee, knee_meaning, knee_notes
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.units import NOTHING, format_bytes_rate, format_ns, format_rate, format_share, significant

A_POINT_S = 1.0  # of iterations after the warm-up
LEAST_SAMPLES, MOST_SAMPLES = 30, 1000  # of a point; fewer independent samples seldom have an interval
FIRST_SAMPLES = 30  # of the first point, of which nothing is known yet


@dataclass(frozen=True)
class SweepCurve:
    """The measured points of a sweep along its main axis, everything else the same."""

    name: str  # what is the same, "" where there is only one curve
    axis: str
    points: tuple[TrialResult, ...]

    @property
    def roof(self) -> Roof | None:
        return next((p.report.floor.roof for p in self.points if p.report and p.report.floor), None)

    @cached_property
    def knee(self) -> Knee | None:
        """Find the knee, where it is the batch that varies."""
        if self.axis != "batch":
            return None
        return find_knee([MeasuredPoint(point.config.workload, point.ns) for point in self.points if point.ns], self.roof, self.call_ns)

    @property
    def call_ns(self) -> float | None:
        """Return what a call costs without any work, the median of the points; None where it was not measured or is not in each time."""
        reports = [point.report for point in self.points if point.report and point.config.method == "synchronized"]
        costs = [report.proof.call_ns for report in reports if report.proof and report.proof.call_ns]
        return float(median(costs)) if costs else None


@dataclass(frozen=True)
class Swept:
    """A sweep as far as it is: ``points`` in the order they were measured, ``total`` as many as there will be."""

    axes: tuple[Parameter, ...]
    points: tuple[TrialResult, ...]
    total: int
    group: str

    @property
    def main(self) -> Parameter:
        """Name the axis that latency is drawn against: the batch, else the first one of numbers."""
        named = [axis for axis in self.axes if axis.name == "batch"] + [axis for axis in self.axes if axis.numeric]
        return (named or list(self.axes))[0]

    @property
    def measured(self) -> tuple[TrialResult, ...]:
        return tuple(point for point in self.points if point.ns)

    @property
    def missing(self) -> tuple[TrialResult, ...]:
        """List the points that could not be measured, with their errors."""
        return tuple(point for point in self.points if not point.ns)

    @property
    def limit(self) -> ServingLimit | None:
        """Return that of the first point that has one, None where the work is no layer."""
        return next((point.limit for point in self.points if point.limit), None)

    @cached_property
    def curves(self) -> tuple[SweepCurve, ...]:
        """Sort the measured points into one curve for each value of the other axis."""
        main, curves = self.main, dict[str, list[TrialResult]]()
        for point in self.measured:
            rest = {name: value for name, value in point.values.items() if name != main.name}
            curves.setdefault(in_words(rest), []).append(point)
        order = {value: index for index, value in enumerate(main.values)}
        return tuple(
            SweepCurve(name, main.name, tuple(sorted(points, key=lambda point: order.get(point.values[main.name], 0))))
            for name, points in curves.items()
        )


class NoSweep(HeartbeatError):
    """Runs that make no sweep together."""


class Sweep(Experiment):
    """A sweep as it goes on. ``exact``: every point has the config's own length; else one that takes about a second."""

    kind = "sweep"

    def __init__(self, config: BenchmarkConfig, axes: tuple[Parameter, ...], *, exact: bool = False, group: str = "") -> None:
        """Lay out the points; raise HeartbeatError where one of them makes no sense, or the config has no end."""
        super().__init__(group)
        self.needs_end(config)
        self.axes, self.exact = axes, exact
        self.coming = [Trial(in_words(values), varied(config, values), values=values) for values in grid(axes)]
        self.total = len(self.coming)
        self.points: tuple[TrialResult, ...] = ()

    def next(self) -> Trial | None:
        trial = super().next()
        return trial if trial is None or self.exact else replace(trial, config=self.paced(trial.config))

    def paced(self, config: BenchmarkConfig) -> BenchmarkConfig:
        """Return a point as many products as take about a second, by the last one measured; handbook readings stay as they are."""
        if config.method == "handbook" or config.duration_s is not None:
            return config
        last = next((point for point in reversed(self.points) if point.ns), None)
        if last is None or not last.ns:
            return config.with_iterations(config.products_per_sample * FIRST_SAMPLES)
        expected_ns = last.ns * max(0.1, config.workload.flops / last.config.workload.flops)
        samples = round(1e9 * A_POINT_S / expected_ns / config.products_per_sample)
        return config.with_iterations(config.products_per_sample * max(LEAST_SAMPLES, min(MOST_SAMPLES, samples)))

    def keep(self, result: TrialResult) -> None:
        """Keep the point; a device that cannot be used at all ends the sweep."""
        self.points = (*self.points, result)
        if result.error and result.error.exit_code == 3 and not any(point.ns for point in self.points):
            self.coming.clear()

    def refused(self, trial: Trial, error: HeartbeatError) -> None:
        """Keep why the point was not measured; a worker that cannot be started ends the sweep."""
        super().refused(trial, error)
        if error.exit_code == 3:
            self.coming.clear()

    def swept(self) -> Swept:
        return Swept(self.axes, self.points, self.total, self.group)


def load_sweep(paths: Iterable[Path], peak_cache: PeakCache, group: str = "") -> Swept:
    """Put a sweep together again from its recordings: what differs between their configs are its axes.

    Raises NoSweep where nothing differs or more than a sweep varies, HeartbeatError where a recording cannot be read.
    """
    recorded = {path: load(path) for path in paths}
    configs = [series.config for series in recorded.values()]
    values = {name: tuple(dict.fromkeys(value_of(config, name) for config in configs)) for name in SWEPT}
    axes = tuple(Parameter(name, ordered(found)) for name, found in values.items() if len(found) > 1)
    if not axes:
        raise NoSweep("these runs are no sweep", "All of them have the same shape, dtype, precision and threads.", "Choose a sweep.")
    if len(axes) > MOST_AXES or len({without_axes(config) for config in configs}) > 1:
        raise NoSweep("these runs are no sweep", "They differ in more than a sweep varies.", "Choose the runs of one sweep.")
    points = []
    for path, series in recorded.items():
        at = {axis.name: value_of(series.config, axis.name) or 0 for axis in axes}
        points.append(result_of(Trial(in_words(at), series.config, values=at), recorded_report(series, peak_cache), path))
    return Swept(axes, tuple(points), len(points), group)


def ordered(values: tuple[Value | None, ...]) -> tuple[Value, ...]:
    """Put numbers in order; words stay in the order they came. Threads that torch chose count as 0."""
    known = [value or 0 for value in values]
    return tuple(sorted(known, key=lambda value: value if isinstance(value, int) else 0))


def without_axes(config: BenchmarkConfig) -> BenchmarkConfig:
    """Keep of a config what a sweep leaves alone."""
    plain = config.workload.plain(SWEPT)
    return replace(config, workload=plain, precision="default", threads=None, iterations=1, duration_s=None, calibrate=False)


TITLES = ("median", "95 % CI", "FLOP/s", "memory", "FLOP/byte", "of peak", "quality")


def titles_of(swept: Swept) -> tuple[str, ...]:
    """Return TITLES, with tokens/s in place of the intensity where the work is a layer."""
    return tuple("tokens/s" if title == "FLOP/byte" and swept.limit else title for title in TITLES)


def point_json(point: TrialResult) -> dict[str, Any]:
    """Return a point's values and figures; what was not measured is None."""
    report, work = point.report, point.config.workload
    statistics = report.statistics if report else None
    return {
        **point.values,
        "median_ns": point.ns,
        "low_ns": statistics.median_low_ns if statistics else None,
        "high_ns": statistics.median_high_ns if statistics else None,
        "n": statistics.n if statistics else 0,
        "flops_per_s": report.flops_per_s if report else None,
        "bytes_per_s": report.bytes_per_s if report else None,
        "intensity": work.intensity,
        "tokens_per_s": point.limit.tokens_per_s if point.limit else None,
        "share_of_floor": report.share if report else None,
        "bound": report.floor.bound if report and report.floor else None,
        "verdict": report.verdict.kind if report else None,
        "quality": report.quality.to_json() if report else None,
        "in_cache": point.in_cache,
        "recording": str(point.path) if point.path else None,
        "problem": point.problem,
    }


def curve_json(curve: SweepCurve) -> dict[str, Any]:
    knee, roof = curve.knee, curve.roof
    names = ("kind", "batch", "low", "high", "bytes_per_s", "flops_per_s", "misfit", "roof_batch", "call_ns")
    return {
        "name": curve.name,
        "axis": curve.axis,
        "values": [point.values[curve.axis] for point in curve.points],
        "roof": asdict(roof) if roof else None,
        "knee": knee
        and {
            **{name: getattr(knee, name) for name in names},
            "meaning": [*knee_meaning(knee), *knee_notes(knee)],
        },
    }


def sweep_json(swept: Swept) -> dict[str, Any]:
    """Make the one object that ``bench --sweep --json`` prints: schema 1."""
    first = swept.measured[0].report if swept.measured else None
    return {
        "schema": 1,
        "sweep": {axis.name: list(axis.values) for axis in swept.axes},
        "group": swept.group,
        "plan": (swept.points[0].config if swept.points else None) and swept.points[0].config.to_json(),
        "environment": dict(first.environment) if first else {},
        "labels": list(first.labels) if first else [],
        "points": [point_json(point) for point in swept.points],
        **({"label": swept.limit.label} if swept.limit else {}),
        "points_wanted": swept.total,
        "curves": [curve_json(curve) for curve in swept.curves],
    }


def sweep_markdown(swept: Swept) -> str:
    """Write a table for people, the knee below it."""
    names = [axis.name for axis in swept.axes]
    lines = [f"| {' | '.join((*names, *titles_of(swept)))} |", "|" + "---:|" * (len(names) + len(TITLES) - 1) + "---|"]
    for point in swept.points:
        cells = [written(point.values[name]) for name in names]
        lines.append(f"| {' | '.join((*cells, *point_cells(point)))} |".replace("\n", " "))
    for curve in swept.curves:
        if curve.knee:
            lines += ["", (f"**{curve.name}**: " if curve.name else "") + " ".join(knee_meaning(curve.knee))]
    return "\n".join(lines) + "\n"


def point_cells(point: TrialResult) -> tuple[str, ...]:
    """Write the figures of a point under ``titles_of`` its sweep."""
    report = point.report
    if report is None or point.ns is None:
        return (NOTHING,) * (len(TITLES) - 1) + (f"not measured: {point.error.title if point.error else 'no figures'}",)
    s = report.statistics
    return (
        format_ns(point.ns),
        " to ".join(map(format_ns, s.interval)) if s and s.interval else NOTHING,
        format_rate(report.flops_per_s),
        format_bytes_rate(report.bytes_per_s),
        significant(point.limit.tokens_per_s if point.limit else point.config.workload.intensity),
        format_share(report.share) if report.share else NOTHING,
        point.quality,
    )
