"""The rows of the TPU VMs pane: what stands in each, which are sought, and in which order they stand. No Textual here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.vms.inventory import LONG_READY, Kind, age_words, moment
from heartbeat_tui.widgets.table import GAP, Column, Layout, fitted

if TYPE_CHECKING:
    from heartbeat_core.cloud.tpu import Node, QueuedResource


def key_of(kind: str, zone: str, name: str) -> str:
    """Name a row of the list: nodes and queued resources of one name are two."""
    return f"{kind}/{zone}/{name}"


@dataclass(frozen=True)
class VmRow:
    """One node or queued resource; ``per_hour`` and ``so_far`` are estimates in USD, None where they are not known.

    ``note`` says what changed a moment ago, ``doing`` what is being done to it from here; both are (text, ink).
    """

    key: str
    kind: Kind
    id: str
    zone: str
    type: str
    state: str | None
    created: datetime | None
    provisioning: str
    health: str | None = None
    health_description: str | None = None
    symptoms: int = 0
    driver: bool = True  # false: its runtime has no driver for its chips
    external: str | None = None
    words: str = ""  # more that can be sought
    per_hour: float | None = None
    so_far: float | None = None
    note: tuple[str, str] | None = None
    doing: tuple[str, str] | None = None

    @property
    def ready(self) -> bool:
        return self.kind == "node" and self.state == "READY"

    def age_s(self, now: datetime) -> float | None:
        return max(0.0, (now - self.created).total_seconds()) if self.created else None

    def long(self, now: datetime) -> bool:
        """Tell whether it has been READY, and has cost, for so long that it is worth a look."""
        return self.ready and (self.age_s(now) or 0.0) >= LONG_READY.total_seconds()


def node_row(node: Node, **more: Any) -> VmRow:
    accelerator = find_accelerator(node.accelerator_type)
    fits = runtime_fits(accelerator, node.runtime_version) if accelerator and node.runtime_version else None
    external = next((endpoint.external for endpoint in node.endpoints if endpoint.external), None)
    return VmRow(
        key=key_of("node", node.zone, node.id),
        kind="node",
        id=node.id,
        zone=node.zone,
        type=node.accelerator_type or "",
        state=node.state,
        created=moment(node.created),
        provisioning=node.provisioning,
        health=node.health,
        health_description=node.health_description,
        symptoms=len(node.symptoms),
        driver=fits is not False,
        external=external,
        words=" ".join([node.runtime_version or "", node.service_account or "", *(f"{key}={text}" for key, text in node.labels.items())]),
        **more,
    )


def queued_row(queued: QueuedResource, **more: Any) -> VmRow:
    kinds = list(dict.fromkeys(queued.accelerator_types))
    count = len(queued.accelerator_types)
    return VmRow(
        key=key_of("queued", queued.zone, queued.id),
        kind="queued",
        id=queued.id,
        zone=queued.zone,
        type=f"{count}×{kinds[0]}" if count > 1 and len(kinds) == 1 else "+".join(kinds),
        state=queued.state,
        created=moment(queued.created),
        provisioning=queued.provisioning,
        words=f"queued {' '.join(queued.nodes)}",
        **more,
    )


# -- sought and sorted

SORTS: Mapping[str, Callable[[VmRow], Any]] = {
    "name": lambda row: row.id,
    "zone": lambda row: row.zone,
    "type": lambda row: type_key(row.type),
    "state": lambda row: row.state,
    "health": lambda row: row.health,
    "age": lambda row: -row.created.timestamp() if row.created else None,
    "spot": lambda row: row.provisioning,
    "external": lambda row: row.external,
    "per_hour": lambda row: row.per_hour,
    "so_far": lambda row: row.so_far,
}
Order = tuple[str, bool]  # a column, and whether it runs downward


def type_key(name: str) -> tuple[str, int]:
    """Put v6e-4 before v6e-16."""
    stem, _, size = name.rpartition("-")
    return (stem, int(size)) if size.isdigit() else (name, 0)


def next_order(order: Order, columns: Iterable[str]) -> Order:
    """Turn the direction, then go on to the next column."""
    name, downward = order
    names = [column for column in columns if column in SORTS] or ["name"]
    if not downward and name in names:
        return name, True
    return names[(names.index(name) + 1) % len(names) if name in names else 0], False


def arranged(rows: Iterable[VmRow], order: Order, sought: str = "") -> tuple[VmRow, ...]:
    """Give the rows that hold all the words sought, in order; what has no value stands last either way."""
    name, downward = order
    key = SORTS[name]
    words = sought.casefold().split()
    found = sorted((row for row in rows if not words or holds(row, words)), key=lambda row: (row.id, row.zone))
    told = [row for row in found if key(row) is not None]
    return (*sorted(told, key=key, reverse=downward), *(row for row in found if key(row) is None))


def holds(row: VmRow, words: list[str]) -> bool:
    parts = (row.id, row.zone, row.type, row.state, row.health, row.provisioning, row.external, row.words)
    text = " ".join(part for part in parts if part).casefold()
    return all(word in text for word in words)


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
