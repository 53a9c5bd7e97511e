"""The rows of the Runs pane: which are sought, in which order they stand, and which stand together. No Textual here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heartbeat_core.recordings.entry import RunEntry

Order = tuple[str, bool]  # column, the greatest first
NEWEST: Order = ("when", True)
VERDICTS = ("impossible", "suspicious", "unknown", "plausible")  # the worst first
GROUP = "group: "
MARKED, REFERENCE = "✓", "◎"


@dataclass(frozen=True)
class RunRow:
    """One line: a run, or the head of a group with its runs, the first of which stands for what they share."""

    key: str
    entry: RunEntry
    members: tuple[RunEntry, ...] = ()  # of a head
    open: bool = False
    inside: bool = False  # stands under its head

    @property
    def is_head(self) -> bool:
        return bool(self.members)

    @property
    def sweeps(self) -> bool:
        """Tell whether it is the head of a group in which no two runs did the same, as in a sweep."""
        plans = {(entry.workload, entry.precision, entry.threads) for entry in self.members}
        sites = {(entry.where.partition(",")[0], entry.method) for entry in self.members}
        turns = any(entry.round for entry in self.members)
        return self.is_head and len(plans) == len(self.members) and len(sites) == 1 and not turns

    @property
    def entries(self) -> tuple[RunEntry, ...]:
        """Give the runs it stands for."""
        return self.members or (self.entry,)


def verdict_rank(entry: RunEntry) -> int | None:
    return VERDICTS.index(entry.verdict) if entry.verdict in VERDICTS else None


def work_of(entry: RunEntry) -> tuple[int, int, int] | None:
    work = entry.workload
    return (work.flops, work.batch, work.hidden) if work else None


SORTS: dict[str, Callable[[RunEntry], Any]] = {  # None goes last, whichever way
    "when": lambda entry: entry.started.timestamp() if entry.started else None,
    "name": lambda entry: entry.name.lower() or None,
    "device": lambda entry: (entry.device or entry.backend).lower() or None,
    "shape": work_of,
    "dtype": lambda entry: entry.workload.dtype if entry.workload else None,
    "method": lambda entry: entry.method or None,
    "median": lambda entry: entry.median_ns,
    "verdict": verdict_rank,
    "tags": lambda entry: " ".join(entry.tags).lower() or None,
}
FALLING = frozenset({"when", "shape"})  # these begin with the greatest


def sorted_entries(entries: Iterable[RunEntry], order: Order) -> list[RunEntry]:
    """Sort the runs; those of which it is not known come last, and runs that are equal stay as they stood."""
    column, falling = order
    keyed = [(SORTS[column](entry), entry) for entry in entries]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=falling)
    return [entry for _, entry in known] + [entry for key, entry in keyed if key is None]


def rows_of(entries: Sequence[RunEntry], order: Order, unfolded: frozenset[str]) -> tuple[RunRow, ...]:
    """Give the rows of these runs; a group stands where the first of its runs would, its runs below it where it is unfolded."""
    ordered = sorted_entries(entries, order)
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
            rows.append(RunRow(entry.path.name, entry))
        elif entry.group not in seen:
            seen.add(entry.group)
            open_ = entry.group in unfolded
            rows.append(RunRow(GROUP + entry.group, entry, tuple(members), open_))
            rows += [RunRow(each.path.name, each, inside=True) for each in members] if open_ else []
    return tuple(rows)


def signs(marks: Iterable[str], reference: str | None) -> dict[str, str]:
    """Give what stands before the runs of these files."""
    found = dict.fromkeys(marks, MARKED)
    if reference is not None:
        found[reference] = found.get(reference, "") + REFERENCE
    return found


def turned(order: Order, column: str) -> Order:
    """Sort by this column; the other way round where it is the one already."""
    return (column, not order[1]) if order[0] == column else (column, column in FALLING)


def following(order: Order) -> Order:
    """Turn the order round; where that has been done, sort by the next column."""
    column, falling = order
    if falling == (column in FALLING):
        return column, not falling
    columns = list(SORTS)
    return turned(("", False), columns[(columns.index(column) + 1) % len(columns)])
