"""``bench --repeat`` and ``bench --sweep``: runs that follow one another, without a screen."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED
from heartbeat_tui.commands.bench_run import complain_of, exit_code, label_in, label_of, refuse, watch
from heartbeat_tui.commands.interrupt import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.benchmark.protocol import Label
    from heartbeat_core.benchmark.report import Report
    from heartbeat_core.benchmark.run import Run
    from heartbeat_core.experiments.experiment import Course, Leg
    from heartbeat_core.launcher import Launcher

PROCESSES = 5  # where only --vs is given
ALONE = ("stream", "compare_methods", "source", "profile")  # what a course cannot be


def sweep(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    """Run a sweep; return 1 where a point is impossible, 3 where none could be measured."""
    from heartbeat_core.benchmark.parameters import parse_axes
    from heartbeat_core.experiments.sweep import Sweep, sweep_json

    refuse(args, "--sweep", (*ALONE, "repeat", "vs"))
    exact = args.iterations is not None or args.duration is not None
    course = Sweep(plan, parse_axes(args.sweep), exact=exact, group=args.name or "")
    interrupted = follow(args, course, launcher.with_ceiling, launcher)
    swept = course.swept()
    if args.json:
        print(json.dumps(sweep_json(swept), allow_nan=False))
    else:
        from heartbeat_tui.commands.course_text import print_sweep

        print_sweep(swept)
    if interrupted:
        return INTERRUPTED
    return judged([point.report for point in swept.measured], some_missing=not swept.measured)


def repeat(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    """Run candidates in several processes each; return 1 where one is impossible, 3 where one could not be measured."""
    from heartbeat_core.benchmark.parameters import parse_candidate
    from heartbeat_core.experiments.repeat import Repeat, repeat_json

    refuse(args, "--repeat", ALONE)
    candidates = [parse_candidate(text) for text in args.vs or ()]
    course = Repeat(plan, PROCESSES if args.repeat is None else args.repeat, candidates, seed=args.order_seed, group=args.name or "")
    interrupted = follow(args, course, lambda plan: plan, launcher)
    repeated = course.repeated()
    if args.json:
        print(json.dumps(repeat_json(repeated), allow_nan=False))
    else:
        from heartbeat_tui.commands.course_text import print_repeat

        print_repeat(repeated)
    if interrupted:
        return INTERRUPTED
    reports = [process.report for one in repeated.candidates for process in one.measured]
    return judged(reports, some_missing=any(not one.measured for one in repeated.candidates))


def follow(args: argparse.Namespace, course: Course, prepare: Callable[[Plan], Plan], launcher: Launcher) -> bool:
    """Run the course to its end, telling on stderr how far it is; tell whether Ctrl-C cut it short."""
    from dataclasses import replace

    from heartbeat_core.experiments.experiment import Begun, carry_out

    label_of(args)  # which may refuse it, before anything runs

    def begin(plan: Plan, label: Label) -> Run:
        label = label_in(args, label)
        plan = replace(plan, calibrate=True) if args.calibrate else prepare(plan)
        return launcher.start(plan, save=False if args.no_save else None, label=label)

    with Interrupt(launcher.give_up) as interrupt:
        for news in carry_out(course, begin):
            if isinstance(news, Begun):
                if interrupt.came:
                    course.stop()
                watch(news.source, None, interrupt)  # type: ignore[arg-type]  # what begin() gave
                for note in news.source.notes:
                    print(f"note: {note}", file=sys.stderr)
            elif news.report is not None and not interrupt.came:
                tell(course, news.leg, in_short(news.report))
                complain_of(news.report)
            elif news.error is not None:
                tell(course, news.leg, f"not measured: {news.error.title}. {news.error.cause}".strip())
            if interrupt.came:
                course.stop()
    if interrupt.came:
        print("interrupted: what was measured until then counts", file=sys.stderr)
    return interrupt.came


def tell(course: Course, leg: Leg, text: str) -> None:
    width = len(str(course.total))
    print(f"{leg.number:>{width}}/{max(course.total, leg.number)}  {leg.name}: {text}", file=sys.stderr)


def in_short(report: Report) -> str:
    from heartbeat_core.units import format_ns, format_rate

    if report.iteration_ns is None:
        return "no figures"
    return f"{format_ns(report.iteration_ns)}, {format_rate(report.flops_per_s or 0)}, {report.verdict.kind}"


def judged(reports: Sequence[Report | None], *, some_missing: bool) -> int:
    codes = [exit_code(report) for report in reports if report is not None]
    return 1 if 1 in codes else COULD_NOT_TELL if some_missing else 0
