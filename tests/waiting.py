"""Wait for what a test asserts: with an end, and with the name of what did not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

SHORTEST_S, LONGEST_S = 0.002, 0.05  # between two looks: short at first, for most of what is waited for comes at once


async def until(check: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Return once ``check()`` is true, while the event loop runs on; fail the test with ``what`` where it does not come."""
    deadline, pause = time.monotonic() + within_s, SHORTEST_S
    while not check():
        _fail_after(deadline, what, within_s)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_S)


def wait_until(check: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Return once ``check()`` is true; fail the test with ``what`` where it does not come."""
    deadline, pause = time.monotonic() + within_s, SHORTEST_S
    while not check():
        _fail_after(deadline, what, within_s)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_S)


def _fail_after(deadline: float, what: str, within_s: float) -> None:
    if time.monotonic() > deadline:
        pytest.fail(f"Waited {within_s:g} s in vain for: {what}")
