"""Hard peaks: the most a device can compute, whatever program runs on it. Above one a measured time is impossible.

A hard peak must never be too low. Where sources differ the higher figure counts, and what is unknown is assumed generously.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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


BOOST = 1.15  # cards may run above the boost clock of their data sheet; the memory does not
NVIDIA, AMD = "NVIDIA, data sheet", "AMD, data sheet"
UNVERIFIED = 1.15  # and once more, memory included, where no source was at hand


def gpu(
    name: str, bfloat16: float, tf32: float, float32: float, gb_per_s: float, cache_mib: int, source: str, *, unverified: bool = False
) -> GpuPeak:
    """Make a row from TFLOP/s, GB/s and MiB; ``tf32`` 0 where the device has no such mode."""
    tera, giga = (TERA * UNVERIFIED, GIGA * UNVERIFIED) if unverified else (TERA, GIGA)
    source += " (unverified)" if unverified else ""
    return GpuPeak(name, bfloat16 * tera, max(tf32, float32) * tera, float32 * tera, gb_per_s * giga, cache_mib * MIB, source)


# The first whose name is part of the device's counts. Dense, without sparsity. V100 and T4: float16, they have no bfloat16.
# The data sheets themselves were not at hand; these cite them or their figures (looked up on 2026-11-30):
#   [K] glennklockwood.com/garden/processors, pages h100, B200, B300, from NVIDIA's white papers
#   [P] PyTorch, torch/_inductor/analysis/device_info.py, which names the data sheet of each device
#   [L] Lightning, fabric/utilities/throughput.py, likewise   [T] torchtitan, tools/utils.py, likewise
#   [S] github.com/winston-zhang-orz/gpu-specs, specs.md      [B] github.com/fanghostt/transformers-benchmarks
#   [D] github.com/astroC86/gpu-datasheet: 8 bits of A100, A10, A40, H100, H200, H800; [S] of L40S, L4, T4
#   [A] Tom's Hardware's table of NVIDIA's white paper on Ada, as copied on mobylak.com   [R] rocm.docs.amd.com, gpu-specs (caches)
# Where they differ the highest counts. On-chip bytes are a least: torch tells the size of the L2 cache, and the greater counts.
GPUS: tuple[GpuPeak, ...] = (
    gpu("B300", 3500, 1250, 90, 8000, 126, f"{NVIDIA} of the B300"),  # [K] 2,250 and 75; itkb.uw.cz (2026-06-22) 3,500; cache not found
    gpu("B200", 2500, 1250, 90, 8000, 126, f"{NVIDIA} of the GB200"),  # [K]; cache not found
    gpu("GH200", 989.4, 494.7, 67.5, 4900, 60, f"{NVIDIA} of the GH200"),  # FLOP/s as H100; memory not looked up
    gpu("H200", 989.4, 494.7, 67.5, 4800, 60, f"{NVIDIA} of the H200"),  # [K] [T]; 4.8 TB/s aiwiki.ai/wiki/nvidia_h200
    gpu("H100", 989.5, 494.7, 67.5, 3940, 60, f"{NVIDIA} of the H100, the fastest form"),  # [K] [P] [L]; 3.35 TB/s, NVL not looked up
    gpu("H800", 989.5, 494.7, 67.5, 3940, 60, f"{NVIDIA} of the H100, whose chip it has"),
    gpu("H20", 148, 74, 44, 4000, 60, f"{NVIDIA} of the H20", unverified=True),
    gpu("A100", 312.5, 156, 19.5, 2039, 40, f"{NVIDIA} of the A100 80GB"),  # [P] [L] [S]; cache huggingface.co/RajBhope, gpu_catalog.json
    gpu("A800", 312.5, 156, 19.5, 2039, 40, f"{NVIDIA} of the A100, whose chip it has"),
    gpu("A40", 150, 75, 37.4, 696, 6, f"{NVIDIA} of the A40", unverified=True),
    gpu("A30", 165, 82, 10.3, 933, 24, f"{NVIDIA} of the A30", unverified=True),
    gpu("A10", 125, 62.5, 31.2, 600, 6, f"{NVIDIA} of the A10"),  # [L] [S]
    gpu("L40", 362, 183, 91.6, 864, 96, f"{NVIDIA} of the L40S"),  # [S] [T]; cache that of the whole AD102 [A]
    gpu("L4", 121, 60, 30.3, 300, 48, f"{NVIDIA} of the L4"),  # [S]; [P] has 242 and 120, which are with sparsity
    gpu("V100", 130, 0, 16.4, 1134, 6, f"{NVIDIA} of the V100S"),  # [L] [S]; cache gpu_catalog.json, as for the A100
    gpu("T4", 65, 0, 8.1, 320, 4, f"{NVIDIA} of the T4"),  # [L] [S], which has 300 GB/s; 320 and the cache gpu_catalog.json
    gpu("P100", 21.2, 0, 10.6, 732, 4, f"{NVIDIA} of the P100", unverified=True),
    gpu("RTX PRO 6000", 504, 252, 126, 1792, 128, f"{NVIDIA} of the RTX PRO 6000"),  # 125, 4,000 in FP4 with sparsity, so 500: VideoCardz
    gpu("RTX 6000 Ada", 366, 183, 91.6, 960, 96, f"{NVIDIA} of the RTX 6000 Ada"),  # 91.1: huggingface.co/datasets/ohdoking/gpu_spec; L40S
    gpu("RTX A6000", 155, 77.4, 38.7, 768, 6, f"{NVIDIA} of the RTX A6000"),  # [B] 150, 75, 768; 38.7 ohdoking/gpu_spec
    gpu("RTX 5090", 419, 105, 104.8, 1792, 96, f"{NVIDIA}, RTX Blackwell architecture"),  # 1,792 libertify.com; 419 not looked up
    gpu("RTX 5080", 225, 56.3, 56.3, 960, 64, f"{NVIDIA}, RTX Blackwell architecture", unverified=True),
    gpu("RTX 4090", 331, 82.6, 82.6, 1008, 96, f"{NVIDIA}, Ada architecture"),  # [A] 661 with sparsity
    gpu("RTX 4080", 209, 52.2, 52.2, 736, 64, f"{NVIDIA}, Ada architecture, of the RTX 4080 SUPER"),  # [A] 195; 52.2 ohdoking/gpu_spec
    gpu("RTX 3090", 160, 80, 40.1, 1008, 6, f"{NVIDIA}, Ampere architecture, of the RTX 3090 Ti"),  # [A] [B]
    gpu("RTX 3080", 136, 68, 34.1, 912, 6, f"{NVIDIA}, Ampere architecture, of the RTX 3080 Ti", unverified=True),
    gpu("MI355X", 2520, 0, 157.4, 8000, 256, f"{AMD} of the MI355X"),  # as MI350X at 2.4 of 2.2 GHz (wccftech.com); cache [R]
    gpu("MI350X", 2309.6, 0, 144.2, 8000, 256, f"{AMD} of the MI350X"),  # [P]; cache [R]
    gpu("MI325X", 1307.4, 653.7, 163.4, 6000, 256, f"{AMD} of the MI325X"),  # as MI300X; 6 TB/s docs.vultr.com; cache [R]
    gpu("MI300", 1307.4, 653.7, 163.4, 5300, 256, f"{AMD} of the MI300X"),  # [P]; cache [R]
    gpu("MI250", 383, 0, 95.7, 3277, 16, f"{AMD} of the MI250X, both dies"),  # [T] 191.5 a die; the rest not looked up
    gpu("MI210", 181, 0, 45.3, 1638, 8, f"{AMD} of the MI210"),  # [P]
    gpu("MI100", 185, 0, 46.1, 1229, 8, f"{AMD} of the MI100", unverified=True),
    gpu("7900 XTX", 123, 0, 61.4, 960, 96, f"{AMD} of the RX 7900 XTX", unverified=True),
)


def hard_peak(environment: Mapping[str, Any], config: BenchmarkConfig, *, boost: float = BOOST) -> Roof | None:
    """Return the hard roof of the device a run was made on, by the record of its environment; None where it is unknown.

    With a ``boost`` of 1 the published figure of a GPU.

    A TPU's is that of its chip, a GPU's of its name, a processor's of cores × clock × FLOP a cycle. The memory of a
    processor is not known: its ``bytes_per_s`` is infinite, and only the arithmetic refutes.
    """
    if chip := chip_by_name(str(environment.get("chip") or "")):
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
    found = next((row for row in GPUS if row.name.lower() in hardware.lower()), None)
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
