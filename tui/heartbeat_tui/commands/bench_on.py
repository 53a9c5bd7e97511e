"""``bench --on NAME:all``: the same plan on every host of a TPU VM at once, a line and a report each."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from heartbeat_core.errors import INTERRUPTED, HeartbeatError
from heartbeat_tui.commands.bench_run import complain_of, exit_code, label_of
from heartbeat_tui.commands.interrupt import Interrupt

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.remote.multi_host import Together

ALONE = {
    "source": "--from",
    "stream": "--stream",
    "compare_methods": "--compare-methods",
    "sweep": "--sweep",
    "repeat": "--repeat",
    "vs": "--vs",
}


def together(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    """Run on every host; return 1 where one is impossible or failed, 3 where one could not be told."""
    from dataclasses import replace

    given = [flag for name, flag in ALONE.items() if getattr(args, name, None)]
    if given:
        raise HeartbeatError(f"{given[0]} is for one host", "NAME:all beats on several at once.", "Name one: --on NAME:0.")
    wanted = label_of(args)
    label = wanted and replace(wanted, name="", group=wanted.name)  # a name is that of all
    with Interrupt(launcher.give_up) as interrupt:
        runs = launcher.start_together(replace(plan, calibrate=args.calibrate), save=False if args.no_save else None, label=label)
        try:
            watch(runs, interrupt)
        finally:
            runs.close()
    reports = [run.report() for run in runs.runs]
    for name, run, report in zip(runs.names, runs.runs, reports, strict=True):
        for note in run.notes:
            print(f"note: {name}: {note}", file=sys.stderr)
        complain_of(report)
    if args.json:
        print(json.dumps(together_json(runs), allow_nan=False))
    else:
        from heartbeat_tui.commands.bench_text import print_hosts

        print_hosts(plan, runs)
    return INTERRUPTED if interrupt.came else max(exit_code(report) for report in reports)


def watch(runs: Together, interrupt: Interrupt) -> None:
    """Wait until all are over, showing how far each is on a terminal's stderr; Ctrl-C ends them."""

    def look_around() -> None:
        if interrupt.came:
            runs.close()

    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_text import show_progress_of_hosts

        show_progress_of_hosts(runs, look_around)
    while not runs.wait(0.2):
        look_around()


def together_json(runs: Together) -> dict[str, Any]:
    """Make the object that ``bench --on NAME:all --json`` prints: a whole report a host, and how far they lie apart."""
    from dataclasses import asdict

    from heartbeat_core.benchmark.report import report_json
    from heartbeat_core.remote.multi_host import spread_of

    spread = spread_of(runs.hosts())
    return {
        "schema": 1,
        "hosts": [
            {"name": name, "recording": str(run.path) if run.path else None, "report": report_json(run.report(), run.series)}
            for name, run in zip(runs.names, runs.runs, strict=True)
        ],
        "spread": {**asdict(spread), "share": spread.share, "sentence": spread.sentence} if spread else None,
    }
