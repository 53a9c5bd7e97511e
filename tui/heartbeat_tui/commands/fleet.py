"""``heartbeat-tui fleet check``: the hosts of a fleet that are slow, of a recorded run or of one made now; for cron and before serving."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from heartbeat_core.errors import INTERRUPTED, HeartbeatError
from heartbeat_tui.commands.console import add_action, print_answer, print_status
from heartbeat_tui.commands.options import add_config_flags, add_project_flag, check_method, make_config, make_launcher, share

if TYPE_CHECKING:
    from heartbeat_core.fleet.model import Fleet

MAX_SLOW = 0.03  # that of the engine, which --help must not import; a test holds them together


def register(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    what = "exit 1 with the hosts to cordon, 0 if all are fine, 3 if a host could not be judged"
    check = add_action(actions, "check", run_check, what, f"E{what[1:]}. Without GROUP, it measures every host of --on.")
    check.add_argument(
        "group", nargs="?", metavar="GROUP", help="judge recorded runs, one a host: a group, a folder or words such as tag:nightly"
    )
    purpose = "what a slow host may take longer than the fleet's median; default 3%%"
    check.add_argument("--max-slow", type=share, default=MAX_SLOW, metavar="SHARE", help=purpose)
    check.add_argument("--json", action="store_true", help="print one object: hosts with their verdicts, cordon, slow_slices, sentence")
    check.add_argument("--no-save", dest="save", action="store_const", const=False, help="keep no recording")  # else as the settings say
    check.add_argument("--name", help="name the group that the recordings make")
    check.add_argument("--note", metavar="TEXT", help="write a note to each")
    check.add_argument("--tag", action="append", default=[], metavar="TAG", help="tag each; repeatable")
    add_config_flags(check, default=argparse.SUPPRESS)  # or those given before the command would be forgotten
    add_project_flag(check, "the project of the TPU VM that --on names")
    check.set_defaults(source=None)


def run_check(args: argparse.Namespace) -> int:
    """Print the hosts, judged, the worst first; return 0, 1 or 3. Raise HeartbeatError where there are no hosts to judge."""
    from heartbeat_core.fleet.columns import fleet_lines
    from heartbeat_core.fleet.slow_hosts import find_slow

    if (args.group is None) == (args.on is None):
        both = "One is a run that was recorded, the other measures now."
        cause = both if args.group is not None else "Neither a recorded group nor --on is given."
        remedy = "heartbeat-tui fleet check GROUP, or heartbeat-tui fleet check --on ray"
        raise HeartbeatError("the fleet to check is not clear", cause, remedy)
    fleet, interrupted = measured(args) if args.group is None else (recorded(args.group), False)
    found = find_slow(fleet, args.max_slow)
    print_answer(args, found.to_json(), fleet_lines(found))
    return INTERRUPTED if interrupted else found.exit_code


def recorded(group: str) -> Fleet:
    from heartbeat_core.fleet.model import recorded_fleet
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.settings import load_settings

    with closing(Launcher(load_settings())) as launcher:
        return recorded_fleet(launcher.index().find_all([group]))


def measured(args: argparse.Namespace) -> tuple[Fleet, bool]:
    """Run on every host; return them, and whether Ctrl-C cut it short."""
    from heartbeat_tui.commands.bench_run import measure_hosts

    with closing(make_launcher(args)) as launcher:
        config = make_config(args, launcher)
        check_method(args, config)
        if launcher.destination is None or not launcher.destination.several:
            raise HeartbeatError(f"{args.on} is one host", "A fleet has several.", "--on NAME:all, or --on ray")
        if sys.stderr.isatty():
            print_status(f"Connecting to {launcher.destination.label} …")
        run, interrupted = measure_hosts(args, launcher, config)
        return run.fleet(), interrupted
