"""A recording in a list of runs: what is known of it without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import workload_from_json
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.workload import MatMul, Workload

Status = Literal["done", "stopped", "failed", "cut off", "running", "newer", "broken", "empty"]


@dataclass(frozen=True)
class RunEntry:
    """One recording. Times are nanoseconds per product; what is not known is None, or an empty text.

    ``id`` is the shortest name that no other recording of the folder shares. ``problem`` is what is wrong with the file or the
    run, empty if nothing is. ``low_ns``..``high_ns`` is the 95 % confidence interval of the median, ``relative_iqr`` the
    interquartile range over the median. ``device`` is the chip, the hardware or "cpu"; ``rehearsal`` runs of torch_xla were not
    on a TPU. ``group`` is common to repeats, ``round`` to those of them that took turns, and ``reference`` marks those with the
    config that the others are compared with. ``ray_node`` and ``tpu_slice`` are where in a Ray cluster it ran, ``fleet_hosts`` on how
    many hosts its run was to be.
    """

    path: Path
    id: str
    bytes: int
    status: Status
    problem: str = ""
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    round: str = ""
    reference: bool = False
    started: datetime | None = None  # UTC
    host: str = ""
    device: str = ""
    rehearsal: bool = False
    backend: str = ""
    workload: Workload | None = None
    method: str = ""
    precision: str = ""  # as planned: default, high, highest
    threads: int | None = None
    verdict: str = ""
    reason: str = ""
    n: int = 0  # steady samples
    median_ns: float | None = None
    low_ns: float | None = None
    high_ns: float | None = None
    relative_iqr: float | None = None
    flops_per_s: float | None = None
    quality: str = ""
    findings: tuple[str, ...] = ()  # the reasons of the quality
    cold_ns: float | None = None
    ray_node: str = ""
    tpu_slice: str = ""
    fleet_hosts: int | None = None

    @property
    def readable(self) -> bool:
        """Return whether the whole recording can be loaded."""
        return self.status not in ("newer", "broken", "empty")

    @property
    def is_attempt(self) -> bool:
        """Return whether it is a run that ended before its first sample, so that there is nothing to see or compare."""
        return not self.n and self.median_ns is None and self.status in ("failed", "empty", "cut off", "stopped")

    @property
    def title(self) -> str:
        return self.name or self.id

    @property
    def where(self) -> str:
        """Return in a few words where it ran."""
        backend = BACKENDS.get(self.backend)  # None: another version made the recording
        if self.rehearsal:
            return backend.rehearsal if backend else "a rehearsal on the CPU"
        if backend and backend.needs_tpu:
            return "TPU" if self.device in ("", "TPU") else f"TPU {self.device}"
        if backend and backend.host_only and self.threads:
            return f"CPU, {self.threads} thread{'' if self.threads == 1 else 's'}"
        return self.device or self.backend

    def to_json(self) -> dict[str, Any]:
        """Return the object that the commands print with --json."""
        work = self.workload
        return {
            **vars(self),
            "path": str(self.path),
            "started": self.started.isoformat() if self.started else None,
            "workload": work.to_json() if work else None,
        }

    def to_row(self) -> list[Any]:
        """Return what the index keeps, without keys, because ten thousand rows are read together."""
        values = self.to_json()
        return [values[name] for name in ROW]


def entry_of_row(row: list[Any], path: Path, id_: str) -> RunEntry:
    """Read what ``to_row`` returned, with this path and id; raise TypeError or ValueError if it is something else."""
    values = list(row)
    if len(values) != len(ROW):
        raise ValueError(f"a row of {len(values)} values")
    values[TAGS], values[FINDINGS] = tuple(values[TAGS]), tuple(values[FINDINGS])
    values[STARTED] = datetime.fromisoformat(values[STARTED]) if values[STARTED] else None
    if work := values[WORKLOAD]:
        values[WORKLOAD] = workload_from_json(work) if "kind" in work else matmul(**work)
    return RunEntry(path, id_, *values)


ROW = tuple(RunEntry.__dataclass_fields__)[2:]  # without the path and the id, which are those of the file
TAGS, FINDINGS, STARTED, WORKLOAD = (ROW.index(name) for name in ("tags", "findings", "started", "workload"))


@lru_cache(maxsize=256)
def matmul(batch: int, hidden: int, intermediate: int, dtype: Dtype) -> MatMul:
    """Return a workload, one object for the many runs that share it."""
    return MatMul(batch, hidden, intermediate, dtype)
