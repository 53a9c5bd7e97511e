"""``heartbeat-tui vms ssh``: a shell on a TPU VM, by gcloud's own ssh."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import Any

from heartbeat_tui.commands.vms_place import add_place_flags, open_place, told

WAYS = ("auto", "external", "internal", "iap")


def register(verbs: argparse._SubParsersAction[Any]) -> None:
    parser = verbs.add_parser(
        "ssh",
        help="open a shell on a TPU VM",
        description="Open gcloud's own ssh in this terminal; its exit code is ours. A state in which nothing can answer is refused.",
    )
    parser.add_argument("name", metavar="NAME[:WORKER]", help="a TPU VM, and which of its hosts; default the first")
    add_way_flags(parser)
    parser.add_argument("--print", action="store_true", help="show the command and run nothing")
    add_place_flags(parser, zone="where it is; otherwise it is sought in all zones", as_json="with --print: one object")
    parser.set_defaults(run=told(run))


def add_way_flags(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how to get there")
    how.add_argument("--way", choices=WAYS, help="external address, internal address, or Google's tunnel (iap); also remote.way")
    how.add_argument("--ssh-flag", action="append", metavar="FLAG", help='a flag for ssh: --ssh-flag="-p 2222"; repeatable')


def run(args: argparse.Namespace) -> int:
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
