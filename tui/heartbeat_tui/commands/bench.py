"""``heartbeat-tui bench``: one run without a screen, as text, as one JSON object, or as the worker's own stream."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from heartbeat_tui.commands.plan_flags import add_plan_flags, make_launcher, make_plan

DESCRIPTION = "Time the product and judge the time. Exit 1 for an impossible verdict or a failed proof, 3 where the backend cannot run."


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser("bench", help="time the product without a screen", description=DESCRIPTION)
    add_plan_flags(parser, default=argparse.SUPPRESS)  # or those given before the command would be forgotten
    # it may stand before the command's name as well, and a default of its own would undo that
    parser.add_argument("--project", metavar="ID", default=argparse.SUPPRESS, help="the project of the TPU VM that --on names")
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object: plan, environment, samples_ns, statistics, verdict, proof")
    form.add_argument("--stream", action="store_true", help="print the worker's own records as they come")
    output.add_argument("--no-save", action="store_true", help="keep no recording")
    output.add_argument("--calibrate", action="store_true", help="measure this machine's ceiling afterwards, and keep it")
    output.add_argument("--compare-methods", action="store_true", help="run the handbook's clock, then the honest one; explain the gap")
    output.add_argument(
        "--profile", type=Path, metavar="DIR", help="keep a profiler's trace, and the HLO of one beat (xla), in a new folder"
    )
    output.add_argument("--from", dest="source", type=Path, metavar="FILE", help="run nothing: report on a recording")
    kept = parser.add_argument_group("the recording")
    kept.add_argument("--name", help="call the run so, or the group that several runs make")
    kept.add_argument("--note", metavar="TEXT", help="write a note to it")
    kept.add_argument("--tag", action="append", default=[], metavar="TAG", help="tag it; repeatable")
    several = parser.add_argument_group("several runs, each a process of its own")
    several.add_argument("--repeat", type=int, metavar="N", help="run it in N processes: the interval covers how these differ")
    several.add_argument(
        "--vs",
        action="append",
        metavar="NAME=VALUE",
        help="take turns with a candidate: backend=xla, dtype=bfloat16, threads=1; repeatable",
    )
    several.add_argument("--order-seed", type=int, metavar="N", help="shuffle the turns as an earlier run did")
    several.add_argument(
        "--sweep",
        action="append",
        metavar="NAME=VALUES",
        help="one run a value: batch=1,2,4,…,4096 or batch=1..4096; two of them make a grid",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Carry out one run, both of the comparison, or a course of several; return the exit code."""
    check_profile(args)
    launcher = make_launcher(args)
    try:
        plan = make_plan(args, launcher)
        if launcher.destination is not None and sys.stderr.isatty():
            print(f"Connecting to {launcher.destination.label} …", file=sys.stderr)
        if launcher.destination is not None and launcher.destination.on.all:
            from heartbeat_tui.commands.bench_on import together

            return together(args, launcher, plan)
        if args.sweep or args.repeat is not None or args.vs:
            from heartbeat_tui.commands import bench_course

            return (bench_course.sweep if args.sweep else bench_course.repeat)(args, launcher, plan)
        from heartbeat_tui.commands import bench_run

        if args.source:
            return bench_run.report_again(args, launcher)
        return (bench_run.compare if args.compare_methods else bench_run.single)(args, launcher, plan)
    finally:
        launcher.close()


def check_profile(args: argparse.Namespace) -> None:
    """Raise HeartbeatError where a profile is not of one run on this machine."""
    from heartbeat_core.errors import HeartbeatError

    others = {"--on": args.on, "--compare-methods": args.compare_methods, "--from": args.source}
    other = next((name for name, given in others.items() if given), None)
    if args.profile is not None and other:
        raise HeartbeatError(f"--profile and {other} are given", "A profile is taken of one run on this machine.", f"Leave out {other}.")
