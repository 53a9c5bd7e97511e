"""One config on several hosts at the same time, shown together: the base of all such runs, and a run on each over ssh."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.report import Report, State
from heartbeat_core.benchmark.run import HostLine, Order, Run, Source
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.heat import HeatHistory
from heartbeat_core.fleet.model import Fleet, HostSummary
from heartbeat_core.fleet.slow_hosts import FleetFindings, find_slow

if TYPE_CHECKING:
    from heartbeat_core.remote.hosts import Host


class FleetRun(Source):
    """The runs of several hosts; it is over when all are. All are looked at together until one is opened."""

    EVERY_S = 1.0  # between two looks at all hosts
    runs: Mapping[str, Source]  # by the id of the host, in the order of the fleet

    def __init__(self, config: BenchmarkConfig, labels: tuple[str, ...]) -> None:
        super().__init__(config, labels)
        self.chosen = 0  # the place of the host that is looked at
        self.opened: str | None = None  # the id of a host
        self.heat = HeatHistory()
        self.stale = True  # a host has begun, ended or paused since the last look at all
        self.looked: tuple[int, float, FleetFindings] | None = None  # the version, when, and what was found

    @abstractmethod
    def fleet(self) -> Fleet: ...

    def by_name(self) -> Mapping[str, Source]:
        return {host.name: run for host, run in zip(self.fleet().hosts, self.runs.values(), strict=True)}

    def shown(self) -> Source:
        return list(self.runs.values())[self.chosen]

    def choose(self, index: int) -> None:
        self.chosen = index % len(self.runs)
        with self.changed:
            self.news()

    def worst(self) -> RunOutcome:
        """Return how the run ended: as the first of its hosts that did not end well, if there is one."""
        endings = [run.ending for run in self.runs.values() if run.ending is not None]
        return next((ending for ending in endings if not ending.clean), endings[0] if endings else RunOutcome("lost"))

    def progress(self) -> tuple[str, int, int | None]:
        hosts = self.fleet().hosts
        return "measured", sum(host.over for host in hosts), len(hosts)

    def findings(self) -> FleetFindings:
        """Return all hosts, judged; looked at anew once a second at most while they run."""
        now, version = monotonic(), self.version  # the clock on the wall may be set during a run
        before = self.looked
        if before is None or (before[0] != version and (self.stale or self.ending is not None or now - before[1] >= self.EVERY_S)):
            self.stale = False
            self.looked = before = version, now, find_slow(self.fleet())
            self.heat.take(before[2].fleet, now)
        return before[2]

    @property
    def fresh(self) -> bool:
        """Return whether the findings hold all news."""
        return self.looked is not None and self.looked[0] == self.version

    def open_host(self, id_: str | None, step: int = 0) -> None:
        """Show the run of one host, or one ``step`` further in the order of the names; None: all together again."""
        ids = [host.id for host in self.findings().fleet.hosts]
        self.opened = None
        if id_ in ids:
            index = (ids.index(id_) + step) % len(ids)
            self.opened = ids[index]
            self.choose(index)
        with self.changed:
            self.news()

    def report(self) -> Report:
        return self.shown().report() if self.opened else self.report_of_all()

    def report_of_all(self) -> Report:
        """Return how far the hosts are, without figures: of those that have begun the one that has come least far counts."""
        hosts, config = self.findings().fleet.hosts, self.config
        going = [host for host in hosts if not host.over and host.count] or list(hosts)
        elapsed_s = max((host.n * host.mean_ns * config.products_per_sample / 1e9 for host in hosts if host.mean_ns), default=0.0)
        labels = dict.fromkeys(label for host in hosts for label in host.labels if not label.startswith("on "))
        return replace(
            super().report(),
            state=self.state,
            count=min((host.count for host in going), default=0),
            elapsed_s=elapsed_s,
            remaining_s=None if config.duration_s is None else max(0.0, config.duration_s - elapsed_s),
            ending=self.ending,
            labels=(*labels, *self.labels),
        )

    @property
    def state(self) -> State:
        """Return the state of the fleet: of those hosts that run the first in the order of a run."""
        if self.ending is not None:
            return "ended"
        found = {host.state for host in self.findings().fleet.hosts}
        return next((state for state in ("beating", "paused", "stopping", "finishing") if state in found), "starting")


class MultiHostRun(FleetRun):
    """A run on each of several hosts, over ssh."""

    def __init__(self, hosts: Sequence[Host], start: Callable[[Host], Run]) -> None:
        """Start a run on each; raise HeartbeatError where one cannot start, the others ended."""
        self.runs: dict[str, Run] = {}
        try:
            for host in hosts:
                self.runs[host.label] = start(host)
        except HeartbeatError:
            self.close()
            raise
        super().__init__(self.runs[hosts[0].label].config, (f"on {hosts[0].name}:all",))
        self.states: Sequence[object] = ()
        self.reports: Sequence[Report] = ()  # of the last look at all
        for run in self.runs.values():
            run.watchers.append(self.heard)
        self.heard()

    def heard(self) -> None:
        """Handle news from one of them, whose lock may be held."""
        with self.changed:
            runs = self.runs.values()
            self.notes = list(dict.fromkeys(note for run in runs for note in run.notes))  # one full disk is one note
            states = [(run.paused, run.stopping, run.ending is None, run.series.stage) for run in runs]
            self.stale, self.states = self.stale or states != self.states, states
            if self.ending is None and all(run.ending is not None for run in runs):
                self.ending = self.worst()
            self.news()

    def hosts(self) -> tuple[HostLine, ...]:
        self.findings()  # which takes the reports
        each = zip(self.runs.items(), self.reports, strict=True)
        return tuple(HostLine(name, report, run.chart, shown=self.opened == name) for (name, run), report in each)

    def fleet(self) -> Fleet:
        now, self.reports = time(), [run.report() for run in self.runs.values()]
        each = zip(self.runs.items(), self.reports, strict=True)
        hosts = (HostSummary(name, name, recording=str(run.path or "")).with_report(report, now) for (name, run), report in each)
        return Fleet(tuple(hosts), "ssh")

    def order(self, word: Order) -> None:
        for run in self.runs.values():
            run.order(word)

    def kill(self) -> None:
        for run in self.runs.values():
            run.kill()

    def close(self) -> None:
        """End all of them; each is asked before any is waited for."""
        self.stop()
        for run in self.runs.values():
            run.close()
