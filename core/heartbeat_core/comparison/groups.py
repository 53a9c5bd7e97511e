"""One side of a comparison: a recording, or several that repeat one another."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import names_of
from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.roofline import Floor, PeakCache
from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.serving import by_measurement, priced
from heartbeat_core.benchmark.verdict import PASSING, QUALITY_MARKS, Quality
from heartbeat_core.benchmark.workload import Workload
from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.comparison.ratio import MOST_LEFT_OUT, ProcessTime, far_out, mean_interval
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.units import (
    NOTHING,
    format_bytes_rate,
    format_count,
    format_interval,
    format_ns,
    format_rate,
    format_share,
    significant,
)

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Statistics

HOUR_NS = 3.6e12
MILLION = 1e6
ONE_READING = "the handbook's method has one reading a run, and one reading has no interval"
VERDICTS = ("impossible", "suspicious", "unknown", "plausible")  # the worst first
APART = ("cold", "compile", "transfer")


@dataclass(frozen=True)
class MeasuredRun:
    """A recording as it was measured: its entry, its report and all its samples; ``timed`` is the time of a product, ``mean_ns`` Σt/n."""

    entry: RunEntry
    report: Report
    series: Series
    statistics: Statistics
    timed: ProcessTime
    mean_ns: float

    @property
    def steady(self) -> SampleStore:
        return self.series.steady

    @property
    def plan_key(self) -> tuple[BenchmarkConfig, str]:
        """Return what it did and where: two runs of which it is the same repeat one another, however long each was."""
        return replace(self.report.config, iterations=1, duration_s=None, seed=0, calibrate=False), self.entry.where

    def apart_ns(self, name: str) -> float | None:
        """Return what came before the steady state: the first iteration, all compilations, the transfer of the operands."""
        report = self.report
        if name == "cold":
            return report.cold_ns
        if name == "compile":
            return report.compile_ns if report.compiles else None
        return report.stages.get(name)


def measure(entry: RunEntry, peak_cache: PeakCache) -> MeasuredRun:
    """Read the recording of an entry; raise HeartbeatError where it cannot be read, or holds no steady sample."""
    if not entry.readable:
        raise HeartbeatError(f"{entry.title} cannot be compared", f"{entry.problem}.", "Choose another run.", exit_code=3)
    series = load(entry.path)
    return measured(entry, recorded_report(series, peak_cache), series)


def measured(entry: RunEntry, report: Report, series: Series) -> MeasuredRun:
    """Take a recording that has been read; raise HeartbeatError where it holds no steady sample."""
    found, ns, mean_ns = report.statistics, report.iteration_ns, report.mean_ns
    if not (found and ns and mean_ns):
        cause = entry.problem or "No steady iteration was measured"
        raise HeartbeatError(f"{entry.title} cannot be compared", f"{cause}.", "Choose another run.", exit_code=3)
    low_ns, high_ns, lacking = found.median_low_ns, found.median_high_ns, ""
    if report.handbook:  # its first reading is its result; an interval would be of all readings
        low_ns, high_ns, lacking = None, None, ONE_READING
    timed = ProcessTime(ns, low_ns, high_ns, found.effective_n, series.steady, report.config.products_per_sample, lacking)
    return MeasuredRun(entry, report, series, found, timed, mean_ns)


def measure_each(entries: Sequence[RunEntry], peak_cache: PeakCache) -> tuple[list[MeasuredRun], tuple[str, ...]]:
    """Read the recordings of one side; of several those without figures are left out, as are the turns of a repeat that were cut short.

    Return with the rest why each was left out. Raises HeartbeatError where nothing is left.
    """
    runs: list[MeasuredRun] = []
    errors: list[HeartbeatError] = []
    for entry in entries:
        try:
            if len(entries) > 1:
                check_turn(entry)
            runs.append(measure(entry, peak_cache))
        except HeartbeatError as error:
            errors.append(error)
    if errors and not runs:
        raise errors[0]
    return runs, tuple(map(left_out, errors))


def pooled(runs: Sequence[MeasuredRun]) -> SampleStore:
    """Return the samples of runs that repeat one another together; beyond the limit of exact samples those of the first."""
    if len(runs) == 1 or not all(run.steady.exact for run in runs):
        return runs[0].steady
    store = SampleStore()
    for run in runs:
        store.extend(array("q", run.steady.values()))
    return store


def check_turn(entry: RunEntry) -> None:
    """Raise HeartbeatError for a turn of a repeat that did not end well: ``bench --repeat`` does not count it either."""
    if entry.round and entry.status != "done":
        cause = entry.problem or f"its process was {entry.status}"
        raise HeartbeatError(f"{entry.title} does not count", cause, "Run it again.", exit_code=3)


def left_out(error: HeartbeatError) -> str:
    """State why a run among several does without its figures."""
    return f"left out: {error.title}: {error.cause.rstrip('.')}"


@dataclass(frozen=True)
class RunGroup:
    """One side. Times are nanoseconds per product: the median of a run, of several the geometric mean of their medians.

    ``low_ns``..``high_ns`` hold it with 95 % confidence, of several runs by what differs from process to process. ``device`` is "cpu", a
    chip or other hardware; ``billed`` is True where it is paid for by the hour, as for every TPU. ``usd_per_million`` is what a
    million products cost at ``usd_per_hour``, None where no rate is known; ``price_source`` is empty where the rate was given.
    Rates are n/Σt over all processes. ``left_out`` names the processes that lie far out and take no part in the figures.
    """

    title: str
    ids: tuple[str, ...]
    device: str
    where: str
    rehearsal: bool
    workload: Workload
    method: str
    processes: int
    n: int
    worth: float
    ns: float
    low_ns: float | None
    high_ns: float | None
    apart_ns: Mapping[str, float | None]
    flops_per_s: float
    bytes_per_s: float
    floor: Floor | None
    share: float | None
    verdict: str
    reason: str
    quality: Quality
    left_out: tuple[str, ...] = ()
    billed: bool = False
    usd_per_hour: float | None = None
    usd_per_million: float | None = None
    price_source: str = ""
    tokens_per_s: float | None = None  # at most, of the whole model, where the work is a layer of one
    usd_per_million_tokens: float | None = None  # at least


def side_of(runs: Sequence[MeasuredRun], tariff: CostRates, title: str = "") -> RunGroup:
    """Draw up a side of at least one run."""
    runs, away = without_far_out(runs)
    first = runs[0]
    report, entry = first.report, first.entry
    mean_ns = mean_of(runs)
    timed = [run.timed for run in runs]
    ns, low_ns, high_ns = typical_of(timed)
    price = tariff.of(entry, report.environment)
    limits = [limit for run in runs if (limit := by_measurement(run.report))]
    priced_limits = [priced(limit, price.usd_of_device if price else None) for limit in limits]
    worst = min(runs, key=lambda run: VERDICTS.index(run.report.verdict.kind)).report.verdict
    return RunGroup(
        title=title or title_of(runs),
        ids=tuple(run.entry.id for run in runs),
        device=entry.device or entry.backend,
        where=entry.where,
        rehearsal=any(run.entry.rehearsal for run in runs),
        workload=report.config.workload,
        method=report.config.method,
        processes=len(runs),
        n=sum(run.statistics.n for run in runs),
        worth=sum(one.worth for one in timed),
        ns=ns,
        low_ns=low_ns,
        high_ns=high_ns,
        apart_ns={name: middle([run.apart_ns(name) for run in runs]) for name in APART},
        flops_per_s=1e9 * report.config.workload.flops / mean_ns,
        bytes_per_s=1e9 * report.config.workload.bytes / mean_ns,
        floor=report.floor,
        share=report.floor.ns / mean_ns if report.floor else None,
        verdict=worst.kind,
        reason=worst.reason,
        quality=quality_of_group([run.report.quality for run in runs]),
        left_out=tuple(run.entry.title for run in away),
        billed=bool(report.environment.get("chip")),
        usd_per_hour=price.usd_per_hour if price else None,
        usd_per_million=price.usd_per_hour * mean_ns * MILLION / HOUR_NS if price else None,
        price_source=price.source if price else "",
        tokens_per_s=middle([limit.tokens_per_s for limit in limits]),
        usd_per_million_tokens=middle([limit.usd_per_million for limit in priced_limits]),
    )


def without_far_out(runs: Sequence[MeasuredRun]) -> tuple[list[MeasuredRun], list[MeasuredRun]]:
    """Part the runs of a side into those that count and those that lie far out, at most one in five; mixed work is left as it is."""
    if len({run.plan_key for run in runs}) > 1:
        return list(runs), []
    out = far_out([math.log(run.timed.ns) for run in runs])
    return [run for index, run in enumerate(runs) if index not in out], [runs[index] for index in out]


def mean_of(runs: Sequence[MeasuredRun]) -> float:
    """Return Σt/n of one product over all runs."""
    return sum(run.statistics.n * run.mean_ns for run in runs) / sum(run.statistics.n for run in runs)


def quality_of_group(qualities: Sequence[Quality]) -> Quality:
    """Return the worst quality; noise, drift and disturbance only where more than one process in five has it, or the only one."""
    allowed = len(qualities) // MOST_LEFT_OUT
    for kind in QUALITY_MARKS:
        like = [quality for quality in qualities if quality.kind == kind]
        if like and (kind not in PASSING or len(like) > allowed):
            return like[0]
    return qualities[0]


def typical_of(timed: Sequence[ProcessTime]) -> tuple[float, float | None, float | None]:
    """Return the time of one product and its interval: of a run by its samples, of several by how their medians differ."""
    found = mean_interval([one.ns for one in timed])
    return (found.value, found.low, found.high) if found else (timed[0].ns, timed[0].low_ns, timed[0].high_ns)


def by_plan(runs: Sequence[MeasuredRun]) -> list[list[MeasuredRun]]:
    """Take apart runs that did not do the same: first those that the others are to be held against, then in the order they first ran.

    Raises HeartbeatError where all of them did.
    """
    sorts: dict[tuple[BenchmarkConfig, str], list[MeasuredRun]] = {}
    for run in sorted(runs, key=lambda run: (run.entry.started is None, run.entry.started, run.entry.path.name)):
        sorts.setdefault(run.plan_key, []).append(run)
    if len(sorts) < 2:
        raise HeartbeatError("there is nothing to compare with", "All these runs did the same.", "Name a second run, or a second group.")
    return sorted(sorts.values(), key=lambda side: not is_reference(side))


def is_reference(runs: Sequence[MeasuredRun]) -> bool:
    """Return whether these have the config that the others of their group were made to be held against."""
    return any(run.entry.reference for run in runs)


def titles_of(sides: Sequence[Sequence[MeasuredRun]]) -> tuple[str, ...]:
    """Name each side so that no two have the same name: within a group by what its config does otherwise, else by its runs."""
    plain = tuple(map(title_of, sides))
    configs = names_of([side[0].report.config for side in sides])
    places = tuple(side[0].entry.where for side in sides)
    folders = (side[0].entry.path.absolute().parent.name for side in sides)
    groups = {run.entry.group for side in sides for run in side}
    within = [configs, joined(configs, places)] if len(groups) == 1 and "" not in groups else []
    beside = [plain, configs, joined(plain, configs), joined(plain, places), joined(plain, folders)]
    numbered = tuple(f"{title} ({number})" for number, title in enumerate(plain, 1))
    return next((titles for titles in (*within, *beside) if all(titles) and len(set(titles)) == len(sides)), numbered)


def joined(titles: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(", ".join(filter(None, pair)) for pair in zip(titles, more, strict=True))


def title_of(runs: Sequence[MeasuredRun]) -> str:
    """Name a side by its run, by the group that all its runs share, else by their number."""
    if len(runs) == 1:
        return runs[0].entry.title
    groups = {run.entry.group for run in runs}
    group = groups.pop() if len(groups) == 1 else ""
    return group or f"{len(runs)} runs"


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of what is known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


Row = tuple[str, ...]


def group_table(groups: Sequence[RunGroup]) -> list[Row]:
    """Return the titles, then a row for all that is known of at least one group; the first cell of each is its label."""
    rows: list[Row] = [
        ("where", *(group.where for group in groups)),
        ("shape", *(group.workload.brief for group in groups)),
        ("dtype", *(group.workload.dtype for group in groups)),
        ("method", *(group.method for group in groups)),
        ("processes", *(str(group.processes) if group.processes > 1 else NOTHING for group in groups)),
        ("median", *(format_ns(group.ns) for group in groups)),
        ("95 % CI", *(format_interval(group.low_ns, group.high_ns) for group in groups)),
        ("samples", *(format_count(group.n) for group in groups)),
        ("effective", *(format_count(round(group.worth)) if group.worth < group.n else NOTHING for group in groups)),
        *((name, *(format_ns(group.apart_ns[name]) for group in groups)) for name in APART),
        ("throughput", *(format_rate(group.flops_per_s) for group in groups)),
        ("memory", *(format_bytes_rate(group.bytes_per_s) for group in groups)),
        ("of peak", *(format_share(group.share) for group in groups)),
        ("quality", *(f"{group.quality.glyph} {group.quality.kind}" for group in groups)),
        ("a million cost", *costs(groups)),
        ("tokens/s at most", *(NOTHING if group.tokens_per_s is None else significant(group.tokens_per_s) for group in groups)),
        ("a million tokens", *(NOTHING if (usd := group.usd_per_million_tokens) is None else f"${significant(usd)}" for group in groups)),
    ]
    return [("", *(group.title for group in groups)), *(row for row in rows if any(cell != NOTHING for cell in row[1:]))]


def tokens_words(reference: RunGroup, candidate: RunGroup) -> str:
    """State the tokens/s of both sides, and what a million of them cost where both are known; empty where one side has no model."""
    if reference.tokens_per_s is None or candidate.tokens_per_s is None:
        return ""
    rates = f"at most {significant(candidate.tokens_per_s)} tokens/s against {significant(reference.tokens_per_s)}"
    here, there = candidate.usd_per_million_tokens, reference.usd_per_million_tokens
    cost = "" if here is None or there is None else f", at least ${significant(here)} a million tokens against ${significant(there)}"
    return f"; for the whole model, by matrix products alone, {rates}{cost}"


def costs(sides: Sequence[RunGroup]) -> tuple[str, ...]:
    """State what a million products cost on each side; nothing of any where no rate is known and none is paid for by the hour."""
    if not any(side.billed or side.usd_per_million is not None for side in sides):
        return (NOTHING,) * len(sides)
    return tuple(
        "unknown rate"
        if side.usd_per_million is None or side.usd_per_hour is None
        else f"${significant(side.usd_per_million)} at ${side.usd_per_hour:.2f}/h"
        for side in sides
    )


def price_notes(sides: Sequence[RunGroup]) -> tuple[str, ...]:
    """State what the rates that were not given are the price of, each once."""
    return tuple(dict.fromkeys(f"${side.usd_per_hour:.2f}/h is for {side.price_source}" for side in sides if side.price_source))
