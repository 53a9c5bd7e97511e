"""What commands say beside their answer, on stderr: a line, a question; and how a long text is folded."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError, sanitize_line

if TYPE_CHECKING:
    from typing_extensions import Self


WIDTH = 110


def print_status(text: str, end: str = "\n") -> None:
    print(text, file=sys.stderr, end=end, flush=True)


def confirmed(question: str) -> bool:
    """Ask on the terminal: yes only where "y" or "yes" is typed."""
    print_status(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def agreed(args: argparse.Namespace, question: str) -> bool:
    """Ask unless --yes was given; raise HeartbeatError where there is no terminal to ask on."""
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise HeartbeatError("there is no terminal to ask on", question, "Give --yes to go ahead without being asked.")
    return confirmed(question)


def folded(text: str, first: str = "", rest: str = "", width: int = WIDTH) -> Iterator[str]:
    """Fold foreign text into lines of ``width`` columns, behind what begins the first line and each further one."""
    from textwrap import wrap

    for number, line in enumerate(wrap(sanitize_line(text), width, break_long_words=False, break_on_hyphens=False)):
        yield f"{rest if number else first}{line}"


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


def print_error(error: HeartbeatError) -> None:
    """Say on stderr what happened, why, and what to do."""
    print(f"heartbeat-tui: {error.title}", file=sys.stderr)
    for line in (error.cause, error.remedy):
        if line:
            print(f"  {line}", file=sys.stderr)
