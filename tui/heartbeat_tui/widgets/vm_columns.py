"""The columns of the TPU VMs pane: which there is room for, and what stands in each as (text, ink). No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from heartbeat_core.vms import inventory as notes
from heartbeat_tui.vm_rows import Order, VmRow
from heartbeat_tui.widgets.columns import GAP, Column, Layout, fitted

Piece = tuple[str, str]  # text, ink
NOTHING: Piece = ("–", "quiet")
NARROW, NARROW_STATE, NARROW_NAME, WIDE_NAME = 100, 16, 16, 22  # below 100 a long state is cut: age and cost say more than its end
MARKS = 3  # columns before the first: pointed at, marked

STATES: Mapping[str, Piece] = {  # glyph, ink; a word is always beside it
    "READY": ("●", "ok"),
    "ACTIVE": ("●", "ok"),
    "STOPPED": ("○", "quiet"),
    "HIDDEN": ("○", "quiet"),
    "PREEMPTED": ("✗", "failed"),
    "TERMINATED": ("✗", "failed"),
    "FAILED": ("✗", "failed"),
    "SUSPENDED": ("✗", "failed"),
    "WAITING_FOR_RESOURCES": ("…", "attention"),
    "ACCEPTED": ("…", "attention"),
    **dict.fromkeys(
        ("CREATING", "STARTING", "RESTARTING", "REIMAGING", "REPAIRING", "STOPPING", "DELETING", "HIDING", "UNHIDING"), ("◐", "attention")
    ),
    **dict.fromkeys(("PROVISIONING", "SUSPENDING"), ("◐", "attention")),
}
HEALTHS: Mapping[str, Piece] = {
    "HEALTHY": ("healthy", "ok"),
    "UNHEALTHY_MAINTENANCE": ("! maintenance", "attention"),
    "UNHEALTHY_TENSORFLOW": ("✗ runtime", "failed"),
    "TIMEOUT": ("✗ timeout", "failed"),
}


def state_cell(state: str | None) -> Piece:
    """Write a state with its glyph; one not known here as it came."""
    glyph, kind = STATES.get(state or "", ("?", "attention"))
    return f"{glyph} {state or 'not said'}", kind


def health_cell(row: VmRow) -> Piece:
    """Say how a node is; what keeps its chips from being seen comes before what Google says."""
    if row.kind == "queued":
        return NOTHING
    if not row.driver:
        return "✗ no driver", "failed"
    if row.symptoms:
        return f"! {row.symptoms} symptom{'s' * (row.symptoms > 1)}", "attention"
    if row.health is None:
        return NOTHING
    return HEALTHS.get(row.health, (f"? {row.health}", "attention"))


def age_words(seconds: float | None) -> str:
    """Write an age in two units at most: "1m 40s", "3h 12m", "12d 4h"."""
    return "–" if seconds is None else notes.age_words(max(0.0, seconds))  # clocks differ: nothing is younger than 0


def age_cell(row: VmRow, now: datetime) -> Piece:
    words = age_words(row.age_s(now))
    return (f"! {words}", "attention") if row.long(now) else (words, "plain")


def money(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 1000 else f"{amount:,.0f}"


def unit_price(amount: float) -> str:
    """Write the price of a chip, which may have four decimals: 2.70, 1.4033."""
    stem = f"{amount:.4f}"
    return stem[:-2] + stem[-2:].rstrip("0")


def cells(row: VmRow, now: datetime) -> Mapping[str, Piece]:
    """Write every cell of a row."""
    queued = row.kind == "queued"
    return {
        "name": (f"(queued) {row.id}" if queued else row.id, "plain"),
        "zone": (row.zone or "–", "plain"),
        "type": (row.type or "–", "plain"),
        "state": state_cell(row.state),
        "health": health_cell(row),
        "age": age_cell(row, now),
        "spot": NOTHING if row.provisioning == "on-demand" else (row.provisioning, "plain"),
        "external": (row.external, "plain") if row.external else NOTHING,
        "per_hour": (money(row.per_hour), "plain") if row.per_hour is not None else NOTHING,
        "so_far": (f"≤ {money(row.so_far)}", "plain") if row.so_far is not None else NOTHING,
    }


COLUMNS = (
    Column("name", "NAME", 12, 40, 10),
    Column("zone", "ZONE", 13, 20, 4),
    Column("type", "TYPE", 6, 16, 8),
    Column("state", "STATE", 12, 26, 9),
    Column("health", "HEALTH", 11, 22, 6),
    Column("age", "AGE", 7, 9, 7, right=True),
    Column("spot", "SPOT", 6, 8, 2),
    Column("external", "EXTERNAL IP", 13, 15, 1),
    Column("per_hour", "$/H", 5, 8, 5, right=True),
    Column("so_far", "SINCE START", 11, 11, 3, right=True),
)
Widths = dict[str, int]


def needed(rows: Iterable[VmRow], before: Mapping[str, int]) -> Widths:
    """Say how wide each column is at its widest; never narrower than ``before``, so that nothing jumps."""
    widths = {column.name: max(column.least, before.get(column.name, 0)) for column in COLUMNS}
    limits = {column.name: column.most for column in COLUMNS}
    for row in rows:
        queued = 9 if row.kind == "queued" else 0
        for name, text in (("name", row.id), ("zone", row.zone), ("type", row.type), ("state", row.state or "")):
            length = len(text) + (queued if name == "name" else 2 if name == "state" else 0)
            if length > widths[name]:
                widths[name] = min(length, limits[name])
        if row.kind == "node" and row.health != "HEALTHY":
            widths["health"] = min(max(widths["health"], len(health_cell(row)[0])), limits["health"])
        if row.provisioning == "reserved":
            widths["spot"] = limits["spot"]
    return widths


def layout(widths: Mapping[str, int], width: int) -> Layout:
    """Choose the columns there is room for, in their order; the name takes what would be lacking, down to its least."""
    if width < NARROW:
        widths = {**widths, "state": min(widths["state"], NARROW_STATE)}
    names = NARROW_NAME if width < NARROW else WIDE_NAME
    chosen = sorted(COLUMNS, key=lambda column: -column.worth)
    kept: set[str] = set()
    used = MARKS
    for column in chosen:
        wants = min(widths["name"], names) if column.name == "name" else widths[column.name]
        if used + wants + GAP * bool(kept) > width and kept:
            continue
        kept.add(column.name)
        used += wants + GAP * (len(kept) > 1)
    spare = max(0, width - used)
    name = min(widths["name"], min(widths["name"], names) + spare)
    return tuple((column, name if column.name == "name" else widths[column.name]) for column in COLUMNS if column.name in kept)


def header_pieces(shown: Layout, order: Order) -> list[tuple[str, str, str]]:
    """Write the titles as (text, ink, column), the one it is sorted by with its direction."""
    name, downward = order
    pieces: list[tuple[str, str, str]] = [(" " * MARKS, "", "")]
    for index, (column, width) in enumerate(shown):
        sorted_by = column.name == name
        title = f"{column.title} {'▼' if downward else '▲'}" if sorted_by else column.title
        gap = " " * GAP if index else ""
        pieces.append((gap + fitted(title, width, right=column.right), "strong" if sorted_by else "quiet", column.name))
    return pieces


def row_pieces(row: VmRow, shown: Layout, now: datetime, *, marked: bool, pointed: bool) -> list[Piece]:
    """Write a row; what changed, or is being done to it, stands over the columns right of its state until it has been seen."""
    found = cells(row, now)
    said, skip = row.doing or row.note, 0
    pieces: list[Piece] = [("➤" if pointed else " ", "beat"), ("✓ " if marked else "  ", "beat")]
    for index, (column, width) in enumerate(shown):
        if skip:
            skip -= 1
            continue
        gap = " " * GAP if index else ""
        text, kind = found[column.name]
        pieces.append((gap + fitted(text, width, right=column.right), kind))
        if column.name == "state" and said:
            skip, room = covering(shown[index + 1 :], len(said[0]))
            pieces.append((" " * GAP + fitted(said[0], room), said[1]))
    return pieces


def covering(shown: Layout, length: int) -> tuple[int, int]:
    """Say how many columns so long a text stands over, and how much room they give."""
    room = -GAP
    for number, (_, width) in enumerate(shown, 1):
        room += width + GAP
        if room >= length:
            return number, room
    return len(shown), max(0, room)
