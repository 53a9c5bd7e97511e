"""The supervisor of a worker on a machine reached over ssh: it stands between the connection and the worker.

There the worker has no parent of ours, sshd kills nothing when a connection ends, and a worker in which a library holds
the interpreter's lock notices nothing. So this process owns the connection's end: it starts the worker as its own child (which
dies with it, see ``control``), forwards its orders, and when the connection ends, or nothing has been heard for too long, gives
the worker its grace and then ends it with all it has started. An empty line is a sign of life and no order.

The standard library alone. Exit codes: the worker's own; 128 and the signal that ended it, as shells have it; ``OUT_OF_MEMORY``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from types import FrameType

from heartbeat_core.benchmark.host import kernel_oom_kills
from heartbeat_core.benchmark.process import kill_worker, module_command

OUT_OF_MEMORY = 99
ONE_CHIP = {"TPU_VISIBLE_CHIPS": "0", "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}


class Disconnected(BaseException):
    """The connection has ended."""


def main() -> None:
    """Supervise one worker; the arguments: seconds of silence to bear, seconds of grace, and "alone" for one host of many.

    libtpu on a host of a larger slice waits for all the others unless it is limited to a chip of its own.
    """
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, disconnect)
    oom_kills = kernel_oom_kills()
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if "alone" in sys.argv[5:]:
        environ = {**ONE_CHIP, **environ}
    worker = subprocess.Popen(module_command(sys.executable), stdin=subprocess.PIPE, start_new_session=True, env=environ)
    over = threading.Event()
    threading.Thread(target=report_exit, args=(worker, over, oom_kills), name="report", daemon=True).start()
    with contextlib.suppress(Disconnected):
        forward_orders(worker, float(sys.argv[3]))
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.close()  # its order to stop
    if not over.wait(float(sys.argv[4])):
        kill_worker(worker)
        over.wait()
    threading.Event().wait()  # until ``report`` has ended this process


def disconnect(_number: int, _frame: FrameType | None) -> None:
    raise Disconnected


def report_exit(worker: subprocess.Popen[bytes], over: threading.Event, oom_kills: int | None) -> None:
    """Wait for the worker's end, end what it has left behind, and say how it ended by our own exit code."""
    code = worker.wait()
    kill_worker(worker)
    over.set()
    kills = kernel_oom_kills()
    if code == -signal.SIGKILL and kills is not None and oom_kills is not None and kills > oom_kills:
        os._exit(OUT_OF_MEMORY)
    os._exit(code if code >= 0 else 128 - code)


def forward_orders(worker: subprocess.Popen[bytes], silence_s: float) -> None:
    """Forward lines to the worker until the connection ends or falls silent; the first is the order, and we are its parent."""
    first, rest = True, b""
    while select.select([0], [], [], silence_s)[0]:
        data = os.read(0, 2**16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                send(worker, with_parent(line) if first else line)
                first = False


def with_parent(order: bytes) -> bytes:
    """Put our own number into the order; what is none is for the worker to refuse."""
    try:
        known = json.loads(order)
    except ValueError:
        return order
    return json.dumps({**known, "parent": os.getpid()}).encode() if isinstance(known, dict) else order


def send(worker: subprocess.Popen[bytes], line: bytes) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended; ``report`` says how
        worker.stdin.write(line + b"\n")
        worker.stdin.flush()


if __name__ == "__main__":
    main()
