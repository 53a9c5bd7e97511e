"""Where the index keeps what it has read: one SQLite file a folder of recordings, in the user's cache.

Nothing in it is precious. What cannot be opened, is broken or was made by another version is made anew; where another program
holds it or the disk is full, the index does without. Each trouble is said in ``notes``.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from heartbeat_core import __version__
from heartbeat_core.runs.entry import Entry

T = TypeVar("T")

PATIENCE_S = 2.0  # for another program that writes
SUFFIXES = ("", "-journal")
# Another version may summarize otherwise.
VERSION = zlib.crc32(repr((2, __version__, [field.name for field in fields(Entry)])).encode()) & 0x7FFFFFFF
TABLE = "CREATE TABLE recordings (file TEXT PRIMARY KEY, mtime_ns INT, size INT, ceiling TEXT, entry TEXT) WITHOUT ROWID"


@dataclass(frozen=True)
class Stamp:
    """What tells whether a file is still the one that was read."""

    mtime_ns: int
    size: int


@dataclass(frozen=True)
class Kept:
    """One recording as it was read. ``ceiling`` names that of this machine which its verdict rests on, and what it was."""

    stamp: Stamp
    ceiling: str
    entry: list[Any]


class Shelf:
    """Opened anew for each use, so that any thread may use it and nobody is kept waiting in between."""

    def __init__(self, cache: Path, folder: Path) -> None:
        name = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = cache / f"{name}.sqlite3"
        self.notes: list[str] = []

    def load(self) -> dict[str, Kept]:
        """Give everything kept, by file name; nothing where it cannot be had."""

        def read(database: sqlite3.Connection) -> dict[str, Kept]:
            rows = database.execute("SELECT file, mtime_ns, size, ceiling, entry FROM recordings")
            kept = rows.fetchall()
            entries = json.loads(f"[{','.join(row[4] for row in kept)}]")  # in one go: it takes half the time
            return {row[0]: Kept(Stamp(row[1], row[2]), row[3], entry) for row, entry in zip(kept, entries, strict=True)}

        return self.attempt(read, {})

    def store(self, kept: Iterable[tuple[str, Kept]], gone: Iterable[str] = ()) -> None:
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
