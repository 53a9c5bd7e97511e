"""Choosing among many runs: by words, and in an order."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from heartbeat_core.benchmark.config import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry

FIELDS: dict[str, Callable[[RunEntry], str]] = {
    "id": lambda entry: entry.id,
    "name": lambda entry: entry.name,
    "note": lambda entry: entry.note,
    "tag": lambda entry: "\n".join(entry.tags),
    "group": lambda entry: entry.group,
    "host": lambda entry: entry.host,
    "device": lambda entry: f"{entry.where}\n{entry.device}",
    "backend": lambda entry: entry.backend,
    "shape": lambda entry: shape_words(entry.workload) if entry.workload else "",
    "dtype": lambda entry: entry.workload.dtype if entry.workload else "",
    "method": lambda entry: entry.method,
    "precision": lambda entry: entry.precision,
    "verdict": lambda entry: entry.verdict,
    "status": lambda entry: entry.status,
    "started": lambda entry: entry.started.isoformat() if entry.started else "",
    "file": lambda entry: entry.path.name,
}
# What is not known comes last, whichever way it is sorted.
SORTS: dict[str, Callable[[RunEntry], Any]] = {
    "started": lambda entry: entry.started.timestamp() if entry.started else -math.inf,
    "name": lambda entry: (not entry.name, entry.name.casefold()),
    "median": lambda entry: math.inf if entry.median_ns is None else entry.median_ns,
    "flops": lambda entry: entry.flops_per_s or -math.inf,
    "size": lambda entry: entry.bytes,
    "device": lambda entry: (not entry.where, entry.where.casefold()),
}
DESCENDING = ("started", "flops", "size")


def shape_words(work: MatMul) -> str:
    """Give a shape in every way that it is typed: "[128×4096]·[4096×16384]", "128×4096×16384", "128x4096x16384"."""
    sizes = str(work.batch), str(work.hidden), str(work.intermediate)
    return "\n".join((work.shape, "×".join(sizes), "x".join(sizes)))


def sift(entries: Iterable[RunEntry], text: str) -> tuple[RunEntry, ...]:
    """Keep the runs in which every word of the text occurs somewhere, whatever its case; "tag:slow" looks at the tags alone.

    Raises HeartbeatError where a word names a field that there is not.
    """
    tests = [test_of(word) for word in text.split()]
    return tuple(entry for entry in entries if all(test(entry) for test in tests))


def test_of(word: str) -> Callable[[RunEntry], bool]:
    field, colon, value = word.partition(":")
    sought = (value if colon else word).casefold()
    if colon and field not in FIELDS:
        raise HeartbeatError(f"runs have no {field!r}", f"They have {', '.join(FIELDS)}.", f"Try tag:{value or 'slow'}.")
    looked_at = [FIELDS[field]] if colon else list(FIELDS.values())
    return lambda entry: any(sought in look(entry).casefold() for look in looked_at)


def in_order(entries: Iterable[RunEntry], sort: str, *, reverse: bool = False) -> tuple[RunEntry, ...]:
    """Sort: by time the newest first, by speed and size the greatest, else ascending; ``reverse`` turns it round."""
    if sort not in SORTS:
        raise HeartbeatError(f"runs cannot be sorted by {sort!r}", f"They can by {', '.join(SORTS)}.", "Try --sort median.")
    return tuple(sorted(entries, key=SORTS[sort], reverse=(sort in DESCENDING) != reverse))


SHOWN = 5
LAST = "last"


def find_entries(entries: Sequence[RunEntry], text: str) -> tuple[RunEntry, ...]:
    """Find the runs of the group so called, those that "group:nightly dtype:float32" sifts, or the one run that is meant.

    Raises HeartbeatError as ``find_entry`` does.
    """
    group = tuple(entry for entry in entries if entry.group == text and text)
    if group or ":" not in text:
        return group or (find_entry(entries, text),)
    found = sift(entries, text)
    if not found:
        raise HeartbeatError(f"there is no run with {text!r}", "", "Run `heartbeat-tui runs list` to see what there is.")
    return found


def find_entry(entries: Sequence[RunEntry], text: str) -> RunEntry:
    """Find the run that an id, its beginning, a name, a file or "last" means; raise HeartbeatError where none or several fit.

    What fits exactly comes before what only begins so.
    """
    for fits in (is_called, begins):
        found = [entry for entry in entries if fits(entry, text)] if text else []
        if len(found) == 1:
            return found[0]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            cause = f"They are {', '.join(spell_out(entry) for entry in found[:SHOWN])}{more}."
            raise HeartbeatError(f"{len(found)} runs go by {text!r}", cause, "Give more of the id.")
    if text == LAST and entries:
        return entries[0]
    names = [word for entry in entries for word in (entry.id, entry.name) if word]
    near = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    cause = f"Did you mean {near[0]}?" if near else ""
    raise HeartbeatError(f"there is no run {text!r}", cause, "Run `heartbeat-tui runs list` to see what there is.")


def is_called(entry: RunEntry, text: str) -> bool:
    return text in (entry.id, entry.name, entry.path.stem, entry.path.name, str(entry.path))


def begins(entry: RunEntry, text: str) -> bool:
    return entry.id.startswith(text) or entry.path.stem.startswith(text) or entry.name.startswith(text)


def spell_out(entry: RunEntry) -> str:
    return f"{entry.id} ({entry.name})" if entry.name else entry.id
