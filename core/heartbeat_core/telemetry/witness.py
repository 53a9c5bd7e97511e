"""Looks at the chips beside a run, once a second, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heartbeat_core.benchmark.run import Told
from heartbeat_core.telemetry.look import Look
from heartbeat_core.telemetry.watcher import Reader, Watcher

EVERY_S = 1.0


class ChipWitness:
    """What a run is told of its chips through tpu-info; where ``always``, a rehearsal without a chip is as well."""

    source = "tpu-info"

    def __init__(self, reader: Reader, *, always: bool = False, every_s: float = EVERY_S) -> None:
        self.always = always
        self.watcher = Watcher(reader, every_s)

    def concerns(self, environment: Mapping[str, Any]) -> bool:
        return self.always or environment.get("hardware") == "TPU" or bool(environment.get("chip"))

    def tell(self) -> Iterator[Told]:
        for look in self.watcher.looks():
            yield look.chips, what_lacks(look)

    def stop(self) -> None:
        self.watcher.stop()


def what_lacks(look: Look) -> str | None:
    """Say in one line what is missing; beside a run, whose workload is there, a server that is not is no "not yet"."""
    problem = look.problem
    if problem is None:
        return None
    if look.state == "idle":
        return f"nobody answers on {' and '.join(f'localhost:{answer.port}' for answer in look.answers)}"
    return f"{problem.title}: {problem.cause}"
