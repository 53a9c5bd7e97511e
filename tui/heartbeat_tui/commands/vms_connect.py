"""``heartbeat-tui vms ssh`` and ``vms setup``: connect to a TPU VM, and install what the benchmark needs."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heartbeat_core.checks.fix_runner import run_in_terminal
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import load_settings
from heartbeat_tui.commands.console import Actions, add_action, print_error, print_json
from heartbeat_tui.commands.vms_shared import add_scope_flags, open_scope

WAYS = ("auto", "external", "internal", "iap")

if TYPE_CHECKING:  # the engine on other machines is imported by what uses it: vms list, which does not, is to answer soon
    from heartbeat_core.benchmark.devices import Device
    from heartbeat_core.remote.hosts import Host
    from heartbeat_core.remote.install import InstallResult, InstallStep


def register_ssh(verbs: Actions) -> None:
    more = "Run gcloud's own ssh in this terminal, and end with its exit code. A state without ssh (STOPPED, …) is refused."
    parser = add_action(verbs, "ssh", run_ssh, "open a shell on a TPU VM", more)
    parser.add_argument("name", metavar="NAME[:WORKER]", help="a TPU VM, and which of its hosts; default the first")
    add_way_flags(parser)
    parser.add_argument("--print", action="store_true", help="show the command and run nothing")
    add_scope_flags(parser, as_json="with --print: one object")


def add_way_flags(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how to get there")
    how.add_argument("--way", choices=WAYS, help="external address, internal address, or Google's tunnel (iap); also remote.way")
    how.add_argument("--ssh-flag", action="append", metavar="FLAG", help='a flag for ssh: --ssh-flag="-p 2222"; repeatable')


def run_ssh(args: argparse.Namespace) -> int:
    """Run ssh in this terminal; return its exit code."""
    from heartbeat_core.remote.hosts import find_node, parse_on
    from heartbeat_core.remote.ssh import connect, split_flags

    on, remote = parse_on(args.name), load_settings().remote
    if on.all:
        raise HeartbeatError("a shell is opened on one host", f"{args.name} names several.", f"Name one: {on.name}:0.")
    if args.json and not args.print:
        raise HeartbeatError("--json goes with --print", "A shell has no JSON.", "Add --print, or leave --json out.")
    with open_scope(args) as scope:
        node = find_node(scope.session, scope.project, on.name, scope.chosen_zone)
        flags = tuple(args.ssh_flag or split_flags(remote.ssh_flags))
        way, worker = args.way or remote.way, on.worker or 0
        opened = connect(node, scope.project, endpoint=scope.session.endpoint, worker=worker, way=way, flags=flags)
    for warning in opened.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        print_json({"command": list(opened.command), "warnings": list(opened.warnings)}, indent=None)
    else:
        print(shlex.join(opened.command), file=sys.stdout if args.print else sys.stderr)
    if args.print:
        return 0
    return run_in_terminal(opened.command, opened.environ)


def register_setup(verbs: Actions) -> None:
    parser = add_action(
        verbs,
        "setup",
        run_setup,
        "install what the benchmark needs on a TPU VM",
        "Install OpenBLAS, an environment with torch and torch_xla, and our engine on every host of a TPU VM; what is there "
        "stays as it is. Then check the device. Exit 0 if it is a TPU, 1 if a step failed or it is none, 3 could not tell.",
    )
    parser.add_argument("name", metavar="NAME[:WORKER]", help="a TPU VM; all its hosts unless one is named")
    add_way_flags(parser)
    parser.add_argument("--print", action="store_true", help="show the commands and run nothing")
    add_scope_flags(parser, as_json="print one object: hosts, steps, device")


def run_setup(args: argparse.Namespace) -> int:
    """Set up every host; return 0 if each has a TPU."""
    from heartbeat_core.remote.hosts import bring_engine, find_node, hosts_of, parse_on, reach
    from heartbeat_core.remote.install import tpu_steps

    remote = load_settings().remote
    remote = replace(remote, way=args.way or remote.way, ssh_flags=shlex.join(args.ssh_flag or ()) or remote.ssh_flags)
    steps = tpu_steps(remote.folder.removeprefix("~/"))
    if args.print:
        for step in steps:
            print("\n".join((f"# {step.title}{'' if step.commands else ' (checked only)'}", *map(shlex.join, step.commands))))
        return 0
    on = parse_on(args.name)
    with sigterm_as_ctrl_c(), open_scope(args) as scope:
        node = find_node(scope.session, scope.project, on.name, scope.chosen_zone)
        hosts = hosts_of(node, scope.project, on, endpoint=scope.session.endpoint, remote=remote, every=True)
        print(f"Connecting to {', '.join(host.label for host in hosts)} …", file=sys.stderr)
        reach(hosts, partial(bring_engine, set_up=False))
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            results = list(pool.map(lambda host: set_up_one(host, steps), hosts))
        label = scope.label
    return print_results(results, label, as_json=args.json)


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM, which the screen sends, as Ctrl-C: ssh ends with us, and with it what runs on the host."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


Result = tuple["Host", "list[InstallResult]", "Device | None", "HeartbeatError | None"]


def set_up_one(host: Host, steps: tuple[InstallStep, ...]) -> Result:
    """Set up one host, with live output; its failure does not stop the others."""
    from heartbeat_core.remote.install import install, probe_device

    taken: list[InstallResult] = []
    try:
        for step in steps:
            done = install(host, step, lambda line: print_line(host, f"  {line}"))
            taken.append(done)
            how = "installed already" if done.how == "there" else f"installed in {done.seconds:.0f} s"
            print_line(host, f"{step.name}: {how}{f' ({done.detail})' if done.detail else ''}")
        print_line(host, "checking the device …")
        return host, taken, probe_device(host), None
    except HeartbeatError as error:
        return host, taken, None, error


def print_line(host: Host, line: str) -> None:
    print(f"{host.label}: {line}", file=sys.stderr, flush=True)


def print_results(results: list[Result], label: str, *, as_json: bool) -> int:
    """Print the results; return 0 if each host has a TPU, 1 if a step failed or there is none, 3 if that is not known."""
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
        print_json({"emulated": label or None, "hosts": [result_json(result) for result in results]}, indent=None)
    return max(codes)


def verdict(device: Device) -> str:
    if device.problem:
        return f"the device cannot be used: {device.problem}. {device.cause} {device.remedy}"
    found = device.found
    about = f"torch {found.get('torch')}, torch_xla {found.get('torch_xla')}"
    if found.get("hardware") == "TPU":
        return f"ready for a benchmark on a TPU ({found.get('chip') or 'unknown generation'}), {about}"
    return f"no TPU: a benchmark would be a rehearsal on the CPU, {about}. Check that the runtime fits the accelerator."


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
