"""``heartbeat-tui vms watch``: wait for a state, for scripts."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from heartbeat_core.errors import INTERRUPTED
from heartbeat_tui.commands.plan_flags import duration
from heartbeat_tui.commands.vms_place import Place, Progress, add_place_flags, doubt_of, interruptible, look_around, open_place, told

if TYPE_CHECKING:
    from heartbeat_core.vms.watch import Watched

EXIT = {"reached": 0, "ended": 1, "gone": 1, "timed out": 3}


def register(verbs: argparse._SubParsersAction[Any]) -> None:
    parser = verbs.add_parser(
        "watch",
        help="wait until a TPU VM is in a state",
        description="Wait until the TPU VM of that name is in a state; as long as there is none, a queued resource of that name stands in "
        "for it. Exit 0 reached, 1 ended elsewhere (FAILED, PREEMPTED, gone, …), 3 could not tell in time, 130 interrupted.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--until", type=str.upper, default="READY", metavar="STATE", help="default READY; GONE: until it is no more")
    parser.add_argument("--timeout", type=duration, metavar="TIME", help="give up after so long, default never")
    add_place_flags(parser, zone="its zone; default: wherever it is", as_json="print one object: schema, outcome, state, seconds")
    parser.set_defaults(run=run)


@told
def run(args: argparse.Namespace) -> int:
    """Wait, print how it ended and return 0, 1, 3 or 130; raise CloudError where there is no asking."""
    from heartbeat_core.cloud.cancellation import Cancelled
    from heartbeat_core.cloud.errors import CloudError
    from heartbeat_core.vms.operation import Patience
    from heartbeat_core.vms.watch import watch

    check_state(args.until)
    patience = Patience(total_s=args.timeout, absent_s=10.0)
    progress = Progress()
    with open_place(args) as place:
        try:
            zone = place.chosen_zone or interruptible(place.session, lambda: zone_of(place, args.name))
            found = interruptible(
                place.session, lambda: watch(place.session, place.project, zone, args.name, args.until, progress, patience)
            )
        except (CloudError, Cancelled) as error:
            if isinstance(error, CloudError) and error.kind != "cancelled":
                raise
            print("interrupted; what was watched goes on", file=sys.stderr)
            return INTERRUPTED
    if args.json:
        state = {"name": args.name, "zone": zone, "until": args.until, "outcome": found.outcome, "state": found.state}
        print(json.dumps({"schema": 1, "emulated": place.label or None, **state, "seconds": round(found.seconds, 3)}, indent=1))
    else:
        print(sentence(args.name, zone, args.until, found))
    return EXIT[found.outcome]


def check_state(until: str) -> None:
    """Raise HeartbeatError for what looks like a state mistyped, which would be waited for in vain; Google may have new ones."""
    from difflib import get_close_matches

    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.vms.watch import STATES

    meant = [] if until in STATES else get_close_matches(until, sorted(STATES), n=1, cutoff=0.75)
    if meant:
        raise HeartbeatError(f"no state is called {until}", "It would be waited for in vain.", f"Did you mean {meant[0]}?")


def zone_of(place: Place, name: str) -> str:
    """Find the zone of that name, or else take the one that would be meant.

    Raise HeartbeatError where it is in several, or may be where nothing answered.
    """
    from heartbeat_core.errors import HeartbeatError

    look = look_around(place)
    zones = sorted({node.zone for node in look.named(name)} | {queued.zone for queued in look.queue_named(name)})
    if len(zones) > 1:
        raise HeartbeatError(f"there are {len(zones)} called {name}", f"They are in {', '.join(zones)}.", "Say which: --zone ZONE.")
    if not zones and (doubt := doubt_of(look, f"there is a TPU VM {name}")):
        raise doubt
    return zones[0] if zones else place.target.zone.value or ""


def sentence(name: str, zone: str, until: str, found: Watched) -> str:
    from heartbeat_core.errors import plain

    words = {
        "reached": f"{name} in {zone} is {until}",
        "ended": f"{name} in {zone} is {found.state}, from where it does not become {until}",
        "gone": f"{name} in {zone} is gone" if found.state else f"there is no {name} in {zone}",
        "timed out": f"{name} in {zone} is not {until} yet: {found.state or 'no state was seen'}",
    }
    return plain(f"{words[found.outcome]}, after {found.seconds:.1f} s")
