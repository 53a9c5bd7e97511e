"""Wait for what a test asserts: with an end, and with the name of what did not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import pytest

P = ParamSpec("P")

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


def within_a_second(test: Callable[P, None]) -> Callable[P, None]:
    """Fail ``test`` where it takes more than a second of this processor twice: a busy machine, or a first import, counts for nothing."""

    @wraps(test)
    def timed(*args: P.args, **kwargs: P.kwargs) -> None:
        began = time.process_time()
        test(*args, **kwargs)
        if time.process_time() - began > 1:
            began = time.process_time()
            test(*args, **kwargs)
            assert time.process_time() - began <= 1, "It took more than a second."

    return timed
