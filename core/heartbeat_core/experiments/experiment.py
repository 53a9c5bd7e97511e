"""Experiments of several runs: which trial comes next, and how each ended.

The screen and the commands share it: an experiment is asked for its next trial and is given how that one ended.
It starts nothing itself, so that its owner may wait in a thread, in an event loop or not at all.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import Value
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.serving import ServingLimit, by_measurement
from heartbeat_core.errors import HeartbeatError


@dataclass(frozen=True)
class Trial:
    """One run of an experiment, a process of its own. ``name`` says what is particular to it; ``number`` counts from 1 as they begin.

    ``values`` are what a sweep varies here, ``round`` and ``candidate`` the turn of a repeat: a round from 1, the place of a candidate.
    """

    name: str
    config: BenchmarkConfig
    number: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)
    round: int = 0
    candidate: int = 0


@dataclass(frozen=True)
class TrialResult:
    """What has come of a trial: its report, or why there is none worth having. ``path`` is its recording."""

    trial: Trial
    report: Report | None = None
    error: HeartbeatError | None = None
    path: Path | None = None

    @property
    def config(self) -> BenchmarkConfig:
        return self.trial.config

    @property
    def values(self) -> Mapping[str, Value]:
        return self.trial.values

    @property
    def ns(self) -> float | None:
        """Return the time of a product, nanoseconds; None where none was measured."""
        return self.report.iteration_ns or None if self.report else None

    @property
    def problem(self) -> str | None:
        return " ".join(filter(None, (self.error.title, self.error.cause))) if self.error else None

    @property
    def limit(self) -> ServingLimit | None:
        """Return what the time means for the whole model, None where the work is no layer."""
        return by_measurement(self.report) if self.report else None

    @property
    def in_cache(self) -> bool:
        """Return whether it was faster than the measured peak of memory allows: its data stayed in caches, so it is held to no peak."""
        floor = self.report.floor if self.report else None
        return bool(floor and not floor.roof.hard and self.report and self.report.share and self.report.share > 1)

    @property
    def quality(self) -> str:
        """Return its badge in a word or two; "in cache" where it would pass, but above the roof."""
        if self.report is None:
            return ""
        kind = self.report.quality.kind
        return "in cache" if kind == "plausible" and self.in_cache else kind


@dataclass(frozen=True)
class TrialStarted:
    """A trial is under way. Its source can be watched before the next one is asked for."""

    trial: Trial
    source: Source


@dataclass(frozen=True)
class TrialFinished:
    """A trial has ended with a report, or could not begin."""

    trial: Trial
    report: Report | None
    error: HeartbeatError | None = None


class Experiment(ABC):
    """Its owner asks for ``next``, starts that run and calls ``ended`` or ``refused``, one after the other.

    ``keep`` takes what has come of each.
    """

    kind: str
    total: int  # trials, if none is given up
    coming: list[Trial]  # what is left, the next one first

    def __init__(self, group: str = "") -> None:
        self.group = group or f"{self.kind}-{secrets.token_hex(4)}"
        self.begun = 0
        self.stopped = False

    def label_of(self, trial: Trial) -> Label:
        """Return what the recording of a trial is labelled with."""
        del trial
        return Label(0, group=self.group)

    @property
    def more(self) -> bool:
        """Return whether a trial is to come after the one on its way."""
        return bool(self.coming) and not self.stopped

    def needs_end(self, config: BenchmarkConfig) -> None:
        """Raise HeartbeatError where a trial would go on until it is stopped."""
        if config.iterations is None and config.duration_s is None:
            raise HeartbeatError(f"a {self.kind} needs an end", "Each run goes on until stopped.", "Give --iterations or --duration.")

    def next(self) -> Trial | None:
        """Return the next trial; None where there is none, or the experiment was stopped."""
        if not self.more:
            return None
        self.begun += 1
        return replace(self.coming.pop(0), number=self.begun)

    @abstractmethod
    def keep(self, result: TrialResult) -> None: ...

    def ended(self, trial: Trial, report: Report, path: Path | None) -> None:
        """Take the report of a trial that is over, and where it was recorded."""
        if self.stopped and report.ending is not None and report.ending.kind == "stopped":
            return  # stopped with the experiment: its recording stays, the figures do without
        self.keep(result_of(trial, report, path))

    def refused(self, trial: Trial, error: HeartbeatError) -> None:
        self.keep(TrialResult(trial, error=error))

    def stop(self) -> None:
        """Begin no further trial; the one under way still counts."""
        self.stopped = True


def result_of(trial: Trial, report: Report, path: Path | None) -> TrialResult:
    """Return what has come of a trial that is over; the figures of one that did not end well do not count."""
    return TrialResult(trial, None if report.error else report, report.error, path)


def carry_out(experiment: Experiment, begin: Callable[[BenchmarkConfig, Label], Source]) -> Iterator[TrialStarted | TrialFinished]:
    """Run an experiment to its end, one trial at a time, in the thread that asks for more.

    ``begin`` is given the label that holds the recordings of an experiment together. It may raise HeartbeatError: then that trial
    is refused. To end early, stop the experiment, and the source of the trial on its way.
    """
    while (trial := experiment.next()) is not None:
        try:
            source = begin(trial.config, experiment.label_of(trial))
        except HeartbeatError as error:
            experiment.refused(trial, error)
            yield TrialFinished(trial, None, error)
            continue
        try:
            yield TrialStarted(trial, source)
            source.wait()
            report = source.report()
            experiment.ended(trial, report, source.kept_at)
        finally:
            source.close()
        yield TrialFinished(trial, report)


class BothMethods(Experiment):
    """Two trials; the second one only where the first has ended well. ``handbook`` is its report, None until then."""

    kind = "methods"
    total = 2

    def __init__(self, config: BenchmarkConfig, group: str = "") -> None:
        super().__init__(group)
        same = replace(config, iterations=config.iterations or 100, duration_s=None)
        first, second = replace(same, method="handbook"), replace(same, method="synchronized")
        self.coming = [Trial(first.method, first), Trial(second.method, second)]
        self.handbook: Report | None = None

    def keep(self, result: TrialResult) -> None:
        """Keep the first report; where that run failed there is nothing to hold the other against."""
        if result.trial.number == 1:
            self.handbook = result.report
        if result.error:
            self.coming.clear()
