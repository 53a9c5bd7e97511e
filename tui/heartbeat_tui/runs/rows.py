"""The rows of a list of runs and their columns, for the Runs pane and ``heartbeat-tui runs list``. No Textual here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from heartbeat_core.benchmark.verdict import QUALITY_MARKS, badge
from heartbeat_core.columns import ColumnSpec, Order, StyledText, sort_rows
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.units import NOTHING, format_bytes, format_count, format_interval, format_ns, format_rate, format_share, plural

NEWEST: Order = ("started", True)
GROUP = "group: "
MARKED, REFERENCE = "✓", "◎"


@dataclass(frozen=True)
class RunRow:
    """One line: a run, or the head of a group, whose ``members`` are the runs of it; ``entry`` is then the first of them.

    ``now`` is what its time is written relative to.
    """

    key: str
    entry: RunEntry
    now: datetime = field(compare=False)
    members: tuple[RunEntry, ...] = ()
    open: bool = False
    inside: bool = False  # stands under its head

    @property
    def is_head(self) -> bool:
        return bool(self.members)

    @property
    def is_sweep(self) -> bool:
        """Return whether it is the head of a group in which no two runs did the same, as in a sweep."""
        configs = {(entry.workload, entry.precision, entry.threads) for entry in self.members}
        targets = {(entry.where.partition(",")[0], entry.method) for entry in self.members}
        turns = any(entry.round for entry in self.members)
        return self.is_head and len(configs) == len(self.members) and len(targets) == 1 and not turns

    @property
    def entries(self) -> tuple[RunEntry, ...]:
        """Return the runs that it stands for."""
        return self.members or (self.entry,)


def run_row(entry: RunEntry, now: datetime, *, inside: bool = False) -> RunRow:
    return RunRow(entry.path.name, entry, now, inside=inside)


# -- cells

VARIOUS: StyledText = ("various", "quiet")
NONE: StyledText = (NOTHING, "quiet")
QUALITIES = tuple(QUALITY_MARKS)  # the worst first
STATUSES: Mapping[str, StyledText] = {  # those that are worth a word in the list
    "running": ("♥ running", "accent"),
    "failed": ("✗ failed", "failed"),
    "cut off": ("! incomplete", "attention"),
    "newer": ("! newer", "attention"),
    "broken": ("✗ broken", "failed"),
    "empty": ("✗ empty", "failed"),
}
SHORT = {"float32": "f32", "bfloat16": "bf16", "synchronized": "synced", "accelerator": "accel"}


def time_text(started: datetime | None, now: datetime) -> str:
    """Return a local time: "20:12:05" today, "11-22 20:12" this year, else the day."""
    if started is None:
        return NOTHING
    local, today = started.astimezone(), now.astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d")


def quality_text(entry: RunEntry) -> StyledText:
    """Return the quality of a run, or what is wrong with its recording, with a glyph."""
    if entry.status in STATUSES:
        return STATUSES[entry.status]
    return badge(entry.quality) if entry.quality else NONE


def name_cell(row: RunRow) -> StyledText:
    if row.is_head:
        return f"{'▾' if row.open else '▸'} {row.entry.group} ({len(row.members)})", "strong"
    indent = "  " if row.inside else ""
    return indent + (f"{row.entry.id} {row.entry.name}" if row.entry.name else row.entry.id), "strong" if row.entry.name else "plain"


def shared(text: Callable[[RunEntry], str]) -> Callable[[RunRow], StyledText]:
    """Return the cell of what a run says, or all runs of a group say; "various" if they differ."""

    def cell(row: RunRow) -> StyledText:
        if not row.members:
            return text(row.entry) or NOTHING, "plain"
        found = {text(entry) for entry in row.members}
        return (found.pop() or NOTHING, "plain") if len(found) == 1 else VARIOUS

    return cell


def single(text: Callable[[RunEntry], str]) -> Callable[[RunRow], StyledText]:
    """Return the cell of what one run alone says."""
    return lambda row: NONE if row.is_head else (text(row.entry), "plain")


def started_cell(row: RunRow) -> StyledText:
    return time_text(max((entry.started for entry in row.entries if entry.started), default=None), row.now), "quiet"


def median_cell(row: RunRow) -> StyledText:
    """Return the median, of a group the least and the greatest."""
    medians = sorted(entry.median_ns for entry in row.entries if entry.median_ns)
    if not medians:
        return NONE
    return (f"{format_ns(medians[0])} … {format_ns(medians[-1])}" if row.is_head else format_ns(medians[0])), "plain"


def quality_cell(row: RunRow) -> StyledText:
    """Return the quality, of a group the first that is bad."""
    found = [quality_text(entry) for entry in row.entries]
    return next((each for each in found if each[1] in ("failed", "attention")), found[0])


def shortened(text: str) -> str:
    return "rehearsal" if "rehearsal" in text else SHORT.get(text) or text.partition(",")[0]


def dtype_text(entry: RunEntry) -> str:
    return entry.workload.dtype if entry.workload else ""


def attempts(hidden: int) -> str:
    return f"{plural(hidden, 'attempt')} without a sample"


def number(value: float | None, form: Callable[[float], str]) -> str:
    return NOTHING if value is None else form(value)


def shape_key(row: RunRow) -> tuple[int, int, int] | None:
    work = row.entry.workload
    return (work.flops, work.batch, work.bytes) if work else None


Spec = ColumnSpec[RunRow]
# fmt: off
COLUMNS: tuple[Spec, ...] = (
    Spec("name", "RUN", name_cell, least=16, most=44, worth=9, sort=lambda row: row.entry.name.casefold() or None),
    Spec("started", "WHEN", started_cell, worth=4, whole=True,
         sort=lambda row: row.entry.started and row.entry.started.timestamp(), descending=True),
    Spec("device", "DEVICE", shared(lambda entry: entry.where), least=10, most=34, worth=8, shorten=shortened,
         sort=lambda row: row.entry.where.casefold() or None),
    Spec("shape", "SHAPE", shared(lambda entry: entry.workload.brief if entry.workload else NOTHING), worth=6, whole=True,
         sort=shape_key, descending=True),
    Spec("dtype", "DTYPE", shared(dtype_text), least=5, worth=5, shorten=shortened, sort=lambda row: dtype_text(row.entry) or None),
    Spec("method", "METHOD", shared(lambda entry: entry.method), least=8, worth=2, shorten=shortened,
         sort=lambda row: row.entry.method or None),
    Spec("median", "MEDIAN", median_cell, worth=10, align="right", whole=True, sort=lambda row: row.entry.median_ns),
    Spec("interval", "95 % CI", single(lambda entry: format_interval(entry.low_ns, entry.high_ns)), worth=3, align="right", whole=True),
    Spec("iqr", "IQR", single(lambda entry: number(entry.relative_iqr, format_share)), worth=1, align="right", whole=True,
         sort=lambda row: row.entry.relative_iqr, descending=True),
    Spec("quality", "QUALITY", quality_cell, least=2, worth=7, shorten=lambda text: text[:1],
         sort=lambda row: QUALITIES.index(row.entry.quality) if row.entry.quality else None),
    Spec("tags", "TAGS", lambda row: (" ".join(dict.fromkeys(tag for entry in row.entries for tag in entry.tags)), "quiet"), least=8,
         most=30, optional=True, sort=lambda row: " ".join(row.entry.tags).casefold() or None),
    Spec("flops", "FLOP/S", single(lambda entry: number(entry.flops_per_s, format_rate)), worth=5, align="right", whole=True, wide=True,
         sort=lambda row: row.entry.flops_per_s, descending=True),
    Spec("n", "SAMPLES", single(lambda entry: format_count(entry.n)), least=7, worth=4, align="right", wide=True,
         sort=lambda row: row.entry.n),
    Spec("host", "HOST", shared(lambda entry: entry.host), least=8, worth=3, wide=True, sort=lambda row: row.entry.host or None),
    Spec("group", "GROUP", shared(lambda entry: entry.group), wide=True, optional=True, screen=False,
         sort=lambda row: row.entry.group or None),
    Spec("size", "SIZE", lambda row: (format_bytes(sum(entry.bytes for entry in row.entries)), "quiet"), worth=2, align="right",
         whole=True, wide=True, sort=lambda row: row.entry.bytes, descending=True),
)
# fmt: on


# -- rows


def rows_of(entries: Sequence[RunEntry], order: Order, unfolded: frozenset[str], now: datetime) -> tuple[RunRow, ...]:
    """Return the rows of these runs; a group stands where the first of its runs would, its runs below it if it is unfolded."""
    ordered = [row.entry for row in sort_rows(COLUMNS, [run_row(entry, now) for entry in entries], order)]
    sizes = Counter(entry.group for entry in ordered if entry.group)
    grouped: dict[str, list[RunEntry]] = {group: [] for group, size in sizes.items() if size > 1}
    for entry in ordered:
        if entry.group in grouped:
            grouped[entry.group].append(entry)
    rows: list[RunRow] = []
    seen: set[str] = set()
    for entry in ordered:
        members = grouped.get(entry.group)
        if members is None:
            rows.append(run_row(entry, now))
        elif entry.group not in seen:
            seen.add(entry.group)
            open_ = entry.group in unfolded
            rows.append(RunRow(GROUP + entry.group, entry, now, tuple(members), open_))
            rows += [run_row(each, now, inside=True) for each in members] if open_ else []
    return tuple(rows)


def row_marks(marked: Iterable[str], reference: str | None) -> dict[str, str]:
    found = dict.fromkeys(marked, MARKED)
    if reference is not None:
        found[reference] = found.get(reference, "") + REFERENCE
    return found
