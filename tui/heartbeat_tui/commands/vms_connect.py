"""``heartbeat-tui vms setup``: bring to a TPU VM what the beat needs, and look what device it has."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from heartbeat_tui.commands.vms_shared import VmScope, add_place_flags, open_place, report_errors, try_rates

if TYPE_CHECKING:
    from heartbeat_core.benchmark.devices import Device
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.remote.hosts import Host
    from heartbeat_core.remote.install import InstallResult, InstallStep
    from heartbeat_core.vms.pricing import Estimate
    from heartbeat_core.vms.quota_headroom import QuotaHeadroom
    from heartbeat_core.vms.request import CreateRequest, ZoneOffers


WAYS = ("auto", "external", "internal", "iap")


def register_ssh(verbs: argparse._SubParsersAction[Any]) -> None:
    parser = verbs.add_parser(
        "ssh",
        help="open a shell on a TPU VM",
        description="Open gcloud's own ssh in this terminal; its exit code is ours. A state in which nothing can answer is refused.",
    )
    parser.add_argument("name", metavar="NAME[:WORKER]", help="a TPU VM, and which of its hosts; default the first")
    add_way_flags(parser)
    parser.add_argument("--print", action="store_true", help="show the command and run nothing")
    add_place_flags(parser, zone="where it is; otherwise it is sought in all zones", as_json="with --print: one object")
    parser.set_defaults(run=report_errors(run_ssh))


def add_way_flags(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how to get there")
    how.add_argument("--way", choices=WAYS, help="external address, internal address, or Google's tunnel (iap); also remote.way")
    how.add_argument("--ssh-flag", action="append", metavar="FLAG", help='a flag for ssh: --ssh-flag="-p 2222"; repeatable')


def run_ssh(args: argparse.Namespace) -> int:
    """Step aside for ssh; return its exit code."""
    from heartbeat_core.checks.fix_runner import run_in_terminal
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.remote.hosts import find_node, parse_on
    from heartbeat_core.remote.ssh import connect, split_flags
    from heartbeat_core.settings import load_settings

    on, remote = parse_on(args.name), load_settings().remote
    if on.all:
        raise HeartbeatError("a shell is opened on one host", f"{args.name} names several.", f"Name one: {on.name}:0.")
    if args.json and not args.print:
        raise HeartbeatError("--json goes with --print", "A shell prints what it likes.", "Add --print, or leave --json out.")
    with open_place(args) as place:
        node = find_node(place.session, place.project, on.name, place.chosen_zone)
        flags = tuple(args.ssh_flag or split_flags(remote.ssh_flags))
        opened = connect(
            node, place.project, endpoint=place.session.endpoint, worker=on.worker or 0, way=args.way or remote.way, flags=flags
        )  # fmt: skip
    for warning in opened.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.print and args.json:
        print(json.dumps({"schema": 1, "command": list(opened.command), "warnings": list(opened.warnings)}))
    elif args.print:
        print(shlex.join(opened.command))
    if args.print:
        return 0
    print(f"{shlex.join(opened.command)}", file=sys.stderr)
    return run_in_terminal(opened.command, opened.environ)


def register_setup(verbs: argparse._SubParsersAction[Any]) -> None:
    parser = verbs.add_parser(
        "setup",
        help="install what the beat needs on a TPU VM",
        description="Bring OpenBLAS, an environment with torch and torch_xla, and our engine to every host of a TPU VM; what is there is "
        "left alone. Then look at its device. Exit 0 where it is a TPU, 1 where a step failed or there is none, 3 where it could not tell.",
    )
    parser.add_argument("name", metavar="NAME[:WORKER]", help="a TPU VM; all its hosts unless one is named")
    add_way_flags(parser)
    parser.add_argument("--print", action="store_true", help="show the commands and run nothing")
    add_place_flags(parser, zone="where it is; otherwise it is sought in all zones", as_json="print one object: hosts, steps, device")
    parser.set_defaults(run=report_errors(run_setup))


def run_setup(args: argparse.Namespace) -> int:
    """Set every host up; return 0 where each has a TPU."""
    from heartbeat_core.remote.hosts import bring_engine, find_node, hosts_of, parse_on, reach
    from heartbeat_core.remote.install import tpu_steps
    from heartbeat_core.settings import load_settings

    remote = load_settings().remote
    remote = replace(remote, way=args.way or remote.way, ssh_flags=flags_text(args.ssh_flag) or remote.ssh_flags)
    steps = tpu_steps(remote.folder.removeprefix("~/"))
    if args.print:
        print_steps(steps)
        return 0
    on = parse_on(args.name)
    with ended_like_ctrl_c(), open_place(args) as place:
        node = find_node(place.session, place.project, on.name, place.chosen_zone)
        hosts = hosts_of(node, place.project, on, endpoint=place.session.endpoint, remote=remote, every=True)
        print(f"Connecting to {', '.join(host.label for host in hosts)} …", file=sys.stderr)
        reach(hosts, node, place.project, remote, partial(bring_engine, set_up=False))
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            results = list(pool.map(lambda host: set_up_one(host, steps), hosts))
        label = place.label
    return tell(results, label, as_json=args.json)


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Take an order to end, which the screen gives, as Ctrl-C: whatever leads there ends with us, and with it what runs there."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def flags_text(flags: list[str] | None) -> str:
    import shlex

    return shlex.join(flags) if flags else ""


Result = tuple["Host", "list[InstallResult]", "Device | None", "HeartbeatError | None"]


def set_up_one(host: Host, steps: tuple[InstallStep, ...]) -> Result:
    """Set one host up, with live output; its failure does not stop the others."""
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.remote.install import look_at_device, set_up

    taken: list[InstallResult] = []

    def on_done(done: InstallResult) -> None:
        taken.append(done)
        how = "there" if done.how == "there" else f"brought in {done.seconds:.0f} s"
        say(host, f"{done.step.name}: {how}{f' ({done.detail})' if done.detail else ''}")

    try:
        set_up(host, steps, lambda line: say(host, f"  {line}"), on_done)
        say(host, "looking at the device …")
        return host, taken, look_at_device(host), None
    except HeartbeatError as error:
        return host, taken, None, error


def say(host: Host, line: str) -> None:
    print(f"{host.label}: {line}", file=sys.stderr, flush=True)


def tell(results: list[Result], label: str, *, as_json: bool) -> int:
    """Print how it went; return 0 where each host has a TPU, 1 where a step failed or there is none, 3 where that is not known."""
    from heartbeat_tui.commands.console import print_error

    codes = []
    for host, _, device, error in results:
        if error is not None:
            print_error(error)
            codes.append(error.exit_code)
        elif device is not None:
            codes.append(0 if device.found.get("hardware") == "TPU" else 3 if device.problem else 1)
            if not as_json:
                print(f"{host.label}: {verdict(device)}")
    if as_json:
        print(json.dumps({"schema": 1, "emulated": label or None, "hosts": [result_json(result) for result in results]}))
    return max(codes)


def verdict(device: Device) -> str:
    if device.problem:
        return f"the device cannot be used: {device.problem}. {device.cause} {device.remedy}"
    found = device.found
    about = f"torch {found.get('torch')}, torch_xla {found.get('torch_xla')}"
    if found.get("hardware") == "TPU":
        return f"ready to beat on a TPU ({found.get('chip') or 'of a kind not known here'}), {about}"
    return f"no TPU: it would be a rehearsal on the CPU, {about}. On a TPU VM: see whether its runtime fits its accelerator."


def result_json(result: Result) -> dict[str, Any]:
    host, taken, device, error = result
    return {
        "name": host.label,
        "steps": [{"name": done.step.name, "how": done.how, "seconds": round(done.seconds, 1)} for done in taken],
        "device": dict(device.found) if device and not device.problem else None,
        "problem": (device.problem if device else "") or (error.title if error else None) or None,
        "cause": error.cause if error else device.cause if device and device.problem else None,
        "remedy": error.remedy if error else device.remedy if device and device.problem else None,
    }


def print_steps(steps: tuple[InstallStep, ...]) -> None:
    import shlex

    for step in steps:
        print(f"# {step.title}{'' if step.commands else ' (looked at only)'}")
        for command in step.commands:
            print(shlex.join(command))


T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """What became known, by zone; ``notes`` say what could not be found out."""

    offers: ZoneOffers
    rooms: Mapping[str, tuple[QuotaHeadroom, ...]]
    prices: Mapping[str, Estimate | str]  # or why there is none
    notes: tuple[str, ...]


def prepare(place: VmScope, request: CreateRequest, zones: tuple[str, ...]) -> Prepared:
    """Ask for everything side by side; raise CloudError where that was cancelled, all else that fails is a note."""
    from heartbeat_core.vms.inventory import fetch_inventory
    from heartbeat_core.vms.pricing import estimate, why_unpriced
    from heartbeat_core.vms.quota_headroom import find_room
    from heartbeat_core.vms.request import ZoneOffers, ask_offers

    notes: list[str] = []
    wishes = {zone: replace(request, zone=zone) for zone in zones or (request.zone,)}

    def rooms() -> dict[str, tuple[QuotaHeadroom, ...]]:
        look = fetch_inventory(place.session, place.project)
        return {zone: find_room(place.session, wish, look) for zone, wish in wishes.items()}

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as pool:
        offered = pool.submit(ask_offers, place.session, place.project, request.zone)
        priced = pool.submit(try_rates, place.session)
        found = noted(rooms, "the quota left", notes) or {}
        offers = noted(offered.result, f"what {request.zone} offers", notes) or ZoneOffers()
        rates, problem = priced.result()
    kind, model = request.accelerator_type, request.provisioning
    prices = {zone: estimate(rates, kind, zone, model) or problem or why_unpriced(kind, zone, model) for zone in wishes}
    return Prepared(offers, found, prices, tuple(notes))


def noted(ask: Callable[[], T], what: str, notes: list[str]) -> T | None:
    """Ask; where that fails note it down and give None."""
    from heartbeat_core.cloud.errors import CloudError

    try:
        return ask()
    except CloudError as error:
        if error.kind == "cancelled":
            raise
        notes.append(f"{what} could not be found out: {error.title}: {error.message}")
        return None
