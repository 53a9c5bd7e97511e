"""Starts the reader where the chips are, reads what it prints, and ends it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.process import close_pipes, keep_stderr, kill_worker, spawn_piped
from heartbeat_core.benchmark.run import ChipReport
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.telemetry.readings import ChipReadings, reading_from_json

# What runs under the other Python, each before what imports it. It is sent along, so nothing of ours must be installed there.
MODULES = tuple(f"heartbeat_core.{name}" for name in ("benchmark.tpu_chips", "benchmark.control", "telemetry.reader"))
BOOTSTRAP = """
import json, sys, types
order = json.loads(sys.stdin.buffer.readline())
for name, source in order["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules["heartbeat_core.telemetry.reader"].main(order)
"""
ANSWER_S = 2.0  # for a metrics server
READING_S = 30.0  # for one reading, with the start of Python
REMOTE_READING_S = 60.0  # the same over ssh
ERROR_LINES = 5
LAST_WORDS_S = 1.0  # to read its last lines of stderr
LONGEST_LINE = 2**20  # bytes; a reading of 256 devices is a twentieth of it


@dataclass(frozen=True)
class Reader:
    """How to read: under which Python, from which ports (none: those of the program on the chip, else libtpu's own).

    ``on_host`` returns the command that runs another one where the chips are, such as through ssh, and ``environ`` is for that;
    None is this machine, and our own environment.
    """

    python: str = sys.executable
    ports: tuple[int, ...] = ()
    on_host: Callable[[Sequence[str]], list[str]] | None = None
    environ: Mapping[str, str] | None = None
    holders: bool = True
    limit_s: float = READING_S
    answer_s: float = ANSWER_S
    root: Path = Path("/")

    def order(self, every_s: float | None) -> bytes:
        """Return the order: one reading, or one every so many seconds."""
        order = {
            "modules": [(name, source_of(name)) for name in MODULES],
            "parent": os.getpid() if self.on_host is None else None,
            "ports": self.ports,
            "every_s": every_s,
            "limit_s": self.answer_s,
            "holders": self.holders,
            "root": str(self.root),
        }
        return json.dumps(order).encode() + b"\n"

    def spawn(self) -> subprocess.Popen[bytes]:
        command = [self.python, "-c", BOOTSTRAP]
        return spawn_piped(command if self.on_host is None else self.on_host(command), self.environ)


class ChipReader:
    """A running reader. ``readings`` belongs to one thread, whose end is the reader's as well; ``stop`` may come from any."""

    def __init__(self, reader: Reader, every_s: float | None = None) -> None:
        self.reader, self.every_s = reader, every_s
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
        self.guard = threading.Lock()  # between a start and a stop

    def readings(self) -> Generator[ChipReadings, None, None]:
        """Yield one reading after another; the last one says why no more will come, unless ``stop`` ended them."""
        try:
            with self.guard:
                if self.stopping.is_set():
                    return
                self.process = process = self.reader.spawn()
        except OSError as error:
            what = self.reader.python if self.reader.on_host is None else "what leads to its host"
            yield ChipReadings(failure=f"{what} cannot be started: {error.strerror}")
            return
        errors: deque[str] = deque(maxlen=ERROR_LINES)
        listener = keep_stderr(process, errors)
        count = 0
        try:
            for line in self.lines(process):
                count += 1
                yield reading_from_json(line)
            if not self.stopping.is_set() and (self.every_s or not count):
                kill_worker(process)
                code = process.wait()
                listener.join(LAST_WORDS_S)
                yield ChipReadings(failure=f"The reader ended: {errors[-1] if errors else f'exit code {code}'}")
        except TimeoutError:
            yield ChipReadings(failure=f"It did not answer within {self.reader.limit_s:.0f} s.")
        except HeartbeatError as error:
            yield ChipReadings(failure=f"{error.title}. {error.cause}")
        finally:
            with self.guard:
                if process.returncode is None:
                    kill_worker(process)
                    process.wait()
            listener.join()
            close_pipes(process)

    def lines(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """Send the order, and yield the lines of the answer; raise as ``lines_of`` does."""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its stderr says why
            process.stdin.write(self.reader.order(self.every_s))
            process.stdin.flush()
        return lines_of(process.stdout.fileno(), self.reader.limit_s + (self.every_s or 0))

    def stop(self) -> None:
        with self.guard:
            self.stopping.set()
            if self.process is not None and self.process.returncode is None:
                kill_worker(self.process)


def lines_of(descriptor: int, limit_s: float) -> Iterator[bytes]:
    """Yield each whole line; raise TimeoutError if the next takes longer than ``limit_s``, HeartbeatError if it is too long."""
    held = b""
    while True:
        if not select.select([descriptor], [], [], limit_s)[0]:
            raise TimeoutError
        got = os.read(descriptor, 65536)
        if not got:
            return
        *lines, held = (held + got).split(b"\n")
        yield from lines
        if len(held) > LONGEST_LINE:
            raise HeartbeatError(
                "the reader printed a line without an end",
                f"It is longer than {LONGEST_LINE:,} bytes.",
                "Update heartbeat-tui on that machine.",
            )


def readings_of(readers: Mapping[str, Reader], every_s: float | None = None) -> Generator[tuple[str, ChipReadings], None, None]:
    """Read several machines in parallel, each in a thread of its own; yield each reading with the name of its machine."""
    readings: queue.SimpleQueue[tuple[str, ChipReadings | None]] = queue.SimpleQueue()
    watchers = {name: ChipReader(reader, every_s) for name, reader in readers.items()}

    def listen(name: str) -> None:
        try:
            for reading in watchers[name].readings():
                readings.put((name, reading))
        finally:
            readings.put((name, None))

    threads = [threading.Thread(target=listen, args=(name,), name=f"chips of {name}", daemon=True) for name in watchers]
    for thread in threads:
        thread.start()
    left = len(threads)
    try:
        while left:
            name, reading = readings.get()
            if reading is None:
                left -= 1
            else:
                yield name, reading
    finally:
        for watcher in watchers.values():
            watcher.stop()
        for thread in threads:
            thread.join()


def source_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text("utf-8")


EVERY_S = 1.0


class TpuChipMonitor(ChipReader):
    """The readings of tpu-info beside a run; with ``always`` beside a rehearsal without a chip too."""

    source = "tpu-info"

    def __init__(self, reader: Reader, *, always: bool = False, every_s: float = EVERY_S) -> None:
        super().__init__(reader, every_s)
        self.always = always

    def concerns(self, environment: Mapping[str, Any]) -> bool:
        return self.always or environment.get("hardware") == "TPU" or bool(environment.get("chip"))

    def reports(self) -> Iterator[ChipReport]:
        for reading in self.readings():
            yield reading.chips, what_lacks(reading)


def what_lacks(reading: ChipReadings) -> str | None:
    """Return in one line what is missing; beside a run a missing server is not a "not yet"."""
    problem = reading.problem
    if problem is None:
        return None
    if reading.state == "idle":
        return f"no server answers on {' and '.join(f'localhost:{answer.port}' for answer in reading.answers)}"
    return f"{problem.title}: {problem.cause}"
