"""Compared runs: their comparisons, what their charts are drawn from, and the comparison as text. No Textual here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.series import Series
from heartbeat_core.columns import aligned
from heartbeat_core.comparison.compare import Comparison, compare_all, figures_of
from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.comparison.groups import MeasuredRun, RunGroup, check_turn, group_table, left_out, measured
from heartbeat_core.comparison.trend import Trend
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.units import format_interval, format_ns, plural

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.session import Snapshot


@dataclass(frozen=True)
class LoadedRun:
    """A recording that has been read: what it is shown by, and its samples."""

    snapshot: Snapshot
    series: Series


LoadResult = LoadedRun | HeartbeatError


@dataclass(frozen=True)
class Compared:
    """Comparisons of each candidate with one reference; the runs of each group and their snapshots, the reference's first.

    ``left_out`` names the runs of a group that are left out, and why.
    """

    comparisons: tuple[Comparison, ...]
    runs: tuple[tuple[MeasuredRun, ...], ...]
    snapshots: tuple[tuple[Snapshot, ...], ...]
    rates: CostRates
    left_out: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return all warnings, each once; they may begin with a name, which keeps its case."""
        found = [*(warning for comparison in self.comparisons for warning in comparison.warnings), *self.left_out]
        return tuple(dict.fromkeys(f"{warning.rstrip('.')}." for warning in found))

    @property
    def groups(self) -> tuple[RunGroup, ...]:
        return figures_of(self.comparisons)

    def at(self, rates: Mapping[str, float]) -> Compared:
        """Return the comparison with costs at these rates, US dollars an hour by device; others are from the price list."""
        known = replace(self.rates, given=rates)
        return replace(self, comparisons=compare_all(self.runs, known), rates=known)

    def swapped(self) -> Compared:
        """Return the comparison with reference and candidate exchanged."""
        runs = self.runs[::-1]
        return replace(self, comparisons=compare_all(runs, self.rates), runs=runs, snapshots=self.snapshots[::-1])


def compare_loaded(results: Sequence[tuple[RunEntry, LoadResult]], rates: CostRates) -> Compared:
    """Compare runs, the first of which is the reference. Runs of one group with one config are compared together.

    A run without figures is left out if it is one of a group. Raises HeartbeatError if nothing can be compared.
    """
    found: dict[object, list[tuple[MeasuredRun, Snapshot]]] = {}
    errors: list[HeartbeatError] = []
    turns = Counter(entry.group for entry, _ in results if entry.group)
    for entry, result in results:
        try:
            if turns[entry.group] > 1:
                check_turn(entry)
            if isinstance(result, HeartbeatError):
                raise result
            run = measured(entry, result.snapshot.report, result.series)
        except HeartbeatError as error:
            if not entry.group:
                raise
            errors.append(error)
            continue
        key = (entry.group, run.plan_key) if entry.group else entry.path
        found.setdefault(key, []).append((run, result.snapshot))
    if errors and not found:
        raise errors[0]
    if len(found) < 2:
        rest = sum(map(len, found.values()))
        why = "The chosen runs repeat one another." if rest > 1 else f"Only one run is {'left' if errors else 'chosen'}."
        why = " ".join((why, *(f"{left_out(error)}." for error in errors)))
        raise HeartbeatError("there is nothing to compare with", why, "Mark runs that differ: space marks one.")
    runs = tuple(tuple(run for run, _ in group) for group in found.values())
    snapshots = tuple(tuple(snapshot for _, snapshot in group) for group in found.values())
    return Compared(compare_all(runs, rates), runs, snapshots, rates, tuple(map(left_out, errors)))


def comparison_lines(comparisons: Sequence[Comparison], left_out: Sequence[str] = (), *, verdict: bool = True) -> Iterator[str]:
    """Return all groups column by column, then each comparison in words; for the commands and the clipboard."""
    yield from aligned(group_table(figures_of(comparisons)))
    warned: set[str] = set()
    for comparison in comparisons:
        yield ""
        if verdict:
            yield f"{comparison.sentence}."
        if comparison.why:
            yield f"Why: {comparison.why}."
        yield from (f"differs: {difference.sentence}" for difference in comparison.differences if not difference.work)
        yield from (f"warning: {warning}" for warning in comparison.warnings if warning not in warned)
        warned |= set(comparison.warnings)
    yield from (f"warning: {line}" for line in left_out)
    if len(comparisons) > 3:
        yield f"\nOf {len(comparisons)} comparisons about one in twenty shows a difference by chance alone."


def trend_lines(trend: Trend) -> Iterator[tuple[str, str]]:
    """Return the points of a trend as a table, the oldest first, each with the style of its line; then what was left out."""
    rows = [("STARTED", "RUN", "MEDIAN", "95 % CI", "RUNS", "CHANGE")]
    for point in trend.points:
        figures = point.figures
        glyph = "" if not point.change else "?" if not point.certain else "✗" if point.change == "slower" else "✓"
        started = f"{point.started:%Y-%m-%d %H:%M}" if point.started else "unknown"
        interval, processes = format_interval(figures.low_ns, figures.high_ns), str(figures.processes)
        rows.append((started, figures.title, format_ns(figures.ns), interval, processes, f"{glyph} {point.sentence}".strip()))
    styles = {"CHANGE": "quiet", "?": "attention", "✗": "failed", "✓": "ok"}
    for line, row in zip(aligned(rows, left=(0, 1, 5)), rows, strict=True):
        yield line, styles.get(row[5].partition(" ")[0], "plain")
    changes = sum(bool(point.change) for point in trend.points)
    yield "", "plain"
    share = f"{100 * trend.allowed:g} %"
    counted = plural(changes, "change") if changes else "No changes"
    yield f"{counted} of more than {share} in {plural(len(trend.points), 'run')}.", "strong"
    yield from ((line, "attention") for line in trend.left_out)
