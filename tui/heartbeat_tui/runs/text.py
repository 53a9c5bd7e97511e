"""What the Runs pane says of a run, as (text, ink), so that all of it can be tested and copied as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.units import NOTHING, format_bytes, format_ns, format_rate
from heartbeat_tui.benchmark.text import MARKS
from heartbeat_tui.runs.rows import Order, RunRow
from heartbeat_tui.widgets.table import GAP, Column, Layout, fitted, lay_out
from heartbeat_tui.widgets.text import sentence

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import MatMul
    from heartbeat_core.recordings.entry import RunEntry
    from heartbeat_tui.runs.model import RunListing

Piece = tuple[str, str]  # text, ink
LEFT = 4  # cells before the first column: pointed at, marked or the reference
NONE: Piece = (NOTHING, "quiet")
STATUSES: Mapping[str, Piece] = {  # those that are worth a word in the list
    "running": ("♥ running", "beat"),
    "failed": ("✗ failed", "failed"),
    "cut off": ("! cut off", "attention"),
    "newer": ("! newer", "attention"),
    "broken": ("✗ broken", "failed"),
    "empty": ("✗ empty", "failed"),
}
SHORT = {"float32": "f32", "bfloat16": "bf16", "synchronized": "synced", **{info.name: info.short for info in BACKENDS.values()}}
VERDICT = Column("verdict", "VERDICT", 12, 12, 7)
COLUMNS = (
    Column("name", "RUN", 16, 44, 9),
    Column("when", "WHEN", 8, 11, 4),
    Column("device", "DEVICE", 10, 22, 8),
    Column("shape", "SHAPE", 14, 18, 6),
    Column("dtype", "DTYPE", 5, 8, 5),
    Column("method", "METHOD", 8, 12, 3),
    Column("median", "MEDIAN", 14, 19, 10, right=True),
    VERDICT,
    Column("tags", "TAGS", 8, 30, 2),
)
NARROW = 90  # cells; in fewer, a verdict is its glyph
NARROW_COLUMNS = tuple(replace(column, title="", least=2, most=2) if column is VERDICT else column for column in COLUMNS)


def shape_words(work: MatMul | None) -> str:
    return f"{work.batch}×{work.hidden}×{work.intermediate}" if work else NOTHING


def when_words(started: datetime | None, now: datetime) -> str:
    """Write a time as near as it is: "20:12:05" today, "11-22 20:12" this year, else the day; local time."""
    if started is None:
        return NOTHING
    local, today = started.astimezone(), now.astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d")


def half_words(entry: RunEntry) -> str:
    """Give half the interval of the median in the unit of the median, to the digit that it leaves standing: "±0.04"."""
    if not entry.median_ns or entry.low_ns is None or entry.high_ns is None:
        return ""
    number, _, unit = format_ns(entry.median_ns).partition(" ")
    size = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}.get(unit, 1.0)
    decimals = max(1, len(number.partition(".")[2]))
    half, step = (entry.high_ns - entry.low_ns) / 2 / size, 10**-decimals
    return f"±{half:.{decimals}f}" if half >= step / 2 else f"±<{step:g}"


def median_words(entry: RunEntry) -> str:
    """Write the median with half its interval, or nothing: "9.61 ms ±0.04"."""
    return f"{format_ns(entry.median_ns)} {half_words(entry):<6}" if entry.median_ns else NOTHING


def device_words(entry: RunEntry) -> str:
    """Name the device so that a rehearsal is never taken for a TPU."""
    if entry.rehearsal:
        return "xla on CPU"
    return entry.device or entry.backend or NOTHING


def verdict_cell(entry: RunEntry) -> Piece:
    """Say how far to trust it; what keeps it from being whole comes first."""
    if entry.status in STATUSES:
        return STATUSES[entry.status]
    if not entry.verdict:
        return NONE
    glyph, kind = MARKS[entry.verdict]
    return f"{glyph} {entry.verdict}", kind


def title_of(entry: RunEntry, now: datetime, *, timed: bool) -> str:
    """Name a run; one without a name by its time, unless that is ``timed`` beside it, and its id."""
    if entry.name or entry.started is None:
        return entry.name or entry.path.name
    return entry.id if timed else f"{when_words(entry.started, now)} {entry.id}"


def cells(row: RunRow, now: datetime, *, timed: bool = True) -> dict[str, Piece]:
    """Write every cell of a row; ``timed`` where the time has a column of its own."""
    if row.is_head:
        return head_cells(row, now)
    entry = row.entry
    work = entry.workload
    indent = "  " if row.inside else ""
    return {
        "name": (indent + title_of(entry, now, timed=timed), "strong" if entry.name else "plain"),
        "device": (device_words(entry), "plain"),
        "shape": (shape_words(work), "plain"),
        "dtype": (work.dtype if work else NOTHING, "plain"),
        "method": (entry.method or NOTHING, "plain"),
        "median": (median_words(entry), "plain"),
        "verdict": verdict_cell(entry),
        "when": (when_words(entry.started, now), "quiet"),
        "tags": (" ".join(entry.tags), "quiet"),
    }


def head_cells(row: RunRow, now: datetime) -> dict[str, Piece]:
    """Write what the runs of a group share, and from where to where they range."""
    entries = row.members
    medians = sorted(entry.median_ns for entry in entries if entry.median_ns)
    shared = {
        name: shared_words(texts)
        for name, texts in {
            "device": (device_words(entry) for entry in entries),
            "shape": (shape_words(entry.workload) for entry in entries),
            "dtype": (entry.workload.dtype if entry.workload else NOTHING for entry in entries),
            "method": (entry.method for entry in entries),
        }.items()
    }
    ranging = f"{format_ns(medians[0])} … {format_ns(medians[-1])}" if medians else NOTHING
    troubled = next((verdict_cell(entry) for entry in entries if verdict_cell(entry)[1] in ("failed", "attention")), None)
    return {
        "name": (f"{'▾' if row.open else '▸'} {row.entry.group} ({len(entries)})", "strong"),
        **{name: (text, "quiet" if text == VARIOUS else "plain") for name, text in shared.items()},
        "median": (ranging, "plain"),
        "verdict": troubled or verdict_cell(entries[0]),
        "when": (when_words(max((entry.started for entry in entries if entry.started), default=None), now), "quiet"),
        "tags": (" ".join(dict.fromkeys(tag for entry in entries for tag in entry.tags)), "quiet"),
    }


VARIOUS = "various"
TELLING = 200  # rows that say how wide the columns are


def shared_words(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() or NOTHING if len(found) == 1 else VARIOUS


def wanted_widths(rows: Sequence[RunRow], now: datetime) -> dict[str, int]:
    """Say how wide each column would be at its widest; the first rows stand for all."""
    widths = {column.name: column.least for column in COLUMNS}
    for row in rows[:TELLING]:
        entry = row.entry
        name = len(row.entry.group) + 8 if row.is_head else 2 * row.inside + len(title_of(entry, now, timed=False))
        for column, length in (
            ("name", name),
            ("device", len(device_words(entry))),
            ("shape", len(shape_words(entry.workload))),
            ("dtype", len(entry.workload.dtype) if entry.workload else 0),
            ("method", len(entry.method)),
            ("median", 18 if row.is_head else 0),
            ("when", len(when_words(entry.started, now))),
            ("verdict", len(entry.verdict) + 2),
            ("tags", sum(map(len, entry.tags)) + len(entry.tags)),
        ):
            widths[column] = max(widths[column], length)
    return widths


def columns_for(rows: Sequence[RunRow], width: int, now: datetime) -> Layout:
    """Choose the columns there is room for."""
    wanted = wanted_widths(rows, now)
    *columns, tags = NARROW_COLUMNS if width < NARROW else COLUMNS
    whole = [replace(column, least=wanted["when"]) if column.name == "when" else column for column in columns]  # half a time is none
    shown = lay_out(whole, wanted, width - LEFT)
    left = width - LEFT - sum(cells + GAP for _, cells in shown)
    tagged = len(shown) == len(columns) and any(entry.tags for row in rows[:TELLING] for entry in row.entries)
    return (*shown, (tags, min(left, wanted["tags"], tags.most))) if tagged and left >= tags.least else shown


def heading_pieces(shown: Layout, order: Order) -> list[tuple[str, str, str]]:
    """Write the titles as (text, ink, column); the one it is sorted by has an arrow."""
    name, falling = order
    pieces: list[tuple[str, str, str]] = [(" " * LEFT, "", "")]
    for column, width in shown:
        here = column.name == name
        title = f"{column.title} {'▼' if falling else '▲'}" if here else column.title
        pieces.append((fitted(title, width, right=column.right) + "  ", "strong" if here else "quiet", column.name))
    return pieces


def row_pieces(row: RunRow, shown: Layout, now: datetime, *, pointed: bool, mark: str) -> list[Piece]:
    """Write a row; what is wrong with a recording stands over the columns that it cannot fill. ``mark`` is at most two cells."""
    found = cells(row, now, timed=any(column.name == "when" for column, _ in shown))
    pieces: list[Piece] = [("➤" if pointed else " ", "beat"), (f"{mark:<3}", "beat")]
    entry = row.entry
    if not row.is_head and entry.workload is None:
        name = sum(width for column, width in shown if column.name == "name")
        room = sum(width + GAP for column, width in shown if column.name != "name") - GAP
        said, kind = verdict_cell(entry)
        return [*pieces, (fitted(found["name"][0], name) + "  ", "plain"), (fitted(f"{said}: {entry.problem}", room), kind)]
    for column, width in shown:
        text, kind = found[column.name]
        if len(text) > width:
            text = text[:1] if column.name == "verdict" else SHORT.get(text, text)
        pieces.append((fitted(text, width, right=column.right) + "  ", kind))
    return pieces


# -- the run pointed at


def facts_of(entry: RunEntry, now: datetime) -> list[tuple[str, Piece]]:
    """List what is known of a run from its entry, as (label, text and ink)."""
    work = entry.workload
    rows: list[tuple[str, Piece]] = []
    if entry.problem:
        rows.append((entry.status, (sentence(entry.problem), "attention" if entry.status in ("cut off", "newer") else "failed")))
    if work is not None:
        rows.append(("ran on", (f"{entry.where}{' · ' + entry.host if entry.host else ''}", "plain")))
        precision = "" if entry.precision in ("", "default") else f" at {entry.precision} precision"
        rows.append(("work", (f"{work.shape} {work.dtype}{precision} · {entry.method}", "plain")))
    if entry.median_ns:
        rows.append(("median", (f"{median_words(entry).strip()} of {entry.n:,} · {format_rate(entry.flops_per_s or 0)}", "strong")))
    if entry.cold_ns:
        times = f", {entry.cold_ns / entry.median_ns:.1f}× the median" if entry.median_ns else ""
        rows.append(("first beat", (format_ns(entry.cold_ns) + times, "plain")))
    if entry.verdict:
        glyph, kind = MARKS[entry.verdict]
        rows.append(("verdict", (f"{glyph} {entry.verdict}: {entry.reason}", kind)))
    if entry.note:
        rows.append(("note", (entry.note, "plain")))
    if entry.tags:
        rows.append(("tags", (" ".join(entry.tags), "plain")))
    if entry.group:
        rows.append(("group", (entry.group, "plain")))
    rows.append(("recorded", (f"{when_words(entry.started, now)} · {format_bytes(entry.bytes)} · {entry.path.name}", "quiet")))
    return rows


def facts_of_group(row: RunRow, now: datetime) -> list[tuple[str, Piece]]:
    """List what is known of a group."""
    found = head_cells(row, now)
    return [
        ("group", (f"{row.entry.group}, {len(row.members)} runs", "strong")),
        *((name, found[name]) for name in ("device", "shape", "dtype", "method", "median", "when") if found[name][0] != NOTHING),
    ]


def facts_text(facts: Iterable[tuple[str, Piece]]) -> str:
    """Write the facts as plain text, for the clipboard."""
    return "".join(f"{label:<11} {text}\n" for label, (text, _) in facts)


def table_text(entries: Sequence[RunEntry], now: datetime) -> str:
    """Write runs as a plain table, for the clipboard."""
    rows = [[column.title for column in COLUMNS]]
    rows += [[cells(RunRow(entry.path.name, entry), now)[column.name][0] for column in COLUMNS] for entry in entries]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return "".join("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)


def counted(runs: RunListing, shown: int, sought: str) -> str:
    """Count what is listed: "5 of 23 runs with 'xla' · 1.2 MiB"."""
    entries = runs.entries
    if entries is None:
        return "runs"
    count = f"{len(entries):,} run{'' if len(entries) == 1 else 's'}"
    return f"{shown:,} of {count} with {sought!r}" if sought else f"{count} · {format_bytes(sum(entry.bytes for entry in entries))}"


def news(runs: RunListing) -> list[Piece]:
    """Say what is going on or wrong with the list, most often nothing."""
    if runs.problem is not None:
        return [(f"✗ {sentence(runs.problem.title)} {runs.problem.cause} {runs.problem.remedy}", "failed")]
    if runs.progress is not None:
        return [("reading {:,} of {:,} recordings …".format(*runs.progress), "beat")]
    if runs.entries is None:
        return [("looking for recordings …", "quiet")]
    said = [] if runs.saving or not runs.entries else [("! recordings.save is off: new runs are not kept", "attention")]
    return said + [(f"! {note}", "attention") for note in runs.notes]


def empty_words(runs: RunListing, sought: str, misread: str = "") -> list[Piece]:
    """Say why the list is empty, and which key fills it."""
    if runs.entries is None or runs.problem is not None:
        return []
    if misread:
        return [(sentence(misread), "attention"), ("esc shows all again.", "quiet")]
    if sought and runs.entries:
        return [(f"No run has the words {sought!r}.", "strong"), ("esc shows all again.", "quiet")]
    if not runs.saving:
        return [
            ("No run is kept, for the setting recordings.save is off.", "strong"),
            ("Set recordings.save = true in the settings file, or HEARTBEAT_RECORDINGS_SAVE=1.", "quiet"),
        ]
    return [
        ("No run has been kept yet.", "strong"),
        ("Every run you make is kept here, to be looked at, compared and replayed.", "plain"),
        ("3 goes to the Heartbeat pane; space starts a run there, which takes some seconds.", "plain"),
        ("", "plain"),
        (f"Recordings copied into {runs.folder} are shown as well.", "quiet"),
    ]
