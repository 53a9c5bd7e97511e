"""A sweep as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from heartbeat_core.runs.knee import Knee
from heartbeat_core.runs.knee_words import knee_gist, knee_notes, knee_serving
from heartbeat_core.runs.sweep import Curve, Point, Swept
from heartbeat_core.units import NOTHING, format_bytes_rate, format_ns, format_rate, format_share, significant

COLUMNS = (
    "median_ns",
    "low_ns",
    "high_ns",
    "n",
    "flops_per_s",
    "bytes_per_s",
    "intensity",
    "share_of_floor",
    "bound",
    "verdict",
    "recording",
    "problem",
)
TITLES = ("median", "95 % interval", "FLOP/s", "memory", "FLOP/byte", "of floor", "verdict")


def point_json(point: Point) -> dict[str, Any]:
    """Give a point's values and figures; what was not measured is None."""
    report, work = point.report, point.plan.workload
    statistics = report.statistics if report else None
    problem = " ".join(part for part in (point.error.title, point.error.cause) if part) if point.error else None
    return {
        **point.values,
        "median_ns": point.ns,
        "low_ns": statistics.median_low_ns if statistics else None,
        "high_ns": statistics.median_high_ns if statistics else None,
        "n": statistics.n if statistics else 0,
        "flops_per_s": report.flops_per_s if report else None,
        "bytes_per_s": report.bytes_per_s if report else None,
        "intensity": work.intensity,
        "share_of_floor": report.share if report else None,
        "bound": report.floor.bound if report and report.floor else None,
        "verdict": report.verdict.kind if report else None,
        "recording": str(point.path) if point.path else None,
        "problem": problem,
    }


def curve_json(curve: Curve) -> dict[str, Any]:
    knee, roof = curve.knee(), curve.roof
    return {
        "name": curve.name,
        "axis": curve.axis,
        "values": [point.values[curve.axis] for point in curve.points],
        "roof": asdict(roof) if roof else None,
        "knee": knee_json(knee) if knee else None,
    }


def knee_json(knee: Knee) -> dict[str, Any]:
    return {
        "kind": knee.kind,
        "batch": knee.batch,
        "low": knee.low,
        "high": knee.high,
        "bytes_per_s": knee.bytes_per_s,
        "flops_per_s": knee.flops_per_s,
        "misfit": knee.misfit,
        "roof_batch": knee.roof_batch,
        "meaning": [knee_gist(knee), *filter(None, [knee_serving(knee)]), *knee_notes(knee)],
    }


def sweep_json(swept: Swept) -> dict[str, Any]:
    """Make the one object that ``bench --sweep --json`` prints: schema 1."""
    first = swept.measured[0].report if swept.measured else None
    return {
        "schema": 1,
        "sweep": {axis.name: list(axis.values) for axis in swept.axes},
        "group": swept.group,
        "plan": (swept.points[0].plan if swept.points else None) and swept.points[0].plan.to_json(),
        "environment": dict(first.environment) if first else {},
        "labels": list(first.labels) if first else [],
        "points": [point_json(point) for point in swept.points],
        "points_wanted": swept.total,
        "curves": [curve_json(curve) for curve in swept.curves()],
    }


def sweep_csv(swept: Swept) -> str:
    """Write one line a point, with a header; times in nanoseconds."""
    names = [axis.name for axis in swept.axes]
    made = io.StringIO()
    writer = csv.DictWriter(made, [*names, *COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(point_json(point) for point in swept.points)
    return made.getvalue()


def sweep_markdown(swept: Swept) -> str:
    """Write a table for people, the knee below it."""
    names = [axis.name for axis in swept.axes]
    lines = [f"| {' | '.join((*names, *TITLES))} |", "|" + "---:|" * (len(names) + len(TITLES) - 1) + "---|"]
    for point in swept.points:
        cells = [f"{value:,}" if isinstance(value, int) else value for value in (point.values[name] for name in names)]
        lines.append(f"| {' | '.join((*cells, *point_cells(point)))} |".replace("\n", " "))
    for curve in swept.curves():
        knee = curve.knee()
        if knee:
            lines += ["", (f"**{curve.name}**: " if curve.name else "") + " ".join(filter(None, (knee_gist(knee), knee_serving(knee))))]
    return "\n".join(lines) + "\n"


def point_cells(point: Point) -> tuple[str, ...]:
    """Write the figures of a point under TITLES."""
    report = point.report
    if report is None or point.ns is None:
        return (NOTHING,) * (len(TITLES) - 1) + (f"not measured: {point.error.title if point.error else 'no figures'}",)
    s = report.statistics
    interval = NOTHING
    if s is not None and s.median_low_ns is not None and s.median_high_ns is not None:
        interval = f"{format_ns(s.median_low_ns)} to {format_ns(s.median_high_ns)}"
    return (
        format_ns(point.ns),
        interval,
        format_rate(report.flops_per_s or 0),
        format_bytes_rate(report.bytes_per_s or 0),
        significant(point.plan.workload.intensity),
        format_share(report.share) if report.share else NOTHING,
        report.verdict.kind,
    )


FORMS = {"csv": sweep_csv, "md": sweep_markdown, "json": lambda swept: json.dumps(sweep_json(swept), allow_nan=False, indent=1) + "\n"}
