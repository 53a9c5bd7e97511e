"""One run of ``bench``, or both clocks: labelled, watched, printed and judged."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from heartbeat_core.errors import INTERRUPTED
from heartbeat_tui.commands.interrupt import Interrupt

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.benchmark.protocol import Label
    from heartbeat_core.benchmark.report import Report
    from heartbeat_core.benchmark.run import Run
    from heartbeat_core.launcher import Launcher


class StreamOut:
    """Prints the stream as it comes. A reader who has gone, or a full disk, ends the printing; ``watch`` then stops the beat."""

    def __init__(self) -> None:
        self.broken: OSError | None = None

    def write(self, line: bytes) -> str | None:
        if self.broken is None:
            try:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            except OSError as error:
                self.broken = error
        return None

    def close(self) -> list[str]:
        return []


def single(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    from heartbeat_core.benchmark.report import report_json

    finished, interrupted = carry_out(args, launcher, plan, label_of(args))
    report = finished.report()
    if args.json:
        print(json.dumps(report_json(report, finished.series), allow_nan=False))
    elif not args.stream:
        from heartbeat_core.experiments.experiment import kept_at
        from heartbeat_tui.commands.bench_text import print_report

        print_report(report, kept_at(finished))
    return INTERRUPTED if interrupted else exit_code(report)


def report_again(args: argparse.Namespace, launcher: Launcher) -> int:
    """Report on a recording as if it had just been made."""
    from heartbeat_core.benchmark.report import report_json
    from heartbeat_core.recordings.recording import load

    label_of(args)  # which refuses one
    refuse(args, "--from", ("stream", "compare_methods"))
    loaded = load(args.source)
    report = loaded.report(launcher.ceilings())
    if args.json:
        print(json.dumps(report_json(report, loaded.series), allow_nan=False))
    else:
        from heartbeat_tui.commands.bench_text import print_report

        print_report(report, args.source)
    complain_of(report)
    return exit_code(report)


def compare(args: argparse.Namespace, launcher: Launcher, plan: Plan) -> int:
    """Run the handbook's clock, then the fenced one, on the same work, as the screen does."""
    from heartbeat_core.benchmark.report import explain_gap, report_json
    from heartbeat_core.experiments.experiment import BothClocks, kept_at

    course, interrupted = BothClocks(plan, group=args.name or ""), False
    runs: list[Run] = []
    while not interrupted and (leg := course.next()) is not None:
        finished, interrupted = carry_out(args, launcher, leg.plan, label_in(args, course.label_of(leg)))
        course.ended(leg, finished.report(), kept_at(finished))
        runs.append(finished)
    if len(runs) < course.total:
        return INTERRUPTED if interrupted else exit_code(runs[0].report())
    handbook, honest = runs
    reports = handbook.report(), honest.report()
    why = explain_gap(*reports)
    if args.json:
        both = {"handbook": report_json(reports[0], handbook.series), "synchronized": report_json(reports[1], honest.series)}
        print(json.dumps({"schema": 1, **both, "explanation": why}, allow_nan=False))
    elif not args.stream:
        from heartbeat_tui.commands.bench_text import console_of, print_comparison
        from heartbeat_tui.commands.course_text import WIDTH, print_group

        print_comparison(*reports, why)
        print_group(console_of(WIDTH), course.group, any(map(kept_at, runs)), "list {}")
    # the handbook's number is expected to be impossible: only the honest run decides
    return INTERRUPTED if interrupted else exit_code(reports[1])


def carry_out(args: argparse.Namespace, launcher: Launcher, plan: Plan, label: Label | None) -> tuple[Run, bool]:
    """Run to the end, with progress on a terminal's stderr; tell whether Ctrl-C cut it short.

    Raises OSError where the stream could not be printed.
    """
    from dataclasses import replace

    stream, profile = StreamOut() if args.stream else None, profile_of(args)
    plan, save = replace(plan, calibrate=args.calibrate), False if args.no_save else None
    with (
        Interrupt(launcher.give_up) as interrupt,
        launcher.start(plan, save=save, sinks=(stream,) if stream else (), label=label, profile=profile) as finished,
    ):
        watch(finished, stream, interrupt)
    if stream and stream.broken:
        raise stream.broken
    for note in finished.notes:
        print(f"note: {note}", file=sys.stderr)
    complain_of(finished.report())
    if profile and not finished.series.profiled:
        print("note: no profile was taken: it comes after the last beat of a run that ends by itself", file=sys.stderr)
    return finished, interrupt.came


def label_of(args: argparse.Namespace) -> Label | None:
    """Give what the recording is to be called; raise HeartbeatError where none would be kept."""
    if not (args.name or args.note or args.tag):
        return None
    from heartbeat_core.benchmark.protocol import Label
    from heartbeat_core.errors import HeartbeatError

    if args.no_save or args.source:
        raise HeartbeatError("there is no recording to label", "A label is kept in the recording of a run.", "Leave out --no-save.")
    return Label(0, args.name or "", args.note or "", tuple(dict.fromkeys(args.tag)))


def label_in(args: argparse.Namespace, label: Label) -> Label:
    """Give the label of one run of several, with the note and tags that all of them are to have."""
    from dataclasses import replace

    wanted = label_of(args)
    return replace(label, note=wanted.note, tags=wanted.tags) if wanted else label


def profile_of(args: argparse.Namespace) -> Path | None:
    """Make the folder for a profile; raise HeartbeatError where it is not to be had."""
    if args.profile is None:
        return None
    from heartbeat_core.benchmark.profiling import prepare_folder

    return prepare_folder(args.profile)


def watch(run: Run, stream: StreamOut | None, interrupt: Interrupt) -> None:
    """Wait for the end, showing how far it is; Ctrl-C is one, and nobody reading the stream any more."""

    def look_around() -> None:
        if interrupt.came or (stream and stream.broken):
            run.close()

    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_text import show_progress

        show_progress(run, look_around)
    while not run.wait(0.2):
        look_around()


def complain_of(report: Report) -> None:
    """Say on stderr how a run ended, if not well."""
    if report.ending and not report.ending.clean:
        from heartbeat_core.errors import HeartbeatError
        from heartbeat_tui.commands.complain import complain

        complain(HeartbeatError(report.ending.title, report.ending.cause, report.ending.remedy))


def exit_code(report: Report) -> int:
    """Judge a run that is over."""
    if report.ending and not report.ending.clean:
        return report.ending.exit_code
    failed = report.verdict.kind == "impossible" or (report.proof is not None and not report.proof.passed)
    return 1 if failed else 0


def refuse(args: argparse.Namespace, what: str, others: tuple[str, ...]) -> None:
    """Raise HeartbeatError for flags that make no sense together."""
    from heartbeat_core.errors import HeartbeatError

    names = {"source": "from"}
    found = [f"--{names.get(name, name).replace('_', '-')}" for name in others if getattr(args, name)]
    if found:
        raise HeartbeatError(f"{what} and {found[0]} are given", "They are different kinds of run.", "Give one of them.")
