"""Choosing among many runs: by words, and in an order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from heartbeat_core.benchmark.config import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.entry import Entry

FIELDS: dict[str, Callable[[Entry], str]] = {
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
SORTS: dict[str, Callable[[Entry], Any]] = {
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


def sift(entries: Iterable[Entry], text: str) -> tuple[Entry, ...]:
    """Keep the runs in which every word of the text occurs somewhere, whatever its case; "tag:slow" looks at the tags alone.

    Raises HeartbeatError where a word names a field that there is not.
    """
    tests = [test_of(word) for word in text.split()]
    return tuple(entry for entry in entries if all(test(entry) for test in tests))


def test_of(word: str) -> Callable[[Entry], bool]:
    field, colon, value = word.partition(":")
    sought = (value if colon else word).casefold()
    if colon and field not in FIELDS:
        raise HeartbeatError(f"runs have no {field!r}", f"They have {', '.join(FIELDS)}.", f"Try tag:{value or 'slow'}.")
    looked_at = [FIELDS[field]] if colon else list(FIELDS.values())
    return lambda entry: any(sought in look(entry).casefold() for look in looked_at)


def in_order(entries: Iterable[Entry], sort: str, *, reverse: bool = False) -> tuple[Entry, ...]:
    """Sort: by time the newest first, by speed and size the greatest, else ascending; ``reverse`` turns it round."""
    if sort not in SORTS:
        raise HeartbeatError(f"runs cannot be sorted by {sort!r}", f"They can by {', '.join(SORTS)}.", "Try --sort median.")
    return tuple(sorted(entries, key=SORTS[sort], reverse=(sort in DESCENDING) != reverse))
