"""``heartbeat-tui vms start``, ``stop`` and ``delete``: one TPU VM or several at once."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from heartbeat_core.errors import INTERRUPTED
from heartbeat_tui.commands.console import confirmed
from heartbeat_tui.commands.options import duration
from heartbeat_tui.commands.vms_shared import (
    Progress,
    VmScope,
    add_place_flags,
    doubt_of,
    error_json,
    exit_code,
    find_things,
    interruptible,
    look_around,
    open_place,
    print_vm_error,
    report_errors,
)

if TYPE_CHECKING:
    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.vms.inventory import Inventory
    from heartbeat_core.vms.operation import PollPolicy
    from heartbeat_core.vms.watch import Watched


AT_ONCE = 8
PURPOSES = {
    "start": ("start TPU VMs that are stopped", "From when it runs it costs again."),
    "stop": ("stop TPU VMs, which keeps their disks", "What runs on it ends."),
    "delete": ("delete TPU VMs and queued resources", "What is on its disk is lost."),
}
DONE = {"start": "started", "stop": "stopped", "delete": "deleted"}


def register_changes(verbs: argparse._SubParsersAction[Any]) -> None:
    for action, (purpose, warning) in PURPOSES.items():
        parser = verbs.add_parser(
            action,
            help=purpose,
            description=f"{purpose[:1].upper()}{purpose[1:]}, only in states that allow it. {warning} Exit 0 all done, 1 refused or "
            "failed, 2 bad usage, 3 could not tell, 130 interrupted.",
        )
        parser.add_argument("names", nargs="+", metavar="NAME")
        if action == "delete":
            parser.add_argument("--queued", action="store_true", help="the queued resources of these names")
        parser.add_argument("--timeout", type=duration, metavar="TIME", help="stop watching after so long, default 30m")
        parser.add_argument("--no-wait", action="store_true", help="do not watch: end as soon as Google has taken the request")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_place_flags(parser, zone="their zone; default: wherever they are", as_json="print one object: schema, action, results")
        parser.set_defaults(run=run_change, action=action, queued=False)


@report_errors
def run_change(args: argparse.Namespace) -> int:
    """Look, ask, carry out; return the exit code. Raise HeartbeatError for what is not there, or in a state that does not allow it."""
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.vms.power import refuse

    if not args.yes and not sys.stdin.isatty():
        warning = PURPOSES[args.action][1]
        raise HeartbeatError("there is no terminal to ask on", warning, f"Give --yes to {args.action} without being asked.")
    with open_place(args) as place:
        look = interruptible(place.session, lambda: look_around(place))
        things = [find_things(place, look, name, queued=args.queued) for name in dict.fromkeys(args.names)]
        for thing in things:
            if problem := refuse(thing, args.action):
                raise problem
        shown: set[str] = set()
        for thing in things:
            show(place, look, thing, args.action, shown)
        if not args.yes and not all(agreed(thing, args.action) for thing in (things if args.action == "delete" else things[:1])):
            print("Nothing was changed.", file=sys.stderr)
            return 1
        return carry_out(args, place, things)


def show(place: VmScope, look: Inventory, thing: Node | QueuedResource, action: Any, shown: set[str]) -> None:
    """Say on stderr what will be done, and by which command gcloud would, unless that was ``shown`` before."""
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.errors import sanitize_line
    from heartbeat_core.vms.inventory import command_of

    queue = thing.queued_resource if isinstance(thing, Node) else thing.id
    kinds = thing.accelerator_type if isinstance(thing, Node) else ", ".join(thing.accelerator_types)
    what = "TPU VM" if isinstance(thing, Node) else "queued resource"
    print(sanitize_line(f"{action} the {what} {thing.id} ({kinds}, {thing.state}) in {thing.zone}. {PURPOSES[action][1]}"), file=sys.stderr)
    if action == "delete" and queue:
        held = [node.id for node in look.nodes if (node.queued_resource, node.zone) == (queue, thing.zone) and node.id != thing.id]
        others = f", with {', '.join(held)}" if held else ""
        if isinstance(thing, Node):
            print(sanitize_line(f"  It belongs to the queued resource {queue}, which is deleted{others}."), file=sys.stderr)
        elif held:
            print(sanitize_line(f"  Its TPU VMs are deleted as well: {', '.join(held)}."), file=sys.stderr)
    command = sanitize_line(shlex.join(command_of(action, thing, place.project)))
    if command not in shown:
        print(f"  {command}", file=sys.stderr)
        shown.add(command)


def agreed(thing: Node | QueuedResource, action: str) -> bool:
    """Ask on the terminal: to delete by its name, for the rest by a word."""
    if action == "delete":
        print(f"Type {thing.id} to delete it: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() == thing.id
    return confirmed(f"{action[:1].upper()}{action[1:]}?")


def carry_out(args: argparse.Namespace, place: VmScope, things: list[Node | QueuedResource]) -> int:
    """Do it to all at once; print what came of it and return the exit code."""
    failures = interruptible(place.session, lambda: change_all(args, place, things))
    if args.json:
        from heartbeat_core.vms.serialize import SCHEMA

        results = [
            {"name": thing.id, "zone": thing.zone, "ok": failure is None, "error": error_json(failure) if failure else None}
            for thing, failure in zip(things, failures, strict=True)
        ]
        print(json.dumps({"schema": SCHEMA, "emulated": place.label or None, "action": args.action, "results": results}, indent=1))
    for thing, failure in zip(things, failures, strict=True):
        if failure:
            print_vm_error(failure, thing.id if len(things) > 1 else "")
        elif not args.json:
            print(f"{thing.id}  {thing.zone}  {'asked for' if args.no_wait else DONE[args.action]}")
    return exit_code(failure for failure in failures if failure)


def change_all(args: argparse.Namespace, place: VmScope, things: list[Node | QueuedResource]) -> list[HeartbeatError | None]:
    """Change them side by side, by one request what one request changes; give why it failed, for each."""
    from concurrent.futures import ThreadPoolExecutor

    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.vms.power import by_request
    from heartbeat_core.vms.power import carry_out as change

    groups = list(by_request(things, args.action).values())

    def one(group: list[Node | QueuedResource]) -> HeartbeatError | None:
        thing, progress = group[0], Progress(", ".join(thing.id for thing in group) if len(things) > 1 else "")
        try:
            change(place.session, place.project, thing, args.action, progress, patience_of(args), wait=not args.no_wait)
        except HeartbeatError as error:
            return error
        return None

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="change") as pool:
        ended = {id(thing): failure for group, failure in zip(groups, pool.map(one, groups), strict=True) for thing in group}
    return [ended[id(thing)] for thing in things]


def patience_of(args: argparse.Namespace) -> PollPolicy:
    from heartbeat_core.vms.operation import PollPolicy

    return PollPolicy(total_s=args.timeout) if args.timeout else PollPolicy()


EXIT = {"reached": 0, "ended": 1, "gone": 1, "timed out": 3}


def register_watch(verbs: argparse._SubParsersAction[Any]) -> None:
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
    parser.set_defaults(run=run_watch)


@report_errors
def run_watch(args: argparse.Namespace) -> int:
    """Wait, print how it ended and return 0, 1, 3 or 130; raise CloudError where there is no asking."""
    from heartbeat_core.cloud.cancellation import Cancelled
    from heartbeat_core.cloud.errors import CloudError
    from heartbeat_core.vms.operation import PollPolicy
    from heartbeat_core.vms.watch import watch

    check_state(args.until)
    patience = PollPolicy(total_s=args.timeout, absent_s=10.0)
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


def zone_of(place: VmScope, name: str) -> str:
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
    from heartbeat_core.errors import sanitize_line

    words = {
        "reached": f"{name} in {zone} is {until}",
        "ended": f"{name} in {zone} is {found.state}, from where it does not become {until}",
        "gone": f"{name} in {zone} is gone" if found.state else f"there is no {name} in {zone}",
        "timed out": f"{name} in {zone} is not {until} yet: {found.state or 'no state was seen'}",
    }
    return sanitize_line(f"{words[found.outcome]}, after {found.seconds:.1f} s")
