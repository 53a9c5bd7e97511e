"""The stream of a run on disk: written as it comes, limited in size, and read again."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label, NewerSchema, Record, Started, StreamError, decode, encode
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.roofline import PeakCache, peaks_key, peaks_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import RunOutcome, WorkerExit, explain
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.files import OURS, SUFFIX, remove, size_of, try_lock
from heartbeat_core.recordings.labels import check_label, last_label

UNSAVED = "Free the disk, or set recordings.folder; --no-save (recordings.save = false) runs without a recording."
INCOMPLETE = "the recording is incomplete", "The worker ended without finishing; what it recorded before is whole."
DAMAGED = "The file is damaged from there on: copy it again, or choose another one."
NAMED = 5  # of the labelled recordings that had to go, listed one by one


class Recording:
    """A file being written, and locked meanwhile. A full disk ends the recording, never the run."""

    def __init__(self, path: Path, file: BinaryIO, limit_bytes: int, label: Label | None = None) -> None:
        self.path = path
        self.label = label  # written after the first line
        self.file: BinaryIO | None = file
        self.limit_bytes = limit_bytes
        self.written = 0

    @classmethod
    def create(cls, folder: Path, plan: BenchmarkConfig, limit_bytes: int, label: Label | None = None) -> Recording:
        """Open a new file; raise OSError if the folder cannot be written, HeartbeatError if the label is not valid."""
        if label:
            label = check_label(label)
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"{now}-{plan.backend}-{plan.method}-{secrets.token_hex(3)}{SUFFIX}"
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("xb", buffering=0)
        try_lock(file, wait=True)  # a program that checks whether it is held lets go in a moment
        return cls(path, file, limit_bytes, label)

    def write(self, line: bytes) -> str | None:
        """Add a line; if the disk or the cap forbids it, end the recording at the last complete line and return a note."""
        if self.file is None:
            return None
        if self.written + len(line) > self.limit_bytes:
            return self.abandon(f"it reached the cap of {mib(self.limit_bytes)} (recordings.limit_mib)")
        try:
            written = self.file.write(line)
        except OSError as error:
            return self.abandon(f"{error}. {UNSAVED}")
        self.written += written
        if written != len(line):
            return self.abandon(f"{written} of {len(line)} bytes were written")
        if self.label:
            label, self.label = self.label, None
            return self.write(encode(label))
        return None

    def abandon(self, why: str) -> str:
        """Close the file; return the note that says why."""
        if self.file:
            with contextlib.suppress(OSError):  # the note says already that this disk fails
                self.file.close()
        self.file = None
        return f"{'the recording ends early' if self.written else 'the run is not saved'}: {why}"

    def close(self) -> list[str]:
        """Close the file, remove it if it is empty, and remove the oldest recordings while all together exceed the cap."""
        notes: list[str] = []
        if self.file:
            try:
                self.file.close()
            except OSError as error:
                notes.append(f"the recording ends early: {error}")
            self.file = None
        try:
            if not self.written:
                self.path.unlink(missing_ok=True)
            removed, named = make_room(self.path.parent, self.limit_bytes, keep=self.path)
        except OSError as error:
            return [*notes, f"old recordings could not be removed: {error}"]
        if removed:
            counted = "1 old recording was" if len(removed) == 1 else f"{len(removed):,} old recordings were"
            notes.append(f"{counted} removed to stay under the cap of {mib(self.limit_bytes)}")
        if named:
            which = ", ".join(named[:NAMED]) + (", …" if len(named) > NAMED else "")
            notes.append(f"{len(named)} of them had a name, a note or tags, because no others were left: {which}")
        return notes


def make_room(folder: Path, limit_bytes: int, *, keep: Path) -> tuple[list[Path], list[str]]:
    """Remove the oldest recordings, by file name, until the rest fits; return them, and the names of those with a label.

    Those with a label go last. The one just made is not removed, nor one that a program is writing.
    """
    sizes = {path: size_of(path) for path in sorted(folder.glob(f"*{SUFFIX}")) if OURS.fullmatch(path.name)}
    excess = sum(sizes.values()) - limit_bytes
    least_wanted = labelled_last(path for path, size in sizes.items() if size and path != keep)
    removed: list[Path] = []
    named: list[str] = []
    while excess > 0 and (found := next(least_wanted, None)):
        path, called = found
        if remove(path):
            removed.append(path)
            named += [called] if called else []
        if not path.exists():  # also if another program has removed it
            excess -= sizes[path]
    return removed, named


def labelled_last(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the recordings with their names, which those without a label lack; a label is read where it is asked for."""
    labelled: list[tuple[Path, str]] = []
    for path in paths:
        if called := label_name(path):
            labelled.append((path, called))
        else:
            yield path, ""
    yield from labelled


def label_name(path: Path) -> str:
    """Return the name of a recording with a label, its file name if the label has none; empty without a label."""
    try:
        label = last_label(path)
    except OSError:
        return ""
    return label.name or (path.stem if label.note or label.tags else "")


def mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def recorded_report(series: Series, peak_cache: PeakCache) -> Report:
    """Return the report of a recorded run, with the greater of the peak that it measured itself and the one known on this machine."""
    day = series.started.time[:10] if series.started else ""
    peaks = peak_cache.load(peaks_key(series.config, series.environment))
    if series.peaks:
        peaks = peaks_of(series.peaks, day, peaks)
    return report_of(series, peaks=peaks, ending=ending_of(series), labels=(f"recorded on {day}",))


def ending_of(series: Series) -> RunOutcome:
    """Return how a recorded run ended."""
    return RunOutcome("lost", *INCOMPLETE) if series.cut_off else explain(series, WorkerExit(None))


def read_records(path: Path) -> Iterator[tuple[Record, bytes]]:
    """Read a recording record by record, up to its last complete line.

    Raises HeartbeatError if the file cannot be read, is not a recording, or has a broken line that is not its last.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    record = decode(line)
                except StreamError as error:
                    remedy = error.remedy if isinstance(error, NewerSchema) else DAMAGED
                    raise HeartbeatError(f"{path.name}, line {number}: {error.title}", error.cause, remedy) from error
                if number == 1 and not isinstance(record, Started):
                    raise HeartbeatError(f"{path.name} is not a recording", "It does not begin as a run does.", "Choose another file.")
                yield record, line
    except OSError as error:
        raise HeartbeatError(f"{path} cannot be read", os.strerror(error.errno or 0), "Check its name and permissions.") from error


def load(path: Path) -> Series:
    """Read a whole recording; raise HeartbeatError as ``read_records`` does, and for an empty file."""
    series = Series()
    for record, _line in read_records(path):
        series.apply(record)
    if series.started is None:
        raise HeartbeatError(f"{path.name} is not a recording", "It has no complete line.", "Choose another file.")
    return series
