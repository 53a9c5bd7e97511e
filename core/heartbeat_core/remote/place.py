"""A host of a TPU VM as the place a run beats at."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import Any

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.supervisor import OUT_OF_MEMORY
from heartbeat_core.benchmark.target import START_LIMIT_S, Ending, Exit, explain
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import LOST, SILENCE_S, Host
from heartbeat_core.remote.troubles import cannot_reach, told

KEPT = "The samples received until then are kept."
CONNECT_S = 60.0  # to connect, and to read torch from a disk that has not been read yet
PULSE_S = 10.0


@dataclass(frozen=True)
class There:
    """One host: its worker is started over ssh, under a guard, and what ends the connection is told from what ends the worker."""

    host: Host
    start_limit_s: float = START_LIMIT_S + CONNECT_S
    pulse_s: float | None = PULSE_S

    @property
    def labels(self) -> tuple[str, ...]:
        return (f"on {self.host.label}",)

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.host.guard_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=dict(self.host.environ),
        )

    def order(self) -> dict[str, Any]:
        """Tell the worker where it is; its parent is the guard, who says so itself."""
        return {"place": {"tpu_vm": self.host.name, "tpu_worker": self.host.worker, **self.host.kind}}

    def available_bytes(self) -> int | None:
        return None  # the worker looks at its own machine before it allocates anything

    def oom_kills(self) -> int | None:
        return None  # the guard counts

    def cannot_start(self, plan: Plan, error: OSError) -> HeartbeatError:
        del plan
        return HeartbeatError("ssh cannot be started", str(error), "Install OpenSSH's client.", exit_code=3)

    def explain(self, series: Series, gone: Exit) -> Ending:
        """Tell the endings apart: ours and the worker's own words first, then ssh's, then how the guard saw the worker end."""
        code = gone.returncode
        spoke = gone.timed_out_s is not None or gone.ended_by_us or series.failed is not None or series.ended is not None
        if gone.rubbish is not None and series.started is None:
            cause = f"{gone.rubbish.cause} A shell that is no terminal's must print nothing: look at ~/.bashrc on {self.host.label}."
            return Ending("rubbish", gone.rubbish.title, cause, gone.rubbish.remedy)
        if series.failed is not None and series.failed.kind == "backend":
            ending = explain(series, gone)
            return replace(ending, remedy=f"{ending.remedy} On {self.host.name}, heartbeat-tui vms setup {self.host.name} brings the pair.")
        if spoke or gone.rubbish is not None or code is None:
            return explain(series, gone)
        if code == LOST:
            return self.lost(series, gone)
        if code in (126, 127) and series.started is None:
            title = f"the worker could not be started on {self.host.label}"
            return Ending("unavailable", title, told("\n".join(gone.stderr)), f"heartbeat-tui vms setup {self.host.name}")
        if code == OUT_OF_MEMORY:
            return explain(series, replace(gone, returncode=-9, kernel_killed=True))
        return explain(series, replace(gone, returncode=128 - code if 128 < code < 128 + 65 else code))

    def lost(self, series: Series, gone: Exit) -> Ending:
        """Explain a connection that ended before the run did, or never came about."""
        error = cannot_reach(self.host.label, "\n".join(gone.stderr))
        if series.started is None:
            return Ending("unavailable", error.title, error.cause, error.remedy)
        cause = f"{error.cause} {KEPT} Its worker there has been ended, or will be within {SILENCE_S:.0f} s."
        return Ending("lost", f"the connection to {self.host.label} was lost", cause, "See what became of it: heartbeat-tui vms list.")
