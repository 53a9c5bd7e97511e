"""The recorded runs of the Runs pane: their list, the runs that were read, and what is done with them.

No Textual here. What reads or writes files is for a thread: ``read``, ``load_latest``, ``open``, ``compare``, ``export``,
``label``, ``delete``.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from heartbeat_core.benchmark.backends import host_backend, tpu_backend
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.series import Series
from heartbeat_core.cloud.gcloud_config import read_gcloud
from heartbeat_core.cloud.target import choose_target
from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.comparison.trend import Trend, like_runs, trend_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.labels import Relabel
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.settings import load_settings
from heartbeat_core.vms.pricing import cache_file, load_prices
from heartbeat_tui.benchmark.session import Snapshot, histogram_of
from heartbeat_tui.runs.compared import Compared, LoadedRun, LoadResult, compare_loaded

REMEMBERED = 12  # recordings that stay read; a run of a million samples takes some 10 MB


class RunLibrary:
    """Keeps the list and the last runs that were read; ``news`` is called from any thread when there is more to show.

    ``saving`` is whether new runs are recorded; ``open_replay`` replays a recording, and may raise HeartbeatError.
    """

    def __init__(
        self,
        open_index: Callable[[], Index],
        peak_cache: Callable[[], PeakCache],
        open_replay: Callable[[Path], Source],
        *,
        saving: bool = True,
    ) -> None:
        self.open_index, self.peak_cache, self.open_replay = open_index, peak_cache, open_replay
        self.news: Callable[[], object] = lambda: None
        self.listing = RunListing(saving=saving)
        self.lock = threading.Lock()
        self.turn = threading.Lock()  # held while the list is read, which alone changes it
        self.loading = threading.Lock()  # held while a run is read
        self.index: Index | None = None
        self.asked, self.answered = 0, 0  # how often the list was asked for, and up to which of these it was read
        self.wanted: RunEntry | None = None
        self.loaded_runs: OrderedDict[tuple[Path, int], LoadResult] = OrderedDict()

    # -- the list

    def read(self) -> None:
        """Read what is new; of the calls that wait for their turn, one reads for all."""
        with self.lock:
            self.asked += 1
            asked = self.asked
        with self.turn:
            if self.answered >= asked:
                return
            self.answered = self.asked
            try:
                if self.index is None:
                    self.index = self.open_index()
                    self.put(folder=self.index.folder)
                self.put(entries=self.index.entries(self.progressed), notes=self.index.notes, problem=None)
            except HeartbeatError as error:
                self.put(problem=error)
            finally:
                self.put(progress=None)
        self.news()

    def progressed(self, count: int, total: int) -> None:
        self.put(progress=(count, total) if total else None)
        self.news()

    def put(self, **changes: object) -> None:
        self.listing = replace(self.listing, **changes)  # type: ignore[arg-type]

    # -- single runs

    def loaded(self, entry: RunEntry) -> LoadResult | None:
        """Return what was read of a run, or why it cannot be read; None if it was not read yet, or has changed since."""
        return self.loaded_runs.get((entry.path, entry.bytes))

    def load_latest(self, entry: RunEntry) -> None:
        """Read a run; of those that are asked for meanwhile only the last is read."""
        self.wanted = entry
        with self.loading:
            if self.wanted is not entry or self.loaded(entry) is not None:
                return
            self.load(entry)
        self.news()

    def load(self, entry: RunEntry) -> LoadResult:
        key = entry.path, entry.bytes
        found = self.loaded_runs.get(key)
        if found is None:
            try:
                found = loaded_run(load(entry.path), self.peak_cache())
            except HeartbeatError as error:
                found = error
        with self.lock:
            self.loaded_runs[key] = found
            self.loaded_runs.move_to_end(key)
            while len(self.loaded_runs) > REMEMBERED:
                self.loaded_runs.popitem(last=False)
        return found

    def open(self, entry: RunEntry) -> LoadedRun:
        """Read a run; raise HeartbeatError if it cannot be read."""
        found = self.load(entry)
        if isinstance(found, HeartbeatError):
            raise found
        return found

    def compare(self, entries: Sequence[RunEntry]) -> Compared:
        """Compare runs, the first of which is the reference; raise HeartbeatError if they cannot be compared."""
        return compare_loaded([(entry, self.load(entry)) for entry in entries], known_rates())

    def trend(self, entry: RunEntry) -> Trend:
        """Read the runs like this one; raise HeartbeatError where none has figures."""
        return trend_of(like_runs(self.listing.entries or (), entry), self.peak_cache(), f"runs like {entry.title}")

    def open_sweep(self, entries: Sequence[RunEntry]) -> Snapshot:
        """Return the snapshot of a sweep; raise HeartbeatError if the runs are not a sweep."""
        from heartbeat_core.export.export import sweep_in

        assert self.index is not None
        swept = sweep_in(tuple(sorted(entries, key=lambda entry: entry.path.name, reverse=True)), self.index)
        if swept is None:
            raise HeartbeatError("these runs are not a sweep", "They differ in more than a sweep varies.", "Compare them: space, then c.")
        return replace(self.open(entries[0]).snapshot, swept=swept)

    # -- changes and files

    def export(self, entries: Sequence[RunEntry], format_: str, path: Path) -> tuple[int, tuple[str, ...]]:
        """Write runs to a new file, several of them compared; return its size and what was left out.

        Raises HeartbeatError if it cannot be written.
        """
        from heartbeat_core.export.export import export_runs, write_export

        assert self.index is not None
        whole = len({entry.group for entry in entries}) == 1 and bool(entries[0].group)
        groups: list[tuple[RunEntry, ...]] = [tuple(entries)] if whole else [(entry,) for entry in entries]
        content, left_out = export_runs(groups, format_, self.index, known_rates())
        write_export(path, content, force=False)
        return len(content), left_out

    def label(self, entry: RunEntry, change: Relabel) -> None:
        """Change the label of a run; raise HeartbeatError if it cannot be changed."""
        assert self.index is not None
        try:
            self.index.label(entry, change)
        finally:
            self.read()

    def delete(self, entries: Sequence[RunEntry]) -> None:
        """Delete recordings; raise HeartbeatError for those that cannot be deleted."""
        assert self.index is not None
        try:
            failures = self.index.delete_all(entries)
        finally:
            self.read()
        if len(failures) == 1:
            raise failures[0][1]
        if failures:
            title = f"{len(failures)} of {len(entries)} recordings could not be deleted"
            cause = "\n".join(f"{error.title}: {error.cause}" for _, error in failures)
            raise HeartbeatError(title, cause, "Check the permissions of the folder.")


def loaded_run(series: Series, peak_cache: PeakCache) -> LoadedRun:
    """Return a recording with the snapshot that a live run is shown by."""
    report = recorded_report(series, peak_cache)
    return LoadedRun(Snapshot(report, series.chart, histogram_of(series, report, nullcontext())), series)


NEVER = datetime.min.replace(tzinfo=timezone.utc)


def usable(entry: RunEntry) -> bool:
    """Return whether a run has a figure that can be compared."""
    return entry.readable and bool(entry.median_ns) and entry.status in ("done", "stopped") and entry.verdict != "impossible"


def same_work(one: RunEntry, other: RunEntry) -> bool:
    return (one.workload, one.method, one.precision) == (other.workload, other.method, other.precision)


def latest_comparable(entry: RunEntry, entries: Iterable[RunEntry]) -> RunEntry | None:
    """Return the newest other run of the same work, on the same device where there is one; ``entries`` are newest first."""
    alike = [each for each in entries if each.path != entry.path and each.readable and each.median_ns and same_work(each, entry)]
    return next((each for each in alike if each.where == entry.where), alike[0] if alike else None)


@dataclass(frozen=True)
class DevicePair:
    """The latest two runs of the same work on a CPU and on torch_xla's device; one or both may be missing."""

    cpu: RunEntry | None = None
    xla: RunEntry | None = None

    @property
    def lacking(self) -> str:
        """Return the backend to run first."""
        return (host_backend() if self.cpu is None else tpu_backend()).name

    @property
    def there(self) -> RunEntry | None:
        return self.cpu or self.xla


def find_pair(entries: Sequence[RunEntry]) -> DevicePair:
    """Return the pair with the newest run on torch_xla that has a partner, a TPU before a rehearsal; ``entries`` are newest first."""
    candidates = [entry for entry in entries if usable(entry) and entry.method != "handbook"]
    cpus, xlas = ([entry for entry in candidates if entry.backend == info.name] for info in (host_backend(), tpu_backend()))
    for xla in sorted(xlas, key=lambda entry: entry.rehearsal):
        partner = next((cpu for cpu in cpus if same_work(cpu, xla)), None)
        if partner is not None:
            return DevicePair(partner, xla)
    if cpus:
        return DevicePair(cpu=cpus[0])
    return DevicePair(xla=xlas[0]) if xlas else DevicePair()


def to_compare(chosen: Iterable[RunEntry], reference: str | None, entries: Iterable[RunEntry]) -> tuple[RunEntry, ...]:
    """Return the runs to compare: first the ``reference`` (a file name), else that of a repeat, else the oldest; none for one run."""
    found = {entry.path.name: entry for entry in chosen if entry.readable}
    found.update((entry.path.name, entry) for entry in entries if entry.path.name == reference)

    def rank(entry: RunEntry) -> tuple[bool, bool, bool, datetime]:
        return entry.path.name != reference, not entry.reference, entry.started is None, entry.started or NEVER

    return tuple(sorted(found.values(), key=rank)) if len(found) > 1 else ()


def known_rates(given: Mapping[str, float] | None = None) -> CostRates:
    """Return what is known of prices; ``given`` rates go before the price list."""

    @cache
    def region() -> str:
        return choose_target({}, environ=os.environ, gcloud=read_gcloud(), settings=load_settings()).region or ""

    return CostRates(given or {}, load_prices(cache_file()), region)


@dataclass(frozen=True)
class RunListing:
    """The recordings at one moment, the newest first; None before they have been read for the first time.

    ``progress`` is how many have been read of those to be read, ``saving`` whether new runs are kept.
    """

    entries: tuple[RunEntry, ...] | None = None
    folder: Path | None = None
    saving: bool = True
    progress: tuple[int, int] | None = None
    problem: HeartbeatError | None = None
    notes: tuple[str, ...] = ()
