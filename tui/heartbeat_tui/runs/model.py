"""The recordings at one moment, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.recordings.entry import RunEntry


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
