"""Compared runs as CSV, JSON or Markdown tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heartbeat_core.benchmark.protocol import Samples
from heartbeat_core.benchmark.report import report_json
from heartbeat_core.comparison.compare import Comparison, compare_all, figures_of
from heartbeat_core.comparison.cost import NO_RATES, CostRates
from heartbeat_core.comparison.groups import APART, MeasuredRun, RunGroup, by_plan, group_table, price_notes, side_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.sweep import Swept, point_json, sweep_json, sweep_markdown
from heartbeat_core.recordings.recording import read_records

ENTRY_COLUMNS = ("id", "name", "group", "started", "host", "device", "backend", "method", "precision", "threads", "n", "status")
WORK_COLUMNS = ("batch", "hidden", "intermediate", "dtype")
RATIO_COLUMNS = ("ratio", "ratio_low", "ratio_high", "p_value", "result")


@dataclass(frozen=True)
class Exported:
    """The groups of runs, of which the first is the reference, and each other group compared with it."""

    groups: tuple[tuple[MeasuredRun, ...], ...]
    comparisons: tuple[Comparison, ...]
    figures: tuple[RunGroup, ...]

    @property
    def runs(self) -> tuple[MeasuredRun, ...]:
        return tuple(run for group in self.groups for run in group)


def compare_for_export(groups: Sequence[Sequence[MeasuredRun]], rates: CostRates = NO_RATES) -> Exported:
    """Compare what is to be exported; a single group of runs is divided by their configs first."""
    parts = [tuple(group) for group in groups]
    if len(parts) == 1 and len(parts[0]) > 1:
        try:
            parts = [tuple(part) for part in by_plan(parts[0])]
        except HeartbeatError:
            return Exported((parts[0],), (), (side_of(parts[0], rates),))  # they repeat one another
    made = compare_all(parts, rates) if len(parts) > 1 else ()
    figures = figures_of(made) if made else (side_of(parts[0], rates),)
    return Exported(tuple(parts), made, figures)


def to_csv(exported: Exported) -> str:
    """Return a line for each sample of a single run, for each run of several; times in nanoseconds."""
    runs = exported.runs
    return write_csv(samples_of(runs[0]) if len(runs) == 1 else run_rows(exported))


def write_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    kept = list(rows)
    names = list(dict.fromkeys(name for row in kept for name in row))
    made = io.StringIO()
    writer = csv.DictWriter(made, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    return made.getvalue()


def samples_of(run: MeasuredRun) -> Iterable[dict[str, Any]]:
    """Read the recording again, for every sample in its order: a sample spans ``products`` products."""
    products = run.report.config.products_per_sample
    for record, _line in read_records(run.entry.path):
        if isinstance(record, Samples):
            for index in range(len(record)):
                columns = {f"{name}_ns": column[index] for name, column in record.columns.items()}
                yield {"sample": record.start + index, "phase": record.phase, "products": products, **columns}


def run_rows(exported: Exported) -> Iterable[dict[str, Any]]:
    """Return each run with its figures and the ratio of its group to the reference."""
    for number, group in enumerate(exported.groups):
        comparison = exported.comparisons[number - 1] if number else None
        for run in group:
            yield {**run_row(run), **ratio_row(comparison)}


def run_row(run: MeasuredRun) -> dict[str, Any]:
    entry, report = run.entry.to_json(), run.report
    return {
        **{name: safe(entry[name]) for name in ENTRY_COLUMNS},
        "shape": report.config.workload.brief,
        **{name: entry["workload"].get(name) for name in WORK_COLUMNS},
        "median_ns": report.iteration_ns,
        "low_ns": run.statistics.median_low_ns,
        "high_ns": run.statistics.median_high_ns,
        "flops_per_s": report.flops_per_s,
        "bytes_per_s": report.bytes_per_s,
        "share_of_floor": report.share,
        "verdict": report.verdict.kind,
        **{f"{name}_ns": run.apart_ns(name) for name in APART},
    }


def ratio_row(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return dict.fromkeys(RATIO_COLUMNS)
    ratio = comparison.ratio
    return dict(zip(RATIO_COLUMNS, (ratio.value, ratio.low, ratio.high, ratio.p_value, comparison.kind), strict=True))


def safe(value: object) -> object:
    """Return a value that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_json(exported: Exported) -> str:
    runs = [{"run": run.entry.to_json(), "report": report_json(run.report, run.series)} for run in exported.runs]
    made = {"schema": 1, "runs": runs, "comparisons": [comparison.to_json() for comparison in exported.comparisons]}
    return json.dumps(made, allow_nan=False, indent=1) + "\n"


def to_markdown(exported: Exported) -> str:
    """Return a table of the groups, then the comparisons in words."""
    head, *rows = group_table(exported.figures)
    lines = [markdown_row(head), "|---" + "|---:" * (len(head) - 1) + "|", *(markdown_row(row) for row in rows)]
    warned: set[str] = set()
    for comparison in exported.comparisons:
        lines += ["", f"**{escaped(comparison.sentence)}.**"]
        lines += [f"Why: {escaped(comparison.why)}."] if comparison.why else []
        lines += [f"- {escaped(warning)}" for warning in comparison.warnings if warning not in warned]
        warned |= set(comparison.warnings)
    labels = dict.fromkeys(f"{run.entry.title}: {label}" for run in exported.runs for label in run.report.labels)
    return "\n".join([*lines, "", *(f"- {escaped(label)}" for label in (*labels, *price_notes(exported.figures)))]) + "\n"


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def escaped(text: str) -> str:
    """Return a text that Markdown does not read as markup."""
    for mark in "\\|[]*_`<>":
        text = text.replace(mark, f"\\{mark}")
    return text


WRITERS: dict[str, Callable[[Exported], str]] = {"csv": to_csv, "json": to_json, "md": to_markdown}
SWEEP_WRITERS: dict[str, Callable[[Swept], str]] = {
    "csv": lambda swept: write_csv({**point_json(point), "quality": point.quality} for point in swept.points),
    "json": lambda swept: json.dumps(sweep_json(swept), allow_nan=False, indent=1) + "\n",
    "md": sweep_markdown,
}
