"""How the times of the hosts changed while they ran: one cell a host and second, or more seconds in a long run."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Sequence

from heartbeat_core.fleet.model import Fleet, HostSummary

MOST_CELLS = 240  # of a host; a longer run has longer cells
UNKNOWN = math.nan  # nothing was measured in this time


class HeatHistory:
    """Takes a fleet now and then.

    A cell is the mean time of a host in it over the median of those with its device; a longer one is the slowest of those that it joins.
    """

    def __init__(self) -> None:
        self.step_s = 1.0
        self.began_s: float | None = None
        self.cells: dict[str, array[float]] = {}
        self.before: dict[str, tuple[int, float]] = {}  # the samples of a host so far, and their sum
        self.count = 0

    def take(self, fleet: Fleet, now_s: float) -> None:
        """Note what each host did since the last call; what lies between is taken as even."""
        if self.began_s is None:
            self.began_s = now_s
            self.before = {host.id: total(host) for host in fleet.hosts}
            return
        recent = {host.id: found for host in fleet.hosts if (found := self.recent_ns(host)) is not None}
        devices = {host.device for host in fleet.hosts if host.id in recent}
        middles = {
            each: statistics.median_low(recent[host.id] for host in fleet.hosts if host.id in recent and host.device == each)
            for each in devices
        }
        count = max(self.count, math.ceil((now_s - self.began_s) / self.step_s))
        for host in fleet.hosts:
            cells = self.cells.setdefault(host.id, array("f"))
            cells.extend([UNKNOWN] * (self.count - len(cells)))
            ratio = recent[host.id] / middle if host.id in recent and (middle := middles[host.device]) else UNKNOWN
            if cells and count == self.count:
                cells[-1] = slowest((cells[-1], ratio))
            cells.extend([ratio] * (count - len(cells)))
            self.before[host.id] = total(host)
        self.count = count
        while self.count > MOST_CELLS:
            self.cells = {name: array("f", joined(cells, 2)) for name, cells in self.cells.items()}
            self.step_s, self.count = 2 * self.step_s, (self.count + 1) // 2

    def recent_ns(self, host: HostSummary) -> float | None:
        """Return the mean time of the samples that have come since the last call, None where none has."""
        n, sum_ns = total(host)
        n_before, sum_before = self.before.get(host.id, (0, 0.0))
        return (sum_ns - sum_before) / (n - n_before) if n > n_before else None

    def row(self, host: str, width: int) -> tuple[float, ...]:
        """Return the history of a host in at most ``width`` cells, the oldest first."""
        cells = self.cells.get(host, array("f"))
        return tuple(joined(cells, max(1, math.ceil(self.count / max(1, width)))))

    def cell_s(self, width: int) -> float:
        """Return how many seconds a cell is of ``row`` with this width."""
        return self.step_s * max(1, math.ceil(self.count / max(1, width)))


def total(host: HostSummary) -> tuple[int, float]:
    return (host.n, host.n * host.mean_ns) if host.mean_ns else (0, 0.0)


def joined(cells: Sequence[float], size: int) -> list[float]:
    return [slowest(cells[at : at + size]) for at in range(0, len(cells), size)]


def slowest(ratios: Sequence[float]) -> float:
    return max((ratio for ratio in ratios if not math.isnan(ratio)), default=UNKNOWN)
