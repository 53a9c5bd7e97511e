"""What the Runs pane asks of the app, and what is known of the runs that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.recordings.entry import RunEntry
    from heartbeat_core.recordings.labels import Relabel


@dataclass(frozen=True)
class RunListing:
    """The recordings at one moment, the newest first; None before they have been read for the first time.

    ``progress`` is how many have been read of those to be read, ``saving`` whether new runs are kept.
    """

    entries: tuple[RunEntry, ...] | None = None
    folder: Path | None = None
    saving: bool = True
    progress: tuple[int, int] | None = None
    problem: HeartbeatError | None = None
    notes: tuple[str, ...] = ()


class RunsChanged(Message):
    """More is known of the runs; many of these are as good as the last one."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


class ReadRuns(Message):
    """Look for runs that are new, made here or by another program."""


class OfRun(Message):
    """Something about one run."""

    def __init__(self, entry: RunEntry) -> None:
        super().__init__()
        self.entry = entry


class LookAtRun(OfRun):
    """Read this run for its chart."""


class OpenRun(OfRun):
    """Show all of this run."""


class ReplayRun(OfRun):
    """Play this run again in the Heartbeat pane."""


class OfRuns(Message):
    """Something about some runs."""

    def __init__(self, entries: tuple[RunEntry, ...]) -> None:
        super().__init__()
        self.entries = entries


class OpenSweep(OfRuns):
    """Show the sweep that these runs are."""


class ExportRuns(OfRuns):
    """Write these runs to a file."""

    def __init__(self, entries: tuple[RunEntry, ...], form: str, path: Path) -> None:
        super().__init__(entries)
        self.form, self.path = form, path


class DeleteRuns(OfRuns):
    """Delete these recordings, once that has been confirmed."""


class LabelRuns(OfRuns):
    """Change what these runs are called."""

    def __init__(self, entries: tuple[RunEntry, ...], change: Relabel) -> None:
        super().__init__(entries)
        self.change = change


class CompareRuns(OfRuns):
    """Hold these runs against the first of them."""


class CompareWithLast(OfRun):
    """Hold this run against the last one that did the same work."""


class CompareDevices(Message):
    """Hold the latest run on a CPU against the latest on a TPU, or the rehearsal of one; offer to make what is missing."""
