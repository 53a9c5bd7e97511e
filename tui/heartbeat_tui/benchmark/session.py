"""The one run or experiment that goes on at a time: it outlives the pane that shows it.

An experiment is runs that follow one another: both timing methods, a sweep. ``start``, ``compare``, ``sweep``,
``follow`` and ``close`` wait for processes and belong in a thread; the rest returns without waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from heartbeat_core.errors import INTERRUPTED, HeartbeatError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.parameters import Parameter
    from heartbeat_core.benchmark.report import Report, State
    from heartbeat_core.benchmark.run import HostLine, Source
    from heartbeat_core.benchmark.series import ChartData, Series
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.experiments.experiment import Experiment, Trial
    from heartbeat_core.experiments.sweep import Swept
    from heartbeat_core.fleet.heat import HeatHistory
    from heartbeat_core.fleet.slow_hosts import FleetFindings


@dataclass(frozen=True)
class MethodComparison:
    """Two reports of the same work: by the handbook's method and synchronized; None while still to come."""

    handbook: Report | None = None
    synchronized: Report | None = None


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: its report, and the means to draw as much of it as a widget has room for."""

    report: Report
    chart: Callable[[int, bool], ChartData]  # columns, steady state only
    histogram: Callable[[int], tuple[Bin, ...]]  # bins
    clocks: MethodComparison | None = None
    swept: Swept | None = None
    more: bool = False  # the run is over, and another follows
    fleet: FleetSnapshot | None = None  # where several hosts run together
    hosts: tuple[HostLine, ...] = ()  # of these, those whose samples are here


@dataclass(frozen=True)
class FleetSnapshot:
    """Several hosts at one moment, judged, and how they did over time; ``opened`` is the id of the one that the report is of."""

    config: BenchmarkConfig
    findings: FleetFindings
    heat: HeatHistory
    state: State
    opened: str | None
    fresh: bool


class BenchmarkSession:
    """Starts runs, returns snapshots of them, and follows them to their end.

    ``begin`` takes a config, and for a trial of an experiment the label of its recording too; ``give_up`` lets a run that
    still waits for a connection raise HeartbeatError.
    """

    give_up: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, begin: Callable[..., Source], clock: Callable[[], float] = monotonic) -> None:
        self.begin, self.clock = begin, clock
        self.changing = threading.Lock()  # held while one run replaces another
        self.run: Source | None = None
        self.experiment: Experiment | None = None
        self.trial: Trial | None = None  # of the experiment, until its end is reported
        self.reporting = threading.Lock()  # held while a trial's end is reported, which takes no time
        self.reported = 0
        self.seen: tuple[int, int, int] | None = None
        self.last_ended: Source | None = None  # the last run whose end was shown
        self.not_before = 0.0

    @property
    def active(self) -> bool:
        """Return whether a run is on its way, or another is to follow it."""
        return self.run is not None and (self.run.ending is None or (self.experiment is not None and self.experiment.more))

    def start(self, config: BenchmarkConfig) -> None:
        """Start a run; raise HeartbeatError where it cannot start."""
        self.adopt(lambda: self.begin(config))

    def compare(self, config: BenchmarkConfig) -> None:
        """Start the handbook's method on this work; the synchronized one follows."""
        from heartbeat_core.experiments.experiment import BothMethods

        self.begin_experiment(BothMethods(config))

    def sweep(self, config: BenchmarkConfig, axes: tuple[Parameter, ...]) -> None:
        """Start with the first point; raise HeartbeatError where a point makes no sense, or none can start."""
        from heartbeat_core.experiments.sweep import Sweep

        self.begin_experiment(Sweep(config, axes))

    def begin_experiment(self, experiment: Experiment) -> None:
        with self.changing:
            if self.run is not None:
                self.run.close()
            self.experiment = self.trial = None
            self.proceed(experiment)
            self.experiment = experiment

    def proceed(self, experiment: Experiment) -> None:
        """Start the next trial that can start; raise the HeartbeatError of the last one where none can."""
        refused: HeartbeatError | None = None
        while (trial := experiment.next()) is not None:
            try:
                self.change(lambda trial=trial: self.begin(trial.config, experiment.label_of(trial)))  # type: ignore[misc]
            except HeartbeatError as error:
                if error.exit_code == INTERRUPTED:
                    raise
                experiment.refused(trial, error)
                self.reported, refused = self.reported + 1, error
            else:
                self.trial = trial
                if self.run is not None:
                    self.run.choose(0)
                return
        if refused is not None:
            raise refused

    def adopt(self, open_source: Callable[[], Source]) -> None:
        """Show a run that is started elsewhere, such as a replay."""
        with self.changing:
            self.experiment = self.trial = None
            self.change(open_source)

    def follow(self) -> None:
        """Start the run that was to follow the one that has ended, where there is one."""
        with self.changing:
            if self.due and self.experiment is not None:
                self.report_end()
                self.proceed(self.experiment)

    def report_end(self) -> None:
        """Report the end of a trial to its experiment, once."""
        with self.reporting:
            run, experiment, trial = self.run, self.experiment, self.trial
            if run is not None and run.ending is not None and experiment is not None and trial is not None:
                experiment.ended(trial, run.shown().report(), run.kept_at)
                self.trial, self.reported = None, self.reported + 1

    def change(self, begin: Callable[[], Source]) -> None:
        if self.run is not None:
            self.run.close()
        self.run, self.not_before = begin(), 0.0

    @property
    def due(self) -> bool:
        """Return whether the run that was to follow may start."""
        return self.experiment is not None and self.experiment.more and self.run is not None and self.run.ending is not None

    @property
    def settled(self) -> bool:
        """Return whether everything has been seen and nothing more will come."""
        return not self.active and (self.run is None or self.seen == (id(self.run), self.run.version, self.reported))

    def snapshot(self) -> Snapshot | None:
        """Return what has changed since the last call; None where nothing has, or where looking costs too much now."""
        run = self.run
        if run is None or self.resting:
            return None
        if run.ending is not None and self.trial is not None:
            self.report_end()
        seen = id(run), run.version, self.reported
        if seen == self.seen:
            return None
        self.seen = seen
        shown = run.shown()
        report = run.report() if self.experiment is None else shown.report()  # of several hosts the first counts there
        fleet = fleet_of(run) if self.experiment is None else None
        if fleet is not None and not fleet.fresh:
            self.seen = None  # more is to be seen a moment later
        return Snapshot(
            report,
            shown.chart,
            histogram_of(shown.series, report, shown.changed),
            self.clocks(report),
            self.swept(),
            more=self.due,
            fleet=fleet,
            hosts=run.hosts(),
        )

    def clocks(self, report: Report) -> MethodComparison | None:
        if self.experiment is None or self.experiment.kind != "methods":
            return None
        handbook = getattr(self.experiment, "handbook", None)
        return MethodComparison(handbook=report) if report.config.method == "handbook" else MethodComparison(handbook, report)

    def swept(self) -> Swept | None:
        swept: Callable[[], Swept] | None = getattr(self.experiment, "swept", None)  # without an import that only a sweep needs
        return swept() if swept else None

    @property
    def resting(self) -> bool:
        return self.clock() < self.not_before

    def rest(self, seconds: float) -> None:
        self.not_before = self.clock() + seconds

    def over(self) -> bool:
        """Return, once for each run, that it has ended."""
        run = self.run
        if run is None or run.ending is None or run is self.last_ended:
            return False
        self.last_ended = run
        return True

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the run to end, or give up the one that is to begin; what was to follow is given up.

        ``at_once`` waits neither for this iteration nor for the result check.
        """
        if self.experiment is not None:
            self.experiment.stop()
        self.give_up()
        if self.run is not None:
            (self.run.kill if at_once else self.run.stop)()

    def clear(self) -> None:
        if not self.active:
            self.run = self.experiment = self.trial = self.seen = None

    def close(self) -> None:
        """End the run, by force if it does not listen, and wait until it is gone."""
        while not self.changing.acquire(timeout=0.1):
            self.give_up()
        try:
            if self.experiment is not None:
                self.experiment.stop()
            if self.run is not None:
                self.run.close()
        finally:
            self.changing.release()


def fleet_of(run: Source) -> FleetSnapshot | None:
    from heartbeat_core.fleet.multi_host import FleetRun

    return FleetSnapshot(run.config, run.findings(), run.heat, run.state, run.opened, run.fresh) if isinstance(run, FleetRun) else None


def histogram_of(series: Series, report: Report, changed: AbstractContextManager[object]) -> Callable[[int], tuple[Bin, ...]]:
    """Count the steady samples that the report was made of, and whatever has come since; ``changed`` is held meanwhile."""

    def bins(most: int) -> tuple[Bin, ...]:
        # it brings NumPy, which takes 80 ms to import, and nothing needs it before there are samples
        from heartbeat_core.benchmark.statistics import histogram

        if report.statistics is None:
            return ()
        with changed:
            return histogram(series.steady, report.statistics, most, report.config.products_per_sample)

    return bins
