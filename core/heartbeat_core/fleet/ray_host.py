"""What runs on one host of a Ray cluster: a run, its stream in a file there, and a summary about once a second.

The driver starts it in an actor. It is part of the bundle, so it needs the standard library, NumPy and torch only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic, time
from typing import Any, BinaryIO

from heartbeat_core.benchmark.config import config_from_json
from heartbeat_core.benchmark.process import ProcessLauncher, lower_priority
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.supervisor import ONE_CHIP
from heartbeat_core.benchmark.target import LocalTarget, RunOutcome, WorkerExit
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.model import summary_from_json

EVERY_S, LOOK_S = 1.0, 0.1  # between two summaries, and between two looks at the stage
CHUNK = 2**20  # bytes of the stream that are fetched at a time


@dataclass(frozen=True)
class RayTarget(LocalTarget):
    """This machine, as a host of a Ray cluster; ``place`` is what the recording says about it."""

    place: Mapping[str, Any] = field(default_factory=dict)

    def order(self) -> dict[str, Any]:
        return {**super().order(), "place": dict(self.place)}

    def explain(self, series: Series, gone: WorkerExit) -> RunOutcome:
        ending = super().explain(series, gone)
        if ending.kind != "unavailable":
            return ending
        return replace(ending, remedy=f"{ending.remedy} It must be in the image or the environment of {self.place['ray_node']}.")


class RayHost:
    """The run on this host."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        """Start the run that the driver ordered; if it cannot start, ``news`` says why."""
        self.summary = summary_from_json(order["host"])
        self.stream: BinaryIO | None = None
        self.unkept = ""  # why its samples are not kept
        if order["keep"]:
            try:
                self.stream = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # it has no name, and is gone when this process is
            except OSError as error:
                self.unkept = f"its samples are not kept: {error}"
        self.run: Run | None = None
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray sets it to the CPUs that an actor asks for; the config says how many threads
        if order["alone"]:
            os.environ.update(ONE_CHIP)
        with contextlib.suppress(PermissionError):  # Ray runs actors at niceness 15; only root may undo that
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        place = RayTarget(order["python"] or None, place=order["place"])
        try:
            self.run = Run(config_from_json(order["plan"]), ProcessLauncher(), place=place, sinks=(self,))
        except HeartbeatError as error:
            said = {"problem": f"{error.title}. {error.cause}", "remedy": error.remedy}
            self.summary = replace(self.summary, state="ended", ending="refused", **said)

    def write(self, line: bytes) -> str | None:
        """Keep a line of the stream; a full disk ends the keeping, never the run."""
        if self.stream is not None and not self.unkept:
            try:
                whole = self.stream.write(line) == len(line)
                self.unkept = "" if whole else f"its samples are not all kept: {os.strerror(errno.ENOSPC)}"
            except OSError as error:
                self.unkept = f"its samples are not all kept: {error}"
        return None

    def close(self) -> list[str]:
        """Keep what there is: it is fetched after the end."""
        return []

    def fetch(self, offset: int) -> bytes:
        """Return the stream from ``offset`` on, CHUNK bytes at most and whole lines only; empty where there is no more."""
        if self.stream is None:
            return b""
        data = os.pread(self.stream.fileno(), CHUNK, offset)
        while data and b"\n" not in data and len(more := os.pread(self.stream.fileno(), len(data) + CHUNK, offset)) > len(data):
            data = more
        return data[: data.rfind(b"\n") + 1]

    def news(self) -> Iterator[dict[str, Any]]:
        """Yield the summary at each new step and once a second, until the run is over."""
        if self.run is None:
            yield self.summary.to_json()
            return
        lower_priority()
        before, due, over = None, 0.0, False
        while not over:
            over = self.run.wait(LOOK_S)
            step = self.run.series.stage, self.run.series.count > 0, self.run.paused
            if over or step != before or monotonic() >= due:
                before, due = step, monotonic() + EVERY_S
                summary = self.summary.with_report(self.run.report(), time())
                yield (replace(summary, problem=self.unkept) if self.unkept and over and not summary.lost else summary).to_json()

    def order(self, word: str) -> None:
        """Carry out "pause", "resume", "stop" or "kill"."""
        if self.run is not None:
            {"pause": self.run.pause, "resume": self.run.resume, "stop": self.run.stop, "kill": self.run.kill}[word]()
