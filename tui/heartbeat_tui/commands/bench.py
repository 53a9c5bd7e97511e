"""``heartbeat-tui bench``: one run without a screen, as text, as one JSON object, or as the worker's own stream."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import parse_axes, parse_candidate
from heartbeat_core.benchmark.profiling import prepare_folder
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.report import Report, explain_gap, report_json
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.series import Series
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, HeartbeatError
from heartbeat_core.experiments.experiment import BothMethods, Experiment, Trial, TrialStarted, carry_out, kept_at
from heartbeat_core.experiments.repeat import Repeat, repeat_json
from heartbeat_core.experiments.sweep import Sweep, sweep_json
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.recording import load
from heartbeat_core.units import format_ns, format_rate
from heartbeat_tui.commands.console import Interrupt, print_error, print_json
from heartbeat_tui.commands.options import add_config_flags, make_config, make_launcher

if TYPE_CHECKING:
    from heartbeat_core.fleet.multi_host import MultiHostRun

DESCRIPTION = "Time the product and judge the time. Exit 1 for an impossible time or a wrong result, 3 where the backend cannot run."


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser("bench", help="time the product without a screen", description=DESCRIPTION)
    add_config_flags(parser, default=argparse.SUPPRESS)  # or those given before the command would be forgotten
    # it may stand before the command's name as well, and a default of its own would undo that
    parser.add_argument("--project", metavar="ID", default=argparse.SUPPRESS, help="the project of the TPU VM that --on names")
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print one object: plan, environment, samples_ns, statistics, verdict, quality, proof"
    )
    form.add_argument("--stream", action="store_true", help="print the worker's own records as they come")
    form.add_argument("--plot", action="store_true", help="print the chart of the run, of all hosts or of the sweep, below the table")
    output.add_argument("--no-save", action="store_true", help="keep no recording")
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
    """Carry out one run, both of the comparison, or an experiment of several; return the exit code."""
    check_profile(args)
    launcher = make_launcher(args)
    try:
        config = make_config(args, launcher)
        if launcher.destination is not None and sys.stderr.isatty():
            print(f"Connecting to {launcher.destination.label} …", file=sys.stderr)
        if launcher.destination is not None and launcher.destination.on.all:
            return together(args, launcher, config)
        if args.sweep or args.repeat is not None or args.vs:
            return (sweep if args.sweep else repeat)(args, launcher, config)

        if args.source:
            return report_again(args, launcher)
        return (compare if args.compare_methods else single)(args, launcher, config)
    finally:
        launcher.close()


def check_profile(args: argparse.Namespace) -> None:
    """Raise HeartbeatError where a profile is not of one run on this machine."""
    others = {"--on": args.on, "--compare-methods": args.compare_methods, "--from": args.source}
    other = next((name for name, given in others.items() if given), None)
    if args.profile is not None and other:
        raise HeartbeatError(f"--profile and {other} are given", "A profile is taken of one run on this machine.", f"Leave out {other}.")


class StreamOut:
    """Prints the stream as it comes. A reader who has gone, or a full disk, ends the printing; ``watch`` then stops the run."""

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


def single(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    finished, interrupted = run_once(args, launcher, config, label_of(args))
    report = finished.report()
    if args.json:
        print_json(report_json(report, finished.series), indent=None)
    elif not args.stream:
        from heartbeat_tui.commands.bench_output import print_report

        print_report(report, kept_at(finished))
        print_plot(args, report, finished.series)
    return INTERRUPTED if interrupted else exit_code(report)


def print_plot(args: argparse.Namespace, report: Report, series: Series) -> None:
    if args.plot:
        from heartbeat_tui.commands.chart_output import print_run

        print_run(report, series)


def report_again(args: argparse.Namespace, launcher: Launcher) -> int:
    """Report on a recording as if it had just been made."""
    label_of(args)  # which refuses one
    refuse(args, "--from", ("stream", "compare_methods"))
    loaded = load(args.source)
    report = loaded.report(launcher.peak_cache())
    if args.json:
        print_json(report_json(report, loaded.series), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_report

        print_report(report, args.source)
        print_plot(args, report, loaded.series)
    complain_of(report)
    return exit_code(report)


def compare(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run the handbook's method, then the synchronized one, on the same work, as the screen does."""
    refuse(args, "--compare-methods", ("plot",))
    experiment, interrupted = BothMethods(config, group=args.name or ""), False
    runs: list[Run] = []
    while not interrupted and (trial := experiment.next()) is not None:
        finished, interrupted = run_once(args, launcher, trial.config, label_in(args, experiment.label_of(trial)))
        experiment.ended(trial, finished.report(), kept_at(finished))
        runs.append(finished)
    if len(runs) < experiment.total:
        return INTERRUPTED if interrupted else exit_code(runs[0].report())
    handbook, synchronized = runs
    reports = handbook.report(), synchronized.report()
    why = explain_gap(*reports)
    if args.json:
        both = {"handbook": report_json(reports[0], handbook.series), "synchronized": report_json(reports[1], synchronized.series)}
        print_json({"schema": 1, **both, "explanation": why}, indent=None)
    elif not args.stream:
        from heartbeat_tui.commands.bench_output import EXPERIMENT_WIDTH, console_of, print_comparison, print_group

        print_comparison(*reports, why)
        print_group(console_of(EXPERIMENT_WIDTH), experiment.group, any(map(kept_at, runs)), "list {}")
    # the handbook's number is expected to be impossible: only the synchronized run decides
    return INTERRUPTED if interrupted else exit_code(reports[1])


def run_once(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig, label: Label | None) -> tuple[Run, bool]:
    """Run to the end, with progress on a terminal's stderr; return whether Ctrl-C cut it short.

    Raises OSError where the stream could not be printed.
    """
    stream, profile = StreamOut() if args.stream else None, profile_of(args)
    config, save = replace(config, calibrate=args.calibrate), False if args.no_save else None
    with (
        Interrupt(launcher.give_up) as interrupt,
        launcher.start(config, save=save, sinks=(stream,) if stream else (), label=label, profile=profile) as finished,
    ):
        watch(finished, stream, interrupt)
    if stream and stream.broken:
        raise stream.broken
    for note in finished.notes:
        print(f"note: {note}", file=sys.stderr)
    complain_of(finished.report())
    if profile and not finished.series.profiled:
        print("note: no profile was taken: it comes after the last iteration of a run that ends by itself", file=sys.stderr)
    return finished, interrupt.came


def label_of(args: argparse.Namespace) -> Label | None:
    """Return what the recording is to be called; raise HeartbeatError where none would be kept."""
    if not (args.name or args.note or args.tag):
        return None
    if args.no_save or args.source:
        raise HeartbeatError("there is no recording to label", "A label is kept in the recording of a run.", "Leave out --no-save.")
    return Label(0, args.name or "", args.note or "", tuple(dict.fromkeys(args.tag)))


def label_in(args: argparse.Namespace, label: Label) -> Label:
    """Return the label of one run of several, with the note and tags that all of them are to have."""
    wanted = label_of(args)
    return replace(label, note=wanted.note, tags=wanted.tags) if wanted else label


def profile_of(args: argparse.Namespace) -> Path | None:
    """Make the folder for a profile; raise HeartbeatError where it is not to be had."""
    if args.profile is None:
        return None
    return prepare_folder(args.profile)


def watch(run: Run, stream: StreamOut | None, interrupt: Interrupt) -> None:
    """Wait for the end, showing how far it is; Ctrl-C ends it, and so does the end of the stream's reader."""

    def close_if_interrupted() -> None:
        if interrupt.came or (stream and stream.broken):
            run.close()

    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_output import show_progress

        show_progress(run, close_if_interrupted)
    while not run.wait(0.2):
        close_if_interrupted()


def complain_of(report: Report) -> None:
    """State on stderr how a run ended, if not well."""
    if report.ending and not report.ending.clean:
        print_error(HeartbeatError(report.ending.title, report.ending.cause, report.ending.remedy))


def exit_code(report: Report) -> int:
    """Judge a run that is over."""
    if report.ending and not report.ending.clean:
        return report.ending.exit_code
    failed = report.verdict.kind == "impossible" or (report.proof is not None and not report.proof.passed)
    return 1 if failed else 0


def refuse(args: argparse.Namespace, what: str, others: tuple[str, ...]) -> None:
    """Raise HeartbeatError for flags that make no sense together."""
    names = {"source": "from"}
    found = [f"--{names.get(name, name).replace('_', '-')}" for name in others if getattr(args, name)]
    if found:
        raise HeartbeatError(f"{what} and {found[0]} are given", "They are different kinds of run.", "Give one of them.")


PROCESSES = 5  # where only --vs is given
NOT_AN_EXPERIMENT = ("stream", "compare_methods", "source", "profile")  # what an experiment cannot be


def sweep(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run a sweep; return 1 where a point is impossible, 3 where none could be measured."""
    refuse(args, "--sweep", (*NOT_AN_EXPERIMENT, "repeat", "vs"))
    exact = args.iterations is not None or args.duration is not None
    experiment = Sweep(config, parse_axes(args.sweep), exact=exact, group=args.name or "")
    interrupted = follow(args, experiment, launcher.with_peaks, launcher)
    swept = experiment.swept()
    if args.json:
        print_json(sweep_json(swept), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_sweep

        print_sweep(swept)
        if args.plot:
            from heartbeat_tui.commands.chart_output import print_sweep_charts

            print_sweep_charts(swept)
    if interrupted:
        return INTERRUPTED
    return judged([point.report for point in swept.measured], some_missing=not swept.measured)


def repeat(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run candidates in several processes each; return 1 where one is impossible, 3 where one could not be measured."""
    refuse(args, "--repeat", (*NOT_AN_EXPERIMENT, "plot"))
    candidates = [parse_candidate(text) for text in args.vs or ()]
    experiment = Repeat(config, PROCESSES if args.repeat is None else args.repeat, candidates, seed=args.order_seed, group=args.name or "")
    interrupted = follow(args, experiment, lambda config: config, launcher)
    repeated = experiment.repeated()
    if args.json:
        print_json(repeat_json(repeated), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_repeat

        print_repeat(repeated)
    if interrupted:
        return INTERRUPTED
    reports = [process.report for one in repeated.candidates for process in one.measured]
    return judged(reports, some_missing=any(not one.measured for one in repeated.candidates))


def follow(
    args: argparse.Namespace, experiment: Experiment, prepare: Callable[[BenchmarkConfig], BenchmarkConfig], launcher: Launcher
) -> bool:
    """Run the experiment to its end, printing on stderr how far it is; return whether Ctrl-C cut it short."""
    label_of(args)  # which may refuse it, before anything runs

    def begin(config: BenchmarkConfig, label: Label) -> Run:
        label = label_in(args, label)
        config = replace(config, calibrate=True) if args.calibrate else prepare(config)
        return launcher.start(config, save=False if args.no_save else None, label=label)

    with Interrupt(launcher.give_up) as interrupt:
        for news in carry_out(experiment, begin):
            if isinstance(news, TrialStarted):
                if interrupt.came:
                    experiment.stop()
                watch(news.source, None, interrupt)  # type: ignore[arg-type]  # what begin() gave
                for note in news.source.notes:
                    print(f"note: {note}", file=sys.stderr)
            elif news.report is not None and not interrupt.came:
                print_trial(experiment, news.trial, in_short(news.report))
                complain_of(news.report)
            elif news.error is not None:
                print_trial(experiment, news.trial, f"not measured: {news.error.title}. {news.error.cause}".strip())
            if interrupt.came:
                experiment.stop()
    if interrupt.came:
        print("interrupted: what was measured until then counts", file=sys.stderr)
    return interrupt.came


def print_trial(experiment: Experiment, trial: Trial, text: str) -> None:
    width = len(str(experiment.total))
    print(f"{trial.number:>{width}}/{max(experiment.total, trial.number)}  {trial.name}: {text}", file=sys.stderr)


def in_short(report: Report) -> str:
    if report.iteration_ns is None:
        return "no figures"
    return f"{format_ns(report.iteration_ns)}, {format_rate(report.flops_per_s or 0)}, {report.quality.kind}"


def judged(reports: Sequence[Report | None], *, some_missing: bool) -> int:
    codes = [exit_code(report) for report in reports if report is not None]
    return 1 if 1 in codes else COULD_NOT_TELL if some_missing else 0


NOT_WITH_ON = {
    "source": "--from",
    "stream": "--stream",
    "compare_methods": "--compare-methods",
    "sweep": "--sweep",
    "repeat": "--repeat",
    "vs": "--vs",
}


def together(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run on every host; return 1 where one is impossible or failed, 3 where one could not tell."""
    given = [flag for name, flag in NOT_WITH_ON.items() if getattr(args, name, None)]
    if given:
        raise HeartbeatError(f"{given[0]} is for one host", "NAME:all runs on several.", "Name one: --on NAME:0.")
    wanted = label_of(args)
    label = wanted and replace(wanted, name="", group=wanted.name)  # a name is that of all
    with Interrupt(launcher.give_up) as interrupt:
        runs = launcher.start_together(replace(config, calibrate=args.calibrate), save=False if args.no_save else None, label=label)
        try:
            watch_hosts(runs, interrupt)
        finally:
            runs.close()
    reports = [run.report() for run in runs.runs]
    for name, run, report in zip(runs.names, runs.runs, reports, strict=True):
        for note in run.notes:
            print(f"note: {name}: {note}", file=sys.stderr)
        complain_of(report)
    if args.json:
        print_json(together_json(runs), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_hosts

        print_hosts(config, runs)
        if args.plot:
            from heartbeat_tui.commands.chart_output import print_hosts_chart

            print_hosts_chart(runs.hosts())
    return INTERRUPTED if interrupt.came else max(exit_code(report) for report in reports)


def watch_hosts(runs: MultiHostRun, interrupt: Interrupt) -> None:
    """Wait until all are over, showing how far each is on a terminal's stderr; Ctrl-C ends them."""

    def close_if_interrupted() -> None:
        if interrupt.came:
            runs.close()

    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_output import show_progress_of_hosts

        show_progress_of_hosts(runs, close_if_interrupted)
    while not runs.wait(0.2):
        close_if_interrupted()


def together_json(runs: MultiHostRun) -> dict[str, Any]:
    """Make the object that ``bench --on NAME:all --json`` prints: a whole report a host, and how far they lie apart."""
    from heartbeat_core.fleet.multi_host import spread_of  # with all of ssh and the Cloud, which one machine does not need

    spread = spread_of(runs.hosts())
    return {
        "schema": 1,
        "hosts": [
            {"name": name, "recording": str(run.path) if run.path else None, "report": report_json(run.report(), run.series)}
            for name, run in zip(runs.names, runs.runs, strict=True)
        ],
        "spread": {**asdict(spread), "share": spread.share, "sentence": spread.sentence} if spread else None,
    }
