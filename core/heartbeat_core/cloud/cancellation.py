"""Cancellation of blocking work: the caller returns immediately, though Python cannot stop the thread."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
Timeout = tuple[float, float]  # seconds to connect, and without a byte


class Cancelled(Exception):
    """The work was cancelled."""


class Cancellation:
    """A flag that any thread may set once; waiting threads return immediately."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.lock = threading.Lock()
        self.waiting: set[Future[object]] = set()

    def cancel(self) -> None:
        """Make every present and later wait raise Cancelled."""
        with self.lock:
            self.event.set()
            waiting = set(self.waiting)
        for future in waiting:
            future.cancel()

    @property
    def cancelled(self) -> bool:
        return self.event.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; raise Cancelled on cancellation."""
        if self.event.wait(seconds):
            raise Cancelled

    def run(self, work: Callable[[], T], limit_s: float) -> T:
        """Run ``work`` and return its result; raise what it raises, Cancelled, or TimeoutError after ``limit_s``.

        The work runs in its own thread, which continues unattended after a cancellation.
        """
        from concurrent.futures import CancelledError, Future
        from concurrent.futures import TimeoutError as OutOfTime  # until Python 3.11 another one than TimeoutError

        if limit_s <= 0:
            raise TimeoutError("no time is left")
        future: Future[T] = Future()
        with self.lock:
            if self.event.is_set():
                raise Cancelled
            self.waiting.add(future)  # type: ignore[arg-type]  # it is only ever cancelled there
        threading.Thread(target=fulfil, args=(future, work), name="call", daemon=True).start()
        try:
            return future.result(limit_s)
        except CancelledError as error:
            raise Cancelled from error
        except OutOfTime as error:
            if future.done() and future.exception() is error:
                raise  # the work's own
            raise TimeoutError(f"no answer within {limit_s:.3g} s") from None
        finally:
            with self.lock:
                self.waiting.discard(future)


def fulfil(future: Future[T], work: Callable[[], T]) -> None:
    from concurrent.futures import InvalidStateError

    with contextlib.suppress(InvalidStateError):  # the caller no longer waits
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # the caller raises it
            future.set_exception(error)
        else:
            future.set_result(result)


class Deadline:
    """A moment by the monotonic clock; without ``seconds`` it never comes."""

    def __init__(self, seconds: float | None) -> None:
        self.at = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(0.0, self.at - time.monotonic())
