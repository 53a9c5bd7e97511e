"""Owns the runs that are kept: their list, what has been read of single ones, and what is done with them.

No Textual here. Whatever reads or writes files belongs in a thread: ``read``, ``look_at``, ``label``, ``delete``; the rest
returns at once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heartbeat_core.benchmark.backends import host_backend, tpu_backend
from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.snapshot import Snapshot
from heartbeat_tui.runs.compared import Compared, LoadedRun, LoadResult, compare_loaded
from heartbeat_tui.runs.model import RunListing

if TYPE_CHECKING:
    from heartbeat_core.benchmark.roofline import CeilingCache
    from heartbeat_core.benchmark.run import Source
    from heartbeat_core.recordings.entry import RunEntry
    from heartbeat_core.recordings.index import Index
    from heartbeat_core.recordings.labels import Relabel
    from heartbeat_core.recordings.recording import Loaded


REMEMBERED = 12  # recordings that stay read; a run of a million samples takes some 10 MB


class OpenReplay(Protocol):
    """Plays a recording; may raise HeartbeatError."""

    def __call__(self, path: Path) -> Source: ...


class RunLibrary:
    """Keeps the list and the last runs looked at; ``news`` is called from any thread when there is more to show.

    ``saving`` tells whether new runs are kept at all.
    """

    def __init__(
        self, open_index: Callable[[], Index], ceilings: Callable[[], CeilingCache], open_replay: OpenReplay, *, saving: bool = True
    ) -> None:
        self.open_index, self.ceilings, self.open_replay, self.saving = open_index, ceilings, open_replay, saving
        self.news: Callable[[], object] = lambda: None
        self.lock = threading.Lock()
        self.idle = threading.Condition(self.lock)  # no list is being read
        self.index: Index | None = None
        self.entries: tuple[RunEntry, ...] | None = None
        self.problem: HeartbeatError | None = None
        self.read_count, self.to_read = 0, 0
        self.reading = self.read_again = False
        self.wanted: RunEntry | None = None
        self.looking = False
        self.sights: OrderedDict[tuple[Path, int], LoadResult] = OrderedDict()

    # -- the list

    def runs(self) -> RunListing:
        """Give what is known now."""
        index = self.index
        return RunListing(
            entries=self.entries,
            folder=index.folder if index else None,
            saving=self.saving,
            progress=(self.read_count, self.to_read) if self.reading and self.to_read else None,
            problem=self.problem,
            notes=index.notes if index else (),
        )

    def read(self) -> None:
        """Read what is new; where that goes on already, it is done once more afterwards, whether it failed or not.

        Return when all of it is known.
        """
        with self.lock:
            self.read_again = True
            if self.reading:
                self.idle.wait_for(lambda: not self.reading)
                return
            self.reading = True
        try:
            while self.once_more():
                try:
                    if self.index is None:
                        self.index = self.open_index()
                    self.entries = self.index.entries(self.progressed)
                    self.problem = None
                except HeartbeatError as error:
                    self.problem = error
                self.news()
        except BaseException:
            with self.lock:
                self.be_idle()  # or whoever waits would wait for ever
            raise
        self.news()

    def once_more(self) -> bool:
        """Tell whether somebody has asked meanwhile; where nobody has, the reading is over."""
        with self.lock:
            again, self.read_again = self.read_again, False
            if not again:
                self.be_idle()
            return again

    def be_idle(self) -> None:
        """Let go whoever waits for the reading to be over; the lock is held."""
        self.reading, self.to_read = False, 0
        self.idle.notify_all()

    def progressed(self, count: int, total: int) -> None:
        self.read_count, self.to_read = count, total
        self.news()

    # -- single runs

    def sight(self, entry: RunEntry) -> LoadResult | None:
        """Give what was read of a run, or why it cannot be; None where nobody has looked yet, or it has grown since."""
        return self.sights.get((entry.path, entry.bytes))

    def look_at(self, entry: RunEntry) -> None:
        """Read a run; of those asked for meanwhile only the last is read."""
        with self.lock:
            self.wanted = entry
            if self.looking:
                return
            self.looking = True
        try:
            while (each := self.next_wanted()) is not None:
                self.load(each)
                self.news()
        except BaseException:
            with self.lock:
                self.looking = False  # or no later run would ever be read
            raise

    def next_wanted(self) -> RunEntry | None:
        with self.lock:
            entry, self.wanted = self.wanted, None
            self.looking = entry is not None
            return entry

    def load(self, entry: RunEntry) -> LoadResult:
        """Read a run, unless it has been."""
        from heartbeat_core.recordings.recording import load

        key = entry.path, entry.bytes
        found = self.sights.get(key)
        if found is None:
            try:
                found = read_of(load(entry.path), self.ceilings())
            except HeartbeatError as error:
                found = error
        with self.lock:
            self.sights[key] = found
            self.sights.move_to_end(key)
            while len(self.sights) > REMEMBERED:
                self.sights.popitem(last=False)
        return found

    def open(self, entry: RunEntry) -> LoadedRun:
        """Read a run; raise HeartbeatError where it cannot be."""
        found = self.load(entry)
        if isinstance(found, HeartbeatError):
            raise found
        return found

    def compare(self, entries: Sequence[RunEntry]) -> Compared:
        """Compare runs, the first of which is the reference; raise HeartbeatError where that cannot be."""
        return compare_loaded([(entry, self.load(entry)) for entry in entries], known_tariff())

    def open_sweep(self, entries: Sequence[RunEntry]) -> Snapshot:
        """Put a sweep together again; raise HeartbeatError where the runs are none."""
        from heartbeat_core.export.export import sweep_in

        assert self.index is not None
        swept = sweep_in(tuple(sorted(entries, key=lambda entry: entry.path.name, reverse=True)), self.index)
        if swept is None:
            raise HeartbeatError(
                "these runs are no sweep", "They differ in other things than a sweep varies.", "Compare them: space, then c."
            )
        return replace(self.open(entries[0]).snapshot, swept=swept)

    # -- what is done with them

    def export(self, entries: Sequence[RunEntry], form: str, path: Path) -> tuple[int, tuple[str, ...]]:
        """Write runs to a new file, several of them compared; give its size and what was left out.

        Raises HeartbeatError where that cannot be.
        """
        from heartbeat_core.export.export import in_form, keep

        assert self.index is not None
        whole = len({entry.group for entry in entries}) == 1 and bool(entries[0].group)
        sides: list[tuple[RunEntry, ...]] = [tuple(entries)] if whole else [(entry,) for entry in entries]
        text, left_out = in_form(sides, form, self.index, known_tariff())
        keep(path, text, force=False)
        return len(text.encode()), left_out

    def label(self, entries: Sequence[RunEntry], change: Relabel) -> None:
        """Change what runs are called; raise HeartbeatError for the first that cannot be."""
        assert self.index is not None
        try:
            for entry in entries:
                self.index.label(entry, change)
        finally:
            self.read()

    def delete(self, entries: Sequence[RunEntry]) -> None:
        """Delete recordings, as many as can be; raise HeartbeatError for those that cannot."""
        assert self.index is not None
        try:
            failures = self.index.delete_all(entries)
        finally:
            self.read()
        if len(failures) == 1:
            raise failures[0][1]
        if failures:
            title = f"{len(failures)} of {len(entries)} recordings could not be deleted"
            raise HeartbeatError(title, "\n".join(f"{error.title}: {error.cause}" for _, error in failures))


def read_of(loaded: Loaded, ceilings: CeilingCache) -> LoadedRun:
    """Make of a recording what a live run is shown by."""
    from heartbeat_core.benchmark.statistics import histogram

    report, series = loaded.report(ceilings), loaded.series
    statistics = report.statistics
    snapshot = Snapshot(
        report,
        chart=lambda columns, steady_only: series.chart(columns, steady_only=steady_only),
        histogram=lambda bins: histogram(series.steady, statistics, bins, report.config.products_per_sample) if statistics else (),
    )
    return LoadedRun(snapshot, series)


NEVER = datetime.min.replace(tzinfo=timezone.utc)


def usable(entry: RunEntry) -> bool:
    """Tell whether a run has a figure worth holding against another."""
    return entry.readable and bool(entry.median_ns) and entry.status in ("done", "stopped") and entry.verdict != "impossible"


def same_work(one: RunEntry, other: RunEntry) -> bool:
    return (one.workload, one.method, one.precision) == (other.workload, other.method, other.precision)


def latest_comparable(entry: RunEntry, entries: Iterable[RunEntry]) -> RunEntry | None:
    """Find the newest other run of the same work on the same backend, else of the same work, else any; ``entries`` are newest first."""
    others = [each for each in entries if each.path != entry.path and each.readable and each.median_ns]
    alike = [each for each in others if same_work(each, entry)]
    return next((some[0] for some in ([each for each in alike if each.where == entry.where], alike, others) if some), None)


@dataclass(frozen=True)
class DevicePair:
    """The latest two runs of the same work on a CPU and on torch_xla's device; one or both may be missing."""

    cpu: RunEntry | None = None
    xla: RunEntry | None = None

    @property
    def lacking(self) -> str:
        """Name what is to be made first."""
        return (host_backend() if self.cpu is None else tpu_backend()).name

    @property
    def there(self) -> RunEntry | None:
        return self.cpu or self.xla


def find_pair(entries: Sequence[RunEntry]) -> DevicePair:
    """Find the pair with the newest run on torch_xla that has a partner; a TPU goes before a rehearsal. ``entries`` are newest first."""
    worth = [entry for entry in entries if usable(entry) and entry.method != "handbook"]
    cpus, xlas = ([entry for entry in worth if entry.backend == info.name] for info in (host_backend(), tpu_backend()))
    for xla in sorted(xlas, key=lambda entry: entry.rehearsal):
        partner = next((cpu for cpu in cpus if same_work(cpu, xla)), None)
        if partner is not None:
            return DevicePair(partner, xla)
    if cpus:
        return DevicePair(cpu=cpus[0])
    return DevicePair(xla=xlas[0]) if xlas else DevicePair()


def to_compare(meant: Iterable[RunEntry], reference: str | None, entries: Iterable[RunEntry]) -> tuple[RunEntry, ...]:
    """Give the runs to be held together: first the ``reference``, a file's name, else what a repeat was given first, else the oldest.

    Empty where it is one run alone.
    """
    found = {entry.path.name: entry for entry in meant if entry.readable}
    found.update((entry.path.name, entry) for entry in entries if entry.path.name == reference)

    def rank(entry: RunEntry) -> tuple[bool, bool, bool, datetime]:
        return entry.path.name != reference, not entry.reference, entry.started is None, entry.started or NEVER

    return tuple(sorted(found.values(), key=rank)) if len(found) > 1 else ()


def known_tariff(given: Mapping[str, float] | None = None) -> CostRates:
    """Give what is known of prices; ``given`` rates go before the list."""
    from heartbeat_core.vms.pricing import cache_file, load_prices

    return CostRates(given or {}, load_prices(cache_file()), cache(target_region))


def target_region() -> str:
    """Name the region of the target, empty where there is none."""
    from heartbeat_core.cloud.gcloud_config import read_gcloud
    from heartbeat_core.cloud.target import choose_target
    from heartbeat_core.settings import load_settings

    return choose_target({}, environ=os.environ, gcloud=read_gcloud(), settings=load_settings()).region or ""
