"""Hard peaks: the most a device can compute, whatever program runs on it. Above one a measured time is impossible.

A hard peak must never be too low. Where sources differ the higher figure counts, and what is unknown is assumed generously.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.roofline import Roof, roof_of_chip
from heartbeat_core.benchmark.tpu_chips import chip_by_name

TERA, GIGA, MIB = 1e12, 1e9, 2**20
FASTEST_CLOCK_MHZ = 6_000.0  # where the kernel does not tell: above what any server or laptop sold boosts to
# FLOP of one core in a cycle: the first flag that a core has decides. Two fused multiply-add units are assumed everywhere.
# Sources: Intel, "Optimization Reference Manual" (AVX-512: 2 × 16 × 2 in float32; AMX: a tile of 16 × 16 × 32 products in 16
# cycles, so 1,024 × 2); AMD, "Software Optimization Guide" of Zen 4 (VDPBF16PS); Arm, guides of Neoverse V1 and V2.
# Of 16 bits at most what bfloat16's units give is assumed, of 8 bits twice that: a dot product of four takes the place of one of two.
FlagRates = tuple[tuple[str, int], ...]
BITS16: FlagRates = (("amx_bf16", 2048), ("avx512_bf16", 256), ("avx512f", 128), ("avx2", 64), ("avx", 64), ("sve", 512), ("asimd", 256))
BITS8: FlagRates = tuple((flag, 2 * flops) for flag, flops in BITS16)
FLOPS_PER_CYCLE: dict[Dtype, FlagRates] = {
    "float32": (("avx512f", 64), ("avx2", 32), ("avx", 32), ("sve", 128), ("asimd", 64)),
    "bfloat16": BITS16,
    "float16": BITS16,
    "int8": BITS8,
    "float8_e4m3": BITS8,
}
UNKNOWN_PER_CYCLE = 2048  # no flags, as on macOS, whose processors have matrix units of their own
SHORTCUTS = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")  # float32 may be computed in bfloat16 where one is set


@dataclass(frozen=True)
class GpuPeak:
    """A GPU by a part of its name: FLOP/s of dense products, bytes/s of its memory, bytes of its last-level cache."""

    name: str
    bfloat16: float
    tf32: float
    float32: float
    bytes_per_s: float
    on_chip_bytes: int
    source: str

    def flops_of(self, dtype: Dtype, *, tf32: bool) -> float:
        """Return the FLOP/s of a dtype: float16 as bfloat16, 8 bits at most twice as fast, as the data sheets have it."""
        if dtype == "float32":
            return self.tf32 if tf32 else self.float32
        return self.bfloat16 * (1 if dtype in ("bfloat16", "float16") else 2)


GPUS = Path(__file__).with_name("gpus.txt")
BOOST = 1.15  # cards may run above the boost clock of their data sheet; the memory does not
UNVERIFIED = 1.15  # and once more, memory included, where no source was at hand


@cache
def gpus() -> tuple[GpuPeak, ...]:
    """Read the table of GPUs, ``gpus.txt``, which says where its figures are from."""
    found = []
    for line in GPUS.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, *figures, source, _ = (cell.strip() for cell in line.split("|"))
        bfloat16, tf32, float32, gb_per_s, cache_mib = map(float, figures)
        unsure = UNVERIFIED if source.endswith("(unverified)") else 1.0
        tera, giga = TERA * unsure, GIGA * unsure
        peaks = bfloat16 * tera, max(tf32, float32) * tera, float32 * tera, gb_per_s * giga
        found.append(GpuPeak(name, *peaks, int(cache_mib * MIB), source))
    return tuple(found)


def hard_peak(environment: Mapping[str, Any], config: BenchmarkConfig, *, boost: float = BOOST) -> Roof | None:
    """Return the hard roof of the device a run was made on, by the record of its environment; None where it is unknown.

    With a ``boost`` of 1 the published figure of a GPU.

    A TPU's is that of its chip, a GPU's of its name, a processor's of cores × clock × FLOP a cycle. The memory of a
    processor is not known: its ``bytes_per_s`` is infinite, and only the arithmetic refutes.
    """
    if chip := chip_by_name(environment.get("chip")):
        dtype: Dtype = "bfloat16" if "into bfloat16" in str(environment.get("precision")) else config.workload.dtype
        return roof_of_chip(chip, dtype, config.precision)
    backend = BACKENDS.get(config.backend)
    if (backend and backend.host_only) or environment.get("hardware") == "CPU":
        return processor_peak(environment, config.workload.dtype)
    return gpu_peak(str(environment.get("hardware") or ""), environment, config, boost)


def processor_peak(environment: Mapping[str, Any], dtype: Dtype) -> Roof | None:
    """Return the hard roof of the processors a run was allowed; None where their number is not recorded.

    A quota of the control group does not lower it, for it may be exceeded in bursts. Two threads of one core count as two.
    """
    cores, flags = environment.get("cores"), environment.get("cpu_flags")
    if not isinstance(cores, int):
        return None
    variables = environment.get("variables")
    shortcut = isinstance(variables, dict) and any(variables.get(name) for name in SHORTCUTS)
    per_cycle, which = UNKNOWN_PER_CYCLE, "an unknown instruction set"
    if isinstance(flags, list):
        rows = FLOPS_PER_CYCLE["bfloat16" if shortcut and dtype == "float32" else dtype]
        which, per_cycle = next(((flag, flops) for flag, flops in rows if flag in flags), (which, per_cycle))
    known = environment.get("clock_max_mhz")
    clock = float(known) if isinstance(known, (int, float)) and known > 0 else FASTEST_CLOCK_MHZ
    assumed = "" if clock == known else ", assumed"
    return Roof(
        flops_per_s=cores * clock * 1e6 * per_cycle,
        bytes_per_s=math.inf,
        on_chip_bytes=None,
        source=f"{cores} cores × {clock / 1e3:.3g} GHz{assumed} × {per_cycle:,} FLOP a cycle ({which})",
        hard=True,
        name=f"processor of {cores} core{'' if cores == 1 else 's'}",
    )


def gpu_peak(hardware: str, environment: Mapping[str, Any], config: BenchmarkConfig, boost: float = BOOST) -> Roof | None:
    """Return the hard roof of a GPU by its name, None where the name is not known."""
    found = next((row for row in gpus() if row.name.lower() in hardware.lower()), None)
    if found is None:
        return None
    variables = environment.get("variables")
    forced = isinstance(variables, dict) and variables.get("NVIDIA_TF32_OVERRIDE") == "1"
    cache = environment.get("cache_bytes")
    return Roof(
        flops_per_s=boost * found.flops_of(config.workload.dtype, tf32=forced or config.precision == "high"),
        bytes_per_s=found.bytes_per_s,
        on_chip_bytes=max(found.on_chip_bytes, cache if isinstance(cache, int) else 0),
        source=found.source if boost == 1 else f"{found.source}, × {boost:g} for a higher clock",
        hard=True,
        name=found.name,
    )
