"""Finding runs among many: by a query of words, or by what one is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from heartbeat_core.benchmark.workload import Workload
from heartbeat_core.errors import HeartbeatError, nearest
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.labels import as_typed
from heartbeat_core.units import some

FIELDS: dict[str, Callable[[RunEntry], str]] = {
    "id": lambda entry: entry.id,
    "name": lambda entry: entry.name,
    "note": lambda entry: entry.note,
    "tag": lambda entry: "\n".join(entry.tags),
    "group": lambda entry: entry.group,
    "host": lambda entry: entry.host,
    "device": lambda entry: f"{entry.where}\n{entry.device}",
    "backend": lambda entry: entry.backend,
    "shape": lambda entry: shape_texts(entry.workload) if entry.workload else "",
    "dtype": lambda entry: entry.workload.dtype if entry.workload else "",
    "method": lambda entry: entry.method,
    "precision": lambda entry: entry.precision,
    "verdict": lambda entry: entry.verdict,
    "quality": lambda entry: entry.quality,
    "status": lambda entry: entry.status,
    "started": lambda entry: entry.started.isoformat() if entry.started else "",
    "file": lambda entry: entry.path.name,
}


def shape_texts(work: Workload) -> str:
    """Return a shape in every way that people type it: "[128×4096]·[4096×16384]", "128×4096×16384", "128x4096x16384"."""
    return "\n".join((work.shape, work.brief, work.brief.replace("×", "x")))


def query_runs(entries: Iterable[RunEntry], query: str) -> tuple[RunEntry, ...]:
    """Return the runs in which every word of the query occurs, in any case; "tag:slow" looks at the tags alone.

    Raises HeartbeatError if a word names a field that does not exist.
    """
    tests = [test_of(word) for word in as_typed(query).split()]
    return tuple(entry for entry in entries if all(test(entry) for test in tests))


def test_of(word: str) -> Callable[[RunEntry], bool]:
    field, colon, value = word.partition(":")
    wanted = (value if colon else word).casefold()
    if colon and field not in FIELDS:
        raise HeartbeatError(f"runs have no {field!r}", f"They have {', '.join(FIELDS)}.", f"Try tag:{value or 'slow'}.")
    texts = [FIELDS[field]] if colon else list(FIELDS.values())
    return lambda entry: any(wanted in text(entry).casefold() for text in texts)


SHOWN = 5
LAST = "last"


def find_entries(entries: Sequence[RunEntry], text: str) -> tuple[RunEntry, ...]:
    """Return the runs of the group with this name, those that a query such as "group:nightly dtype:float32" finds, or one run.

    Raises HeartbeatError as ``find_entry`` does.
    """
    text = as_typed(text)
    group = tuple(entry for entry in entries if entry.group == text and text)
    if group or ":" not in text:
        return group or (find_entry(entries, text),)
    found = query_runs(entries, text)
    if not found:
        raise HeartbeatError(
            f"there is no run with {text!r}",
            "No recording matches all of these words.",
            "Run `heartbeat-tui runs list` to see what there is.",
        )
    return found


def find_entry(entries: Sequence[RunEntry], text: str) -> RunEntry:
    """Return the run that an id, its beginning, a name, a file or "last" means; raise HeartbeatError if none or several fit.

    An exact match comes before one of the beginning.
    """
    text = as_typed(text)
    for fits in (is_called, begins):
        found = [entry for entry in entries if fits(entry, text)] if text else []
        if len(found) == 1:
            return found[0]
        if found:
            cause = f"They are {some(map(spell_out, found), SHOWN)}."
            raise HeartbeatError(f"{len(found)} runs match {text!r}", cause, "Give more of the id.")
    if text == LAST and entries:
        return entries[0]
    names = [word for entry in entries for word in (entry.id, entry.name) if word]
    near = nearest(text, names)
    cause = f"Did you mean {near}?" if near else "No id, name, group or path of a recording matches."
    raise HeartbeatError(f"there is no run {text!r}", cause, "Run `heartbeat-tui runs list` to see what there is.")


def is_called(entry: RunEntry, text: str) -> bool:
    return text in (entry.id, entry.name, entry.path.stem, entry.path.name, str(entry.path))


def begins(entry: RunEntry, text: str) -> bool:
    return entry.id.startswith(text) or entry.path.stem.startswith(text) or entry.name.startswith(text)


def spell_out(entry: RunEntry) -> str:
    return f"{entry.id} ({entry.name})" if entry.name else entry.id
