"""Owns the one run that may beat at a time; a run outlives the pane that shows it.

No Textual here. ``start``, ``compare``, ``follow`` and ``close`` wait for processes and belong in a thread; the rest
returns at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from heartbeat_tui.messages import Clocks, Snapshot

if TYPE_CHECKING:
    from heartbeat_core.beat.histogram import Bin
    from heartbeat_core.beat.plan import Plan
    from heartbeat_core.beat.report import Report
    from heartbeat_core.beat.series import ChartData
    from heartbeat_core.beat.source import Source

REST = 10  # looking at a million samples takes 30 ms: never more than a tenth of the time


class Conductor:
    """Starts runs, hands out snapshots of them, and sees them to their end."""

    def __init__(self, begin: Callable[[Plan], Source], clock: Callable[[], float] = monotonic) -> None:
        self.begin, self.clock = begin, clock
        self.changing = threading.Lock()  # held while one run gives way to another
        self.run: Source | None = None
        self.coming: list[Plan] = []  # the runs to follow, for the comparison of clocks
        self.clocks: Clocks | None = None
        self.seen: tuple[int, int] | None = None
        self.not_before = 0.0

    @property
    def active(self) -> bool:
        """Tell whether a run is on its way, or another is to follow it."""
        return self.run is not None and (self.run.ending is None or bool(self.coming))

    def start(self, plan: Plan) -> None:
        """Start a run; raise HeartbeatError where it cannot start."""
        with self.changing:
            self.clocks, self.coming = None, []
            self.change(lambda: self.begin(plan))

    def compare(self, plan: Plan) -> None:
        """Start the handbook's method on this work; the honest one follows when it has ended."""
        same = replace(plan, iterations=plan.iterations or 100, duration_s=None)
        with self.changing:
            self.clocks, self.coming = Clocks(), [replace(same, method="synchronized")]
            self.change(lambda: self.begin(replace(same, method="handbook")))

    def adopt(self, open_source: Callable[[], Source]) -> None:
        """Show a run that is started elsewhere, such as a replay."""
        with self.changing:
            self.change(open_source)

    def follow(self) -> None:
        """Start the run that was to follow the one that has ended, where there is one."""
        with self.changing:
            if self.coming and self.run is not None and self.run.ending is not None:
                plan = self.coming.pop(0)
                if self.run.ending.clean:
                    self.clocks = Clocks(handbook=self.run.report())
                    self.change(lambda: self.begin(plan))

    def change(self, begin: Callable[[], Source]) -> None:
        if self.run is not None:
            self.run.close()
        self.run, self.not_before = begin(), 0.0

    @property
    def due(self) -> bool:
        """Tell whether the run that was to follow may start."""
        return bool(self.coming) and self.run is not None and self.run.ending is not None

    @property
    def settled(self) -> bool:
        """Tell whether all that there is has been seen and nothing more will come."""
        return not self.active and (self.run is None or self.seen == (id(self.run), self.run.version))

    def snapshot(self) -> Snapshot | None:
        """Return what has changed since the last call; None where nothing has, or where looking costs too much now."""
        run = self.run
        if run is None or self.clock() < self.not_before:
            return None
        seen = id(run), run.version
        if seen == self.seen:
            return None
        self.seen = seen
        report = run.report()
        if self.clocks is not None:
            which = "handbook" if report.plan.method == "handbook" else "honest"
            self.clocks = replace(self.clocks, **{which: report})
        return Snapshot(report, charts_of(run), histogram_of(run, report), self.clocks)

    def looked(self, seconds: float) -> None:
        """Rest after a look that took so long, drawing included."""
        self.not_before = self.clock() + (REST - 1) * seconds if seconds > 0.02 else 0.0

    def pause(self) -> None:
        if self.run is not None:
            self.run.pause()

    def resume(self) -> None:
        if self.run is not None:
            self.run.resume()

    def stop(self) -> None:
        """Ask the run to end; what was to follow is given up."""
        self.coming = []
        if self.run is not None:
            self.run.stop()

    def clear(self) -> None:
        """Forget a run that has ended."""
        if not self.active:
            self.run, self.clocks, self.seen = None, None, None

    def close(self) -> None:
        """End the run, by force if it does not listen, and wait until it is gone."""
        with self.changing:
            self.coming = []
            if self.run is not None:
                self.run.close()


def charts_of(run: Source) -> Callable[[int, bool], ChartData]:
    return lambda columns, steady_only: run.chart(columns, steady_only=steady_only)


def histogram_of(run: Source, report: Report) -> Callable[[int], tuple[Bin, ...]]:
    """Count the steady samples that the report was made of, and whatever has come since."""

    def bins(most: int) -> tuple[Bin, ...]:
        # NumPy takes 80 ms to import, and nothing needs it before there are samples
        from heartbeat_core.beat.histogram import histogram

        if report.statistics is None:
            return ()
        with run.changed:
            return histogram(run.series.steady, report.statistics, most, report.plan.products_per_sample)

    return bins
