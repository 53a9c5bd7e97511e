"""Ctrl-C where what was measured is worth more than a quick end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Interrupt:
    """Take the first Ctrl-C as a wish, ``came``, to be met between two steps; a second one interrupts as ever.

    An exception in the middle of a library would leave a cursor hidden or an output redirected. ``first`` is called at the wish,
    in a thread: it may cut short what is waited for between two steps.
    """

    def __init__(self, first: Callable[[], object] = lambda: None) -> None:
        self.first = first
        self.came = False
        self.before = signal.getsignal(signal.SIGINT)

    def take(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        threading.Thread(target=self.first, daemon=True).start()  # the main thread may hold whatever lock it needs

    def __enter__(self) -> Self:
        if self.before is not signal.SIG_IGN:  # what runs in the background of a shell is not to be interrupted
            signal.signal(signal.SIGINT, self.take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self.before)
