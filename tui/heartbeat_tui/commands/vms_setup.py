"""``heartbeat-tui vms setup``: bring to a TPU VM what the beat needs, and look what device it has."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.vms_place import add_place_flags, open_place, told
from heartbeat_tui.commands.vms_ssh import add_way_flags

if TYPE_CHECKING:
    from heartbeat_core.benchmark.devices import Device
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.remote.hosts import Host
    from heartbeat_core.remote.install import Done, Step


def register(verbs: argparse._SubParsersAction[Any]) -> None:
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
    parser.set_defaults(run=told(run))


def run(args: argparse.Namespace) -> int:
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


Result = tuple["Host", "list[Done]", "Device | None", "HeartbeatError | None"]


def set_up_one(host: Host, steps: tuple[Step, ...]) -> Result:
    """Set one host up, with live output; its failure does not stop the others."""
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.remote.install import look_at_device, set_up

    taken: list[Done] = []

    def on_done(done: Done) -> None:
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
    from heartbeat_tui.commands.complain import complain

    codes = []
    for host, _, device, error in results:
        if error is not None:
            complain(error)
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


def print_steps(steps: tuple[Step, ...]) -> None:
    import shlex

    for step in steps:
        print(f"# {step.title}{'' if step.commands else ' (looked at only)'}")
        for command in step.commands:
            print(shlex.join(command))
