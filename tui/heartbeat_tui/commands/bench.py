"""``heartbeat-tui bench``: its flags. ``bench_run`` carries it out, so that --help imports little."""

from __future__ import annotations

import argparse
from pathlib import Path

from heartbeat_tui.commands.options import add_config_flags, add_project_flag, usd


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Time the product and judge the time. Exit 1 for an impossible time or a wrong result, 3 where the backend cannot run."
    )
    add_config_flags(parser, default=argparse.SUPPRESS)  # or those given before the command would be forgotten
    add_project_flag(parser, "the project of the TPU VM that --on names")
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print one object: plan, environment, samples_ns, statistics, verdict, quality, proof"
    )
    form.add_argument("--stream", action="store_true", help="print the worker's own records as they come")
    form.add_argument("--plot", action="store_true", help="print the chart of the run, of all hosts or of the sweep, below the table")
    output.add_argument("--no-save", dest="save", action="store_const", const=False, help="keep no recording")  # else as the settings say
    output.add_argument("--calibrate", action="store_true", help="measure this machine's peak afterwards, and keep it")
    output.add_argument(
        "--compare-methods", action="store_true", help="run the handbook's method, then the synchronized one; explain the gap"
    )
    output.add_argument(
        "--profile", type=Path, metavar="DIR", help="keep a profiler's trace, and the HLO of one iteration (xla), in a new folder"
    )
    output.add_argument("--from", dest="source", type=Path, metavar="FILE", help="run nothing: report on a recording")
    kept = parser.add_argument_group("the recording")
    kept.add_argument("--name", help="name the run, or the group that several runs make")
    kept.add_argument("--note", metavar="TEXT", help="write a note to it")
    kept.add_argument("--tag", action="append", default=[], metavar="TAG", help="tag it; repeatable")
    several = parser.add_argument_group("several runs, each a process of its own")
    several.add_argument("--repeat", type=int, metavar="N", help="run it in N processes: the interval covers how these differ")
    purpose = "take turns with a candidate: backend=xla, dtype=bfloat16, threads=1; repeatable"
    several.add_argument("--vs", action="append", metavar="NAME=VALUE", help=purpose)
    several.add_argument("--order-seed", type=int, metavar="N", help="shuffle the turns as an earlier run did")
    purpose = "one run a value: batch=1,2,4,…,4096 or batch=1..4096; two of them make a grid"
    several.add_argument("--sweep", action="append", metavar="NAME=VALUES", help=purpose)
    models = parser.add_argument_group("models: what a device could give at most; nothing is run")
    models.add_argument("--list-models", action="store_true", help="list the models that --model takes, with their sizes")
    models.add_argument("--limits", action="store_true", help="tokens/s of --model on the chips of today, by their published peaks")
    output.add_argument("--usd-per-hour", type=usd, metavar="USD", help="what an hour of the device costs, for the price of tokens")


def run(args: argparse.Namespace) -> int:
    """Carry out one run, both timing methods, or an experiment of several runs; return the exit code."""
    from heartbeat_tui.commands import bench_run

    return bench_run.run(args)
