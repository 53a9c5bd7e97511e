"""Run a fix: exactly the command that was shown, as a list of arguments, never through a shell."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import Literal, cast

from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.errors import HeartbeatError

END_LIMIT_S = 5.0  # from SIGTERM to SIGKILL
# Colours, titles and cursor movements, then what is left of controls: none of them may reach the screen.
CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SIGN_IN = (("gcloud", "init"), ("gcloud", "auth"))

Way = Literal["run", "terminal", "copy"]


@dataclass(frozen=True)
class FixMode:
    """How a fix is run: ``run`` here, in the ``terminal``, or ``copy`` only, with the reason."""

    way: Way
    reason: str = ""


def fix_mode(remedy: Remedy, *, emulated: bool = False) -> FixMode:
    """Return how a fix is run; against an emulator only gcloud runs, without signing in."""
    command = remedy.command
    if command is None:
        return FixMode("copy", "There is no command to run.")
    if remedy.costs is True:
        return FixMode("copy", "It costs money: create TPU VMs in their own pane, or copy the command and run it yourself.")
    if emulated and command[0] != "gcloud":
        return FixMode("copy", "The demo changes nothing on this machine.")
    if emulated and command[:2] in SIGN_IN:
        return FixMode("copy", "The demo needs no sign-in.")
    if remedy.interactive or command[0] == "sudo":
        return FixMode("terminal", "It asks questions: it runs in the terminal, and the screen returns after it.")
    return FixMode("run")


def fill_in(remedy: Remedy, values: Mapping[str, str]) -> Remedy:
    """Return the fix with placeholders replaced: {"<EMAIL>": "you@example.com"}; each value stays within its argument."""

    def fill(word: str) -> str:
        for place, value in values.items():
            word = word.replace(place, value) if value else word
        return word

    return replace(remedy, command=tuple(fill(word) for word in remedy.command) if remedy.command else None)


class FixRun:
    """A running command; ``on_line`` is called with each line of output, in the thread that reads it."""

    def __init__(self, command: Sequence[str], on_line: Callable[[str], object], environ: Mapping[str, str] | None = None) -> None:
        self.command, self.on_line = tuple(command), on_line
        self.environ = dict(os.environ if environ is None else environ)
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.cancelled = False

    def run(self) -> int:
        """Run to the end and return the exit code, -15 where it was cancelled; raise HeartbeatError where it cannot start."""
        with self.lock:
            if self.cancelled:
                return -signal.SIGTERM
            self.process = process = self.start()
        with cast("BufferedReader", process.stdout) as output:
            for line in lines_of(output):
                self.on_line(line)
        return process.wait()

    def start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [find_program(self.command[0], self.environ), *self.command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environ,
                start_new_session=True,  # so that what it starts ends with it, and our Ctrl-C is not its own
            )
        except OSError as error:
            raise cannot_start(self.command, error) from error

    def cancel(self) -> None:
        """Send SIGTERM, and SIGKILL after a while; return without waiting."""
        with self.lock:
            self.cancelled, process = True, self.process
        if process is not None and process.poll() is None:
            signal_group(process, signal.SIGTERM)
            timer = threading.Timer(END_LIMIT_S, signal_group, (process, signal.SIGKILL))
            timer.daemon = True
            timer.start()


def run_in_terminal(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run an interactive command on this terminal and return its exit code; raise HeartbeatError where it cannot start.

    Ctrl-C goes to the command while it runs. For the main thread.
    """
    environ = dict(os.environ if environ is None else environ)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a child inherits
    try:
        return subprocess.run([find_program(command[0], environ), *command[1:]], env=environ, check=False).returncode
    except OSError as error:
        raise cannot_start(command, error) from error
    finally:
        signal.signal(signal.SIGINT, before)


def find_program(program: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program as a shell with this environment finds it."""
    return shutil.which(program, path=environ.get("PATH")) or program


def cannot_start(command: Sequence[str], error: OSError) -> HeartbeatError:
    return HeartbeatError(
        f"{command[0]} cannot be started", error.strerror or str(error), "Copy the command and run it where it is installed."
    )


def lines_of(output: BufferedReader) -> Iterator[str]:
    """Yield lines as they come, without control characters; a carriage return ends one too, as in progress output."""
    decode, rest = codecs.getincrementaldecoder("utf-8")("replace").decode, ""
    while data := output.read1():
        *whole, rest = re.split(r"\r\n|\n|\r", rest + decode(data))
        yield from (clean(line) for line in whole)
    if rest:
        yield clean(rest)


def clean(line: str) -> str:
    return CONTROLS.sub("", line)


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
