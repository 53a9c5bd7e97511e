"""Who writes a recording: whoever holds its lock, for as long as the file is open. The lock goes with the process that has it."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

TRIES, PAUSE_S = 25, 0.02


def hold(file: IO[bytes], *, wait: bool = False) -> bool:
    """Take the file for ourselves until it is closed; tell whether nobody else has it. True too where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def hold_soon(file: IO[bytes]) -> bool:
    """Take the file for ourselves; another program that labels or reads it lets go in a moment, one that records it does not."""
    for _ in range(TRIES):
        if hold(file):
            return True
        time.sleep(PAUSE_S)
    return hold(file)


def is_held(path: Path) -> bool:
    """Tell whether a program is writing this file; raise OSError where it cannot be read."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
