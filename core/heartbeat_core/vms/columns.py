"""The columns of the list of TPU VMs, for the screen, the text of ``vms list``, its JSON and sorting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from heartbeat_core.cloud.accelerators import Accelerator, find_accelerator, runtime_fits
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.columns import NO_VALUE, ColumnSpec, Order, StyledText, sort_rows
from heartbeat_core.vms.inventory import Inventory, age_s, age_words, is_long_ready
from heartbeat_core.vms.pricing import Estimate, Rates, cost_so_far, money, rate_of
from heartbeat_core.vms.vocabulary import Kind, Resource, key_of, state_of

NO_CELL: StyledText = (NO_VALUE, "quiet")
HEALTHS: Mapping[str, StyledText] = {
    "HEALTHY": ("healthy", "ok"),
    "UNHEALTHY_MAINTENANCE": ("! maintenance", "attention"),
    "UNHEALTHY_TENSORFLOW": ("✗ runtime", "failed"),
    "TIMEOUT": ("✗ timeout", "failed"),
}


@dataclass(frozen=True)
class VmRow:
    """One node or queued resource at the time ``now``; ``price`` is None if it is not known.

    ``note`` is what changed a moment ago, ``doing`` what is being done to it from here.
    """

    resource: Resource
    now: datetime = field(compare=False)  # so that a row that only ages is not drawn anew for it
    price: Estimate | None = None
    note: StyledText | None = None
    doing: StyledText | None = None

    @property
    def node(self) -> Node | None:
        return self.resource if isinstance(self.resource, Node) else None

    @property
    def kind(self) -> Kind:
        return self.resource.kind

    @property
    def key(self) -> str:
        return key_of(self.kind, self.resource.zone, self.resource.id)

    @property
    def id(self) -> str:
        return self.resource.id

    @property
    def zone(self) -> str:
        return self.resource.zone

    @property
    def type(self) -> str:
        if isinstance(self.resource, Node):
            return self.resource.accelerator_type or ""
        types = self.resource.accelerator_types
        different = list(dict.fromkeys(types))
        return f"{len(types)}×{types[0]}" if len(types) > 1 and len(different) == 1 else "+".join(different)

    @property
    def accelerator(self) -> Accelerator | None:
        return find_accelerator(self.type)

    @property
    def age_s(self) -> float | None:
        return age_s(self.resource.created, self.now)

    @property
    def long_ready(self) -> bool:
        """Return whether it has been READY, and charged, for so long that it may have been forgotten."""
        return isinstance(self.resource, Node) and is_long_ready(self.resource, self.now)

    @property
    def charged(self) -> bool:
        return isinstance(self.resource, Node) and state_of(self.resource).charged

    @property
    def per_hour(self) -> float | None:
        """Return US dollars an hour, None if nothing is charged now."""
        return self.price.per_hour if self.price and self.price.charged else None

    @property
    def so_far(self) -> float | None:
        """Return the most it can have cost since it was created, in US dollars."""
        return cost_so_far(self.price.rates, self.node, self.now) if self.price and self.node else None

    @property
    def has_problem(self) -> bool:
        """Return whether it is gone, failed or not healthy."""
        return "failed" in (state_of(self.resource).style, health_cell(self)[1]) or health_cell(self)[1] == "attention"

    def contains(self, words: Sequence[str]) -> bool:
        """Return whether all words occur in what is known of it."""
        node = self.node
        parts = [self.id, self.zone, self.type, self.resource.state, self.resource.provisioning, self.resource.runtime_version]
        if node is None:
            parts += ["queued", *(self.resource.nodes if isinstance(self.resource, QueuedResource) else ())]
        else:
            parts += [node.health, node.service_account, *(endpoint.external for endpoint in node.endpoints)]
            parts += [f"{key}={text}" for key, text in node.labels.items()]
        text = " ".join(part for part in parts if part).casefold()
        return all(word in text for word in words)


def vm_rows(inventory: Inventory, rates: Rates | None, now: datetime) -> Iterator[VmRow]:
    """Yield a row for each node, then for each queued resource."""
    for node in inventory.nodes:
        yield VmRow(node, now, rate_of(rates, node))
    for queued in inventory.queued:
        yield VmRow(queued, now)


def arranged(rows: Iterable[VmRow], order: Order, query: str = "") -> list[VmRow]:
    """Return the rows that contain all words of the query, in order."""
    words = query.casefold().split()
    found = sorted((row for row in rows if not words or row.contains(words)), key=lambda row: (row.id, row.zone))
    return sort_rows(COLUMNS, found, order)


# -- cells


def type_key(row: VmRow) -> tuple[str, int]:
    """Return the key that puts v6e-4 before v6e-16."""
    stem, _, size = row.type.rpartition("-")
    return (stem, int(size)) if size.isdigit() else (row.type, 0)


def health_cell(row: VmRow) -> StyledText:
    """Return its health; a runtime that hides the chips comes before what Google reports."""
    node = row.node
    if node is None:
        return NO_CELL
    if row.accelerator and node.runtime_version and runtime_fits(row.accelerator, node.runtime_version) is False:
        return "✗ no driver", "failed"
    if node.symptoms:
        return f"! {len(node.symptoms)} symptom{'s' * (len(node.symptoms) > 1)}", "attention"
    return HEALTHS.get(node.health, (f"? {node.health}", "attention")) if node.health else NO_CELL


def age_cell(row: VmRow) -> StyledText:
    text = age_words(row.age_s)
    return (f"! {text}", "attention") if row.long_ready else (text, "plain")


def so_far_cell(row: VmRow) -> StyledText:
    if row.so_far is None or row.per_hour is None:
        return NO_CELL
    return f"≤ ${money(math.ceil(100 * row.so_far) / 100)}", "plain"  # rounded up: it is an upper bound


def addresses(row: VmRow, *, external: bool) -> list[str | None]:
    return [endpoint.external if external else endpoint.address for endpoint in row.node.endpoints] if row.node else []


def first(values: Iterable[str | None]) -> str:
    """Return the first value, and how many more there are."""
    known = [value for value in values if value]
    return NO_VALUE if not known else known[0] + (f" +{len(known) - 1}" if len(known) > 1 else "")


PROBLEMS_FIRST: Order = ("state", False)
COLUMNS: tuple[ColumnSpec[VmRow], ...] = (
    ColumnSpec(
        "name", "NAME", lambda row: row.id if row.node else f"(queued) {row.id}", least=16, worth=10,
        sort=lambda row: row.id, json=lambda row: row.id,
    ),
    ColumnSpec(
        "zone", "ZONE", lambda row: row.zone or NO_VALUE, least=13, most=20, worth=8, sort=lambda row: row.zone, json=lambda row: row.zone
    ),
    ColumnSpec(
        "type", "TYPE", lambda row: row.type or NO_VALUE, least=6, most=16, worth=8, whole=True,
        sort=type_key, json=lambda row: row.type or None, json_key="accelerator_type",
    ),
    ColumnSpec(
        "state", "STATE", lambda row: state_of(row.resource).label, least=14, most=14, worth=9,
        shorten=lambda text: text.removesuffix("_FOR_RESOURCES"),
        sort=lambda row: (not row.has_problem, row.resource.state), json=lambda row: row.resource.state,
    ),
    ColumnSpec(
        "health", "HEALTH", health_cell, whole=True, most=22, worth=6,
        sort=lambda row: row.node and row.node.health, json=lambda row: row.node and row.node.health,
    ),
    ColumnSpec(
        "age", "AGE", age_cell, least=7, most=9, worth=5, align="right",
        sort=lambda row: row.age_s, json=lambda row: None if row.age_s is None else round(row.age_s, 1), json_key="age_s",
    ),
    ColumnSpec(
        "spot", "SPOT", lambda row: NO_CELL if row.resource.provisioning == "on-demand" else row.resource.provisioning,
        least=6, most=10, worth=2, optional=True, sort=lambda row: row.resource.provisioning,
        json=lambda row: row.resource.provisioning, json_key="provisioning",
    ),
    ColumnSpec(
        "external", "EXTERNAL IP", lambda row: first(addresses(row, external=True)), least=11, most=18, worth=1, optional=True,
        sort=lambda row: next(filter(None, addresses(row, external=True)), None),
        json=lambda row: addresses(row, external=True), json_key="external_ips",
    ),
    ColumnSpec(
        "per_hour", "$/H", lambda row: NO_CELL if row.per_hour is None else f"${money(row.per_hour)}", least=6, most=9, worth=4,
        align="right",
        sort=lambda row: row.per_hour, json=lambda row: round(row.price.per_hour, 6) if row.price else None, json_key="per_hour_usd",
    ),
    ColumnSpec(
        "so_far", "SINCE START", so_far_cell, least=11, most=14, worth=3, align="right",
        sort=lambda row: None if row.per_hour is None else row.so_far,
        json=lambda row: None if row.so_far is None else round(row.so_far, 4), json_key="cost_at_most_usd",
    ),
    ColumnSpec(
        "chips", "CHIPS", lambda row: str(row.accelerator.chips) if row.accelerator else NO_VALUE, least=5, wide=True, align="right",
        json=lambda row: row.accelerator.chips if row.accelerator else None,
    ),
    ColumnSpec(
        "runtime", "RUNTIME", lambda row: row.resource.runtime_version or NO_VALUE, least=10, worth=2, wide=True,
        shorten=lambda text: text.removeprefix("v2-alpha-"),
        json=lambda row: row.resource.runtime_version, json_key="runtime_version",
    ),
    ColumnSpec(
        "topology", "TOPOLOGY", lambda row: (row.node and row.node.topology) or NO_VALUE, least=8, wide=True,
        json=lambda row: row.node and row.node.topology,
    ),
    ColumnSpec(
        "internal", "INTERNAL IP", lambda row: first(addresses(row, external=False)), least=11, wide=True,
        json=lambda row: addresses(row, external=False), json_key="internal_ips",
    ),
    ColumnSpec(
        "account", "SERVICE ACCOUNT", lambda row: (row.node and row.node.service_account) or NO_VALUE, least=10, most=60, worth=1,
        wide=True, shorten=lambda text: text.partition("@")[0],
        json=lambda row: row.node and row.node.service_account, json_key="service_account",
    ),
    ColumnSpec(
        "nodes", "NODES", lambda row: first(row.resource.nodes) if isinstance(row.resource, QueuedResource) else NO_VALUE,
        least=5, wide=True, optional=True,
    ),
)  # fmt: skip
