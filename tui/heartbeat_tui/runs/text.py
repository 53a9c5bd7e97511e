"""What the Runs pane says of a run, as (text, style), so that all of it can be tested and copied as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.verdict import badge
from heartbeat_core.columns import StyledText, text_table
from heartbeat_core.errors import sanitize_line
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.units import NOTHING, format_bytes, format_interval, format_ns, format_rate, format_share, plural
from heartbeat_tui.runs.rows import COLUMNS, RunRow, attempts, run_row, time_text
from heartbeat_tui.widgets.text import sentence

if TYPE_CHECKING:
    from heartbeat_tui.runs.library import RunListing

Fact = tuple[str, StyledText]  # label, text


def run_facts(entry: RunEntry, now: datetime) -> list[Fact]:
    work = entry.workload
    rows: list[Fact] = []
    if entry.problem:
        rows.append(("problem", (sentence(entry.problem), "attention" if entry.status in ("cut off", "newer") else "failed")))
    if work is not None:
        rows.append(("ran on", (f"{entry.where}{' · ' + entry.host if entry.host else ''}", "plain")))
        precision = "" if entry.precision in ("", "default") else f" at {entry.precision} precision"
        rows.append(("work", (f"{work.shape} {work.dtype}{precision} · {entry.method}", "plain")))
    if entry.median_ns:
        rows.append(("median", (f"{format_ns(entry.median_ns)} · {format_rate(entry.flops_per_s or 0)}", "strong")))
        spread = [f"95 % CI {format_interval(entry.low_ns, entry.high_ns)}"] if entry.low_ns is not None else []
        spread += [f"IQR {format_share(entry.relative_iqr)}"] if entry.relative_iqr is not None else []
        rows.append(("", (" · ".join((*spread, f"{entry.n:,} samples")), "plain")))
    if entry.cold_ns:
        times = f", {entry.cold_ns / entry.median_ns:.1f}× the median" if entry.median_ns else ""
        rows.append(("cold", (format_ns(entry.cold_ns) + times, "plain")))
    labels = {"note": entry.note, "tags": " ".join(entry.tags), "group": entry.group}
    rows += [(name, (text, "plain")) for name, text in labels.items() if text]
    if entry.quality:
        text, style = badge(entry.quality)
        rows.append(("quality", (f"{text}: {'; '.join(entry.findings)}", style)))
    recorded = f"{time_text(entry.started, now)} · {format_bytes(entry.bytes)} · {sanitize_line(entry.path.name)}"
    return [*rows, ("recorded", (recorded, "quiet"))]


def group_facts(row: RunRow) -> list[Fact]:
    shown = ("device", "shape", "dtype", "method", "median", "started")
    facts = [(column.title.lower(), column.styled(row)) for column in COLUMNS if column.key in shown]
    title = (f"{row.entry.group}, {len(row.members)} runs", "strong")
    return [("group", title), *(fact for fact in facts if fact[1][0] != NOTHING)]


def facts_text(facts: Iterable[Fact]) -> str:
    return "".join(f"{label:<11} {text}\n" for label, (text, _) in facts)


def runs_text(entries: Sequence[RunEntry], now: datetime) -> str:
    return "\n".join(text_table(COLUMNS, [run_row(entry, now) for entry in entries])) + "\n"


def count_text(runs: RunListing, shown: int, query: str, hidden: int = 0) -> str:
    """Return how much is listed: "5 of 23 runs with 'xla'", and how many attempts are not."""
    entries = runs.entries
    if entries is None:
        return "runs"
    count = plural(len(entries) - hidden, "run")
    size = format_bytes(sum(entry.bytes for entry in entries))
    text = f"{shown:,} of {count} with {query!r}" if query else f"{count} · {size}"
    return f"{text} · a shows {attempts(hidden)}" if hidden else text


def notices(runs: RunListing) -> list[StyledText]:
    """Return what happens to the list or is wrong with it, usually nothing."""
    if runs.problem is not None:
        return [(f"✗ {sentence(runs.problem.title)} {runs.problem.cause} {runs.problem.remedy}", "failed")]
    if runs.progress is not None:
        return [("reading {:,} of {:,} recordings …".format(*runs.progress), "accent")]
    if runs.entries is None:
        return [("looking for recordings …", "quiet")]
    off = [] if runs.saving or not runs.entries else [("! recordings.save is off: new runs are not recorded", "attention")]
    return off + [(f"! {note}", "attention") for note in runs.notes]


def empty_text(runs: RunListing, query: str, misread: str = "", hidden: int = 0) -> list[StyledText]:
    """Return why the list is empty, and which key fills it."""
    if runs.entries is None or runs.problem is not None:
        return []
    if misread:
        return [(sentence(misread), "attention"), ("esc shows all again.", "quiet")]
    if hidden == len(runs.entries) > 0:
        return [(f"There is nothing but {attempts(hidden)}.", "strong"), ("a shows them.", "quiet")]
    if query and runs.entries:
        return [(f"No run matches {query!r}.", "strong"), ("esc shows all again.", "quiet")]
    if not runs.saving:
        return [
            ("Runs are not recorded: the setting recordings.save is off.", "strong"),
            ("Set recordings.save = true in the settings file, or HEARTBEAT_RECORDINGS_SAVE=1.", "quiet"),
        ]
    return [
        ("No run has been recorded yet.", "strong"),
        ("Every run is recorded and listed here. It can be shown, compared and replayed.", "plain"),
        ("3 opens the Heartbeat pane; space starts a run there, which takes a few seconds.", "plain"),
        ("", "plain"),
        (f"Recordings copied into {runs.folder} are listed too.", "quiet"),
    ]
