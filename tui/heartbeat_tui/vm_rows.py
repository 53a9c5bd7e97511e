"""The rows of the TPU VMs pane: what stands in each, which are sought, and in which order they stand. No Textual here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.vms.inventory import LONG_READY, Kind, moment

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
