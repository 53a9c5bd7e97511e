"""Runs held against one another: what the engine says of them, and the means to draw them. No Textual here."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.benchmark.samples import SampleStore
    from heartbeat_core.benchmark.series import Series
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.comparison.compare import Comparison
    from heartbeat_core.comparison.cost import CostRates
    from heartbeat_core.comparison.groups import MeasuredRun, RunGroup
    from heartbeat_core.recordings.entry import RunEntry
    from heartbeat_tui.benchmark.snapshot import Snapshot


@dataclass(frozen=True)
class Read:
    """A recording that has been read: what it is shown by, and its samples."""

    snapshot: Snapshot
    series: Series


Sight = Read | HeartbeatError  # what came of reading one


@dataclass(frozen=True)
class Compared:
    """Comparisons of each candidate with one reference; of each side its runs and their snapshots, the reference's first.

    ``left_out`` says which runs of a group have no part in it, and why.
    """

    comparisons: tuple[Comparison, ...]
    runs: tuple[tuple[MeasuredRun, ...], ...]
    snapshots: tuple[tuple[Snapshot, ...], ...]
    tariff: CostRates
    left_out: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """List what makes it doubtful, each once; they may begin with a name, which stays as it is."""
        said = [*(warning for comparison in self.comparisons for warning in comparison.warnings), *self.left_out]
        return tuple(dict.fromkeys(f"{warning.rstrip('.')}." for warning in said))

    @property
    def sides(self) -> tuple[RunGroup, ...]:
        return (self.comparisons[0].reference, *(comparison.candidate for comparison in self.comparisons))

    def bins(self, number: int, most: int) -> tuple[Bin, ...]:
        """Count the steady samples of a side; sides near enough to one another have the same bins."""
        from heartbeat_core.benchmark.statistics import common_edges, counted, edges_for

        statistics = [found for side in self.runs if (found := side[0].report.statistics)]  # a side without them is none
        edges = common_edges(statistics, most) or edges_for(statistics[number], max(4, most))
        return counted(pooled(self.runs[number]), edges, self.runs[number][0].report.config.products_per_sample)

    def quantiles(self, number: int) -> dict[float, float]:
        """Give those quantiles of a side's samples of which there are samples enough to tell them."""
        from heartbeat_core.benchmark.statistics import summarize

        first, *others = self.runs[number]
        found = first.report.statistics
        if others:
            found = summarize(pooled(self.runs[number]), first.report.config.products_per_sample)
        return dict(found.quantiles) if found else {}

    def at(self, rates: Mapping[str, float]) -> Compared:
        """Work out the cost at these rates, US dollars an hour by device; for other devices the price list counts."""
        return hold(self.runs, self.snapshots, replace(self.tariff, given=rates), self.left_out)

    def swapped(self) -> Compared:
        """Hold it the other way round."""
        return hold(tuple(reversed(self.runs)), tuple(reversed(self.snapshots)), self.tariff, self.left_out)


def compare_read(sights: Sequence[tuple[RunEntry, Sight]], tariff: CostRates) -> Compared:
    """Compare runs, the first of which is the reference: those of one group that had one plan are one side, any other run is alone.

    What has no figures is left out where it is one of a group. Raises HeartbeatError where that cannot be.
    """
    from heartbeat_core.comparison.groups import check_turn, left_out, measured, plan_key

    runs: dict[object, list[MeasuredRun]] = {}
    snapshots: dict[object, list[Snapshot]] = {}
    errors: list[HeartbeatError] = []
    turns = Counter(entry.group for entry, _ in sights if entry.group)
    for entry, sight in sights:
        try:
            if turns[entry.group] > 1:
                check_turn(entry)
            if isinstance(sight, HeartbeatError):
                raise sight
            run = measured(entry, sight.snapshot.report, sight.series)
        except HeartbeatError as error:
            if not entry.group:
                raise
            errors.append(error)
            continue
        key = (entry.group, plan_key(entry, run.report.config)) if entry.group else entry.path
        runs.setdefault(key, []).append(run)
        snapshots.setdefault(key, []).append(sight.snapshot)
    if errors and not runs:
        raise errors[0]
    if len(runs) < 2:
        rest = sum(map(len, runs.values()))
        why = "Those chosen repeat one another." if rest > 1 else f"One run alone is {'left' if errors else 'chosen'}."
        why = " ".join((why, *(f"{left_out(error)}." for error in errors)))
        raise HeartbeatError("there is nothing to compare with", why, "Mark runs that differ: space marks one.")
    return hold(tuple(map(tuple, runs.values())), tuple(map(tuple, snapshots.values())), tariff, tuple(map(left_out, errors)))


def hold(
    runs: tuple[tuple[MeasuredRun, ...], ...],
    snapshots: tuple[tuple[Snapshot, ...], ...],
    tariff: CostRates,
    left_out: tuple[str, ...],
) -> Compared:
    from heartbeat_core.comparison.compare import compare_all

    return Compared(compare_all(runs, tariff), runs, snapshots, tariff, left_out)


def pooled(runs: Sequence[MeasuredRun]) -> SampleStore:
    """Put the samples of runs that repeat one another together; past their limit only the first run's are shown."""
    from heartbeat_core.benchmark.samples import SampleStore

    if len(runs) == 1 or not all(run.steady.exact for run in runs):
        return runs[0].steady
    store = SampleStore()
    for run in runs:
        store.extend(array("q", run.steady.values()))
    return store
