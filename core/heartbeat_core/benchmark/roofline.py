"""The least time physics allows for a product: the roofline model.

Source: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from heartbeat_core.benchmark.config import BenchmarkConfig, Dtype, MatMul, Precision
from heartbeat_core.benchmark.protocol import CeilingMeasured
from heartbeat_core.benchmark.tpu_chips import Chip
from heartbeat_core.paths import write_whole

# How many bfloat16 products a TPU makes of one float32 product; torch_xla.backends.set_mat_mul_precision.
PASSES: dict[Precision, int] = {"default": 1, "high": 3, "highest": 6}


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


@dataclass(frozen=True)
class Floor:
    """The least time under a roof, in nanoseconds: ``ns`` is that of computing or of moving, whichever is longer."""

    compute_ns: float
    memory_ns: float
    ns: float
    bound: Literal["compute", "memory"]
    roof: Roof


def floor(workload: MatMul, roof: Roof) -> Floor:
    """Return the least time of a product under a roof: max(FLOP / peak, bytes / bandwidth)."""
    compute_ns = 1e9 * workload.flops / roof.flops_per_s
    memory_ns = 1e9 * workload.bytes / roof.bytes_per_s
    return Floor(compute_ns, memory_ns, max(compute_ns, memory_ns), "compute" if compute_ns >= memory_ns else "memory", roof)


def roof_of_chip(chip: Chip, dtype: Dtype, precision: Precision = "default") -> Roof:
    """Return the hard roof of one device of a chip.

    float32 is made of 1, 3 or 6 bfloat16 passes, bfloat16 always of 1; so give the dtype that is really computed, which
    XLA_USE_BF16 may have changed.

    On v2, v3 and 7x a device is one of the two cores of a chip, and has the matrix units of that core alone: half of the
    chip's FLOP/s. How much of the memory's bandwidth one core can use is not documented, so all of it counts.
    """
    passes = 1 if dtype == "bfloat16" else PASSES[precision]
    at = f" at {passes} passes" if passes > 1 else ""
    part = "one core of a " if chip.devices_per_chip > 1 else ""
    return Roof(
        flops_per_s=chip.bf16_flops / chip.devices_per_chip / passes,
        bytes_per_s=chip.bytes_per_s,
        on_chip_bytes=chip.on_chip_bytes,
        source=f"{part}{chip.name}, {chip.source}",
        hard=True,
        name=f"{chip.name}{at}",
        devices=chip.devices_per_chip,
    )


def roof_of_ceiling(flops_per_s: float, bytes_per_s: float, measured_on: str, cache_bytes: int | None = None) -> Roof:
    """Return the soft roof of a ceiling measured on this machine on a date, "2026-11-22"; raise ValueError where it is 0.

    The bytes/s are those of memory; what fits into ``cache_bytes`` may move faster.
    """
    if not (flops_per_s > 0 and bytes_per_s > 0):
        raise ValueError(f"a ceiling of {flops_per_s} FLOP/s and {bytes_per_s} bytes/s holds nothing")
    return Roof(flops_per_s, bytes_per_s, cache_bytes, f"measured on this machine on {measured_on}", False, measured_on)


@dataclass(frozen=True)
class Ceiling:
    """FLOP/s and bytes/s, and the day they were measured, "2026-11-22"."""

    flops_per_s: float
    bytes_per_s: float
    measured_on: str


KEY_PARTS = 9  # other keys are of an earlier version, which measured less


def ceiling_key(config: BenchmarkConfig, environment: dict[str, Any]) -> str:
    """Name what a ceiling holds for: another processor, device, dtype, precision, limit or number of threads has its own."""
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


class CeilingCache:
    """One JSON file; what cannot be read counts as not measured."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def knows(self, config: BenchmarkConfig) -> bool:
        """Return whether a ceiling was ever measured for the config's backend, dtype and threads, on whatever device that was."""
        threads = "" if config.threads is None else f"|{config.threads}"
        keys = (key for key in self.read() if key.count("|") == KEY_PARTS - 1)
        return any(f"|{config.backend}|" in key and f"|{config.workload.dtype}|" in key and key.endswith(threads) for key in keys)

    def load(self, key: str) -> Ceiling | None:
        values = self.read().get(key)
        try:
            kept = Ceiling(float(values["flops_per_s"]), float(values["bytes_per_s"]), str(values["measured_on"])) if values else None
        except (TypeError, KeyError, ValueError):
            return None
        return kept if kept and 0 < kept.flops_per_s < math.inf and 0 < kept.bytes_per_s < math.inf else None

    def store(self, key: str, measured: CeilingMeasured, day: date) -> Ceiling:
        """Keep a ceiling; raise OSError where the file cannot be written."""
        ceiling = Ceiling(measured.flops_per_s, measured.bytes_per_s, day.isoformat())
        kept = {**self.read(), key: asdict(ceiling)}
        write_whole(self.path, json.dumps(kept, indent=1))
        return ceiling

    def read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
