"""``heartbeat-tui vms list`` and ``vms describe``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from heartbeat_core.cloud.tpu import EVERYWHERE, words_of
from heartbeat_core.columns import text_table
from heartbeat_core.errors import sanitize_line
from heartbeat_core.units import some
from heartbeat_core.vms.columns import COLUMNS, vm_rows
from heartbeat_core.vms.inventory import Inventory, notes_on, notes_on_queued
from heartbeat_core.vms.pricing import Rates, rate_of
from heartbeat_core.vms.serialize import as_yaml, inventory_json
from heartbeat_core.vms.vocabulary import state_of
from heartbeat_tui.commands.console import Actions, add_action, first_interrupt, folded, print_answer, print_status
from heartbeat_tui.commands.vms_shared import (
    VmScope,
    add_scope_flags,
    find_resource,
    open_scope,
    read_inventory,
    try_rates,
)


def register(verbs: Actions) -> None:
    more = "List the TPU VMs and queued resources of all zones, or of one. Exit 0 if it could be read, else 3."
    parser = add_action(verbs, "list", run_list, "list TPU VMs and queued resources", more)
    parser.add_argument("--wide", action="store_true", help="with chips, runtime, topology, internal address and service account")
    parser.add_argument("--no-prices", action="store_true", help="do not look up what they cost")
    add_scope_flags(parser, zone="only this zone", as_json="print one object: schema, nodes, queued_resources, unreachable, …")
    more = "Show Google's whole answer about a TPU VM or a queued resource. Exit 0, or 1 if there is none of that name."
    parser = add_action(verbs, "describe", run_describe, "show Google's whole answer about one, as YAML", more)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--queued", action="store_true", help="the queued resource of that name")
    add_scope_flags(parser, as_json="print one object: schema, and Google's answer as it came")


def run_list(args: argparse.Namespace) -> int:
    """Print the list; return 0. Raise CloudError if it cannot be read."""
    with open_scope(args) as scope, first_interrupt(scope.session.cancel):
        inventory, rates, problem = ask(scope, prices=not args.no_prices)
    values = inventory_json(inventory, rates, scope.label, problem)
    print_answer(args, values, list_lines(inventory, rates, scope.label, problem, wide=args.wide))
    return 0


def ask(scope: VmScope, *, prices: bool) -> tuple[Inventory, Rates | None, str]:
    """Ask in parallel for the inventory and the prices; return both, and why there are no prices."""
    if not prices:
        return read_inventory(scope), None, "not asked for"
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prices") as pool:
        asked = pool.submit(try_rates, scope.session)
        inventory = read_inventory(scope)
        if not asked.done() and sys.stderr.isatty() and not scope.label:
            print_status("fetching Google's price list, which is kept for a week …")
        return inventory, *asked.result()


def run_describe(args: argparse.Namespace) -> int:
    """Print Google's answer about one; return 0."""
    with open_scope(args) as scope, first_interrupt(scope.session.cancel):
        resource = find_resource(scope, read_inventory(scope), args.name, queued=args.queued)
    answer, heading = words_of(resource), [f"# {scope.label}"] if scope.label else []
    print_answer(args, {"emulated": scope.label or None, "answer": answer}, (*heading, *as_yaml(answer)))
    return 0


def list_lines(inventory: Inventory, rates: Rates | None, label: str, problem: str, *, wide: bool) -> Iterator[str]:
    """Yield the headline, the table, and what is wrong, or may be."""
    parts = (label, headline(inventory), f"project {inventory.project}", price_line(inventory, rates, problem))
    yield sanitize_line(" · ".join(filter(None, parts)))
    rows = tuple(vm_rows(inventory, rates, inventory.at))
    if rows:
        yield ""
        yield from map(sanitize_line, text_table(COLUMNS, rows, wide=wide))
    yield from note_lines(inventory)
    if inventory.more():
        yield f"\n! {inventory.more()}."
    if inventory.unreachable:
        yield f"\n! {sanitize_line(', '.join(inventory.unreachable))} did not answer: there may be more."
    if inventory.queued_problem:
        yield f"\n! queued resources could not be listed: {sanitize_line(str(inventory.queued_problem))}"
    if not rows:
        yield ""
        yield from folded(inventory.why_empty(), rest="  ")


def note_lines(inventory: Inventory) -> Iterator[str]:
    """Yield each note once, with the names it is about."""
    whose: dict[str, list[str]] = {}
    for name, notes in (
        *((node.id, notes_on(node, inventory.at)) for node in inventory.nodes),
        *((queued.id, notes_on_queued(queued)) for queued in inventory.queued),
    ):
        for note in notes:
            whose.setdefault(note, []).append(name)
    if whose:
        yield ""
    for note, names in whose.items():
        yield from folded(f"{some(names, 3)}: {note}", rest="  ")


def headline(inventory: Inventory) -> str:
    count = f"{len(inventory.nodes):,} TPU VM{'s' * (len(inventory.nodes) != 1)}"
    queued = f", {len(inventory.queued):,} queued" if inventory.queued else ""
    return f"{count}{queued} in {'all zones' if inventory.zone == EVERYWHERE else inventory.zone}"


def price_line(inventory: Inventory, rates: Rates | None, problem: str) -> str:
    """Return what all that runs costs an hour, by whose prices, or why that is not known."""
    running = [node for node in inventory.nodes if state_of(node).charged]
    if rates is None:
        return f"prices not known: {problem}" if running else ""
    if not running:
        return "nothing runs"
    prices = [rate_of(rates, node) for node in running]
    total = sum(price.per_hour for price in prices if price)
    unknown = prices.count(None)
    more = f" and {unknown} of unknown price" if unknown else ""
    return f"about ${total:,.2f}/h now{more} (estimate by {rates})"
