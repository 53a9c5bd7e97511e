"""Programs and questions that are waited for, and can be given up from another thread."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from heartbeat_core.benchmark.process import kill_worker
from heartbeat_core.cloud.cancellation import Cancellation, Cancelled
from heartbeat_core.errors import INTERRUPTED, HeartbeatError

T = TypeVar("T")


class GivenUp(HeartbeatError):
    """Whoever waited does not want it any longer."""

    def __init__(self) -> None:
        super().__init__("given up before it was connected", "", "", exit_code=INTERRUPTED)


class Calls:
    """What one errand has under way; ``end`` ends all of it and lets nothing more begin.

    Each program has a session of its own and is ended with all it has started: gcloud starts an ssh, and ssh a proxy.
    """

    def __init__(self) -> None:
        self.order = Cancellation()
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[bytes]] = set()

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], limit_s: float, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end; raise GivenUp, OSError, or TimeoutExpired, each with the program ended."""
        with self.start(command, environ) as process:
            try:
                output, errors = process.communicate(stdin, limit_s)
            finally:
                with self.lock:
                    self.running.discard(process)
                if process.returncode is None:
                    kill_worker(process)
        if self.order.cancelled:
            raise GivenUp
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def start(self, command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.lock:
            if self.order.cancelled:
                raise GivenUp
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, env=dict(environ))
            self.running.add(process)
        return process

    def wait_for(self, work: Callable[[], T], limit_s: float) -> T:
        """Carry out what no process does; raise what it raises, GivenUp, or TimeoutError."""
        try:
            return self.order.run(work, limit_s)
        except Cancelled as error:
            raise GivenUp from error

    def end(self) -> None:
        """Have everything under way raise GivenUp; returns at once."""
        with self.lock:
            self.order.cancel()
            for process in self.running:
                kill_worker(process)
