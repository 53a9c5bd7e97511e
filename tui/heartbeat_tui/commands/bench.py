"""``heartbeat-tui bench``: one run without a screen, as text, as one JSON object, or as the worker's own stream."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.plan_flags import add_plan_flags, make_launcher, make_plan

if TYPE_CHECKING:
    from heartbeat_core.beat.plan import Plan
    from heartbeat_core.beat.run import Run
    from heartbeat_core.launch import Launcher

INTERRUPTED = 130
DESCRIPTION = "Time the product and judge the time. Exit 1 for an impossible verdict or a failed proof, 3 where the backend cannot run."


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser("bench", help="time the product without a screen", description=DESCRIPTION)
    add_plan_flags(parser)
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object: plan, environment, samples_ns, statistics, verdict, proof")
    form.add_argument("--stream", action="store_true", help="print the worker's own records as they come")
    output.add_argument("--no-save", action="store_true", help="keep no recording")
    output.add_argument("--calibrate", action="store_true", help="measure this machine's ceiling afterwards, and keep it")
    output.add_argument("--compare-methods", action="store_true", help="run the handbook's clock, then the honest one; explain the gap")
    parser.set_defaults(run=run)


class StreamOut:
    """Prints the stream as it comes. A reader who has gone ends the printing; ``run`` then stops the beat."""

    def __init__(self) -> None:
        self.broken = False

    def write(self, line: bytes) -> str | None:
        if not self.broken:
            try:
                os.write(sys.stdout.fileno(), line)
            except BrokenPipeError:
                self.broken = True
        return None

    def close(self) -> list[str]:
        return []


def run(args: argparse.Namespace) -> int:
    """Carry out one run, or both of the comparison; return the exit code."""
    launcher = make_launcher(args)
    try:
        plan = make_plan(args, launcher)
        if args.compare_methods:
            return compare(args, launcher, plan)
        return single(args, launcher, plan)
    finally:
        launcher.close()


def single(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    from heartbeat_core.beat.report import report_json

    finished, interrupted = carry_out(args, launcher, plan)
    report = finished.report()
    if args.json:
        print(json.dumps(report_json(report, finished.series), allow_nan=False))
    elif not args.stream:
        from heartbeat_tui.commands.bench_text import print_report

        print_report(report, finished)
    return exit_code(finished, interrupted)


def compare(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    """Run the handbook's clock, then the fenced one, on the same work."""
    from dataclasses import replace

    from heartbeat_core.beat.clocks import explain_gap
    from heartbeat_core.beat.report import report_json

    same = plan.with_iterations(plan.iterations or 100)
    handbook, interrupted = carry_out(args, launcher, replace(same, method="handbook"))
    if interrupted or not handbook.ending or not handbook.ending.clean:
        return exit_code(handbook, interrupted)
    honest, interrupted = carry_out(args, launcher, replace(same, method="synchronized"))
    reports = handbook.report(), honest.report()
    why = explain_gap(*reports)
    if args.json:
        both = {"handbook": report_json(reports[0], handbook.series), "synchronized": report_json(reports[1], honest.series)}
        print(json.dumps({"schema": 1, **both, "explanation": why}, allow_nan=False))
    elif not args.stream:
        from heartbeat_tui.commands.bench_text import print_comparison

        print_comparison(*reports, why)
    # the handbook's number is expected to be impossible: only the honest run decides
    return exit_code(honest, interrupted)


def carry_out(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> tuple[Run, bool]:
    """Run to the end, with progress on a terminal's stderr; tell whether Ctrl-C cut it short."""
    from dataclasses import replace

    stream = StreamOut() if args.stream else None
    plan = replace(plan, calibrate=args.calibrate)
    finished = launcher.start(plan, save=False if args.no_save else None, sinks=(stream,) if stream else ())
    interrupted = False
    with finished:
        try:
            watch(finished, stream)
        except KeyboardInterrupt:
            interrupted = True
            finished.close()
    for note in finished.notes:
        print(f"note: {note}", file=sys.stderr)
    if finished.ending and not finished.ending.clean:
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_tui.cli import complain

        complain(HeartbeatError(finished.ending.title, finished.ending.cause, finished.ending.remedy))
    return finished, interrupted


def watch(run: Run, stream: StreamOut | None) -> None:
    """Wait for the end, showing how far it is."""
    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_text import show_progress

        show_progress(run)
    while not run.wait(0.2):
        if stream and stream.broken:
            run.stop()


def exit_code(run: Run, interrupted: bool) -> int:
    """Judge a run that is over."""
    if interrupted:
        return INTERRUPTED
    if run.ending and not run.ending.clean:
        return run.ending.exit_code
    report = run.report()
    failed = report.verdict.kind == "impossible" or (report.proof is not None and not report.proof.passed)
    return 1 if failed else 0
