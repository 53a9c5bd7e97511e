"""Ctrl-C where what was measured is worth more than a quick end."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Interrupt:
    """Take the first Ctrl-C as a wish, ``came``, to be met between two steps; a second one interrupts as ever.

    An exception in the middle of a library would leave a cursor hidden or an output redirected.
    """

    def __init__(self) -> None:
        self.came = False
        self.before = signal.getsignal(signal.SIGINT)

    def take(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True

    def __enter__(self) -> Self:
        if self.before is not signal.SIG_IGN:  # what runs in the background of a shell is not to be interrupted
            signal.signal(signal.SIGINT, self.take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self.before)
