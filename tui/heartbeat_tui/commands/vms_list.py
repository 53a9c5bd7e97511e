"""``heartbeat-tui vms list`` and ``vms describe``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.cloud.tpu import EVERYWHERE
from heartbeat_core.errors import sanitize_line
from heartbeat_core.vms.inventory import age_s, age_words, costing, notes_on, notes_on_queued
from heartbeat_core.vms.pricing import cost_so_far, rate_of
from heartbeat_core.vms.request import WORDS
from heartbeat_tui.commands.console import folded
from heartbeat_tui.commands.vms_shared import (
    VmScope,
    add_place_flags,
    find_things,
    interruptible,
    look_around,
    open_place,
    report_errors,
    try_rates,
)

if TYPE_CHECKING:
    from datetime import datetime

    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.vms.inventory import Inventory
    from heartbeat_core.vms.pricing import Rates


def register(verbs: argparse._SubParsersAction[Any]) -> None:
    parser = verbs.add_parser(
        "list",
        help="list TPU VMs and queued resources",
        description="List the TPU VMs and queued resources of all zones, or of one. Exit 0 where the list could be had, else 3.",
    )
    parser.add_argument("--wide", action="store_true", help="with runtime, topology, internal address and service account")
    parser.add_argument("--no-prices", action="store_true", help="do not look up what they cost")
    add_place_flags(parser, zone="only this zone", as_json="print one object: schema, nodes, queued_resources, unreachable, …")
    parser.set_defaults(run=run_list)
    parser = verbs.add_parser(
        "describe",
        help="show all that Google says of one, as YAML",
        description="Show all that Google says of a TPU VM or a queued resource. Exit 0, 1 where there is none of that name.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--queued", action="store_true", help="the queued resource of that name")
    add_place_flags(parser, zone="its zone; default: wherever it is", as_json="print one object: schema, and Google's answer as it came")
    parser.set_defaults(run=run_describe)


@report_errors
def run_list(args: argparse.Namespace) -> int:
    """Print the list; return 0. Raise CloudError where it cannot be had."""
    with open_place(args) as place:
        look, rates, problem = interruptible(place.session, lambda: ask(place, prices=not args.no_prices))
    if args.json:
        from heartbeat_core.vms.serialize import look_json

        print(json.dumps(look_json(look, rates, place.label, problem), indent=1))
    else:
        print("\n".join(list_lines(look, rates, place.label, problem, wide=args.wide)))
    return 0


def ask(place: VmScope, *, prices: bool) -> tuple[Inventory, Rates | None, str]:
    """Ask for everything side by side: the look, the prices, and why there are none."""
    from concurrent.futures import ThreadPoolExecutor

    if not prices:
        return look_around(place), None, "not asked for"
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prices") as pool:
        asked = pool.submit(try_rates, place.session)
        look = look_around(place)
        if not asked.done() and sys.stderr.isatty() and not place.label:
            print("fetching Google's price list, which is kept for a week …", file=sys.stderr)
        return look, *asked.result()


@report_errors
def run_describe(args: argparse.Namespace) -> int:
    """Print what Google says of one; return 0."""
    from heartbeat_core.vms.serialize import SCHEMA, as_yaml

    with open_place(args) as place:
        thing = find_things(place, interruptible(place.session, lambda: look_around(place)), args.name, queued=args.queued)
    if args.json:
        print(json.dumps({"schema": SCHEMA, "emulated": place.label or None, "answer": dict(thing.answer)}, indent=1))
    else:
        if place.label:
            print(f"# {place.label}")
        print("\n".join(as_yaml(thing.answer)))
    return 0


NONE = "–"
NARROW = ("NAME", "ZONE", "TYPE", "STATE", "HEALTH", "MODEL", "AGE", "EXTERNAL IP", "$/H", "$ AT MOST")
WIDE = ("CHIPS", "RUNTIME", "TOPOLOGY", "INTERNAL IP", "SERVICE ACCOUNT")
QUEUED = ("QUEUED", "ZONE", "TYPE", "STATE", "MODEL", "AGE", "TPU VM")
TO_THE_RIGHT = ("CHIPS", "AGE", "$/H", "$ AT MOST")


def list_lines(look: Inventory, rates: Rates | None, label: str, problem: str, *, wide: bool) -> Iterator[str]:
    """Write the headline, both tables, and what is worth a second look."""
    yield sanitize_line(
        " · ".join(part for part in (label, headline(look), f"project {look.project}", price_line(look, rates, problem)) if part)
    )
    if look.nodes:
        yield ""
        yield from table((*NARROW, *WIDE) if wide else NARROW, [node_row(node, rates, look.at, wide=wide) for node in look.nodes])
    if look.queued:
        yield ""
        yield from table(QUEUED, [queued_row(queued, look.at) for queued in look.queued])
    yield from note_lines(look)
    if look.unreachable:
        yield f"\n! {sanitize_line(', '.join(look.unreachable))} did not answer: there may be more."
    if look.queued_problem:
        yield f"\n! queued resources could not be listed: {sanitize_line(str(look.queued_problem))}"
    if not look.nodes and not look.queued:
        yield ""
        yield from folded(look.why_empty(), rest="  ")


def note_lines(look: Inventory) -> Iterator[str]:
    """Write what is worth a second look, once for all that it is said of."""
    whose: dict[str, list[str]] = {}
    for name, notes in (
        *((node.id, notes_on(node, look.at)) for node in look.nodes),
        *((queued.id, notes_on_queued(queued)) for queued in look.queued),
    ):
        for note in notes:
            whose.setdefault(note, []).append(name)
    if whose:
        yield ""
    for note, names in whose.items():
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        yield from folded(f"{', '.join(names[:3])}{more}: {note}", rest="  ")


def headline(look: Inventory) -> str:
    count = f"{len(look.nodes):,} TPU VM{'s' * (len(look.nodes) != 1)}"
    queued = f", {len(look.queued):,} queued" if look.queued else ""
    return f"{count}{queued} in {'all zones' if look.zone == EVERYWHERE else look.zone}"


def price_line(look: Inventory, rates: Rates | None, problem: str) -> str:
    """Say what all that runs costs an hour, by whose prices, or why that is not known."""
    running = [node for node in look.nodes if costing(node.state)]
    if rates is None:
        return f"prices not known: {problem}" if running else ""
    if not running:
        return "nothing that is charged by the chip"
    prices = [rate_of(rates, node) for node in running]
    total = sum(price.per_hour for price in prices if price)
    unknown = prices.count(None)
    more = f" and {unknown} of unknown price" if unknown else ""
    return f"about ${total:,.2f}/h now{more} (estimate by {rates})"


def node_row(node: Node, rates: Rates | None, now: datetime, *, wide: bool) -> tuple[str, ...]:
    price, so_far, age = rate_of(rates, node), cost_so_far(rates, node, now), age_s(node.created, now)
    row = (
        node.id, node.zone, node.accelerator_type or NONE, node.state or NONE, node.health or NONE,
        WORDS[node.provisioning], age_words(age), first(endpoint.external for endpoint in node.endpoints),
        f"{price.per_hour:,.2f}{'' if price.running else '*'}" if price else NONE, NONE if so_far is None else f"{so_far:,.2f}",
    )  # fmt: skip
    if not wide:
        return row
    internal = first(endpoint.address for endpoint in node.endpoints)
    kind = find_accelerator(node.accelerator_type)
    return (
        *row,
        str(kind.chips) if kind else NONE,
        node.runtime_version or NONE,
        node.topology or NONE,
        internal,
        node.service_account or NONE,
    )


def queued_row(queued: QueuedResource, now: datetime) -> tuple[str, ...]:
    age = age_s(queued.created, now)
    kinds, nodes = ", ".join(queued.accelerator_types) or NONE, ", ".join(queued.nodes) or NONE
    return (
        queued.id, queued.zone, kinds, queued.state or NONE, WORDS[queued.provisioning],
        age_words(age), nodes,
    )  # fmt: skip


def first(addresses: Iterable[str | None]) -> str:
    """Give the first address, and how many more there are."""
    known = [address for address in addresses if address]
    return NONE if not known else known[0] + (f" +{len(known) - 1}" if len(known) > 1 else "")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [tuple(heads), *(tuple(sanitize_line(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        yield "  ".join(
            f"{cell:>{width}}" if head in TO_THE_RIGHT else f"{cell:<{width}}" for cell, width, head in zip(row, widths, heads, strict=True)
        ).rstrip()
    if any(row[heads.index("$/H")].endswith("*") for row in cells if "$/H" in heads):
        yield "* not charged by the chip in this state"
