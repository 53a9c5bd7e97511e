"""Labels of runs (name, note, tags, group): read from the recording, and appended to it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from heartbeat_core.benchmark.protocol import Label, Record, Started, StreamError, decode, encode
from heartbeat_core.errors import HeartbeatError, without_controls
from heartbeat_core.recordings.files import lock_soon

LONGEST_NAME, LONGEST_NOTE, MOST_TAGS = 80, 2_000, 20
ENDS = 65_536  # bytes
RESERVED = "/,"
TAG = re.compile(r"[^\s,]{1,40}")


def as_typed(text: str) -> str:
    """Return a text of the command line as it was typed: a locale without UTF-8 leaves the bytes of its characters as surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text


def check_label(label: Label) -> Label:
    """Return the label as it was typed; raise HeartbeatError if it does not fit on a line, or would be taken for something else."""
    name, note, group = map(as_typed, (label.name, label.note, label.group))
    label = replace(label, name=name, note=without_controls(note), tags=tuple(map(as_typed, label.tags)), group=group)
    for what, text, most in (("name", label.name, LONGEST_NAME), ("note", label.note, LONGEST_NOTE), ("group", label.group, LONGEST_NAME)):
        if len(text) > most:
            raise HeartbeatError(f"the {what} has {len(text):,} characters", f"It may have {most:,}.", "Shorten it; the note holds more.")
        if not text.isprintable() and what != "note":
            raise HeartbeatError(
                f"the {what} {text!r} has characters that cannot be shown", "It is shown on one line.", "Write it on one line."
            )
        if text != text.strip():
            raise HeartbeatError(f"the {what} {text!r} begins or ends with a space", "A command would not find it.", "Remove the space.")
        if what != "note" and set(text) & set(RESERVED):
            cause = "It would be taken for a path, or for several runs."
            raise HeartbeatError(f"the {what} {text!r} has a / or a comma", cause, "Use a - instead.")
    for tag in label.tags:
        if not TAG.fullmatch(tag) or not tag.isprintable():
            raise HeartbeatError(
                f"{tag!r} cannot be a tag", "A tag is a word of up to 40 characters, without a comma.", "Use a - instead of a space."
            )
    if len(label.tags) > MOST_TAGS:
        raise HeartbeatError(f"that would be {len(label.tags)} tags", f"A run has up to {MOST_TAGS}.", "Remove some: --remove TAG.")
    return label


@dataclass(frozen=True)
class Relabel:
    """A change of a label; None changes nothing."""

    name: str | None = None
    note: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    group: str | None = None

    def applied_to(self, label: Label) -> Label:
        """Return the new label; raise HeartbeatError if it is not valid."""
        tags = dict.fromkeys((*label.tags, *map(as_typed, self.add_tags)))
        kept = tuple(tag for tag in tags if tag not in map(as_typed, self.remove_tags))
        name, note, group = (
            old if new is None else new for old, new in ((label.name, self.name), (label.note, self.note), (label.group, self.group))
        )
        return check_label(replace(label, name=name, note=note, tags=kept, group=group))


def relabel(path: Path, change: Relabel) -> tuple[Label, int]:
    """Append the changed label to a recording, in place of an incomplete last line. Return the label and the size of the file.

    Raises HeartbeatError if the file is not a recording, is being written, or cannot be written; it is then unchanged.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            if not lock_soon(file):
                cause = "Its run is not over, here or in another program."
                raise HeartbeatError(f"{path.name} is still being written", cause, "Label it when the run is over.")
            label, end, closed = scan_records(path)
            changed = change.applied_to(label)
            append(file, end, encode(changed) if closed else b"\n" + encode(changed))
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise HeartbeatError(f"{path.name} is gone", "Another program has deleted it.", "See heartbeat-tui runs list.") from error
    except OSError as error:
        remedy = "Free the disk, or check the permissions of the file."
        raise HeartbeatError(f"{path.name} cannot be labelled", os.strerror(error.errno or 0), remedy) from error
    return changed, size


def scan_records(path: Path) -> tuple[Label, int, bool]:
    """Return the last label, dated as the last record, where that record ends, and whether a line feed is there.

    Raises HeartbeatError if the file does not begin as a run.
    """
    at_ns, label, end, closed = 0, Label(0), 0, True
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            try:
                record: Record | None = decode(line)
            except StreamError:
                record = None  # broken
            if number == 0 and not isinstance(record, Started):
                cause = "It does not begin as a run of this version does."
                raise HeartbeatError(f"{path.name} is not a recording", cause, "Choose another file.")
            if record is None and not line.endswith(b"\n"):
                break  # incomplete
            end, closed = end + len(line), line.endswith(b"\n")
            at_ns = record.at_ns if record else at_ns
            label = record if isinstance(record, Label) else label
    if not end:
        raise HeartbeatError(f"{path.name} is not a recording", "It has no complete line.", "Choose another file.")
    return replace(label, at_ns=at_ns), end, closed


def last_label(path: Path) -> Label:
    """Return the last label, from the places where labels are written: after the first line, or after the run. Raise OSError."""
    with path.open("rb") as file:
        first = file.read(ENDS)
        file.seek(max(len(first), os.fstat(file.fileno()).st_size - ENDS))
        last = file.read(ENDS)
    for line in reversed([*first.splitlines(), *last.splitlines()]):
        if b'"label"' in line:
            with contextlib.suppress(StreamError):
                record = decode(line)
                if isinstance(record, Label):
                    return record
    return Label(0)


def append(file: FileIO, end: int, line: bytes) -> None:
    """Write a line at the end of the last record, all of it or nothing; raise OSError."""
    if os.fstat(file.fileno()).st_size > end:
        file.truncate(end)  # half a line, which nothing reads
    file.seek(end)
    written = 0
    try:
        written = file.write(line)
    finally:
        if written < len(line):
            file.truncate(end)
    if written < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
