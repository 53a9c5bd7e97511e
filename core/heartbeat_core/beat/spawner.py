"""Where workers are started from: one thread that lives as long as the program, at the niceness the program began with.

On Linux niceness belongs to a thread and a child inherits that of the thread that forked it; PR_SET_PDEATHSIG fires when
that thread ends. So the screen may give way while every worker, also the second run's, starts at full priority.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

GIVE_WAY = 5  # at 19 the screen of a 2-core machine is left 0.4 frames a second, at 5 the beat loses nothing that shows


class Spawner:
    """Run calls in its one thread; make it before the program lowers its own priority."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
        self.call(lambda: None)  # the thread starts with its first call, and takes over the niceness of that moment

    def call(self, work: Callable[[], T]) -> T:
        return self.executor.submit(work).result()

    def close(self) -> None:
        self.executor.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def give_way() -> None:
    """Lower the priority of the calling thread, where the system can do that for one thread (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    if os.getpriority(os.PRIO_PROCESS, thread) < GIVE_WAY:
        os.setpriority(os.PRIO_PROCESS, thread, GIVE_WAY)
