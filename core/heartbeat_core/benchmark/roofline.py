"""The least time physics allows for a product: the roofline model.

Source: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from heartbeat_core.benchmark.config import BenchmarkConfig, Precision
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.protocol import PeaksMeasured
from heartbeat_core.benchmark.tpu_chips import PASSES, Chip
from heartbeat_core.benchmark.workload import Product, Step, Workload
from heartbeat_core.paths import write_whole


@dataclass(frozen=True)
class Roof:
    """The most a device can compute, FLOP/s, and move, bytes/s.

    ``hard`` roofs are physics; others were measured here, on ``measured_on``, and may be beaten. ``name`` is whose roof
    it is, after "a": "v6e"; ``devices`` share it.
    """

    flops_per_s: float
    bytes_per_s: float
    on_chip_bytes: int | None
    source: str
    hard: bool
    measured_on: str | None = None
    name: str = "machine"
    devices: int = 1
    disturbed: bool = False  # something else was busy while it was measured, so it may be too low


@dataclass(frozen=True)
class Floor:
    """The least time under a roof, in nanoseconds: ``ns`` is that of computing or of moving, whichever is longer."""

    compute_ns: float
    memory_ns: float
    ns: float
    bound: Literal["compute", "memory"]
    roof: Roof


def floor(workload: Workload | Step | Product, roof: Roof) -> Floor:
    """Return the least time of a workload, or of one of its steps, under a roof: max(FLOP / peak, bytes / bandwidth)."""
    compute_ns = 1e9 * workload.flops / roof.flops_per_s
    memory_ns = 1e9 * workload.bytes / roof.bytes_per_s
    return Floor(compute_ns, memory_ns, max(compute_ns, memory_ns), "compute" if compute_ns >= memory_ns else "memory", roof)


def roof_of_chip(chip: Chip, dtype: Dtype, precision: Precision = "default") -> Roof:
    """Return the hard roof of one device of a chip.

    float32 is made of 1, 3 or 6 bfloat16 passes; so give the dtype that is really computed, which XLA_USE_BF16 may have
    changed. float16, and 8 bits that the chip has no units for, are computed in bfloat16.

    On v2, v3 and 7x a device is one of the two cores of a chip, and has the matrix units of that core alone: half of the
    chip's FLOP/s. How much of the memory's bandwidth one core can use is not documented, so all of it counts.
    """
    passes = PASSES[precision] if dtype == "float32" else 1
    at = f" at {passes} passes" if passes > 1 else ""
    part = "one core of a " if chip.devices_per_chip > 1 else ""
    return Roof(
        flops_per_s=chip.flops_of(dtype) / chip.devices_per_chip / passes,
        bytes_per_s=chip.bytes_per_s,
        on_chip_bytes=chip.on_chip_bytes,
        source=f"{part}{chip.name}, {chip.source}",
        hard=True,
        name=f"{chip.name}{at}",
        devices=chip.devices_per_chip,
    )


@dataclass(frozen=True)
class MeasuredPeaks:
    """FLOP/s and bytes/s, and the day they were measured, "2026-11-22".

    ``disturbed`` says what else the machine did then, so that they may be too low; ``again`` that a faster run had refuted
    what was known before.
    """

    flops_per_s: float
    bytes_per_s: float
    measured_on: str
    disturbed: str = ""
    again: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError where it would hold nothing."""
        if not (0 < self.flops_per_s < math.inf and 0 < self.bytes_per_s < math.inf):
            raise ValueError(f"a peak of {self.flops_per_s} FLOP/s and {self.bytes_per_s} bytes/s holds nothing")


def peaks_of(measured: PeaksMeasured, day: str, known: MeasuredPeaks | None = None) -> MeasuredPeaks:
    """Return a measured peak measured on a day, "2026-11-22", with what was known before: a peak is the greatest rate that was seen."""
    if known is None:
        return MeasuredPeaks(measured.flops_per_s, measured.bytes_per_s, day, measured.disturbed)
    flops_per_s, bytes_per_s = max(measured.flops_per_s, known.flops_per_s), max(measured.bytes_per_s, known.bytes_per_s)
    raised = (flops_per_s, bytes_per_s) != (known.flops_per_s, known.bytes_per_s)
    return MeasuredPeaks(flops_per_s, bytes_per_s, day if raised else known.measured_on, measured.disturbed and known.disturbed)


def roof_of_peaks(peaks: MeasuredPeaks, cache_bytes: int | None = None) -> Roof:
    """Return the soft roof of a measured peak. The bytes/s are those of memory; what fits into ``cache_bytes`` may move faster."""
    again = ", again after this run" if peaks.again else ""
    busy = " while it was disturbed" if peaks.disturbed else ""
    return Roof(
        peaks.flops_per_s,
        peaks.bytes_per_s,
        cache_bytes,
        f"measured on this machine on {peaks.measured_on}{again}{busy}",
        hard=False,
        measured_on=peaks.measured_on,
        disturbed=bool(peaks.disturbed),
    )


KEY_PARTS = 9  # other keys are of an earlier version, which measured less


def peaks_key(config: BenchmarkConfig, environment: dict[str, Any]) -> str:
    """Name what a measured peak holds for: another processor, device, dtype, precision, limit or number of threads has its own."""
    parts = (
        environment.get("host"),
        environment.get("cpu"),
        config.backend,
        environment.get("hardware") or environment.get("device"),
        config.workload.dtype,
        environment.get("precision"),
        environment.get("cores"),
        environment.get("cpu_quota"),
        environment.get("threads"),
    )
    return "|".join(str(part) for part in parts)


class PeakCache:
    """One JSON file; what cannot be read counts as not measured, and what was measured while disturbed is measured again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def knows(self, config: BenchmarkConfig) -> bool:
        """Return whether a measured peak was measured undisturbed for the config's backend, dtype and threads, on whatever device."""
        threads = "" if config.threads is None else f"|{config.threads}"
        keys = (key for key in self.read() if key.count("|") == KEY_PARTS - 1 and (kept := self.load(key)) and not kept.disturbed)
        return any(f"|{config.backend}|" in key and f"|{config.workload.dtype}|" in key and key.endswith(threads) for key in keys)

    def load(self, key: str) -> MeasuredPeaks | None:
        """Return what was measured under a key, None where nothing was."""
        try:
            values = self.read()[key]
            rates = float(values["flops_per_s"]), float(values["bytes_per_s"])
            return MeasuredPeaks(*rates, str(values["measured_on"]), str(values.get("disturbed", "")))
        except (TypeError, KeyError, ValueError):  # nothing, or nothing of ours
            return None

    def store(self, key: str, peaks: MeasuredPeaks) -> None:
        """Keep a measured peak; raise OSError where the file cannot be written."""
        values = {name: value for name, value in asdict(peaks).items() if value and name != "again"}
        write_whole(self.path, json.dumps({**self.read(), key: values}, indent=1))

    def read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
