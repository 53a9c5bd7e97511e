"""What a live run and a replay have in common: a series that grows, and its readers."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heartbeat_core.beat.ceilings import Ceiling
from heartbeat_core.beat.ending import Ending
from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.records import Record
from heartbeat_core.beat.report import Report, report_of
from heartbeat_core.beat.series import ChartData, Series


@dataclass(frozen=True)
class HostLine:
    """One host of several that beat at once, and whether it is the one whose charts are shown."""

    name: str
    report: Report
    shown: bool = False


class Source(ABC):
    """A run as its watchers see it. One thread brings it forward, any other may look or give orders.

    ``version`` rises with all news; ``ending`` stays None until the run is over; ``notes`` say what went wrong beside it.
    ``path`` is where it is recorded, None where nothing is kept.
    """

    def __init__(self, plan: Plan, labels: tuple[str, ...] = ()) -> None:
        self.plan = plan
        self.series = Series(plan=plan)
        self.labels = labels
        self.version = 0
        self.paused = self.stopping = False
        self.ending: Ending | None = None
        self.ceiling: Ceiling | None = None
        self.notes: list[str] = []
        self.path: Path | None = None
        self.changed = threading.Condition()
        self.watchers: list[Callable[[], None]] = []  # told of all news, with the lock held

    def took(self, record: Record) -> None:
        """Bring the series forward by one record."""
        with self.changed:
            self.series.apply(record)
            self.noticed(record)
            self.news()

    def noticed(self, record: Record) -> None:
        """Act on a record that means more to this source; the lock is held."""
        del record

    def over(self, ending: Ending) -> None:
        with self.changed:
            self.ending = ending
            self.news()

    def news(self) -> None:
        self.version += 1
        self.changed.notify_all()
        for watcher in self.watchers:
            watcher()

    def report(self) -> Report:
        """Draw up the report of this moment."""
        with self.changed:
            how = {"paused": self.paused, "stopping": self.stopping}
            return report_of(self.series, ceiling=self.ceiling, ending=self.ending, labels=self.labels, **how)

    def chart(self, columns: int, *, steady_only: bool = False) -> ChartData:
        """Draw up what a chart of so many columns shows."""
        with self.changed:
            return self.series.chart(columns, steady_only=steady_only)

    def shown(self) -> Source:
        """Give the run whose samples are looked at: of several at once the chosen one, else this."""
        return self

    def choose(self, index: int) -> None:
        """Show another of several at once."""
        del index

    def hosts(self) -> tuple[HostLine, ...]:
        """Give a line for each of several hosts that beat at once, none for a single run."""
        return ()

    def spread(self) -> str:
        """Say how far several hosts lie apart, nothing for a single run."""
        return ""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; tell whether it came."""
        with self.changed:
            return self.changed.wait_for(lambda: self.ending is not None, timeout_s)

    def wait_for_news(self, version: int, timeout_s: float) -> int:
        """Wait until there is more than ``version``; return the version there is."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version or self.ending is not None, timeout_s)
            return self.version

    @abstractmethod
    def pause(self) -> None: ...

    @abstractmethod
    def resume(self) -> None: ...

    @abstractmethod
    def stop(self) -> None:
        """Ask for the end; what has come stays."""

    def kill(self) -> None:
        """End it without waiting for the beat under way; what has come stays."""
        self.stop()

    @abstractmethod
    def close(self) -> None:
        """End it if it goes on, and return when it is over."""
