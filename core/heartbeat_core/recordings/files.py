"""The files of recordings: their names, their locks, and their removal."""

from __future__ import annotations

import fcntl
import re
import time
from pathlib import Path
from typing import IO

TRIES, PAUSE_S = 25, 0.02


def try_lock(file: IO[bytes], *, wait: bool = False, shared: bool = False) -> bool:
    """Lock the file until it is closed; return whether that was possible. True also on a file system without locks."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def lock_soon(file: IO[bytes]) -> bool:
    """Lock the file; a program that labels or reads it holds it for a moment only, one that records it does not let go."""
    for _ in range(TRIES):
        if try_lock(file):
            return True
        time.sleep(PAUSE_S)
    return try_lock(file)


def is_locked(path: Path) -> bool:
    """Return whether a program is writing this file; raise OSError if it cannot be read."""
    with path.open("rb") as file:
        return not try_lock(file, shared=True)


SUFFIX = ".jsonl"
# The folder may have other files, and those are never removed.
OURS = re.compile(r"\d{8}T\d{6}Z-[a-z]+-[a-z]+-[0-9a-f]{6}\.jsonl")


def size_of(path: Path) -> int:
    """Return the size of a file, 0 if another program has just removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def remove(path: Path, *, patient: bool = False) -> bool:
    """Remove a recording unless a program is writing it; return whether this call removed it. Raise OSError if it cannot be removed.

    ``patient``: wait for a program that holds it for a moment, to read or to label it.
    """
    try:
        with path.open("rb") as file:
            if not (lock_soon if patient else try_lock)(file):
                return False
            path.unlink()
    except FileNotFoundError:
        return False
    return True
