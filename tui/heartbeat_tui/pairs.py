"""Which runs belong beside one another. No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from heartbeat_core.recordings.entry import Entry

NEVER = datetime.min.replace(tzinfo=timezone.utc)


def usable(entry: Entry) -> bool:
    """Tell whether a run has a figure worth holding against another."""
    return entry.readable and bool(entry.median_ns) and entry.status in ("done", "stopped") and entry.verdict != "impossible"


def same_work(one: Entry, other: Entry) -> bool:
    return (one.workload, one.method, one.precision) == (other.workload, other.method, other.precision)


def kin_of(entry: Entry, entries: Iterable[Entry]) -> Entry | None:
    """Find the newest other run of the same work on the same backend, else of the same work, else any; ``entries`` are newest first."""
    others = [each for each in entries if each.path != entry.path and each.readable and each.median_ns]
    alike = [each for each in others if same_work(each, entry)]
    return next((some[0] for some in ([each for each in alike if each.where == entry.where], alike, others) if some), None)


@dataclass(frozen=True)
class Pair:
    """The latest two runs of the same work on a CPU and on torch_xla's device; one or both may be missing."""

    cpu: Entry | None = None
    xla: Entry | None = None

    @property
    def lacking(self) -> Literal["cpu", "xla"]:
        """Name what is to be made first."""
        return "cpu" if self.cpu is None else "xla"

    @property
    def there(self) -> Entry | None:
        return self.cpu or self.xla


def find_pair(entries: Sequence[Entry]) -> Pair:
    """Find the pair with the newest run on torch_xla that has a partner; a TPU goes before a rehearsal. ``entries`` are newest first."""
    worth = [entry for entry in entries if usable(entry) and entry.method != "handbook"]
    cpus, xlas = [entry for entry in worth if entry.backend == "cpu"], [entry for entry in worth if entry.backend == "xla"]
    for xla in sorted(xlas, key=lambda entry: entry.rehearsal):
        partner = next((cpu for cpu in cpus if same_work(cpu, xla)), None)
        if partner is not None:
            return Pair(partner, xla)
    if cpus:
        return Pair(cpu=cpus[0])
    return Pair(xla=xlas[0]) if xlas else Pair()


def to_compare(meant: Iterable[Entry], reference: str | None, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Give the runs to be held together: first the ``reference``, a file's name, else what a repeat was given first, else the oldest.

    Empty where it is one run alone.
    """
    found = {entry.path.name: entry for entry in meant if entry.readable}
    found.update((entry.path.name, entry) for entry in entries if entry.path.name == reference)

    def rank(entry: Entry) -> tuple[bool, bool, bool, datetime]:
        return entry.path.name != reference, not entry.reference, entry.started is None, entry.started or NEVER

    return tuple(sorted(found.values(), key=rank)) if len(found) > 1 else ()
