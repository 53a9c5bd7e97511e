"""``heartbeat-tui vms start``, ``stop``, ``delete`` and ``watch``."""

from __future__ import annotations

import argparse
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from heartbeat_core.cloud.cancellation import Cancelled
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.errors import INTERRUPTED, HeartbeatError, nearest, sanitize_line
from heartbeat_core.vms import power
from heartbeat_core.vms.inventory import Inventory
from heartbeat_core.vms.operation import PollPolicy, is_cancelled
from heartbeat_core.vms.power import refuse
from heartbeat_core.vms.request import NAME
from heartbeat_core.vms.vocabulary import ACTIONS, Resource, command_of, queue_of
from heartbeat_core.vms.watch import STATES, Watched, watch
from heartbeat_tui.commands.console import Actions, add_action, check_tty, confirmed, first_interrupt, print_answer, print_json
from heartbeat_tui.commands.options import duration
from heartbeat_tui.commands.vms_shared import (
    Progress,
    VmScope,
    add_scope_flags,
    doubt_of,
    error_json,
    exit_code,
    find_resource,
    open_scope,
    print_vm_error,
    read_inventory,
)

AT_ONCE = 8


def register_changes(verbs: Actions) -> None:
    for action in ("start", "stop", "delete"):
        words = ACTIONS[action]
        more = (
            f"{words.purpose[:1].upper()}{words.purpose[1:]}, only in states that allow it. {words.effect} Exit 0 all done, "
            "1 refused or failed, 2 bad usage, 3 could not tell, 130 interrupted."
        )
        parser = add_action(verbs, action, run_change, words.purpose, more)
        parser.add_argument("names", nargs="+", metavar="NAME")
        if action == "delete":
            parser.add_argument("--queued", action="store_true", help="the queued resources of these names")
        parser.add_argument("--timeout", type=duration, metavar="TIME", help="stop watching after that time, default 30m")
        parser.add_argument("--no-wait", action="store_true", help="do not watch: end as soon as the request is accepted")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_scope_flags(parser, zone="their zone; default: search all zones", as_json="print one object: schema, action, results")
        parser.set_defaults(action=action, queued=False)


def run_change(args: argparse.Namespace) -> int:
    """Find, ask, carry out; return the exit code. Raise HeartbeatError if one is missing, or its state does not allow it."""
    check_tty(args, ACTIONS[args.action].effect)
    with open_scope(args) as scope:
        with first_interrupt(scope.session.cancel):
            inventory = read_inventory(scope)
        resources = [find_resource(scope, inventory, name, queued=args.queued) for name in dict.fromkeys(args.names)]
        for resource in resources:
            if problem := refuse(resource, args.action):
                raise problem
        shown: set[str] = set()
        for resource in resources:
            show(scope, inventory, resource, args.action, shown)
        asked = resources if args.action == "delete" else resources[:1]
        if not args.yes and not all(agreed(resource, args.action) for resource in asked):
            print("Nothing was changed.", file=sys.stderr)
            return 1
        return carry_out(args, scope, resources)


def show(scope: VmScope, inventory: Inventory, resource: Resource, action: Any, shown: set[str]) -> None:
    """Print on stderr what will be done, and the gcloud command for it unless that was ``shown`` before."""
    queue = queue_of(resource)
    kinds = resource.accelerator_type if isinstance(resource, Node) else ", ".join(resource.accelerator_types)
    what = f"{'TPU VM' if isinstance(resource, Node) else 'queued resource'} {resource.id} ({kinds}, {resource.state})"
    print(sanitize_line(f"{action} the {what} in {resource.zone}. {ACTIONS[action].effect}"), file=sys.stderr)
    if action == "delete" and queue:
        of_queue = [node.id for node in inventory.nodes if (node.queued_resource, node.zone) == (queue, resource.zone)]
        held = [name for name in of_queue if name != resource.id]
        others = f", with {', '.join(held)}" if held else ""
        if isinstance(resource, Node):
            print(sanitize_line(f"  It belongs to the queued resource {queue}, which is deleted{others}."), file=sys.stderr)
        elif held:
            print(sanitize_line(f"  Its TPU VMs are deleted as well: {', '.join(held)}."), file=sys.stderr)
    command = sanitize_line(shlex.join(command_of(action, resource, scope.project)))
    if command not in shown:
        print(f"  {command}", file=sys.stderr)
        shown.add(command)


def agreed(resource: Resource, action: str) -> bool:
    """Ask on the terminal: for a deletion by its name, else for a yes."""
    if action == "delete":
        print(f"Type {resource.id} to delete it: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() == resource.id
    return confirmed(f"{action[:1].upper()}{action[1:]}?")


def carry_out(args: argparse.Namespace, scope: VmScope, resources: list[Resource]) -> int:
    """Change all of them in parallel; print the results and return the exit code."""
    with first_interrupt(scope.session.cancel):
        failures = change_all(args, scope, resources)
    if args.json:
        results = [
            {"name": resource.id, "zone": resource.zone, "ok": failure is None, "error": error_json(failure) if failure else None}
            for resource, failure in zip(resources, failures, strict=True)
        ]
        print_json({"emulated": scope.label or None, "action": args.action, "results": results})
    for resource, failure in zip(resources, failures, strict=True):
        if failure:
            print_vm_error(failure, resource.id if len(resources) > 1 else "")
        elif not args.json:
            print(f"{resource.id}  {resource.zone}  {'requested' if args.no_wait else ACTIONS[args.action].done}")
    return exit_code(failure for failure in failures if failure)


def change_all(args: argparse.Namespace, scope: VmScope, resources: list[Resource]) -> list[HeartbeatError | None]:
    """Change them in parallel, grouped by request; return for each why it failed."""
    groups = list(power.by_request(resources, args.action).values())
    policy = PollPolicy(total_s=args.timeout) if args.timeout else PollPolicy()

    def one(group: list[Resource]) -> HeartbeatError | None:
        resource, progress = group[0], Progress(", ".join(resource.id for resource in group) if len(resources) > 1 else "")
        try:
            power.carry_out(scope.session, scope.project, resource, args.action, progress, policy, wait=not args.no_wait)
        except HeartbeatError as error:
            return error
        return None

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="change") as pool:
        ended = {id(resource): failure for group, failure in zip(groups, pool.map(one, groups), strict=True) for resource in group}
    return [ended[id(resource)] for resource in resources]


EXIT = {"reached": 0, "ended": 1, "gone": 1, "timed out": 3}


def register_watch(verbs: Actions) -> None:
    parser = add_action(
        verbs,
        "watch",
        run_watch,
        "wait until a TPU VM is in a state",
        "Wait until the TPU VM of that name is in a state; as long as there is none, its queued resource is watched. Exit "
        "0 reached, 1 ended in another state (FAILED, PREEMPTED, gone, …), 3 could not tell in time, 130 interrupted.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--until", type=str.upper, default="READY", metavar="STATE", help="default READY; GONE: until it is deleted")
    parser.add_argument("--timeout", type=duration, metavar="TIME", help="give up after that time, default never")
    add_scope_flags(parser, as_json="print one object: schema, outcome, state, seconds")


def run_watch(args: argparse.Namespace) -> int:
    """Wait, print how it ended and return 0, 1, 3 or 130.

    Raise CloudError if Google refuses to answer, HeartbeatError for what looks like a mistyped state.
    """
    if args.until not in STATES and (meant := nearest(args.until, sorted(STATES))):  # others pass, for Google may have new ones
        raise HeartbeatError(f"there is no state {args.until}", "It would never be reached.", f"Did you mean {meant}?")
    if not NAME.fullmatch(args.name):
        raise HeartbeatError(f"{args.name!r} is no name of a TPU VM", "It would never appear.", "List them: heartbeat-tui vms list.")
    policy, progress = PollPolicy(total_s=args.timeout, absent_s=10.0), Progress()
    with open_scope(args) as scope, first_interrupt(scope.session.cancel):
        try:
            zone = scope.chosen_zone or zone_of(scope, args.name)
            found = watch(scope.session, scope.project, zone, args.name, args.until, progress, policy)
        except (CloudError, Cancelled) as error:
            if not is_cancelled(error):
                raise
            print("interrupted; the TPU VM is not changed", file=sys.stderr)
            return INTERRUPTED
    state = {"name": args.name, "zone": zone, "until": args.until, "outcome": found.outcome, "state": found.state}
    values: dict[str, Any] = {"emulated": scope.label or None, **state, "seconds": round(found.seconds, 3)}
    print_answer(args, values, [sentence(args.name, zone, args.until, found)])
    return EXIT[found.outcome]


def zone_of(scope: VmScope, name: str) -> str:
    """Return the zone of that name, or else the default one.

    Raise HeartbeatError if it is in several zones, or may be in one that did not answer.
    """
    inventory = read_inventory(scope)
    zones = sorted({node.zone for node in inventory.named(name)} | {queued.zone for queued in inventory.queue_named(name)})
    if len(zones) > 1:
        raise HeartbeatError(f"there are {len(zones)} called {name}", f"They are in {', '.join(zones)}.", "Say which: --zone ZONE.")
    if not zones and (doubt := doubt_of(inventory, f"there is a TPU VM {name}")):
        raise doubt
    return zones[0] if zones else scope.target.zone.value or ""


def sentence(name: str, zone: str, until: str, found: Watched) -> str:
    words = {
        "reached": f"{name} in {zone} is {until}",
        "ended": f"{name} in {zone} is {found.state}, and will not become {until}",
        "gone": f"{name} in {zone} is gone" if found.state else f"there is no {name} in {zone}",
        "timed out": f"{name} in {zone} is not {until} yet: {found.state or 'no state was seen'}",
    }
    return sanitize_line(f"{words[found.outcome]}, after {found.seconds:.1f} s")
