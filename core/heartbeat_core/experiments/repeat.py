"""The same run in several processes, so that an interval covers what differs from process to process.

Samples of one process share its memory layout, its placement and its moment; their interval says nothing of the next
process. So here a process is one observation: the median of its samples. Candidates take turns in rounds, each round in
a shuffled order, and are compared within their rounds, so that a drift of the machine meets all of them alike. Each recording says
which round it belongs to, so that ``runs compare`` does the same.

Sources: Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM (2013); Student, "The Probable Error of a
Mean", Biometrika 6 (1908).
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median, stdev
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import Value, names_of, varied
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.comparison.ratio import LEAST, Interval, mean_interval, of_rounds, quantile_95
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.experiment import Experiment, Trial, TrialResult
from heartbeat_core.units import significant

MOST = 100  # processes of a candidate
TIMES_FROM = 1.95  # the factor from which on a ratio is written in times, not percent


@dataclass(frozen=True)
class Candidate:
    """A config and its processes so far, in the order they ran."""

    name: str
    values: Mapping[str, Value]
    config: BenchmarkConfig
    processes: tuple[TrialResult, ...] = ()

    @property
    def measured(self) -> tuple[TrialResult, ...]:
        return tuple(process for process in self.processes if process.ns)

    @property
    def error(self) -> HeartbeatError | None:
        """Return the first reason why one of its processes has no figures."""
        return next((process.error for process in self.processes if process.error), None)

    @property
    def times(self) -> list[float]:
        """Return the processes' medians, nanoseconds."""
        return [process.ns for process in self.processes if process.ns]

    @property
    def typical(self) -> Interval | None:
        """Return the geometric mean of the processes' medians, nanoseconds, with its interval; None of fewer than two."""
        return mean_interval(self.times)

    @property
    def between(self) -> float | None:
        """Return the standard deviation of the processes' medians, relative."""
        return math.expm1(stdev(map(math.log, self.times))) if len(self.times) >= LEAST else None

    @property
    def within(self) -> float | None:
        """Return half the width of a single process's own interval, relative: the median of all of them."""
        halves = [half for process in self.measured if (half := half_interval(process)) is not None]
        return median(halves) if halves else None

    @property
    def too_narrow(self) -> float | None:
        """Return how many times too narrow the interval of a single process is to cover the next one."""
        times, within = self.times, self.within
        if len(times) < LEAST or not within:
            return None
        return quantile_95(len(times) - 1) * stdev(map(math.log, times)) / within


def half_interval(process: TrialResult) -> float | None:
    """Return half the width of a process's own 95 % interval, relative to its median."""
    s = process.report.statistics if process.report else None
    if s is None or s.interval is None or not s.median_ns:
        return None
    return (s.interval[1] - s.interval[0]) / 2 / s.median_ns


@dataclass(frozen=True)
class PairedRatio:
    """How long the candidate takes, over the reference: from ``pairs`` rounds in which both were measured."""

    reference: str
    candidate: str
    interval: Interval
    pairs: int
    same_work: bool

    @property
    def sentence(self) -> str:
        """State which is faster, and how surely."""
        low, high = self.interval.low, self.interval.high
        if low <= 1 <= high:
            most = max(high, 1 / low)
            ruled_out = f"{significant(100 * (most - 1), 2)} %" if most < TIMES_FROM else f"{significant(most, 2)} ×"
            return f"no difference that {self.pairs} pairs of processes can show; one of more than {ruled_out} is ruled out"
        if self.interval.value > 1:
            return f"{self.interval.value:.3g} times as long ({low:.3g} to {high:.3g})"
        return f"{1 / self.interval.value:.3g} times as fast ({1 / high:.3g} to {1 / low:.3g})"


class Repeat(Experiment):
    """A repeat as it goes on: rounds, in each of which every candidate has one process, in an order of its own.

    ``candidates`` are as far as they are; the first one is the reference.
    """

    kind = "repeat"

    def __init__(
        self,
        config: BenchmarkConfig,
        repeat: int,
        candidates: Sequence[Mapping[str, Value]] = (),
        *,
        seed: int | None = None,
        group: str = "",
    ) -> None:
        """Lay out the rounds; raise HeartbeatError where a candidate makes no sense or is the config itself."""
        super().__init__(group)
        if not LEAST <= repeat <= MOST:
            raise HeartbeatError(f"repeat is {repeat}", f"It is a whole number from {LEAST} to {MOST}.", "Try --repeat 5.")
        self.needs_end(config)
        self.repeat = repeat
        self.seed = secrets.randbelow(10**9) if seed is None else seed
        self.token = secrets.token_hex(4)  # a group may be added to by another repeat
        configs = [config, *(varied(config, values) for values in candidates)]
        self.candidates = [
            Candidate(name or "the config", values, each)
            for name, values, each in zip(names_of(configs), ({}, *candidates), configs, strict=True)
        ]
        if len({candidate.config for candidate in self.candidates}) < len(self.candidates):
            cause = "Two of them would be the same run."
            raise HeartbeatError("the candidates do not differ", cause, "Give each --vs another value than the config has.")
        self.coming = [self.trial_of(round_, index) for round_, index in shuffled(len(self.candidates), repeat, self.seed)]
        self.order = tuple(self.candidates[trial.candidate].name for trial in self.coming)
        self.total = len(self.coming)

    def trial_of(self, round_: int, index: int) -> Trial:
        candidate = self.candidates[index]
        return Trial(f"{candidate.name}, round {round_} of {self.repeat}", candidate.config, round=round_, candidate=index)

    def label_of(self, trial: Trial) -> Label:
        """State which round the trial belongs to, and whether it has the config given first."""
        return replace(super().label_of(trial), round=f"{self.token}-{trial.round}", reference=trial.candidate == 0)

    def keep(self, result: TrialResult) -> None:
        """Keep the process; a candidate that cannot run is not tried again."""
        index, error = result.trial.candidate, result.error
        one = self.candidates[index]
        self.candidates[index] = replace(one, processes=(*one.processes, result))
        if error and error.exit_code in (2, 3):  # it would say the same again
            self.coming = [trial for trial in self.coming if trial.candidate != index]
            self.total = self.begun + len(self.coming)

    def ratios(self) -> tuple[PairedRatio, ...]:
        """Compare each candidate with the reference, where both were measured in at least two rounds."""
        found = (ratio_of(self.candidates[0], candidate) for candidate in self.candidates[1:])
        return tuple(ratio for ratio in found if ratio is not None)


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
    by_round = {process.trial.round: process.ns for process in reference.measured}
    pairs = [(base, process.ns) for process in candidate.measured if process.ns and (base := by_round.get(process.trial.round))]
    if len(pairs) < LEAST:
        return None
    ratio = of_rounds(pairs)
    assert ratio.low is not None
    assert ratio.high is not None
    left, right = (side.config.workload for side in (reference, candidate))
    same_work = left.flops == right.flops and (left.on_device or left.bytes == right.bytes)  # a transfer computes nothing
    return PairedRatio(reference.name, candidate.name, Interval(ratio.value, ratio.low, ratio.high), len(pairs), same_work)


CONFIDENCE = "95 %, Student's t on the logarithms of the processes' medians"


def repeat_json(repeated: Repeat) -> dict[str, Any]:
    """Make the one object that ``bench --repeat --json`` prints: schema 1. Times in nanoseconds, spreads relative."""
    return {
        "schema": 1,
        "repeat": repeated.repeat,
        "seed": repeated.seed,
        "group": repeated.group,
        "order": list(repeated.order),
        "interval": CONFIDENCE,
        "candidates": [candidate_json(candidate) for candidate in repeated.candidates],
        "comparisons": [
            {
                **{name: getattr(ratio, name) for name in ("reference", "candidate", "pairs", "same_work", "sentence")},
                "ratio": asdict(ratio.interval),
            }
            for ratio in repeated.ratios()
        ],
    }


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "plan": candidate.config.to_json(),
        "labels": list(dict.fromkeys(label for p in candidate.measured if p.report for label in p.report.labels)),
        "typical_ns": candidate.typical and asdict(candidate.typical),
        "between_processes": candidate.between,
        "within_a_process": candidate.within,
        "too_narrow": candidate.too_narrow,
        "problem": next((process.problem for process in candidate.processes if process.error), None),
        "processes": [
            {
                "round": process.trial.round,
                "median_ns": process.ns,
                "half_interval": half_interval(process),
                "n": process.report.statistics.n if process.report and process.report.statistics else 0,
                "verdict": process.report.verdict.kind if process.report else None,
                "quality": process.report.quality.to_json() if process.report else None,
                "recording": str(process.path) if process.path else None,
            }
            for process in candidate.processes
        ],
    }
