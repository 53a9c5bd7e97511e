"""What ``runs`` says to people: tables of fixed columns, numbers to the right, what is wrong in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heartbeat_core.recordings.entry import GLYPHS, Entry
from heartbeat_core.units import NOTHING, format_bytes, format_count, format_ns, format_share
from heartbeat_tui.widgets.columns import cut

if TYPE_CHECKING:
    from heartbeat_core.comparison.compare import Checked, Comparison

HEADER = ("ID", "NAME", "MEDIAN", "±", "VERDICT", "WHERE", "PRODUCT", "METHOD", "N", "STARTED", "TAGS")  # a narrow terminal shows the first
RIGHT = {"MEDIAN", "±", "N"}


def list_lines(entries: Sequence[Entry], count: int, folder: Path) -> Iterator[str]:
    """Give the list, and how much of it that is."""
    if not entries:
        yield f"No such recording in {folder}." if count else f"No recording in {folder}. heartbeat-tui bench makes one."
        return
    yield from table_lines(entries)
    size = format_bytes(sum(entry.bytes for entry in entries))
    runs = f"{count} run" if count == 1 else f"{format_count(count)} runs"
    yield f"{f'{len(entries)} of {runs}' if len(entries) < count else runs} in {folder}, {size}"


def table_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Give a line for each run, and below it what is wrong with it."""
    rows = [cells(entry) for entry in entries]
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    # one template for all: a thousand rows are to come at once
    line = "  ".join(f"{{:{'>' if name in RIGHT else '<'}{width}}}" for name, width in zip(HEADER, widths, strict=True)).format
    yield line(*HEADER).rstrip()
    for entry, row in zip(entries, rows, strict=True):
        yield line(*row).rstrip()
        if entry.problem:
            yield f"{'':<{widths[0]}}  {entry.status}: {entry.problem}"


def cells(entry: Entry) -> tuple[str, ...]:
    work = entry.workload
    spread = (entry.high_ns - entry.low_ns) / 2 if entry.low_ns is not None and entry.high_ns is not None else None
    verdict = f"{GLYPHS.get(entry.verdict, '')} {entry.verdict}".strip()
    return (
        entry.id,
        cut(entry.name, 24),
        NOTHING if entry.median_ns is None else format_ns(entry.median_ns),
        NOTHING if spread is None or not entry.median_ns else format_share(spread / entry.median_ns),
        verdict if entry.status in ("done", "stopped") else entry.status,
        cut(entry.where, 34) or NOTHING,
        f"{work.batch}×{work.hidden}×{work.intermediate} {work.dtype}" if work else NOTHING,
        entry.method or NOTHING,
        format_count(entry.n),
        entry.started.astimezone().strftime("%Y-%m-%d %H:%M") if entry.started else NOTHING,
        cut(" ".join((*entry.tags, *([f"group:{entry.group}"] if entry.group else []))), 40),
    )


def label_lines(entry: Entry) -> Iterator[str]:
    """Say what a run is called, and what is wrong with it."""
    yield f"{entry.id}{f'  {entry.name}' if entry.name else ''}"
    if entry.tags:
        yield f"tags: {' '.join(entry.tags)}"
    if entry.group:
        yield f"group: {entry.group}"
    if entry.note:
        yield f"note: {entry.note}"
    if entry.problem:
        yield f"{entry.status}: {entry.problem}"
    if entry.host:
        yield f"recorded on {entry.host}"


def check_lines(checked: Checked) -> Iterator[str]:
    """Give the answer first, then what it rests on."""
    glyph = {"no regression": "✓", "regression": "✗", "cannot tell": "?"}[checked.answer]
    yield f"{glyph} {checked.answer}: {checked.sentence}"
    yield ""
    yield from comparison_lines([checked.comparison], say=False)


def comparison_lines(made: Sequence[Comparison], *, say: bool = True) -> Iterator[str]:
    """Give both sides, or more, column by column; then each comparison in words."""
    sides = [made[0].reference, *(comparison.candidate for comparison in made)]
    from heartbeat_core.comparison.groups import side_table

    rows = side_table(sides)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join((f"{row[0]:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)))).rstrip()
    said: set[str] = set()
    for comparison in made:
        yield ""
        if say:
            yield f"{comparison.sentence}."
        if comparison.why:
            yield f"Why: {comparison.why}."
        yield from (f"differs: {difference.sentence}" for difference in comparison.differences if not difference.work)
        yield from (f"warning: {warning}" for warning in comparison.warnings if warning not in said)
        said |= set(comparison.warnings)
    if len(made) > 3:
        yield f"\nOf {len(made)} comparisons about one in twenty shows a difference by chance alone."
