"""Starts the worker under any Python, which finds this package and none of our others. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import heartbeat_core
from heartbeat_core.errors import sanitize_line

# Only the package itself is found, at its place: our site-packages on that Python's path would shadow its own torch.
BOOTSTRAP = """
import importlib.util, sys
sys.path[:] = [entry for entry in sys.path if entry]
spec = importlib.util.spec_from_file_location("heartbeat_core", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
package = importlib.util.module_from_spec(spec)
sys.modules["heartbeat_core"] = package
spec.loader.exec_module(package)
importlib.import_module(sys.argv[2]).main()
"""
WORKER, SUPERVISOR = "heartbeat_core.benchmark.worker", "heartbeat_core.benchmark.supervisor"


def module_command(python: str, module: str = WORKER, package: str | None = None) -> list[str]:
    """Return the command that runs ``main`` of one of our modules under ``python``; ``package`` is the folder of heartbeat_core there."""
    return [python, "-c", BOOTSTRAP, package or str(Path(heartbeat_core.__file__).parent), module]


def spawn_piped(command: Sequence[str], environ: Mapping[str, str] | None = None, *, own_session: bool = True) -> subprocess.Popen[bytes]:
    """Start a program with three pipes; raise OSError. In a session of its own the terminal's signals do not reach it."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=own_session, env=environ)


def spawn_worker(python: str | None = None) -> subprocess.Popen[bytes]:
    """Start a worker; raise OSError."""
    return spawn_piped(module_command(python or sys.executable), {**os.environ, "PYTHONUNBUFFERED": "1"})


def keep_stderr(process: subprocess.Popen[bytes], lines: deque[str]) -> threading.Thread:
    """Keep the lines that a program writes to its stderr, in a thread that ends with them; return it."""

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            # what libraries and ssh say may hold colours and worse, and ends up on a screen
            if text := sanitize_line(line.decode("utf-8", "replace")).strip():
                lines.append(text)

    thread = threading.Thread(target=listen, name="stderr", daemon=True)
    thread.start()
    return thread


def reap(process: subprocess.Popen[bytes], listener: threading.Thread, limit_s: float) -> bool:
    """Wait for the end of a program, end what it has left behind, and close its pipes; return whether it ended in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(limit_s)
    in_time = process.returncode is not None
    kill_worker(process)
    process.wait()
    listener.join(limit_s)
    close_pipes(process)
    return in_time


def close_pipes(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes of a program that has ended."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(BrokenPipeError):  # an order that it did not live to read
            if pipe is not None:
                pipe.close()


def kill_worker(process: subprocess.Popen[Any]) -> None:
    """Kill a worker with all its session: --python may name a script that starts the real one and holds its pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already; macOS says the latter of the dead
        os.killpg(process.pid, signal.SIGKILL)


T = TypeVar("T")

LOWERED_NICENESS = 5  # at 19 a 2-core machine draws 0.4 frames a second, at 5 the benchmark slows by less than can be measured


class ProcessLauncher(ThreadPoolExecutor):
    """Runs calls in one thread of its own; make it before the program lowers its priority."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="process-launcher")
        self.call(lambda: None)  # the thread starts with its first call, and takes over the niceness of that moment

    def call(self, work: Callable[[], T]) -> T:
        return self.submit(work).result()


def lower_priority() -> None:
    """Lower the priority of the calling thread, where the system can do that for one thread (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    if os.getpriority(os.PRIO_PROCESS, thread) < LOWERED_NICENESS:
        os.setpriority(os.PRIO_PROCESS, thread, LOWERED_NICENESS)
