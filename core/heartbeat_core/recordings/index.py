"""All recordings of a folder at a glance: what was read of each stands in a cache, which is made anew from the recordings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from heartbeat_core import __version__
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.paths import expanded, write_whole
from heartbeat_core.recordings.entry import RunEntry, entry_of_row
from heartbeat_core.recordings.files import OURS, SUFFIX, remove, size_of
from heartbeat_core.recordings.labels import Relabel, relabel
from heartbeat_core.recordings.query import find_entries, find_entry

# Another version may summarize otherwise.
VERSION = zlib.crc32(repr((4, __version__, [field.name for field in fields(RunEntry)])).encode())
Stamp = tuple[int, int]  # mtime in nanoseconds and size in bytes: they tell whether a file is still the one that was read
Progress = Callable[[int, int], None]  # recordings read, of those to be read
PROGRESS_EVERY = 100


@dataclass(frozen=True)
class CachedRecording:
    """One recording as it was read; ``peaks`` are those of this machine that its verdict rests on, by name and values."""

    stamp: Stamp
    peaks: str
    entry: RunEntry

    @property
    def age(self) -> tuple[datetime, str]:
        """Return what a list is sorted by: when the run began, else when its file was written."""
        return self.entry.started or datetime.fromtimestamp(self.stamp[0] / 1e9, timezone.utc), self.entry.path.name

    def is_current(self, stamp: Stamp, peak_cache: PeakCache) -> bool:
        """Return whether what was read is still true of the file."""
        if self.stamp != stamp or self.entry.status == "running":
            return False
        return self.peaks == peaks_of(self.peaks.partition("\n")[0], peak_cache)


class IndexCache:
    """One file with what was read of a folder's recordings. It is always written whole; what is missing is read again.

    A JSON file, because it costs the least: 10,000 recordings are listed in 2.1 times the time of a bare loop that opens and
    reads their files; it is 2.7 with SQLite, and 2.6 with a summary at the end of each recording, which recordings that were
    cut off or made before would lack.
    """

    def __init__(self, caches: Path, folder: Path) -> None:
        name = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = caches / f"{name}.json"
        self.folder = folder
        self.notes: list[str] = []

    def load(self, ids: Mapping[str, str]) -> dict[str, CachedRecording]:
        """Return all that was stored, by file name; nothing if another version wrote it, or it is broken."""
        try:
            found = json.loads(self.path.read_bytes())
            if found["version"] != VERSION:
                return {}
            return {
                name: CachedRecording((mtime_ns, size), peaks, entry_of_row(row, self.folder / name, ids.get(name, "")))
                for name, mtime_ns, size, peaks, row in found["recordings"]
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.note(f"the index of the runs cannot be read: {error}")
        except (ValueError, TypeError, KeyError):
            self.note("the index of the runs was broken and is made anew")
        return {}

    def store(self, known: Mapping[str, CachedRecording]) -> None:
        """Write these recordings; if that fails, add a note with the reason."""
        rows = [[name, *each.stamp, each.peaks, each.entry.to_row()] for name, each in known.items() if each.entry.status != "running"]
        try:
            write_whole(self.path, json.dumps({"version": VERSION, "recordings": rows}))
        except OSError as error:
            self.note(f"the index of the runs cannot be written: {error}")

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class CachedPeaks(PeakCache):
    """The measured peaks of this machine as they stood when this was made: read once for many recordings."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.kept = super().read()

    def read(self) -> dict[str, Any]:
        return self.kept


class Index:
    """The recordings of one folder. Any thread may ask; ``notes`` say what is wrong with the cache, never with a recording."""

    def __init__(self, folder: Path, caches: Path, peak_cache: PeakCache) -> None:
        self.folder = folder
        self.peak_cache = peak_cache
        self.cache = IndexCache(caches, folder)
        self.lock = threading.Lock()
        self.known: dict[str, CachedRecording] | None = None  # by file name

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.cache.notes)

    def entries(self, on_progress: Progress | None = None) -> tuple[RunEntry, ...]:
        """Return every recording, the newest first, having read what is new or has changed.

        Raises HeartbeatError where the folder cannot be read. What is wrong with a recording stands in its entry.
        """
        with self.lock:
            stamps = self.scan()
            ids = short_ids(stamps)
            peak_cache = CachedPeaks(self.peak_cache.path)
            if self.known is None:
                self.known = self.cache.load(ids)
            known = self.known
            gone = [name for name in known if name not in stamps]
            for name in gone:
                del known[name]
            unread = [name for name, stamp in stamps.items() if name not in known or not known[name].is_current(stamp, peak_cache)]
            try:
                self.read(unread, stamps, peak_cache, on_progress)
            finally:  # what was read before an interrupt is not read again
                if gone or any(name in known and known[name].entry.status != "running" for name in unread):
                    self.cache.store(known)
            for name, cached in known.items():
                if cached.entry.id != ids[name]:
                    known[name] = replace(cached, entry=replace(cached.entry, id=ids[name]))
            return tuple(cached.entry for cached in sorted(known.values(), key=lambda cached: cached.age, reverse=True))

    def scan(self) -> dict[str, Stamp]:
        """Look at every file; there is none where the folder is missing."""
        found: dict[str, Stamp] = {}
        try:
            with os.scandir(self.folder) as files:
                for file in files:
                    if file.name.endswith(SUFFIX) and file.is_file():
                        with contextlib.suppress(FileNotFoundError):  # removed just now
                            status = file.stat()
                            found[file.name] = status.st_mtime_ns, status.st_size
        except FileNotFoundError:
            return {}
        except OSError as error:
            cause, remedy = os.strerror(error.errno or 0), "Correct its permissions, or set recordings.folder."
            raise HeartbeatError(f"{self.folder} cannot be read", cause, remedy, exit_code=3) from error
        return found

    def read(self, names: Sequence[str], stamps: Mapping[str, Stamp], peak_cache: PeakCache, on_progress: Progress | None) -> None:
        if not names:
            return
        from heartbeat_core.recordings.summary import summarize_recording

        assert self.known is not None
        for count, name in enumerate(names, 1):
            entry, peaks_key = summarize_recording(self.folder / name, stamps[name][1], peak_cache)
            if entry.status == "broken" and not (self.folder / name).exists():
                self.known.pop(name, None)  # another program has just deleted it
            else:
                self.known[name] = CachedRecording(stamps[name], peaks_of(peaks_key, peak_cache), entry)
            if on_progress and (count % PROGRESS_EVERY == 0 or count == len(names)):
                on_progress(count, len(names))

    def find(self, text: str) -> RunEntry:
        """Return the run that an id, the beginning of one, a name or a path means; raise HeartbeatError if none or several fit."""
        entries = self.entries()
        return self.at_path(text, entries) or find_entry(entries, text)

    def find_all(self, texts: Iterable[str]) -> tuple[RunEntry, ...]:
        """Return the runs that the texts mean, each once; a group, a folder and a query such as tag:slow mean several."""
        entries = self.entries()
        found: dict[Path, RunEntry] = {}
        for text in texts:
            file = self.at_path(text, entries)
            meant = (file,) if file else self.in_folder(text, entries) or find_entries(entries, text)
            found.update((entry.path.absolute(), entry) for entry in meant)
        return tuple(found.values())

    def in_folder(self, text: str, entries: Sequence[RunEntry]) -> tuple[RunEntry, ...]:
        """Read the recordings in the folder that a path names, wherever it is; none if the text is not the path of a folder."""
        path = expanded(text)
        if os.sep not in text or not os.path.isdir(path):  # noqa: PTH112  # that of pathlib raises for a name that is too long
            return ()
        found = tuple(entry for file in sorted(path.glob(f"*{SUFFIX}")) if (entry := self.at_path(str(file.absolute()), entries)))
        if not found:
            raise HeartbeatError(f"{path} has no recording", f"None of its files ends in {SUFFIX}.", "Name another folder, or a run.")
        return found

    def at_path(self, text: str, entries: Sequence[RunEntry]) -> RunEntry | None:
        """Read the recording that a path names, wherever it is; None if the text is not the path of a file."""
        path = expanded(text)
        if not (os.sep in text or text.endswith(SUFFIX)) or not os.path.isfile(path):  # noqa: PTH113  # as above
            return None
        if path.parent.resolve() == self.folder.resolve():
            return next((entry for entry in entries if entry.path.name == path.name), None)
        from heartbeat_core.recordings.summary import summarize_recording

        return summarize_recording(path, size_of(path), self.peak_cache)[0]

    def label(self, entry: RunEntry, change: Relabel) -> RunEntry:
        """Change the name, note, tags or group of a run; raise HeartbeatError if its recording cannot be changed."""
        label, size = relabel(entry.path, change)
        return replace(entry, name=label.name, note=label.note, tags=label.tags, group=label.group, bytes=size)

    def delete(self, entry: RunEntry) -> None:
        """Delete a recording; raise HeartbeatError if the file is none, a program is writing it, or it cannot be removed."""
        if not entry.started and entry.path.parent.resolve() != self.folder.resolve():
            raise HeartbeatError(
                f"{entry.path} is not a recording", "It does not begin as a run does.", "Delete it by hand if that is meant."
            )
        try:
            gone = remove(entry.path, patient=True)
        except OSError as error:
            cause = os.strerror(error.errno or 0)
            raise HeartbeatError(f"{entry.path} cannot be deleted", cause, "Correct the permissions of its folder.") from error
        if not gone and entry.path.exists():
            cause = "Its run is not over, here or in another program."
            raise HeartbeatError(f"{entry.title} is still being written", cause, "Delete it when the run is over.")

    def delete_all(self, entries: Iterable[RunEntry]) -> list[tuple[RunEntry, HeartbeatError]]:
        """Delete these recordings; return those that could not be deleted, and why."""
        failures: list[tuple[RunEntry, HeartbeatError]] = []
        for entry in entries:
            try:
                self.delete(entry)
            except HeartbeatError as error:
                failures.append((entry, error))
        return failures


def peaks_of(key: str, peak_cache: PeakCache) -> str:
    """Return the name of a measured peak of this machine with its value, which tells later whether it has changed."""
    return f"{key}\n{peak_cache.load(key)}" if key else ""


def short_ids(names: Iterable[str]) -> dict[str, str]:
    """Return the id of each file: the six digits at the end of a name that we gave, else, or if several share them, the whole name."""
    ends = {name: name[-len("xxxxxx.jsonl") : -len(SUFFIX)] if OURS.fullmatch(name) else name.removesuffix(SUFFIX) for name in names}
    counts = Counter(ends.values())
    return {name: sanitize_line(end if counts[end] == 1 else name.removesuffix(SUFFIX)) for name, end in ends.items()}
