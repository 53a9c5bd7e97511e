"""Finding the run that somebody means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.entry import Entry
from heartbeat_core.runs.sift import sift

SHOWN = 5
LAST = "last"


def find_entries(entries: Sequence[Entry], text: str) -> tuple[Entry, ...]:
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


def find_entry(entries: Sequence[Entry], text: str) -> Entry:
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


def is_called(entry: Entry, text: str) -> bool:
    return text in (entry.id, entry.name, entry.path.stem, entry.path.name, str(entry.path))


def begins(entry: Entry, text: str) -> bool:
    return entry.id.startswith(text) or entry.path.stem.startswith(text) or entry.name.startswith(text)


def spell_out(entry: Entry) -> str:
    return f"{entry.id} ({entry.name})" if entry.name else entry.id
