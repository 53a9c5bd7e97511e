"""The command line in this process: a start of Python costs a third of a second, and few tests are about that."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO
from unittest import mock

from tests.emulation import start_emulator

from heartbeat_core.emulator import process
from heartbeat_tui.cli import dispatch


@dataclass(frozen=True)
class Done:
    """What a command line has done, as ``subprocess.run`` tells it."""

    returncode: int
    stdout: str
    stderr: str


SPY = """
import atexit, runpy, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr))
sys.argv[0] = "heartbeat-tui"
runpy.run_module("heartbeat_tui", run_name="__main__")
"""


def imported(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[str, set[str]]:
    """Carry out one command line in a process of its own; return its output and the packages that it has imported."""
    done = subprocess.run([sys.executable, "-c", SPY, *arguments], capture_output=True, text=True, check=False, env=env)
    return done.stdout, set(done.stderr.splitlines()[-1].split())


def run_program(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, encoding: str = "utf-8", stdout: TextIO | None = None
) -> Done:
    """Carry out one command line with streams that are no terminal; ``--demo`` is served from this process."""
    said: dict[str, Any] = {name: io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for name in ("stdout", "stderr")}
    streams = {**said, "stdout": stdout or said["stdout"], "stdin": io.TextIOWrapper(io.BytesIO(stdin), "utf-8")}
    with (
        mock.patch.multiple(sys, **streams),
        mock.patch.dict(os.environ, os.environ.copy() if env is None else env, clear=True),
        mock.patch.object(process, "start_emulator", start_emulator),
    ):
        try:
            code = dispatch(list(arguments))
        except SystemExit as usage:  # argparse's own end
            code = usage.code if isinstance(usage.code, int) else 1
    return Done(code, *(stream.buffer.getvalue().decode(encoding) for stream in said.values()))
