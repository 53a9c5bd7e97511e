"""The worker's control channel: orders from its parent, and its exit when the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from heartbeat_core.benchmark.timing import Recorder

PR_SET_PDEATHSIG = 1
GRACE_S = 3.0


def exit_with_parent(parent: int | None) -> None:
    """Ask the kernel to kill this process when its parent dies, even while a library holds the interpreter's lock.

    Linux only; elsewhere only the end of stdin stops it. ``parent`` closes the gap before the call took effect; it
    need not be the direct parent, for --python may name a script that starts the real one.
    """
    if parent is None or not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent and not Path(f"/proc/{parent}").exists():
        os.kill(os.getpid(), signal.SIGKILL)


def end_with_stdin() -> None:
    """End this process when its stdin ends; for a thread of a process that has nothing to put in order."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


class ControlChannel:
    """Reads orders from stdin, a line each: pause, resume, stop, and calibrate, to measure the peaks after the run.

    The end of stdin is an order to stop within GRACE_S.
    """

    def __init__(self, orders: BinaryIO) -> None:
        self.attention = False  # set once there is an order; read after every iteration
        self.stopped = False
        self.paused = False
        self.calibrate = False
        self.changed = threading.Condition()
        self.finished = threading.Event()
        self.orders = orders
        threading.Thread(target=self.listen, name="orders", daemon=True).start()

    def listen(self) -> None:
        for line in self.orders:
            order = line.strip()
            with self.changed:
                self.paused = order == b"pause"
                self.stopped = self.stopped or order == b"stop"
                self.calibrate = self.calibrate or order == b"calibrate"
                self.attention = True
                self.changed.notify_all()
        with self.changed:
            self.stopped = self.attention = True
            self.changed.notify_all()
        if not self.finished.wait(GRACE_S):
            os._exit(1)

    def proceed(self, recorder: Recorder) -> bool:
        """Wait until a pause is over; return whether to go on."""
        with self.changed:
            if self.paused and not self.stopped:
                recorder.flush()
                start = perf_counter_ns()
                self.changed.wait_for(lambda: self.stopped or not self.paused)
                recorder.paused(start)
            self.attention = self.stopped
            return not self.stopped
