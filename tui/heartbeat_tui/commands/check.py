"""``heartbeat-tui check``: whether this project, this account and this machine are ready for a TPU."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.cloud_flags import add_cloud_flags, open_world

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import Readiness, Result
    from heartbeat_core.checks.runner import Runner

EXIT = {True: 0, False: 1, None: 3}
DONE = ("pass", "warn", "not_applicable")


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser(
        "check",
        help="see whether project, account and machine are ready for a TPU",
        description="Ask every question of the checklist; nothing is changed. Exit 0 ready, 1 not ready, 2 bad usage, 3 could not tell.",
    )
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="these alone, and what they depend on")
    parser.add_argument("--skip", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="all but these")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object: schema, ready, principal, target, checks")
    form.add_argument("--fix-plan", action="store_true", help="print what mends it all as a shell script, to read before running")
    add_cloud_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0, 1 or 3; raise HeartbeatError for names that no check has."""
    from heartbeat_core.checks.registry import checks_for

    checks = choose(checks_for(args.only), args.only, args.skip)
    with open_world(args) as (world, label):
        runner = make_runner(checks, world, args.timeout)
        try:
            runner.run(args.only or None)
        finally:
            runner.cancel()
        readiness = shown(runner, args.only)
    if args.json:
        print(json.dumps({**readiness.to_json(), "emulated": label or None}, indent=1))
    elif args.fix_plan:
        from heartbeat_tui.commands.check_plan import plan_lines

        print("\n".join(plan_lines(readiness, label)))
    else:
        from heartbeat_tui.commands.check_text import text_lines

        print("\n".join(text_lines(readiness, label)))
    return EXIT[readiness.ready]


def choose(checks: Iterable[Check], only: list[str], skip: list[str]) -> tuple[Check, ...]:
    """Leave out what is to be skipped; raise HeartbeatError for a name that no check and no group has, or where nothing is left."""
    from heartbeat_core.errors import HeartbeatError

    checks = tuple(checks)
    known = {name for check in checks for name in (check.id, check.group)}
    for name in (*only, *skip):
        if name not in known:
            refuse(name)
    kept = tuple(check for check in checks if check.id not in skip and check.group not in skip)
    if not any(not only or check.id in only or check.group in only for check in kept):
        raise HeartbeatError("no check is left", "--skip takes away all that --only names.", "Skip less.")
    return kept


def refuse(name: str) -> None:
    import difflib

    from heartbeat_core.checks.registry import CHECKS
    from heartbeat_core.checks.result import GROUPS
    from heartbeat_core.errors import HeartbeatError

    ids = [check.id for check in CHECKS]
    if name in (*ids, *GROUPS):
        return  # one that --only has left out
    nearest = difflib.get_close_matches(name, [*ids, *GROUPS], n=1, cutoff=0.4)
    cause = f"Did you mean {nearest[0]}?" if nearest else f"Groups are {', '.join(GROUPS)}."
    raise HeartbeatError(f"there is no check or group {name}", cause, f"Checks are {', '.join(ids)}.")


def make_runner(checks: tuple[Check, ...], world: Any, timeout_s: float | None) -> Runner:
    """Make a runner that tells its progress on stderr where that is a terminal."""
    from heartbeat_core.checks.runner import Runner

    runner = Runner(checks, world, limit_s=timeout_s)
    if sys.stderr.isatty():
        begun: set[str] = set()

        def line(words: str) -> None:
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)

        def on_start(name: str) -> None:
            begun.add(name)
            line(f"{len(runner.results)}/{len(checks)} asking {name} …")

        def on_result(result: Result) -> None:
            begun.discard(result.id)
            line(f"{len(runner.results)}/{len(checks)} asking {', '.join(sorted(begun)[:2])} …" if begun else "")

        runner.on_start, runner.on_result = on_start, on_result
    return runner


def shown(runner: Runner, only: list[str]) -> Readiness:
    """Give what was asked for, and of what that depends on whatever has not passed."""
    if not only:
        return runner.readiness()
    named = {check.id for check in runner.checks.values() if check.id in only or check.group in only}
    others = {result.id for result in runner.results.values() if result.status not in DONE}
    return runner.readiness(named | others)
