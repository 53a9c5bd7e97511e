"""What people call a run: read from its recording, and appended to it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from heartbeat_core.benchmark.protocol import Label, Record, Started, StreamError, decode, encode
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.files import hold_soon

LONGEST_NAME, LONGEST_NOTE, MOST_TAGS = 80, 2_000, 20
ENDS = 65_536  # bytes
RESERVED = "/,"
TAG = re.compile(r"[^\s,]{1,40}")


def check_label(label: Label) -> Label:
    """Give the label back; raise HeartbeatError where it would not fit on a line or would be taken for something else."""
    for what, text, most in (("name", label.name, LONGEST_NAME), ("note", label.note, LONGEST_NOTE), ("group", label.group, LONGEST_NAME)):
        if len(text) > most:
            raise HeartbeatError(f"the {what} has {len(text):,} characters", f"It may have {most:,}.", "Shorten it; the note holds more.")
        if not text.isprintable() and what != "note":
            raise HeartbeatError(f"the {what} {text!r} holds characters that cannot be shown", "", "Write it on one line.")
        if text != text.strip():
            raise HeartbeatError(f"the {what} {text!r} begins or ends with a space", "", "Leave the space out.")
        if what != "note" and set(text) & set(RESERVED):
            cause = "It would be taken for a path, or for several runs."
            raise HeartbeatError(f"the {what} {text!r} holds a / or a comma", cause, "Use a - in its place.")
    for tag in label.tags:
        if not TAG.fullmatch(tag) or not tag.isprintable():
            raise HeartbeatError(
                f"the tag {tag!r} cannot be one", "A tag is a word of up to 40 characters, without a comma.", "Use a - for a space."
            )
    if len(label.tags) > MOST_TAGS:
        raise HeartbeatError(f"that would be {len(label.tags)} tags", f"A run has up to {MOST_TAGS}.", "Take some away: --remove TAG.")
    return label


@dataclass(frozen=True)
class Relabel:
    """What is to change of a label; None leaves it as it is."""

    name: str | None = None
    note: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    group: str | None = None

    def applied_to(self, label: Label) -> Label:
        """Give the new label; raise HeartbeatError where it cannot be one."""
        tags = dict.fromkeys((*label.tags, *self.add_tags))
        kept = tuple(tag for tag in tags if tag not in self.remove_tags)
        name, note, group = (
            old if new is None else new for old, new in ((label.name, self.name), (label.note, self.note), (label.group, self.group))
        )
        return check_label(replace(label, name=name, note=note, tags=kept, group=group))


def relabel(path: Path, change: Relabel) -> tuple[Label, int]:
    """Append the changed label to a recording; a last line that was cut off goes first. Return the label and the size of the file.

    Raises HeartbeatError where the file is none of ours, is being written by a program, or cannot be written; it is then as it was.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            if not hold_soon(file):
                cause = "Its run goes on, here or in another program."
                raise HeartbeatError(f"{path.name} is still being written", cause, "Label it when the run is over.")
            found = look_through(path)
            changed = change.applied_to(replace(found.label, at_ns=found.at_ns))
            append(file, found, encode(changed))
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise HeartbeatError(f"{path.name} is gone", "Another program has deleted it.", "Look again: heartbeat-tui runs list.") from error
    except OSError as error:
        remedy = "Free the disk, or check the rights of the file."
        raise HeartbeatError(f"{path.name} cannot be labelled", os.strerror(error.errno or 0), remedy) from error
    return changed, size


@dataclass(frozen=True)
class LookedThrough:
    """``end`` is where the last record ends, ``closed`` whether a line feed stands there."""

    at_ns: int
    label: Label
    end: int
    closed: bool


def look_through(path: Path) -> LookedThrough:
    """Find the last label and the last record; raise HeartbeatError where the file does not begin as a run of ours."""
    at_ns, label, end, closed = 0, Label(0), 0, True
    for number, (record, line) in enumerate(lines_of(path)):
        if number == 0 and not isinstance(record, Started):
            cause = "It does not begin as a run of this version does."
            raise HeartbeatError(f"{path.name} is no recording", cause, "Choose another file.")
        if record is None and not line.endswith(b"\n"):
            break  # cut off
        end, closed = end + len(line), line.endswith(b"\n")
        at_ns = record.at_ns if record else at_ns
        label = record if isinstance(record, Label) else label
    if not end:
        raise HeartbeatError(f"{path.name} is no recording", "It holds no whole line.", "Choose another file.")
    return LookedThrough(at_ns, label, end, closed)


def last_label(path: Path) -> Label:
    """Find the last label in the places where we write it: behind the first line, or after the run. Raise OSError."""
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


def lines_of(path: Path) -> Iterator[tuple[Record | None, bytes]]:
    """Give each line with its record, None where it is broken."""
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield decode(line), line
            except StreamError:
                yield None, line


def append(file: FileIO, found: LookedThrough, line: bytes) -> None:
    """Write the line behind the last record, all of it or none; raise OSError."""
    size = os.fstat(file.fileno()).st_size
    if size > found.end:
        file.truncate(found.end)  # half a line, which nothing reads
    file.seek(found.end)
    whole = line if found.closed else b"\n" + line
    written = 0
    try:
        written = file.write(whole)
    finally:
        if written < len(whole):
            file.truncate(found.end)
    if written < len(whole):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
