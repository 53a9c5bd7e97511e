"""Where a worker beats: on this machine, or on another; what a run has to know of either."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Any, Protocol

from heartbeat_core.beat.ending import Ending, Exit, explain
from heartbeat_core.beat.interpreter import spawn_worker
from heartbeat_core.beat.memory import available_bytes, kernel_oom_kills
from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.series import Series
from heartbeat_core.errors import HeartbeatError

START_LIMIT_S = 120.0  # for import and device; libtpu without a chip would take 639


class Place(Protocol):
    """Starts a worker, and knows how its end is to be read."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Say where that is, unless it goes without saying."""

    @property
    def start_limit_s(self) -> float:
        """Give the seconds after which a device that has not answered never will."""

    @property
    def pulse_s(self) -> float | None:
        """Say how often whoever guards the worker wants a sign of life, None for nobody."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the worker, or what carries its stream; raise OSError."""

    def order(self) -> dict[str, Any]:
        """Give what the order holds besides the plan."""

    def available_bytes(self) -> int | None:
        """Give the memory there is for it, None where only the worker can tell."""

    def oom_kills(self) -> int | None:
        """Read how many processes the kernel there has killed for memory, None where that cannot be told from here."""

    def cannot_start(self, plan: Plan, error: OSError) -> HeartbeatError:
        """Explain why ``spawn`` raised."""

    def explain(self, series: Series, gone: Exit) -> Ending:
        """Tell how the run ended."""


@dataclass(frozen=True)
class Here:
    """This machine, under our own Python or under ``python``."""

    python: str | None = None
    labels: tuple[str, ...] = ()
    start_limit_s: float = START_LIMIT_S
    pulse_s: float | None = None  # the worker sees to its own life

    def spawn(self) -> subprocess.Popen[bytes]:
        return spawn_worker(self.python)

    def order(self) -> dict[str, Any]:
        return {"parent": os.getpid()}

    def available_bytes(self) -> int | None:
        return available_bytes()

    def oom_kills(self) -> int | None:
        return kernel_oom_kills()

    def cannot_start(self, plan: Plan, error: OSError) -> HeartbeatError:
        remedy = f"Check --python and backends.{plan.backend}.python."
        return HeartbeatError(f"{self.python or 'this Python'} cannot be started", str(error), remedy, exit_code=3)

    def explain(self, series: Series, gone: Exit) -> Ending:
        return explain(series, gone)
