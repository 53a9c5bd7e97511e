"""The same run in several processes, so that an interval covers what differs from process to process.

Samples of one process share its memory layout, its placement and its moment; their interval says nothing of the next
process. So here a process is one observation: the median of its samples. Candidates take turns in rounds, each round in
a shuffled order, and are compared within their rounds, so that a drift of the machine meets all of them alike.

Sources: Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM (2013); Student, "The Probable Error of a
Mean", Biometrika 6 (1908).
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev

from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.report import Report
from heartbeat_core.beat.units import significant
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.axes import Value, in_words, value_of, varied
from heartbeat_core.runs.course import Course, Leg, ending_error
from heartbeat_core.runs.student import quantile_95

LEAST, MOST = 2, 100  # processes of a candidate


@dataclass(frozen=True)
class Interval:
    """A value that holds with 95 % confidence between ``low`` and ``high``."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Give half its width, relative to the value."""
        return (self.high - self.low) / 2 / self.value


@dataclass(frozen=True)
class Process:
    """One run: the round it belonged to, and its report or why there is none."""

    round: int
    report: Report | None
    error: HeartbeatError | None = None
    path: Path | None = None

    @property
    def ns(self) -> float | None:
        return self.report.iteration_ns or None if self.report else None

    @property
    def half(self) -> float | None:
        """Give half the width of this process's own 95 % interval, relative to its median."""
        s = self.report.statistics if self.report else None
        if s is None or s.median_low_ns is None or s.median_high_ns is None or not s.median_ns:
            return None
        return (s.median_high_ns - s.median_low_ns) / 2 / s.median_ns


@dataclass(frozen=True)
class Candidate:
    """A plan and its processes so far, in the order they ran."""

    name: str
    values: Mapping[str, Value]
    plan: Plan
    processes: tuple[Process, ...] = ()

    @property
    def measured(self) -> tuple[Process, ...]:
        return tuple(process for process in self.processes if process.ns)

    @property
    def error(self) -> HeartbeatError | None:
        """Give the first reason why one of its processes has no figures."""
        return next((process.error for process in self.processes if process.error), None)

    @property
    def typical(self) -> Interval | None:
        """Give the geometric mean of the processes' medians, nanoseconds, with its interval; None of fewer than two."""
        return mean_interval([process.ns for process in self.measured if process.ns])

    @property
    def between(self) -> float | None:
        """Give the standard deviation of the processes' medians, relative."""
        logs = [math.log(process.ns) for process in self.measured if process.ns]
        return math.expm1(stdev(logs)) if len(logs) >= LEAST else None

    @property
    def within(self) -> float | None:
        """Give half the width of a single process's own interval, relative: the median of all of them."""
        halves = [process.half for process in self.measured if process.half is not None]
        return median(halves) if halves else None

    @property
    def too_narrow(self) -> float | None:
        """Tell how many times too narrow the interval of a single process is to cover the next one."""
        typical, within = self.typical, self.within
        if typical is None or not within:
            return None
        logs = [math.log(process.ns) for process in self.measured if process.ns]
        return quantile_95(len(logs) - 1) * stdev(logs) / within


@dataclass(frozen=True)
class PairedRatio:
    """How long the candidate takes, over the reference: from ``pairs`` rounds in which both were measured.

    ``runs compare`` knows nothing of rounds: it takes the same processes as independent, and its interval is wider where
    the machine drifted.
    """

    reference: str
    candidate: str
    interval: Interval
    pairs: int
    same_work: bool

    @property
    def sentence(self) -> str:
        """Say which is faster, and how surely."""
        low, high = self.interval.low, self.interval.high
        if low <= 1 <= high:
            most = significant(100 * max(high - 1, 1 - low), 2)
            return f"no difference that {self.pairs} pairs of processes can show; one of more than {most} % is ruled out"
        if self.interval.value > 1:
            return f"{self.interval.value:.3g} times as long ({low:.3g} to {high:.3g})"
        return f"{1 / self.interval.value:.3g} times as fast ({1 / high:.3g} to {1 / low:.3g})"


@dataclass(frozen=True)
class Repeated:
    """All candidates as far as they are; the first one is the reference."""

    candidates: tuple[Candidate, ...]
    repeat: int
    seed: int
    order: tuple[str, ...]
    group: str

    @property
    def reference(self) -> Candidate:
        return self.candidates[0]

    def ratios(self) -> tuple[PairedRatio, ...]:
        """Compare each candidate with the reference, where both were measured in at least two rounds."""
        found = (ratio_of(self.reference, candidate) for candidate in self.candidates[1:])
        return tuple(ratio for ratio in found if ratio is not None)


class Repeat(Course):
    """The course of a repeat: rounds, in each of which every candidate has one process, in an order of its own."""

    kind = "repeat"

    def __init__(
        self, plan: Plan, repeat: int, candidates: Sequence[Mapping[str, Value]] = (), *, seed: int | None = None, group: str = ""
    ) -> None:
        """Lay out the rounds; raise HeartbeatError where a candidate makes no sense or is the plan itself."""
        super().__init__(group)
        if not LEAST <= repeat <= MOST:
            raise HeartbeatError(f"repeat is {repeat}", f"It is a whole number from {LEAST} to {MOST}.", "Try --repeat 5.")
        if plan.iterations is None and plan.duration_s is None:
            raise HeartbeatError("a repeat needs an end", "Each process goes on until stopped.", "Give --iterations or --duration.")
        self.repeat = repeat
        self.seed = secrets.randbelow(10**9) if seed is None else seed
        touched = tuple(dict.fromkeys(name for values in candidates for name in values))
        reference = in_words({name: value_of(plan, name) for name in touched}) or "the plan"
        self.candidates = [Candidate(reference, {}, plan)]
        self.candidates += [Candidate(in_words(values), values, varied(plan, values)) for values in candidates]
        if len({candidate.plan for candidate in self.candidates}) < len(self.candidates):
            cause = "Two of them would be the same run."
            raise HeartbeatError("the candidates do not differ", cause, "Give each --vs another value than the plan has.")
        self.coming = shuffled(len(self.candidates), repeat, self.seed)
        self.order = tuple(self.candidates[index].name for _, index in self.coming)
        self.begun, self.total = 0, len(self.coming)

    @property
    def more(self) -> bool:
        return bool(self.coming) and not self.stopped

    def next(self) -> Leg | None:
        if not self.more:
            return None
        self.turn = self.coming.pop(0)
        self.begun += 1
        round_, index = self.turn
        candidate = self.candidates[index]
        return Leg(self.begun, f"{candidate.name}, round {round_} of {self.repeat}", candidate.plan)

    def ended(self, leg: Leg, report: Report, path: Path | None) -> None:
        """Keep the process; a candidate that cannot run is not tried again."""
        del leg
        if self.stopped and report.ending and report.ending.kind == "stopped":
            return  # cut short: its recording stays, the figures do without
        error = ending_error(report)
        self.keep(Process(self.turn[0], None if error else report, error, path))

    def refused(self, leg: Leg, error: HeartbeatError) -> None:
        del leg
        self.keep(Process(self.turn[0], None, error))

    def keep(self, process: Process) -> None:
        _, index = self.turn
        one = self.candidates[index]
        self.candidates[index] = Candidate(one.name, one.values, one.plan, (*one.processes, process))
        if process.error and process.error.exit_code in (2, 3):  # it would say the same again
            self.coming = [turn for turn in self.coming if turn[1] != index]
            self.total = self.begun + len(self.coming)

    def repeated(self) -> Repeated:
        return Repeated(tuple(self.candidates), self.repeat, self.seed, self.order, self.group)


def shuffled(candidates: int, repeat: int, seed: int) -> list[tuple[int, int]]:
    """Lay out the turns as (round, candidate), each round in an order of its own."""
    chance = random.Random(seed)
    turns = []
    for round_ in range(1, repeat + 1):
        order = list(range(candidates))
        chance.shuffle(order)
        turns += [(round_, index) for index in order]
    return turns


def ratio_of(reference: Candidate, candidate: Candidate) -> PairedRatio | None:
    """Compare two candidates round by round; None where fewer than two rounds have both."""
    by_round = {process.round: process.ns for process in reference.measured}
    ratios = [process.ns / base for process in candidate.measured if process.ns and (base := by_round.get(process.round))]
    interval = mean_interval(ratios)
    if interval is None:
        return None
    return PairedRatio(
        reference.name, candidate.name, interval, len(ratios), reference.plan.workload.flops == candidate.plan.workload.flops
    )


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Give the geometric mean of independent values with its 95 % interval, by Student's t on the logarithms; None under two."""
    if len(values) < LEAST:
        return None
    logs = [math.log(value) for value in values]
    centre, reach = fmean(logs), quantile_95(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return Interval(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))
