"""Reading a recording for a list of runs: what is wrong with it is said in its entry, never raised."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from heartbeat_core.benchmark.protocol import Failed, Label, NewerSchema
from heartbeat_core.benchmark.roofline import PeakCache, peaks_key
from heartbeat_core.benchmark.series import Series
from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.recordings.entry import RunEntry, Status
from heartbeat_core.recordings.files import OURS, is_locked
from heartbeat_core.recordings.recording import read_records, recorded_report

CUT_OFF = "the worker ended without finishing; what it recorded before is whole"


def summarize_recording(path: Path, size: int, peak_cache: PeakCache) -> tuple[RunEntry, str]:
    """Read a recording, whatever its state; return with its entry the key of the peak of this machine that its verdict depends on."""
    series = Series(charted=False)
    status: Status | None = None
    problem = ""
    try:
        for record, _line in read_records(path):
            series.apply(record)
    except HeartbeatError as error:
        status = "newer" if isinstance(error.__cause__, NewerSchema) else "broken"
        problem = in_words(error)
    if status is None:
        status, problem = state_of(path, size, series)
    return entry_of(path, size, series, peak_cache, status, problem), needs_peaks(series)


def state_of(path: Path, size: int, series: Series) -> tuple[Status, str]:
    """Return how a recording that can be read ended, and what is wrong with it."""
    if series.failed:
        return "failed", in_words(series.failed)
    if series.ended:
        return "stopped" if series.ended.reason == "stopped" else "done", ""
    try:
        if is_locked(path):
            return "running", ""
    except OSError as error:
        return "broken", f"it cannot be read: {error.strerror}"
    if series.started is None:
        return "empty", "it is empty: its run ended before it began" if not size else "it has no complete line"
    return "cut off", CUT_OFF


def entry_of(path: Path, size: int, series: Series, peak_cache: PeakCache, status: Status, problem: str) -> RunEntry:
    """Return the entry of what could be read; the figures are those of the run's report."""
    started = series.started
    if started is None:
        return RunEntry(path, sanitize_line(path.stem), size, status, problem, started=time_in_name(path))
    plan, environment, label = series.config, series.environment, series.label or Label(0)
    report = recorded_report(series, peak_cache)
    statistics = report.statistics
    newer = f"recorded by a newer version: {', '.join(series.unknown)} of its config not known here" if series.unknown else ""
    return RunEntry(
        path=path,
        id=sanitize_line(path.stem),
        bytes=size,
        status=status,
        problem=problem or newer,
        name=label.name,
        note=label.note,
        tags=label.tags,
        group=label.group,
        round=label.round,
        reference=label.reference,
        started=time_of(started.time) or time_in_name(path),
        host=str(environment.get("host") or ""),
        device=str(environment.get("chip") or environment.get("hardware") or environment.get("device") or ""),
        rehearsal=bool(environment.get("rehearsal")),
        backend=plan.backend,
        workload=plan.workload,
        method=plan.method,
        precision=plan.precision,
        threads=whole(environment.get("threads")),
        verdict=report.verdict.kind,
        reason=report.verdict.reason,
        n=statistics.n if statistics else 0,
        median_ns=report.iteration_ns,
        low_ns=statistics.median_low_ns if statistics else None,
        high_ns=statistics.median_high_ns if statistics else None,
        relative_iqr=statistics.relative_iqr if statistics else None,
        flops_per_s=report.flops_per_s,
        quality=report.quality.kind,
        findings=report.quality.reasons,
        cold_ns=report.cold_ns,
        ray_node=str(environment.get("ray_node") or ""),
        tpu_slice=str(environment.get("tpu_slice") or ""),
        fleet_hosts=whole(environment.get("fleet_hosts")),
    )


def needs_peaks(series: Series) -> str:
    """Return the key of the peak of this machine that the verdict depends on; empty for a chip, whose peak is published."""
    if series.started is None or series.environment.get("chip"):
        return ""
    return peaks_key(series.config, series.environment)


def in_words(error: HeartbeatError | Failed) -> str:
    return ": ".join(part.rstrip(".") for part in (error.title, error.cause) if part)


def whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def time_of(text: str) -> datetime | None:
    """Return the time a run began, in UTC; None if the text is no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)


def time_in_name(path: Path) -> datetime | None:
    """Return the time in a file name that we gave."""
    if not OURS.fullmatch(path.name):
        return None
    try:
        return datetime.strptime(path.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
