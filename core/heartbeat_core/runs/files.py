"""The files of recordings: what they are called, and how they go."""

from __future__ import annotations

import re
from pathlib import Path

from heartbeat_core.runs.lock import hold, hold_soon

SUFFIX = ".jsonl"
# The folder may hold other files, and those are never removed.
OURS = re.compile(r"\d{8}T\d{6}Z-[a-z]+-[a-z]+-[0-9a-f]{6}\.jsonl")


def size_of(path: Path) -> int:
    """Give the bytes of a file, 0 where another program has just removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def remove(path: Path, *, patient: bool = False) -> bool:
    """Remove a recording unless a program is writing it; tell whether it is gone by our hand. Raise OSError where it cannot be.

    ``patient``: wait for one that has it but for a moment, to read or to label it.
    """
    try:
        with path.open("rb") as file:
            if not (hold_soon if patient else hold)(file):
                return False
            path.unlink()
    except FileNotFoundError:
        return False
    return True
