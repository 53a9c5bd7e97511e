"""``heartbeat-tui tour``: the handbook's Part 1 with real runs, on the screen, as text or as JSON."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import Any

from heartbeat_core.benchmark.report import Report, report_json
from heartbeat_core.benchmark.run import Source
from heartbeat_core.errors import INTERRUPTED
from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import load_settings
from heartbeat_core.tour.tour import Tour, TourStep
from heartbeat_tui.commands.console import first_interrupt, print_json

DESCRIPTION = """Go through the handbook's Part 1: the product on the CPU, the systolic array, XLA cold and warm, and what the handbook's
timing misses. Without torch_xla a recording is replayed instead, labelled as one. Exit 3 where a step fails."""


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="no screen: run the steps in order and print their results")
    form.add_argument("--json", action="store_true", help="the same as one object: steps with their texts and reports")


def run(args: argparse.Namespace) -> int:
    """Open the screen on the tour, or print it; return the exit code."""
    with closing(Launcher(load_settings())) as launcher:
        if args.text or args.json:
            return without_screen(launcher, as_json=args.json)
        from heartbeat_tui.bootstrap import open_screen

        return open_screen(launcher, launcher.config(), instead="heartbeat-tui tour --text", tour=True)


def without_screen(launcher: Launcher, *, as_json: bool) -> int:
    """Run all steps; print each as it ends, or all of them as one object."""
    tour, steps, series = Tour(), [], None
    while True:
        if not as_json:
            place = f"{tour.at + 1} of {len(tour.steps)}: {tour.step.title} (handbook, {tour.step.section})"
            print(f"{place}\n\n{tour.step.words}", flush=True)
        if tour.step.config is not None:
            report, series, interrupted = run_step(launcher, tour.step)
            if interrupted:
                return INTERRUPTED
            tour.apply(report)
        conclusions = tour.step.conclude(tour.reports)
        if as_json:
            shown = tour.reports.get(tour.step.name)
            step = {name: getattr(tour.step, name) for name in ("name", "title", "section", "words")}
            steps.append({**step, "conclusions": conclusions, "report": report_json(shown, series) if shown and series else None})
        else:
            print("\n".join(("", *conclusions, "")), flush=True)
        if tour.last:
            break
        tour.go(1)
    if as_json:
        print_json({"steps": steps}, indent=None)
    clean = all(report.ending is not None and report.ending.clean for report in tour.reports.values())
    return 0 if clean else 3


def run_step(launcher: Launcher, step: TourStep) -> tuple[Report, Any, bool]:
    """Run a step, or replay its recording where it cannot run here; return report, series, and whether Ctrl-C was pressed."""
    assert step.config is not None
    lacks = launcher.lacks(step.config.backend)
    if lacks and step.recording:
        print(f"{lacks} A recording is replayed instead.", file=sys.stderr)
        source: Source = launcher.replay(step.recording, speed=1e6).start()
    else:
        source = launcher.start(launcher.with_peaks(step.config), save=False)
    with closing(source), first_interrupt() as interrupt:
        while not source.wait(0.2):
            if interrupt.is_set():
                source.close()
    return source.report(), source.series, interrupt.is_set()
