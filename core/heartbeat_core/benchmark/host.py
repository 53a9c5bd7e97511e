"""What the worker's host is, and what else it is doing. Standard library only."""

from __future__ import annotations

import os
import platform
import re
import resource
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Health
from heartbeat_core.errors import HeartbeatError

CPUINFO, STAT = Path("/proc/cpuinfo"), Path("/proc/stat")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe_host() -> dict[str, Any]:
    """Name the host, its processor and Python, and the niceness this process runs at."""
    return {
        "host": socket.gethostname(),
        "os": f"{platform.system()} {platform.release()}",
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
    }


def cpu_model() -> str:
    if CPUINFO.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", CPUINFO.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def cache_bytes(caches: Path = CACHES) -> int | None:
    """Read the size of the largest cache that a core sees, None where the kernel does not tell."""
    sizes = [found for each in caches.glob("index*/size") if (found := re.fullmatch(r"(\d+)K", each.read_text().strip()))]
    return max((int(size[1]) * 1024 for size in sizes), default=None)


def clock_mhz() -> float | None:
    """Read the mean clock of the cores, None where the kernel does not tell."""
    if not CPUINFO.exists():
        return None
    found = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", CPUINFO.read_text(), re.MULTILINE)]
    return sum(found) / len(found) if found else None


@dataclass(frozen=True)
class CpuTime:
    """Ticks of all cores since boot, from /proc/stat."""

    total: int
    steal: int


def cpu_time() -> CpuTime | None:
    if not STAT.exists():
        return None
    ticks = [int(value) for value in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return CpuTime(sum(ticks), ticks[7]) if len(ticks) == 8 else None


class HealthWatch:
    """Count from when the beats began: involuntary switches of this process, time stolen by the hypervisor."""

    def __init__(self) -> None:
        self.switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        self.cpu_time = cpu_time()

    def read(self, at_ns: int) -> Health:
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - self.switches
        return Health(at_ns, switches, os.getloadavg()[0], self.steal_percent(), clock_mhz())

    def steal_percent(self) -> float | None:
        before, now = self.cpu_time, cpu_time()
        if before is None or now is None or now.total <= before.total:
            return None
        return 100 * (now.steal - before.steal) / (now.total - before.total)


VMSTAT = Path("/proc/vmstat")
RESERVE_BYTES = 512 * 2**20  # what torch itself and its buffers take


def available_bytes() -> int | None:
    """Return the bytes this process may still take: the host's, or its control group's where that is less."""
    bounds = [bound for bound in (host_available(), cgroup_available()) if bound is not None]
    return min(bounds) if bounds else None


def host_available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def cgroup_available(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Read what the control group (version 2) leaves, None where it sets no limit.

    Files that were read count as used until their pages are needed; those not in active use are as good as free.
    """
    try:
        limit, used, stat = ((root / f"memory.{name}").read_text().strip() for name in ("max", "current", "stat"))
    except OSError:
        return None
    reclaimable = next((int(line.split()[1]) for line in stat.splitlines() if line.startswith("inactive_file ")), 0)
    return None if limit == "max" else max(0, int(limit) - max(0, int(used) - reclaimable))


def ensure_fits(plan: BenchmarkConfig, available: int | None, *, operand_copies: int = 1, where: str = "this machine") -> None:
    """Raise HeartbeatError where the run needs more memory than there is."""
    if available is None:
        return
    results = plan.window if plan.method == "pipelined" else 1
    needed = plan.workload.peak_bytes(operand_copies=operand_copies, results=results) + RESERVE_BYTES
    if needed > available:
        raise HeartbeatError(
            f"{plan.workload.shape} in {plan.workload.dtype} does not fit into memory",
            f"The run needs {gib(needed)}, the proof of its result included; {where} has {gib(available)} free.",
            "Make --batch, --hidden or --intermediate smaller, or free memory.",
        )


def gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def kernel_oom_kills() -> int | None:
    """Read how many processes the kernel has killed for memory since boot, None where it does not tell."""
    try:
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
