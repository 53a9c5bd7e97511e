"""One side of a comparison: a recording, or several that repeat one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any

from heartbeat_core.beat.ceilings import CeilingCache
from heartbeat_core.beat.report import Report
from heartbeat_core.beat.roofline import Floor
from heartbeat_core.beat.series import Series
from heartbeat_core.beat.store import SampleStore
from heartbeat_core.beat.workload import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.entry import Entry
from heartbeat_core.runs.ratio import Timed, timed_of
from heartbeat_core.runs.recording import load

HOUR_NS = 3.6e12
MILLION = 1e6
VERDICTS = ("impossible", "suspicious", "unknown", "plausible")  # the worst first
APART = ("cold", "compile", "transfer")


@dataclass(frozen=True)
class Measured:
    """A recording as it was measured: its entry, its report and all its samples."""

    entry: Entry
    report: Report
    series: Series

    @property
    def steady(self) -> SampleStore:
        return self.series.steady

    @property
    def timed(self) -> Timed | None:
        """Give the time of a product, None where none was measured."""
        report, found = self.report, self.report.statistics
        if not found or not report.iteration_ns:
            return None
        if report.handbook:  # its first reading is its result; an interval would be of all readings
            return Timed(report.iteration_ns, None, None, found.effective_n, self.steady, report.plan.products_per_sample)
        return timed_of(self.steady, found, report.plan.products_per_sample)

    def apart_ns(self, name: str) -> float | None:
        """Give what came before the steady state: the first beat, all compilations, the transfer of the operands."""
        report = self.report
        if name == "cold":
            return report.cold_ns
        if name == "compile":
            return report.compile_ns if report.compiles else None
        return report.stages.get(name)


def measure(entry: Entry, ceilings: CeilingCache) -> Measured:
    """Read the recording of an entry; raise HeartbeatError where it cannot be read, or holds no steady sample."""
    if not entry.readable:
        raise HeartbeatError(f"{entry.title} cannot be compared", f"{entry.problem}.", "Choose another run.", exit_code=3)
    loaded = load(entry.path)
    return measured(entry, loaded.report(ceilings), loaded.series)


def measured(entry: Entry, report: Report, series: Series) -> Measured:
    """Take a recording that has been read; raise HeartbeatError where it holds no steady sample."""
    if not report.statistics or not report.iteration_ns:
        cause = entry.problem or "No steady iteration was measured"
        raise HeartbeatError(f"{entry.title} cannot be compared", f"{cause}.", "Choose another run.", exit_code=3)
    return Measured(entry, report, series)


@dataclass(frozen=True)
class Side:
    """One side. Times are nanoseconds per product: the median of a run, of several the geometric mean of their medians.

    ``low_ns``..``high_ns`` hold it with 95 % confidence, of several runs they are its least and greatest. ``device`` is "cpu", a
    chip or other hardware; ``usd_per_million`` what a million products cost at ``usd_per_hour``, None where no rate is known.
    """

    title: str
    ids: tuple[str, ...]
    device: str
    where: str
    rehearsal: bool
    workload: MatMul
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
    usd_per_hour: float | None = None
    usd_per_million: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ids": list(self.ids)}


def side_of(runs: Sequence[Measured], rates: Mapping[str, float]) -> Side:
    """Draw up a side of at least one run; ``rates`` are USD per hour by device, host or backend."""
    first = runs[0]
    report, entry = first.report, first.entry
    timed = [run.timed for run in runs]
    times = [one.ns for one in timed if one]
    ns = math.exp(fmean(math.log(value) for value in times)) if len(times) > 1 else times[0]
    single = timed[0] if len(runs) == 1 else None
    rate = rate_of(entry, rates)
    worst = min(runs, key=lambda run: VERDICTS.index(run.report.verdict.kind)).report.verdict
    return Side(
        title=title_of(runs),
        ids=tuple(run.entry.id for run in runs),
        device=entry.device or entry.backend,
        where=entry.where,
        rehearsal=any(run.entry.rehearsal for run in runs),
        workload=report.plan.workload,
        method=report.plan.method,
        processes=len(runs),
        n=sum(run.report.statistics.n for run in runs if run.report.statistics),
        worth=sum(one.worth for one in timed if one),
        ns=ns,
        low_ns=single.low_ns if single else min(times),
        high_ns=single.high_ns if single else max(times),
        apart_ns={name: middle([run.apart_ns(name) for run in runs]) for name in APART},
        flops_per_s=1e9 * report.plan.workload.flops / ns,
        bytes_per_s=1e9 * report.plan.workload.bytes / ns,
        floor=report.floor,
        share=report.floor.ns / ns if report.floor else None,
        verdict=worst.kind,
        reason=worst.reason,
        usd_per_hour=rate,
        usd_per_million=rate * ns * MILLION / HOUR_NS if rate is not None else None,
    )


def by_plan(runs: Sequence[Measured]) -> list[list[Measured]]:
    """Take apart runs that did not do the same, in the order in which each sort was first run.

    Raises HeartbeatError where all of them did.
    """
    sorts: dict[tuple[Any, ...], list[Measured]] = {}
    for run in sorted(runs, key=lambda run: (run.entry.started is None, run.entry.started, run.entry.path.name)):
        plan = run.report.plan
        sorts.setdefault((replace(plan, iterations=1, duration_s=None, calibrate=False), run.entry.where), []).append(run)
    if len(sorts) < 2:
        raise HeartbeatError("there is nothing to compare with", "All these runs did the same.", "Name a second run, or a second group.")
    return list(sorts.values())


def title_of(runs: Sequence[Measured]) -> str:
    """Call a side by its run, by the group that all its runs share, else by their number."""
    if len(runs) == 1:
        return runs[0].entry.title
    groups = {run.entry.group for run in runs}
    group = groups.pop() if len(groups) == 1 else ""
    return group or f"{len(runs)} runs"


def rate_of(entry: Entry, rates: Mapping[str, float]) -> float | None:
    """Find what an hour of a run's machine costs: by its host, its chip or device, its backend, whatever is named first of these."""
    folded = {name.casefold(): rate for name, rate in rates.items()}
    found = (folded.get(name.casefold()) for name in (entry.host, entry.device, entry.backend) if name)
    return next((rate for rate in found if rate is not None), None)


def middle(values: Sequence[float | None]) -> float | None:
    """Give the median of what is known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
