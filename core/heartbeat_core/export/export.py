"""Runs and what comparing them says, for other programs and for reports: CSV, JSON, Markdown, SVG."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.protocol import Samples
from heartbeat_core.benchmark.report import report_json
from heartbeat_core.comparison.compare import Comparison, compare_all
from heartbeat_core.comparison.cost import NO_RATES, CostRates
from heartbeat_core.comparison.groups import APART, MeasuredRun, RunGroup, by_plan, group_table, measure_each, price_notes, side_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.sweep import NoSweep, Swept, load_sweep
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.recording import read_records

FORMATS = ("csv", "json", "md", "svg")
ENTRY_COLUMNS = ("id", "name", "group", "started", "host", "device", "backend", "method", "precision", "threads", "n", "status")
WORK_COLUMNS = ("batch", "hidden", "intermediate", "dtype")
FIGURE_COLUMNS = ("median_ns", "low_ns", "high_ns", "flops_per_s", "bytes_per_s", "share_of_floor", "verdict")
RATIO_COLUMNS = ("ratio", "ratio_low", "ratio_high", "p_value", "result")


@dataclass(frozen=True)
class Exported:
    """The sides in their order, the first one the reference, and each other side compared with it."""

    sides: tuple[tuple[MeasuredRun, ...], ...]
    comparisons: tuple[Comparison, ...]
    tables: tuple[RunGroup, ...]

    @property
    def runs(self) -> tuple[MeasuredRun, ...]:
        return tuple(run for side in self.sides for run in side)


def gather(sides: Sequence[Sequence[MeasuredRun]], tariff: CostRates = NO_RATES) -> Exported:
    """Compare what is to be exported; a single side of runs that did not do the same is taken apart first."""
    parts = [tuple(side) for side in sides]
    if len(parts) == 1 and len(parts[0]) > 1:
        try:
            parts = [tuple(part) for part in by_plan(parts[0])]
        except HeartbeatError:
            return Exported((parts[0],), (), (side_of(parts[0], tariff),))  # they repeat one another
    made = compare_all(parts, tariff) if len(parts) > 1 else ()
    tables = (made[0].reference, *(comparison.candidate for comparison in made)) if made else (side_of(parts[0], tariff),)
    return Exported(tuple(parts), made, tables)


def export(exported: Exported, form: str) -> str:
    """Write it all in one of FORMS."""
    return WRITERS[form](exported)


def to_csv(exported: Exported) -> str:
    """Write a line for each sample of a single run, for each run of several; times in nanoseconds."""
    runs = exported.runs
    return write_csv(samples_of(runs[0]) if len(runs) == 1 else rows_of(exported))


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


def rows_of(exported: Exported) -> Iterable[dict[str, Any]]:
    """Give each run with its figures and, but for those of the reference, with what its side comes to against that."""
    for number, side in enumerate(exported.sides):
        comparison = exported.comparisons[number - 1] if number else None
        for run in side:
            yield {**row_of(run), **ratio_row(comparison)}


def row_of(run: MeasuredRun) -> dict[str, Any]:
    entry, report = run.entry.to_json(), run.report
    found = report.statistics
    figures = (
        report.iteration_ns,
        found.median_low_ns if found else None,
        found.median_high_ns if found else None,
        report.flops_per_s,
        report.bytes_per_s,
        report.share,
        report.verdict.kind,
    )
    return {
        **{name: safe(entry[name]) for name in ENTRY_COLUMNS},
        **{name: entry["workload"][name] for name in WORK_COLUMNS},
        **dict(zip(FIGURE_COLUMNS, figures, strict=True)),
        **{f"{name}_ns": run.apart_ns(name) for name in APART},
    }


def ratio_row(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return dict.fromkeys(RATIO_COLUMNS)
    ratio = comparison.ratio
    return dict(zip(RATIO_COLUMNS, (ratio.value, ratio.low, ratio.high, ratio.p_value, comparison.kind), strict=True))


def safe(value: object) -> object:
    """Keep spreadsheets from taking a name for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_json(exported: Exported) -> str:
    runs = [{"run": run.entry.to_json(), "report": report_json(run.report, run.series)} for run in exported.runs]
    made = {"schema": 1, "runs": runs, "comparisons": [comparison.to_json() for comparison in exported.comparisons]}
    return json.dumps(made, allow_nan=False, indent=1) + "\n"


def to_markdown(exported: Exported) -> str:
    """Write a table of the sides, then what comparing them says."""
    head, *rows = group_table(exported.tables)
    lines = [markdown_row(head), "|---" + "|---:" * (len(head) - 1) + "|", *(markdown_row(row) for row in rows)]
    said: set[str] = set()
    for comparison in exported.comparisons:
        lines += ["", f"**{plain_numbers(comparison.sentence)}.**"]
        lines += [f"Why: {plain_numbers(comparison.why)}."] if comparison.why else []
        lines += [f"- {plain_numbers(warning)}" for warning in comparison.warnings if warning not in said]
        said |= set(comparison.warnings)
    labels = dict.fromkeys(f"{run.entry.title}: {label}" for run in exported.runs for label in run.report.labels)
    return "\n".join([*lines, "", *(f"- {plain_numbers(label)}" for label in (*labels, *price_notes(exported.tables)))]) + "\n"


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(plain_numbers, cells))} |"


def plain_numbers(text: str) -> str:
    """Keep Markdown from reading a name or a shape as markup."""
    for mark in "\\|[]*_`<>":
        text = text.replace(mark, f"\\{mark}")
    return text


def to_svg(exported: Exported) -> str:
    from heartbeat_core.export.svg import runs_svg

    return runs_svg(exported.runs, exported.comparisons)


WRITERS: dict[str, Callable[[Exported], str]] = {"csv": to_csv, "json": to_json, "md": to_markdown, "svg": to_svg}


def in_form(sides: Sequence[tuple[RunEntry, ...]], form: str, index: Index, tariff: CostRates) -> tuple[str, tuple[str, ...]]:
    """Write the runs of these sides, or the sweep that they are, in one of the forms of ``export``; return what was left out, and why.

    Raises HeartbeatError where a recording that is needed cannot be read, or where the sides cannot be compared.
    """
    if len(sides) == 1 and (swept := sweep_in(sides[0], index)):
        from heartbeat_core.experiments.sweep import SWEEP_FORMATS
        from heartbeat_core.export.svg import sweep_svg

        writers: dict[str, Callable[[Swept], str]] = {**SWEEP_FORMATS, "svg": sweep_svg}
        return writers[form](swept), ()
    read = [measure_each(side, index.ceilings) for side in sides]
    return export(gather([runs for runs, _ in read], tariff), form), tuple(line for _, lines in read for line in lines)


def sweep_in(entries: tuple[RunEntry, ...], index: Index) -> Swept | None:
    """Put a sweep together where the runs of one group are one: no two of the same plan. None where they are none.

    Raises HeartbeatError where one of them cannot be read: which point it was, nobody knows.
    """
    plans = {(entry.workload, entry.precision, entry.threads) for entry in entries}
    turns = any(entry.round for entry in entries)
    if len(entries) < 2 or len(plans) < len(entries) or turns or {entry.group for entry in entries} in ({""}, set()):
        return None
    try:
        return load_sweep([entry.path for entry in reversed(entries)], index.ceilings, entries[0].group)
    except NoSweep:
        return None  # runs that differ otherwise, to be exported side by side


def keep(path: Path, text: str, *, force: bool) -> None:
    """Write a file, whole or not at all; raise HeartbeatError where there is one already, or it cannot be written."""
    taken = HeartbeatError(f"{path} exists", "Nothing is overwritten unasked.", "Choose another name, or add --force.")
    partial = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    begun = False
    try:
        with partial.open("x", encoding="utf-8") as file:
            begun = True
            file.write(text)
        if force:
            partial.replace(path)
    except OSError as error:
        if begun:
            with contextlib.suppress(OSError):  # what went wrong before is said below
                partial.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise taken from error
        cause = os.strerror(error.errno or 0)
        raise HeartbeatError(f"{path} cannot be written", cause, "Free the disk, or choose another place.", exit_code=3) from error
