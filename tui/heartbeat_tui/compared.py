"""Runs held against one another: what the engine says of them, and the means to draw them. No Textual here."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.beat.histogram import Bin
    from heartbeat_core.beat.plan import Plan
    from heartbeat_core.beat.series import Series
    from heartbeat_core.beat.store import SampleStore
    from heartbeat_core.runs.compare import Comparison
    from heartbeat_core.runs.entry import Entry
    from heartbeat_core.runs.side import Measured, Side
    from heartbeat_tui.messages import Snapshot


@dataclass(frozen=True)
class Read:
    """A recording that has been read: what it is shown by, and its samples."""

    snapshot: Snapshot
    series: Series


@dataclass(frozen=True)
class Compared:
    """Comparisons of each candidate with one reference; of each side its runs and their snapshots, the reference's first."""

    comparisons: tuple[Comparison, ...]
    runs: tuple[tuple[Measured, ...], ...]
    snapshots: tuple[tuple[Snapshot, ...], ...]
    rates: Mapping[str, float]

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.comparisons[0].reference, *(comparison.candidate for comparison in self.comparisons))

    def bins(self, number: int, most: int) -> tuple[Bin, ...]:
        """Count the steady samples of a side; sides near enough to one another have the same bins."""
        from heartbeat_core.beat.histogram import common_edges, counted, edges_for

        statistics = [found for side in self.runs if (found := side[0].report.statistics)]  # a side without them is none
        edges = common_edges(statistics, most) or edges_for(statistics[number], max(4, most))
        return counted(pooled(self.runs[number]), edges, self.runs[number][0].report.plan.products_per_sample)

    def at(self, rates: Mapping[str, float]) -> Compared:
        """Work out the cost at these rates, US dollars an hour by device."""
        return hold(self.runs, self.snapshots, rates)

    def swapped(self) -> Compared:
        """Hold it the other way round."""
        return hold(tuple(reversed(self.runs)), tuple(reversed(self.snapshots)), self.rates)


def compare_read(reads: Sequence[tuple[Entry, Read]], rates: Mapping[str, float]) -> Compared:
    """Compare runs, the first of which is the reference; raise HeartbeatError where that cannot be."""
    from heartbeat_core.runs.side import measured

    runs: dict[object, list[Measured]] = {}
    snapshots: dict[object, list[Snapshot]] = {}
    for entry, read in reads:
        key = side_key(entry, read.snapshot.report.plan)
        runs.setdefault(key, []).append(measured(entry, read.snapshot.report, read.series))
        snapshots.setdefault(key, []).append(read.snapshot)
    if len(runs) < 2:
        why = "Those chosen repeat one another." if len(reads) > 1 else "One run alone is chosen."
        raise HeartbeatError("there is nothing to compare with", why, "Mark runs that differ: space marks one.")
    return hold(tuple(map(tuple, runs.values())), tuple(map(tuple, snapshots.values())), rates)


def hold(runs: tuple[tuple[Measured, ...], ...], snapshots: tuple[tuple[Snapshot, ...], ...], rates: Mapping[str, float]) -> Compared:
    from heartbeat_core.runs.compare import compare

    reference, *candidates = runs
    return Compared(tuple(compare(reference, each, rates) for each in candidates), runs, snapshots, rates)


def side_key(entry: Entry, plan: Plan) -> object:
    """Tell what stands on one side: runs of one group with one plan repeat one another, any other run is alone."""
    return (entry.group, entry.where, replace(plan, seed=0, calibrate=False)) if entry.group else entry.path


def pooled(runs: Sequence[Measured]) -> SampleStore:
    """Put the samples of runs that repeat one another together; past their limit only the first run's are shown."""
    from heartbeat_core.beat.store import SampleStore

    if len(runs) == 1 or not all(run.steady.exact for run in runs):
        return runs[0].steady
    store = SampleStore()
    for run in runs:
        store.extend(array("q", run.steady.values()))
    return store
