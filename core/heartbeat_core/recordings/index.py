"""Every recording of a folder at a glance: what was read of each is kept in a cache, which rebuilds itself from the recordings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from heartbeat_core import __version__
from heartbeat_core.benchmark.roofline import CeilingCache
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry, entry_of_row
from heartbeat_core.recordings.files import OURS, SUFFIX, remove
from heartbeat_core.recordings.labels import Relabel, relabel
from heartbeat_core.recordings.query import find_entries, find_entry

T = TypeVar("T")

PATIENCE_S = 2.0  # for another program that writes
SUFFIXES = ("", "-journal")
# Another version may summarize otherwise.
VERSION = zlib.crc32(repr((2, __version__, [field.name for field in fields(RunEntry)])).encode()) & 0x7FFFFFFF
TABLE = "CREATE TABLE recordings (file TEXT PRIMARY KEY, mtime_ns INT, size INT, ceiling TEXT, entry TEXT) WITHOUT ROWID"


@dataclass(frozen=True)
class Stamp:
    """What tells whether a file is still the one that was read."""

    mtime_ns: int
    size: int


@dataclass(frozen=True)
class CachedRecording:
    """One recording as it was read. ``ceiling`` names that of this machine which its verdict rests on, and what it was."""

    stamp: Stamp
    ceiling: str
    entry: list[Any]


class IndexCache:
    """Opened anew for each use, so that any thread may use it and nobody is kept waiting in between."""

    def __init__(self, cache: Path, folder: Path) -> None:
        name = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = cache / f"{name}.sqlite3"
        self.notes: list[str] = []

    def load(self) -> dict[str, CachedRecording]:
        """Give everything kept, by file name; nothing where it cannot be had."""

        def read(database: sqlite3.Connection) -> dict[str, CachedRecording]:
            rows = database.execute("SELECT file, mtime_ns, size, ceiling, entry FROM recordings")
            kept = rows.fetchall()
            entries = json.loads(f"[{','.join(row[4] for row in kept)}]")  # in one go: it takes half the time
            return {row[0]: CachedRecording(Stamp(row[1], row[2]), row[3], entry) for row, entry in zip(kept, entries, strict=True)}

        return self.attempt(read, {})

    def store(self, kept: Iterable[tuple[str, CachedRecording]], gone: Iterable[str] = ()) -> None:
        """Keep these recordings, and forget those that are gone."""
        rows = [(file, one.stamp.mtime_ns, one.stamp.size, one.ceiling, json.dumps(one.entry)) for file, one in kept]
        names = [(file,) for file in gone]

        def write(database: sqlite3.Connection) -> None:
            with database:  # one transaction
                database.executemany("INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?)", rows)
                database.executemany("DELETE FROM recordings WHERE file = ?", names)

        if rows or names:
            self.attempt(write, None)

    def attempt(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do the work on the open file, on a new one where it is broken, else give ``otherwise`` and say why."""
        for last in (False, True):
            try:
                with closing(self.connect()) as database:
                    return work(database)
            except (sqlite3.Error, OSError, ValueError, TypeError) as error:
                if "locked" in str(error):
                    self.say("another program holds the index of the runs: done without it")
                    return otherwise
                if last or not self.discard():
                    self.say(f"the index of the runs cannot be kept: {error}")
                    return otherwise
                self.say(f"the index of the runs was broken and is made anew: {error}")
        return otherwise

    def connect(self) -> sqlite3.Connection:
        """Open the file, empty where another version made it; raise sqlite3.Error or OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # No WAL: going over to it, SQLite tells programs that do so at once "locked" without a wait.
        database = sqlite3.connect(self.path, timeout=PATIENCE_S)
        try:
            database.execute("PRAGMA synchronous = NORMAL")
            if database.execute("PRAGMA user_version").fetchone() != (VERSION,):
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("DROP TABLE IF EXISTS recordings")
                    database.execute(TABLE)
                    database.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            database.close()
            raise
        return database

    def discard(self) -> bool:
        """Remove the file; tell whether it is gone."""
        try:
            for suffix in SUFFIXES:
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


Progress = Callable[[int, int], None]  # recordings read, of those to be read
BATCH = 500  # recordings between two writes: what was read before a kill is not read again


class CachedPeaks(CeilingCache):
    """The ceilings of this machine as they stood when this was made: read once for many recordings."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.kept = super().read()

    def read(self) -> dict[str, Any]:
        return self.kept


@dataclass(frozen=True)
class Known:
    """One recording as it was read; ``ceiling`` is that of this machine which its verdict rests on, by name and value."""

    stamp: Stamp
    ceiling: str
    entry: RunEntry


class Index:
    """The recordings of one folder. Any thread may ask; ``notes`` say what went wrong with the cache, never with a recording."""

    def __init__(self, folder: Path, cache: Path, ceilings: CeilingCache) -> None:
        self.folder = folder
        self.ceilings = ceilings
        self.shelf = IndexCache(cache, folder)
        self.lock = threading.Lock()
        self.known: dict[str, Known] | None = None  # by file name

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.shelf.notes)

    def entries(self, on_progress: Progress | None = None) -> tuple[RunEntry, ...]:
        """List every recording, the newest first, having read what is new or has changed.

        Raises HeartbeatError where the folder cannot be read. What is wrong with a recording stands in its entry.
        """
        with self.lock:
            stamps = self.scan()
            ids = short_ids(stamps)
            ceilings = CachedPeaks(self.ceilings.path)
            known = self.load(ids) if self.known is None else self.known
            gone = [name for name in known if name not in stamps]
            for name in gone:
                del known[name]
            self.shelf.store((), gone)
            self.known = known
            self.read([name for name in stamps if not stands(known.get(name), stamps[name], ceilings)], stamps, ceilings, on_progress)
            for name, kept in known.items():
                if kept.entry.id != ids[name]:
                    known[name] = replace(kept, entry=replace(kept.entry, id=ids[name]))
            return tuple(kept.entry for kept in sorted(known.values(), key=age, reverse=True))

    def scan(self) -> dict[str, Stamp]:
        """Look at every file; there is none where the folder is missing."""
        found: dict[str, Stamp] = {}
        try:
            with os.scandir(self.folder) as files:
                for file in files:
                    if file.name.endswith(SUFFIX) and file.is_file():
                        with contextlib.suppress(FileNotFoundError):  # removed just now
                            status = file.stat()
                            found[file.name] = Stamp(status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            return {}
        except OSError as error:
            cause, remedy = os.strerror(error.errno or 0), "Mend its rights, or set recordings.folder."
            raise HeartbeatError(f"{self.folder} cannot be read", cause, remedy, exit_code=3) from error
        return found

    def load(self, ids: dict[str, str]) -> dict[str, Known]:
        """Take from the cache what it has of these recordings."""
        found: dict[str, Known] = {}
        for name, kept in self.shelf.load().items():
            with contextlib.suppress(TypeError, ValueError):  # not written by this version: read anew
                found[name] = Known(kept.stamp, kept.ceiling, entry_of_row(kept.entry, self.folder / name, ids.get(name, "")))
        return found

    def read(self, names: list[str], stamps: dict[str, Stamp], ceilings: CeilingCache, on_progress: Progress | None) -> None:
        """Read these recordings and keep what they say."""
        if not names:
            return
        from heartbeat_core.recordings.summary import summarize_recording

        assert self.known is not None
        batch: list[tuple[str, CachedRecording]] = []
        for count, name in enumerate(names, 1):
            summary = summarize_recording(self.folder / name, stamps[name].size, ceilings)
            if summary.entry.status == "broken" and not (self.folder / name).exists():
                self.known.pop(name, None)  # another program has just deleted it
            else:
                ceiling = ceiling_of(summary.ceiling_key, ceilings)
                self.known[name] = Known(stamps[name], ceiling, summary.entry)
                batch.append((name, CachedRecording(stamps[name], ceiling, summary.entry.to_row())))
            if len(batch) == BATCH or count == len(names):
                self.shelf.store(batch)
                batch = []
                if on_progress:
                    on_progress(count, len(names))

    def find(self, text: str) -> RunEntry:
        """Find the one run that an id, the beginning of one, a name or a path means; raise HeartbeatError where none or several fit."""
        entries = self.entries()
        return self.at(text, entries) or find_entry(entries, text)

    def find_all(self, texts: Iterable[str]) -> tuple[RunEntry, ...]:
        """Find what each text means, a group's name a folder or words to sift by meaning all those runs; none twice."""
        entries = self.entries()
        found: dict[Path, RunEntry] = {}
        for text in texts:
            here = self.at(text, entries)
            meant = (here,) if here else self.inside(text, entries) or find_entries(entries, text)
            found.update((entry.path.absolute(), entry) for entry in meant)
        return tuple(found.values())

    def inside(self, text: str, entries: Sequence[RunEntry]) -> tuple[RunEntry, ...]:
        """Read the recordings in the folder that a path names, wherever it lies; none where the text is no path of a folder."""
        path = Path(text).expanduser()
        if os.sep not in text or not path.is_dir():
            return ()
        found = tuple(entry for file in sorted(path.glob(f"*{SUFFIX}")) if (entry := self.at(str(file.absolute()), entries)))
        if not found:
            raise HeartbeatError(f"{path} holds no recording", f"None of its files ends in {SUFFIX}.", "Name another folder, or a run.")
        return found

    def at(self, text: str, entries: Sequence[RunEntry]) -> RunEntry | None:
        """Read the recording that a path names, wherever it lies; None where the text is no path of a file."""
        path = Path(text).expanduser()
        if not (os.sep in text or text.endswith(SUFFIX)) or not path.is_file():
            return None
        if path.parent.resolve() == self.folder.resolve():
            return next((entry for entry in entries if entry.path.name == path.name), None)
        from heartbeat_core.recordings.summary import summarize_recording

        try:
            size = path.stat().st_size
        except OSError as error:
            raise HeartbeatError(f"{path} cannot be read", os.strerror(error.errno or 0), "Check its name and rights.") from error
        return summarize_recording(path, size, self.ceilings).entry

    def label(self, entry: RunEntry, change: Relabel) -> RunEntry:
        """Change what a run is called; raise HeartbeatError where its recording cannot take that."""
        label, size = relabel(entry.path, change)
        return replace(entry, name=label.name, note=label.note, tags=label.tags, group=label.group, bytes=size)

    def delete(self, entry: RunEntry) -> None:
        """Remove a recording for good; raise HeartbeatError where it is none, a program is writing it, or it cannot be removed."""
        if not entry.started and entry.path.parent.resolve() != self.folder.resolve():
            raise HeartbeatError(
                f"{entry.path} is no recording", "It does not begin as a run does.", "Delete it by hand, if that is meant."
            )
        try:
            gone = remove(entry.path, patient=True)
        except OSError as error:
            cause = os.strerror(error.errno or 0)
            raise HeartbeatError(f"{entry.path} cannot be deleted", cause, "Mend the rights of its folder.") from error
        if not gone and entry.path.exists():
            cause = "Its run goes on, here or in another program."
            raise HeartbeatError(f"{entry.title} is still being written", cause, "Delete it when the run is over.")

    def delete_all(self, entries: Iterable[RunEntry]) -> list[tuple[RunEntry, HeartbeatError]]:
        """Remove as many of these as can be; give those that stay, and why."""
        failures: list[tuple[RunEntry, HeartbeatError]] = []
        for entry in entries:
            try:
                self.delete(entry)
            except HeartbeatError as error:
                failures.append((entry, error))
        return failures


def stands(kept: Known | None, stamp: Stamp, ceilings: CeilingCache) -> bool:
    """Tell whether what was read of a recording is still true."""
    if kept is None or kept.stamp != stamp or kept.entry.status == "running":
        return False
    key = kept.ceiling.partition("\n")[0]
    return kept.ceiling == ceiling_of(key, ceilings)


def ceiling_of(key: str, ceilings: CeilingCache) -> str:
    """Name a ceiling of this machine with its value, to see later whether it has changed."""
    return f"{key}\n{ceilings.load(key)}" if key else ""


def short_ids(names: Iterable[str]) -> dict[str, str]:
    """Give each file its id: the six digits that end the names we gave, the whole name where those are shared or it is none of ours."""
    ends = {name: name[-len("xxxxxx.jsonl") : -len(SUFFIX)] if OURS.fullmatch(name) else name.removesuffix(SUFFIX) for name in names}
    counts = Counter(ends.values())
    return {name: end if counts[end] == 1 else name.removesuffix(SUFFIX) for name, end in ends.items()}


def age(kept: Known) -> tuple[datetime, str]:
    """Give what a list is sorted by: when the run began, else when its file was written."""
    written = datetime.fromtimestamp(kept.stamp.mtime_ns / 1e9, timezone.utc)
    return kept.entry.started or written, kept.entry.path.name
