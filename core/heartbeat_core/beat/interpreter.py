"""Starts the worker under any Python: it sees this package and, of ours, nothing else. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import heartbeat_core

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
WORKER, GUARD = "heartbeat_core.beat.worker", "heartbeat_core.beat.guard"


def module_command(python: str, module: str = WORKER, package: str | None = None) -> list[str]:
    """Give the command that runs ``main`` of a module of ours under ``python``; ``package`` is where heartbeat_core lies there."""
    return [python, "-c", BOOTSTRAP, package or str(Path(heartbeat_core.__file__).parent), module]


def spawn_worker(python: str | None = None) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own, so that the terminal's signals reach only us; raise OSError."""
    return subprocess.Popen(
        module_command(python or sys.executable),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def kill_worker(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker with all its session: --python may name a script that starts the real one and holds its pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already; macOS says the latter of the dead
        os.killpg(process.pid, signal.SIGKILL)
