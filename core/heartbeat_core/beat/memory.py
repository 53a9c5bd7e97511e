"""How much memory there is, and whether a run fits, before anything is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from heartbeat_core.beat.plan import Plan
from heartbeat_core.errors import HeartbeatError

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


def ensure_fits(plan: Plan, available: int | None, *, operand_copies: int = 1, where: str = "this machine") -> None:
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
