"""``heartbeat-tui vms list`` and ``vms describe``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.vms_place import Place, add_place_flags, find_things, interruptible, look_around, open_place, told, try_rates

if TYPE_CHECKING:
    from heartbeat_core.vms.inventory import Look
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


@told
def run_list(args: argparse.Namespace) -> int:
    """Print the list; return 0. Raise CloudError where it cannot be had."""
    with open_place(args) as place:
        look, rates, problem = interruptible(place.session, lambda: ask(place, prices=not args.no_prices))
    if args.json:
        from heartbeat_core.vms.serialize import look_json

        print(json.dumps(look_json(look, rates, place.label, problem), indent=1))
    else:
        from heartbeat_tui.commands.vms_text import list_lines

        print("\n".join(list_lines(look, rates, place.label, problem, wide=args.wide)))
    return 0


def ask(place: Place, *, prices: bool) -> tuple[Look, Rates | None, str]:
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


@told
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
