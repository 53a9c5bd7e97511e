"""Where a run takes place, and how its end is explained."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.host import available_bytes, kernel_oom_kills
from heartbeat_core.benchmark.process import spawn_worker
from heartbeat_core.benchmark.series import Series
from heartbeat_core.errors import HeartbeatError

Kind = Literal["done", "stopped", "refused", "unavailable", "failed", "out of memory", "crashed", "killed", "rubbish", "lost", "timed out"]

FAILED_KINDS: dict[str, Kind] = {"plan": "refused", "backend": "unavailable", "memory": "out of memory"}
EXIT_CODES: dict[Kind, int] = {"done": 0, "stopped": 0, "refused": 2, "unavailable": 3, "timed out": 3}


@dataclass(frozen=True)
class RunOutcome:
    """``kind`` for programs; title, cause and remedy for people, empty where all went well."""

    kind: Kind
    title: str = ""
    cause: str = ""
    remedy: str = ""

    @property
    def clean(self) -> bool:
        return self.kind in ("done", "stopped")

    @property
    def exit_code(self) -> int:
        return EXIT_CODES.get(self.kind, 1)


@dataclass(frozen=True)
class WorkerExit:
    """What the operating system and the reader of the stream know of a worker's end."""

    returncode: int | None
    stderr: tuple[str, ...] = ()
    rubbish: HeartbeatError | None = None
    timed_out_s: float | None = None
    ended_by_us: bool = False  # it did not end in time when asked to
    kernel_killed: bool = False  # the kernel's count of processes killed for memory rose while it ran


def explain(series: Series, gone: WorkerExit) -> RunOutcome:
    """Explain how a run ended; what the worker said of itself counts most."""
    if gone.timed_out_s is not None:
        return RunOutcome(
            "timed out",
            f"the device did not answer within {gone.timed_out_s:.0f} s",
            f"The worker was still busy with the step {series.stage or 'start'!r} and was ended." + last_words(gone),
            "Run `heartbeat-tui devices`; another process may hold the device.",
        )
    if gone.rubbish is not None:
        return RunOutcome("rubbish", gone.rubbish.title, gone.rubbish.cause, gone.rubbish.remedy)
    if series.failed is not None:
        failed = series.failed
        return RunOutcome(FAILED_KINDS.get(failed.kind, "failed"), failed.title, failed.cause, failed.remedy)
    if series.ended is not None:
        return RunOutcome("stopped" if series.ended.reason == "stopped" else "done")
    if gone.ended_by_us:
        return RunOutcome("stopped")
    return explain_death(gone)


def explain_death(gone: WorkerExit) -> RunOutcome:
    """Explain a worker that ended without saying how."""
    kept = "The samples received until then are kept."
    code = gone.returncode
    if gone.kernel_killed and code == -signal.SIGKILL:
        return RunOutcome(
            "out of memory", "the kernel ended the worker: the machine ran out of memory", kept, "Make the product smaller, or free memory."
        )
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP):
        name = signal.Signals(-code).name
        return RunOutcome("killed", f"something ended the worker from outside ({name})", kept, "Run it again; look for who sends signals.")
    if code is not None and code < 0:
        return RunOutcome(
            "crashed", f"the worker crashed ({signal_name(-code)})", kept + last_words(gone), "Run it again; try `heartbeat-tui devices`."
        )
    title = "the stream ended early" if code in (0, None) else f"the worker ended with exit code {code}"
    kind: Kind = "lost" if code in (0, None) else "crashed"
    return RunOutcome(kind, title, kept + last_words(gone), "Run it again; try `heartbeat-tui devices`.")


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(gone: WorkerExit) -> str:
    return " Its last words: " + " / ".join(gone.stderr[-3:]) if gone.stderr else ""


START_LIMIT_S = 120.0  # for import and device; libtpu without a chip would take 639


class RunTarget(ABC):
    """Starts a worker, and knows how its end is to be read."""

    start_limit_s: ClassVar[float] = START_LIMIT_S  # after which a device that has not answered never will
    pulse_s: ClassVar[float | None] = None  # how often a supervisor of the worker needs a sign of life

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels that name the place."""
        return ()

    @abstractmethod
    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the worker, or what carries its stream; raise OSError."""

    @abstractmethod
    def order(self) -> dict[str, Any]:
        """Return what the order holds in addition to the config."""

    def available_bytes(self) -> int | None:
        """Return the bytes of memory available, None where only the worker can know."""
        return None

    def oom_kills(self) -> int | None:
        """Read how many processes the kernel there has killed for memory, None where that cannot be read from here."""
        return None

    @abstractmethod
    def cannot_start(self, config: BenchmarkConfig, error: OSError) -> HeartbeatError:
        """Explain why ``spawn`` raised."""

    def explain(self, series: Series, gone: WorkerExit) -> RunOutcome:
        """Return how the run ended."""
        return explain(series, gone)


@dataclass(frozen=True)
class LocalTarget(RunTarget):
    """This machine, under our own Python or under ``python``; the worker notices the end of its parent by itself."""

    python: str | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        return spawn_worker(self.python)

    def order(self) -> dict[str, Any]:
        return {"parent": os.getpid()}

    def available_bytes(self) -> int | None:
        return available_bytes()

    def oom_kills(self) -> int | None:
        return kernel_oom_kills()

    def cannot_start(self, config: BenchmarkConfig, error: OSError) -> HeartbeatError:
        remedy = f"Check --python and backends.{config.backend}.python."
        return HeartbeatError(f"{self.python or 'this Python'} cannot be started", str(error), remedy, exit_code=3)
