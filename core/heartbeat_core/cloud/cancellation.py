"""Work that can be abandoned at once, though nothing in Python can stop a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Cancelled(Exception):
    """Whoever asked no longer wants the answer."""


class Cancellation:
    """An order to stop that any thread may give, once and for all; those waiting learn of it at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.lock = threading.Lock()
        self.waiting: set[Future[object]] = set()

    def cancel(self) -> None:
        """Have all that waits, and all that will, raise Cancelled."""
        with self.lock:
            self.event.set()
            waiting = set(self.waiting)
        for future in waiting:
            future.cancel()

    @property
    def cancelled(self) -> bool:
        return self.event.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait so long; raise Cancelled as soon as that is ordered."""
        if self.event.wait(seconds):
            raise Cancelled

    def run(self, work: Callable[[], T], limit_s: float) -> T:
        """Carry out ``work`` and give its result; raise what it raises, Cancelled, or TimeoutError after ``limit_s``.

        The work has a thread of its own, which is left to itself where nobody waits for it any longer.
        """
        from concurrent.futures import CancelledError, Future
        from concurrent.futures import TimeoutError as OutOfTime  # until Python 3.11 another one than TimeoutError

        future: Future[T] = Future()
        with self.lock:
            if self.event.is_set():
                raise Cancelled
            self.waiting.add(future)  # type: ignore[arg-type]  # it is only ever cancelled there
        threading.Thread(target=fulfil, args=(future, work), name="call", daemon=True).start()
        try:
            return future.result(max(0.0, limit_s))
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

    with contextlib.suppress(InvalidStateError):  # nobody waits for it any longer
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # whoever waits raises it
            future.set_exception(error)
        else:
            future.set_result(result)


class Deadline:
    """A moment by the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(0.0, self.at - time.monotonic())
