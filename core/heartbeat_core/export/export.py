"""Export of runs, comparisons and sweeps as CSV, JSON, Markdown or charts."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.comparison.groups import measure_each
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.sweep import NoSweep, Swept, load_sweep
from heartbeat_core.export.tables import SWEEP_WRITERS, WRITERS, compare_for_export
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.index import Index

PICTURES = ("png", "svg", "pdf")
FORMATS = ("csv", "json", "md", *PICTURES)


def export_runs(groups: Sequence[tuple[RunEntry, ...]], format_: str, index: Index, rates: CostRates) -> tuple[bytes, tuple[str, ...]]:
    """Return the runs of these groups, or the sweep that they are, in one of FORMATS, and what was left out, with the reason.

    Raises HeartbeatError if a recording that is needed cannot be read, if the groups cannot be compared, or if a picture is wanted and
    matplotlib is not installed.
    """
    from heartbeat_core.export.plots import check_matplotlib, figure_bytes, runs_figure, sweep_figure

    picture = format_ in PICTURES
    if picture:
        check_matplotlib()
    if len(groups) == 1 and (swept := sweep_in(groups[0], index)):
        return figure_bytes(sweep_figure(swept), format_) if picture else SWEEP_WRITERS[format_](swept).encode(), ()
    read = [measure_each(group, index.peak_cache) for group in groups]
    exported = compare_for_export([runs for runs, _ in read], rates)
    made = figure_bytes(runs_figure(exported), format_) if picture else WRITERS[format_](exported).encode()
    return made, tuple(line for _, lines in read for line in lines)


def export_trend(entries: Sequence[RunEntry], title: str, format_: str, index: Index) -> tuple[bytes, tuple[str, ...]]:
    """Return runs as one benchmark over time, as a picture or JSON, and what was left out; raise HeartbeatError for another format."""
    from heartbeat_core.comparison.trend import trend_of
    from heartbeat_core.export.plots import check_matplotlib, figure_bytes, trend_figure

    if format_ not in (*PICTURES, "json"):
        made = f"It is written as {', '.join((*PICTURES, 'json'))}."
        raise HeartbeatError(f"a trend is not written as {format_}", made, "runs trend prints it as a table.")
    if format_ != "json":
        check_matplotlib()
    trend = trend_of(entries, index.peak_cache, title)
    if format_ == "json":
        return json.dumps({"schema": 1, **trend.to_json()}, allow_nan=False, indent=1).encode() + b"\n", trend.left_out
    return figure_bytes(trend_figure(trend), format_), trend.left_out


def sweep_in(entries: tuple[RunEntry, ...], index: Index) -> Swept | None:
    """Return the sweep that the runs of one group are, if no two have the same config; None if they are not a sweep.

    Raises HeartbeatError if one of them cannot be read: which point it was is not known.
    """
    configs = {(entry.workload, entry.precision, entry.threads) for entry in entries}
    turns = any(entry.round for entry in entries)
    if len(entries) < 2 or len(configs) < len(entries) or turns or {entry.group for entry in entries} in ({""}, set()):
        return None
    try:
        return load_sweep([entry.path for entry in reversed(entries)], index.peak_cache, entries[0].group)
    except NoSweep:
        return None  # they differ in other ways, and are exported side by side


def write_export(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file, whole or not at all; raise HeartbeatError if it exists already, or cannot be written."""
    exists = HeartbeatError(f"{path} exists", "A file is overwritten only with --force.", "Choose another name, or add --force.")
    partial = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    begun = False
    try:
        with partial.open("xb") as file:
            begun = True
            file.write(content)
        if force:
            partial.replace(path)
    except OSError as error:
        if begun:
            with contextlib.suppress(OSError):  # the first error is raised below
                partial.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise exists from error
        cause = os.strerror(error.errno or 0)
        raise HeartbeatError(f"{path} cannot be written", cause, "Free the disk, or choose another folder.", exit_code=3) from error
