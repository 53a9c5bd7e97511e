"""Carries out ``bench``: one run, both timing methods, an experiment of several runs, or a run on each host of a TPU VM."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import parse_axes, parse_candidate
from heartbeat_core.benchmark.profiling import prepare_folder
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.report import Report, explain_gap, report_json
from heartbeat_core.benchmark.run import Run, Source
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import EXIT_CODES
from heartbeat_core.charts.latency import host_curves, overlay_chart
from heartbeat_core.charts.recorded import run_chart
from heartbeat_core.charts.sweep import latency_sweep_chart, roofline_chart
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, HeartbeatError
from heartbeat_core.experiments.experiment import BothMethods, Experiment, Trial, TrialStarted, carry_out
from heartbeat_core.experiments.repeat import Repeat, repeat_json
from heartbeat_core.experiments.sweep import Sweep, sweep_json
from heartbeat_core.launcher import Launcher
from heartbeat_core.paths import expanded
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.units import format_ns, format_rate
from heartbeat_tui.commands.chart_output import print_chart
from heartbeat_tui.commands.console import first_interrupt, print_error, print_json, print_notes, print_status
from heartbeat_tui.commands.options import check_method, make_config, make_launcher

if TYPE_CHECKING:
    from heartbeat_core.fleet.model import HostSummary
    from heartbeat_core.fleet.multi_host import FleetRun

ONE_KIND = "They are different kinds of run."
EXPERIMENT = (("stream", "compare_methods", "source", "profile", "plot"), ONE_KIND)
# flag -> the flags that it cannot go with, and why
EXCLUSIVE = {
    "profile": (("on", "compare_methods", "source"), "A profile is taken of one run on this machine."),
    "sweep": (("stream", "compare_methods", "source", "profile", "repeat", "vs"), ONE_KIND),
    "repeat": EXPERIMENT,
    "vs": EXPERIMENT,
    "source": (("stream", "compare_methods"), ONE_KIND),
    "compare_methods": (("plot",), ONE_KIND),
    "usd_per_hour": (("sweep", "repeat", "vs", "compare_methods"), "It is for one run; runs compare takes --rate."),
}
# flag -> the flags of which it needs one, and why
NEEDED = {
    "order_seed": (("repeat", "vs"), "It repeats the order in which candidates took turns.", "Add --repeat 5 or --vs NAME=VALUE."),
    "usd_per_hour": (("model", "source"), "It is for the price of a model's tokens.", "Add --model, or take runs compare --rate."),
}
OF_ONE_HOST = ("source", "stream", "compare_methods", "sweep", "repeat", "vs", "usd_per_hour")
BARS = 20  # hosts whose progress is shown, each by a bar; of more only their number is
PROCESSES = 5  # where only --vs is given


def run(args: argparse.Namespace) -> int:
    """Carry out the command; raise HeartbeatError for flags that make no sense together."""
    for flag, (others, why) in EXCLUSIVE.items():
        for other in others if getattr(args, flag) else ():
            if getattr(args, other):
                raise HeartbeatError(f"{spelled(flag)} and {spelled(other)} are given", why, f"Leave out {spelled(other)}.")
    for flag, (needed, why, remedy) in NEEDED.items():
        if getattr(args, flag) is not None and not any(getattr(args, other) for other in needed):
            raise HeartbeatError(f"{spelled(flag)} is given without {' or '.join(map(spelled, needed))}", why, remedy)
    if args.list_models or args.limits:
        from heartbeat_tui.commands.models import limits, list_models

        return (list_models if args.list_models else limits)(args)
    with closing(make_launcher(args)) as launcher:
        config = make_config(args, launcher)
        check_method(args, config)
        label_of(args)  # which may refuse it, before anything runs
        if launcher.destination is not None and sys.stderr.isatty():
            print_status(f"Connecting to {launcher.destination.label} …")
        if launcher.destination is not None and launcher.destination.several:
            return together(args, launcher, config)
        if args.source:
            return report_again(args, launcher)
        several = repeat if args.repeat is not None or args.vs else compare if args.compare_methods else single
        return (sweep if args.sweep else several)(args, launcher, config)


def spelled(flag: str) -> str:
    return f"--{'from' if flag == 'source' else flag.replace('_', '-')}"


class StreamOut:
    """Prints the stream as it comes. A reader who has gone, or a full disk, ends the printing; ``run_once`` then stops the run."""

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
    print_run(args, report, finished.series, finished.kept_at)
    return INTERRUPTED if interrupted else exit_code(report)


def report_again(args: argparse.Namespace, launcher: Launcher) -> int:
    """Report on a recording as if it had just been made."""
    series = load(args.source)
    report = recorded_report(series, launcher.peak_cache())
    print_run(args, report, series, args.source)
    complain_of(report)
    return exit_code(report)


def price_of(args: argparse.Namespace, report: Report) -> float | None:
    """Return what an hour of the device of a layer's run costs: as given, else by the price list; None where neither knows."""
    if args.usd_per_hour is not None or not report.config.workload.parts:
        given: float | None = args.usd_per_hour
        return given
    from heartbeat_tui.runs.library import known_rates

    price = known_rates().by_list(report.environment)
    return price.usd_of_device if price else None


def print_run(args: argparse.Namespace, report: Report, series: Series, recording: Path | None) -> None:
    if args.json:
        print_json(report_json(report, series, price_of(args, report)), indent=None)
    elif not args.stream:
        from heartbeat_tui.commands.bench_output import print_report

        print_report(report, recording, price_of(args, report))
        if args.plot:
            print_chart(partial(run_chart, report, series))


def compare(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run the handbook's method, then the synchronized one, on the same work, as the screen does."""
    experiment, interrupted = BothMethods(config, group=args.name or ""), False
    runs: list[Run] = []
    while not interrupted and (trial := experiment.next()) is not None:
        finished, interrupted = run_once(args, launcher, trial.config, label_in(args, experiment.label_of(trial)))
        experiment.ended(trial, finished.report(), finished.kept_at)
        runs.append(finished)
    if len(runs) < experiment.total:
        return INTERRUPTED if interrupted else exit_code(runs[0].report())
    handbook, synchronized = (finished.report() for finished in runs)
    why = explain_gap(handbook, synchronized)
    if args.json:
        both = {"handbook": report_json(handbook, runs[0].series), "synchronized": report_json(synchronized, runs[1].series)}
        print_json({**both, "explanation": why}, indent=None)
    elif not args.stream:
        from heartbeat_tui.commands.bench_output import print_comparison, print_group

        print_comparison(handbook, synchronized, why)
        print_group(experiment.group, any(run.kept_at for run in runs), "list {}")
    # the handbook's number is expected to be impossible: only the synchronized run decides
    return INTERRUPTED if interrupted else exit_code(synchronized)


def run_once(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig, label: Label | None) -> tuple[Run, bool]:
    """Run to the end, with progress on a terminal's stderr; return whether Ctrl-C cut it short.

    Raises OSError where the stream could not be printed, HeartbeatError where the profile has no new folder.
    """
    stream, profile = StreamOut() if args.stream else None, prepare_folder(expanded(args.profile)) if args.profile is not None else None
    config, sinks = replace(config, calibrate=args.calibrate), (stream,) if stream else ()
    with (
        first_interrupt(launcher.give_up) as interrupt,
        closing(launcher.start(config, save=args.save, sinks=sinks, label=label, profile=profile)) as finished,
    ):
        watch(finished, {"": finished}, lambda: interrupt.is_set() or (stream and stream.broken))
    if stream and stream.broken:
        raise stream.broken
    print_notes(finished.notes)
    complain_of(finished.report())
    if profile and not finished.series.profiled:
        print_status("note: no profile was taken: it comes after the last iteration of a run that ends by itself")
    return finished, interrupt.is_set()


def label_of(args: argparse.Namespace) -> Label | None:
    """Return what the recording is to be called; raise HeartbeatError where none would be kept."""
    if not (args.name or args.note or args.tag):
        return None
    if args.save is False or args.source:
        raise HeartbeatError("there is no recording to label", "A label is kept in the recording of a run.", "Leave out --no-save.")
    return Label(0, args.name or "", args.note or "", tuple(dict.fromkeys(args.tag)))


def label_in(args: argparse.Namespace, label: Label) -> Label:
    """Return the label of one run of several, with the note and tags that all of them are to have."""
    wanted = label_of(args)
    return replace(label, note=wanted.note, tags=wanted.tags) if wanted else label


def watch(run: Source, runs: Mapping[str, Source], stop: Callable[[], object]) -> None:
    """Wait for the end of a run, showing on a terminal how far each of its ``runs`` is; end it as soon as ``stop`` says so."""

    def over() -> bool:
        if stop():
            run.close()
        return run.wait(0.2)

    if sys.stderr.isatty():
        from heartbeat_tui.commands.bench_output import show_progress

        show_progress(runs, over)
    while not over():
        pass


def complain_of(report: Report) -> None:
    """State on stderr how a run ended, if not well."""
    if report.error:
        print_error(report.error)


def exit_code(report: Report) -> int:
    """Judge a run that is over."""
    if report.error:
        return report.error.exit_code
    failed = report.verdict.kind == "impossible" or (report.proof is not None and not report.proof.passed)
    return 1 if failed else 0


def sweep(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run a sweep; return 1 where a point is impossible, 3 where none could be measured."""
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
            print_chart(partial(roofline_chart, swept))
            print_chart(partial(latency_sweep_chart, swept))
    return INTERRUPTED if interrupted else judged([point.report for point in swept.measured], some_missing=not swept.measured)


def repeat(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run candidates in several processes each; return 1 where one is impossible, 3 where one could not be measured."""
    candidates = [parse_candidate(text) for text in args.vs or ()]
    experiment = Repeat(config, PROCESSES if args.repeat is None else args.repeat, candidates, seed=args.order_seed, group=args.name or "")
    interrupted = follow(args, experiment, lambda config: config, launcher)
    if args.json:
        print_json(repeat_json(experiment), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_repeat

        print_repeat(experiment)
    reports = [process.report for one in experiment.candidates for process in one.measured]
    return INTERRUPTED if interrupted else judged(reports, some_missing=any(not one.measured for one in experiment.candidates))


def follow(
    args: argparse.Namespace, experiment: Experiment, prepare: Callable[[BenchmarkConfig], BenchmarkConfig], launcher: Launcher
) -> bool:
    """Run the experiment to its end, printing on stderr how far it is; return whether Ctrl-C cut it short."""

    def begin(config: BenchmarkConfig, label: Label) -> Run:
        config = replace(config, calibrate=True) if args.calibrate else prepare(config)
        return launcher.start(config, save=args.save, label=label_in(args, label))

    with first_interrupt(launcher.give_up) as interrupt:
        for news in carry_out(experiment, begin):
            if isinstance(news, TrialStarted):
                if interrupt.is_set():
                    experiment.stop()
                watch(news.source, {"": news.source}, interrupt.is_set)
                print_notes(news.source.notes)
            elif news.report is not None and not interrupt.is_set():
                print_trial(experiment, news.trial, in_short(news.report))
                complain_of(news.report)
            elif news.error is not None:
                print_trial(experiment, news.trial, f"not measured: {news.error.title}. {news.error.cause}".strip())
            if interrupt.is_set():
                experiment.stop()
    if interrupt.is_set():
        print_status("interrupted: what was measured until then counts")
    return interrupt.is_set()


def print_trial(experiment: Experiment, trial: Trial, text: str) -> None:
    width = len(str(experiment.total))
    print_status(f"{trial.number:>{width}}/{max(experiment.total, trial.number)}  {trial.name}: {text}")


def in_short(report: Report) -> str:
    if report.iteration_ns is None:
        return "no figures"
    return f"{format_ns(report.iteration_ns)}, {format_rate(report.flops_per_s or 0)}, {report.quality.kind}"


def judged(reports: Sequence[Report | None], *, some_missing: bool) -> int:
    codes = [exit_code(report) for report in reports if report is not None]
    return 1 if 1 in codes else COULD_NOT_TELL if some_missing else 0


def together(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> int:
    """Run on every host; return 1 where one is impossible or failed, 3 where one could not tell."""
    from heartbeat_core.fleet.ray_run import RayCluster

    ones = (*OF_ONE_HOST, "plot") if isinstance(launcher.destination, RayCluster) else OF_ONE_HOST
    if given := [flag for flag in ones if getattr(args, flag)]:
        raise HeartbeatError(f"{spelled(given[0])} is for one host", "NAME:all and ray run on several.", "Name one: --on NAME:0.")
    run, interrupted = measure_hosts(args, launcher, replace(config, calibrate=args.calibrate))
    hosts = run.fleet().hosts
    for host in hosts:
        if host.lost:
            print_error(HeartbeatError(f"{host.name} was {'lost' if host.ending == 'lost' else 'not measured'}", host.problem, host.remedy))
    if args.json:
        print_json(together_json(run), indent=None)
    else:
        from heartbeat_tui.commands.bench_output import print_hosts

        print_hosts(run)
        if args.plot:
            curves = host_curves([replace(host, shown=False) for host in run.hosts()])
            print_chart(partial(overlay_chart, curves, steady_only=False, expected=1))
    codes = [host_exit_code(host) for host in hosts]
    return INTERRUPTED if interrupted else 1 if 1 in codes else max(codes)


def measure_hosts(args: argparse.Namespace, launcher: Launcher, config: BenchmarkConfig) -> tuple[FleetRun, bool]:
    """Run on every host to the end; return the run, and whether Ctrl-C cut it short."""
    wanted = label_of(args)
    label = wanted and replace(wanted, name="", group=wanted.name)  # a name is that of all
    with first_interrupt(launcher.give_up) as interrupt, closing(launcher.start_together(config, save=args.save, label=label)) as run:
        watch(run, run.by_name() if len(run.by_name()) <= BARS else {"hosts": run}, interrupt.is_set)
    print_notes(run.notes)
    return run, interrupt.is_set()


def host_exit_code(host: HostSummary) -> int:
    if host.lost:
        return EXIT_CODES.get(host.ending, 1)  # type: ignore[call-overload, no-any-return]  # it is a kind
    return 1 if host.quality in ("impossible", "wrong result") else 0


def together_json(run: FleetRun) -> dict[str, Any]:
    """Make the object that ``bench --on`` prints for several hosts: a summary each, over ssh with its whole report."""
    from heartbeat_core.fleet.multi_host import MultiHostRun
    from heartbeat_core.fleet.slow_hosts import spread_json

    made = run.fleet().to_json()
    for host in made["hosts"]:
        host["recording"] = host["recording"] or None
    if isinstance(run, MultiHostRun):
        for host, one in zip(made["hosts"], run.runs.values(), strict=True):
            host["report"] = report_json(one.report(), one.series)
    return {**made, "spread": spread_json(run.findings())}
