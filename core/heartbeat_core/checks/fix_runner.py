"""Runs a remedy: exactly the command that was shown, as a list of arguments, never through a shell."""

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
from pathlib import Path
from typing import Literal, cast

from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.paths import emulated_gcloud_folder

END_LIMIT_S = 5.0  # from the order to end until it is ended by force
# Colours, titles and cursor movements, then what is left of controls: none of them may reach the screen.
CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
BILLING = ("gcloud", "billing")
LOGGING_IN = (("gcloud", "init"), ("gcloud", "auth"))

Way = Literal["run", "terminal", "copy"]


@dataclass(frozen=True)
class FixMode:
    """How a remedy is to be carried out: ``run`` here, in the ``terminal``, or ``copy`` alone, with the reason why."""

    way: Way
    reason: str = ""


def manner_of(remedy: Remedy, *, emulated: bool = False) -> FixMode:
    """Choose the manner. Who pays is decided by people alone; towards an emulator only gcloud runs, and nobody logs in."""
    command = remedy.command
    if command is None:
        return FixMode("copy", "There is no command for it.")
    if command[:2] == BILLING and remedy.changes:
        return FixMode("copy", "Who pays is for you to decide: copy the command and run it yourself.")
    if emulated and command[0] != "gcloud":
        return FixMode("copy", "The demo changes nothing on this machine.")
    if emulated and command[:2] in LOGGING_IN:
        return FixMode("copy", "The demo needs nobody to log in.")
    if remedy.interactive or command[0] == "sudo":
        return FixMode("terminal", "It talks to you: it gets the terminal, and the screen comes back after it.")
    return FixMode("run")


def filled(remedy: Remedy, values: Mapping[str, str]) -> Remedy:
    """Fill in what the command leaves open: {"<EMAIL>": "you@example.com"}; each stays within its own argument."""

    def fill(word: str) -> str:
        for place, value in values.items():
            word = word.replace(place, value) if value else word
        return word

    return replace(remedy, command=tuple(fill(word) for word in remedy.command) if remedy.command else None)


class FixRun:
    """A command under way; ``on_line`` gets each line of its output, from the thread that reads it."""

    def __init__(self, command: Sequence[str], on_line: Callable[[str], object], environ: Mapping[str, str] | None = None) -> None:
        self.command, self.on_line = tuple(command), on_line
        self.environ = dict(os.environ if environ is None else environ)
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.cancelled = False

    def run(self) -> int:
        """Run it to its end and return its exit code, -15 where it was cancelled; raise HeartbeatError where it cannot start."""
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
                [found(self.command[0], self.environ), *self.command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environ,
                start_new_session=True,  # so that what it starts ends with it, and our Ctrl-C is not its own
            )
        except OSError as error:
            raise cannot_start(self.command, error) from error

    def cancel(self) -> None:
        """Have it end, by force if it does not listen; returns at once."""
        with self.lock:
            self.cancelled, process = True, self.process
        if process is not None and process.poll() is None:
            end_group(process, signal.SIGTERM)
            timer = threading.Timer(END_LIMIT_S, end_group, (process, signal.SIGKILL))
            timer.daemon = True
            timer.start()


def run_in_terminal(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run a command that talks to a person, on this terminal; return its exit code. Raise HeartbeatError where it cannot start.

    Ctrl-C is the command's own while it runs. For the main thread.
    """
    environ = dict(os.environ if environ is None else environ)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a child inherits
    try:
        return subprocess.run([found(command[0], environ), *command[1:]], env=environ, check=False).returncode
    except OSError as error:
        raise cannot_start(command, error) from error
    finally:
        signal.signal(signal.SIGINT, before)


def remedy_environ(endpoint: str | None, folder: Path | None = None) -> dict[str, str]:
    """Give the environment a remedy runs in: our own, or one that leads gcloud to the emulator at ``endpoint`` alone.

    ``folder`` is where gcloud keeps its things then, apart from the user's own.
    """
    if endpoint is None:
        return dict(os.environ)
    from heartbeat_core.emulator.process import gcloud_environment

    folder = folder or emulated_gcloud_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")},
        **gcloud_environment(endpoint, folder),
    }


def found(program: str, environ: Mapping[str, str]) -> str:
    """Find a program as a shell with this environment would."""
    return shutil.which(program, path=environ.get("PATH")) or program


def cannot_start(command: Sequence[str], error: OSError) -> HeartbeatError:
    return HeartbeatError(
        f"{command[0]} cannot be started", error.strerror or str(error), "Copy the command and run it where it is installed."
    )


def lines_of(output: BufferedReader) -> Iterator[str]:
    """Give lines as they come, bare of controls; a carriage return ends one as well, for progress is written so."""
    decode, rest = codecs.getincrementaldecoder("utf-8")("replace").decode, ""
    while data := output.read1():
        *whole, rest = re.split(r"\r\n|\n|\r", rest + decode(data))
        yield from (clean(line) for line in whole)
    if rest:
        yield clean(rest)


def clean(line: str) -> str:
    return CONTROLS.sub("", line)


def end_group(process: subprocess.Popen[bytes], order: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, order)
