"""The worker's host: what it is, what changes its speed, and what else it is doing. Standard library only."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Health
from heartbeat_core.errors import HeartbeatError

CPUINFO, STAT, SCHEDSTAT = Path("/proc/cpuinfo"), Path("/proc/stat"), Path("/proc/self/schedstat")
CPUS = Path("/sys/devices/system/cpu")
CGROUPS = Path("/sys/fs/cgroup")
# Environment variables that change how fast a product is; a star stands for any end of the name.
SPEED_VARIABLES = (
    "XLA_*", "LIBTPU_INIT_ARGS", "ONEDNN_*", "DNNL_*", "ATEN_CPU_CAPABILITY", "OMP_*", "GOMP_*", "KMP_*", "MKL_*",
    "OPENBLAS_*", "NVIDIA_TF32_OVERRIDE", "CUBLAS_*", "PYTORCH_*", "MALLOC_*", "GLIBC_TUNABLES", "LD_PRELOAD",
)  # fmt: skip
# Instruction sets that decide how many operations a core does in a cycle.
PEAK_FLAGS = ("avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "sve", "sve2", "bf16", "sme")


def text_of(path: Path) -> str:
    """Read a file of the kernel's; empty where there is none that may be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def number_in(text: str, name: str) -> int | None:
    """Find the number behind a name at the start of a line."""
    found = re.search(rf"^{name}\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def describe_host() -> dict[str, Any]:
    """Name the host, its processor and Python, and all that changes how fast this process computes."""
    flags = cpu_flags()
    return {
        "host": socket.gethostname(),
        "os": f"{platform.system()} {platform.release()}",
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "allowed_cpus": allowed_cpus(),
        "cpu_quota": cpu_quota(),
        "cpu_flags": None if flags is None else [flag for flag in PEAK_FLAGS if flag in flags],
        "clock_max_mhz": clock_max_mhz(),
        "variables": speed_variables(os.environ),
    }


def speed_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return those of the variables that change speed and are set."""
    return {name: environ[name] for name in sorted(environ) if any(fnmatchcase(name, pattern) for pattern in SPEED_VARIABLES)}


def allowed_cpus() -> str | None:
    """Return the processors that this process may run on, as ranges: "0-3,8"; None where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    ranges: list[list[int]] = []
    for cpu in sorted(os.sched_getaffinity(0)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str] | None:
    """Read the instruction sets of the processor, None where the kernel does not tell."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text_of(cpuinfo), re.MULTILINE)
    return frozenset(found[1].split()) if found else None


def clock_max_mhz(cpus: Path = CPUS) -> float | None:
    """Read the greatest clock of any processor, None where the kernel does not tell, as in most virtual machines."""
    clocks = [int(each.read_text()) / 1e3 for each in cpus.glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")]
    return max(clocks, default=None)


def own_group(controller: str, root: Path, proc: Path) -> list[Path]:
    """List the control groups of this process, the innermost first; version 1 has a tree for each controller."""
    for number, controllers, path in (line.split(":", 2) for line in text_of(proc).splitlines()):
        if number == "0" and (root / "cgroup.controllers").exists():
            top = root
        elif controller in controllers.split(","):
            top = root / controllers if (root / controllers).exists() else root / controller
        else:
            continue
        own = top / path.lstrip("/")
        # in a container the path may be the host's, and the tree begins at the container's own group
        return [each for each in (own, *own.parents) if each == top or top in each.parents]
    return []


def cpu_quota(root: Path = CGROUPS, proc: Path = Path("/proc/self/cgroup")) -> float | None:
    """Read how many processors the control groups grant at most, None where they set no limit."""
    found = []
    for group in own_group("cpu", root, proc):
        with contextlib.suppress(ValueError):  # no limit is "max", and -1 in version 1
            quota, period = text_of(group / "cpu.max").split() or (text_of(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
            if int(quota) > 0:
                found.append(int(quota) / int(period))
    return min(found, default=None)


@dataclass(frozen=True)
class Throttling:
    """How often and how long a control group was kept off the processors by its quota."""

    periods: int
    ns: int


def throttling(root: Path = CGROUPS, proc: Path = Path("/proc/self/cgroup")) -> Throttling | None:
    """Read the throttling of the control group of this process and those above it, the worst; None where none is counted."""
    found = []
    for group in own_group("cpu", root, proc):
        stat = text_of(group / "cpu.stat")
        if (periods := number_in(stat, "nr_throttled")) is not None:
            ns = 1000 * (number_in(stat, "throttled_usec") or 0) or number_in(stat, "throttled_time") or 0
            found.append(Throttling(periods, ns))
    return max(found, key=lambda each: each.ns, default=None)


def suspended_ns() -> int | None:
    """Read how long the machine has slept since boot, None where no two clocks tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if hasattr(time, "CLOCK_UPTIME_RAW"):  # macOS, whose monotonic clock goes on while it sleeps
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) - time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
    return None


def waited_ns(schedstat: Path = SCHEDSTAT) -> int | None:
    """Read how long the main thread, which takes the times, was ready to run while others had the processors; None where none tells."""
    words = text_of(schedstat).split()
    return int(words[1]) if len(words) > 1 else None


def cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", text_of(CPUINFO), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cache_bytes(cpus: Path = CPUS) -> int | None:
    """Read the size of all last-level caches together, each shared by some cores; None where the kernel does not tell."""
    caches: dict[tuple[int, str], int] = {}
    for each in cpus.glob("cpu[0-9]*/cache/index*"):
        with contextlib.suppress(OSError, ValueError):
            level, shared, size = ((each / name).read_text().strip() for name in ("level", "shared_cpu_list", "size"))
            caches[int(level), shared] = int(size.removesuffix("K")) * 1024
    last = max((level for level, _ in caches), default=0)
    return sum(size for (level, _), size in caches.items() if level == last) or None


def clock_mhz() -> float | None:
    """Read the mean clock of the cores, None where the kernel does not tell."""
    found = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", text_of(CPUINFO), re.MULTILINE)]
    return sum(found) / len(found) if found else None


def cpu_ticks() -> tuple[int, int] | None:
    """Read the ticks of all cores since boot, and how many of these others had."""
    ticks = [int(value) for value in text_of(STAT).partition("\n")[0].split()[1:9]]
    return (sum(ticks), ticks[7]) if len(ticks) == 8 else None


class HealthWatch:
    """Counts, from when the iterations began, what disturbs them: switches, waits, stops, sleep, stolen and throttled time.

    ``seen`` returns when the worker last showed progress, in nanoseconds of the performance counter. A process that is
    stopped (SIGSTOP, Ctrl-Z) gets SIGCONT before it goes on: the time since then is how long it stood, and an iteration.
    """

    def __init__(self, seen: Callable[[], int] = time.perf_counter_ns) -> None:
        self.switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        self.cpu_ticks = cpu_ticks()
        self.suspended, self.throttling, self.waited = suspended_ns(), throttling(), waited_ns()
        self.seen, self.stops, self.stopped_ns = seen, 0, 0
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCONT, self.continued)

    def continued(self, _number: int, _frame: object) -> None:
        """Count a stop; a SIGCONT to a process that was running is none."""
        gap = time.perf_counter_ns() - self.seen()
        if gap >= SHORTEST_STOP_NS:
            self.stops += 1
            self.stopped_ns += gap

    def read(self, at_ns: int) -> Health:
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - self.switches
        slept, throttled, waited = suspended_ns(), throttling(), waited_ns()
        return Health(
            at_ns,
            switches,
            os.getloadavg()[0],
            self.steal_percent(),
            clock_mhz(),
            stops=self.stops,
            stopped_ns=self.stopped_ns,
            # the two clocks are read one after the other: less than a millisecond is no sleep
            suspended_ns=None if slept is None or self.suspended is None else max(0, slept - self.suspended) // 10**6 * 10**6,
            throttles=None if throttled is None or self.throttling is None else throttled.periods - self.throttling.periods,
            throttled_ns=None if throttled is None or self.throttling is None else throttled.ns - self.throttling.ns,
            waited_ns=None if waited is None or self.waited is None else waited - self.waited,
        )

    def steal_percent(self) -> float | None:
        before, now = self.cpu_ticks, cpu_ticks()
        if before is None or now is None or now[0] <= before[0]:
            return None
        return 100 * (now[1] - before[1]) / (now[0] - before[0])


WAITED = 0.1  # of the time
SWITCHES_PER_S = 100.0
STEAL_PERCENT = 2.0
THROTTLED = 0.02  # of the time
LEAST_SWITCHES = 10  # fewer tell nothing of a rate


def interruptions(health: Health, seconds: float) -> Iterator[str]:
    """State what kept the process from its processors in so many seconds, where it was enough to show in its times."""
    throttled = (health.throttled_ns or 0) / 1e9 / seconds
    if throttled > THROTTLED:
        yield f"the CPU quota of its control group held it off the processors {100 * throttled:.0f} % of the time"
    if health.steal_percent is not None and health.steal_percent > STEAL_PERCENT:
        yield f"the hypervisor took {health.steal_percent:.1f} % of the processor for others"
    if health.waited_ns is not None:
        waited = health.waited_ns / 1e9 / seconds
        if waited > WAITED:
            yield f"it waited {100 * min(1.0, waited):.0f} % of the time for a processor: other programs are busy"
        return
    # Only where the wait is not known: on a machine without other programs 119 a second were seen, at a load of ten 63.
    rate = health.switches / seconds
    if rate > SWITCHES_PER_S and health.switches >= LEAST_SWITCHES:
        yield f"{rate:.0f} involuntary context switches/s: other programs are busy"


SHORTEST_STOP_NS = 200_000_000  # a shorter one may be an iteration
VMSTAT = Path("/proc/vmstat")
RESERVE_BYTES = 512 * 2**20  # what torch itself and its buffers take


def available_bytes() -> int | None:
    """Return the bytes this process may still take: the host's, or its control group's where that is less."""
    return min((bound for bound in (host_available(), cgroup_available()) if bound is not None), default=None)


def host_available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    if kib := number_in(text_of(meminfo), "MemAvailable:"):
        return 1024 * kib
    if "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def cgroup_available(root: Path = CGROUPS, proc: Path = Path("/proc/self/cgroup")) -> int | None:
    """Read what the control groups (version 2) leave, None where they set no limit.

    Files that were read count as used until their pages are needed; those not in active use are as good as free.
    """
    found = []
    for group in own_group("memory", root, proc):
        limit, used, stat = (text_of(group / f"memory.{name}").strip() for name in ("max", "current", "stat"))
        if limit.isdigit() and used:
            found.append(max(0, int(limit) - max(0, int(used) - (number_in(stat, "inactive_file") or 0))))
    return min(found, default=None)


def ensure_fits(
    config: BenchmarkConfig, available: int | None, *, operand_copies: int = 1, where: str = "this machine", sets: int = 1
) -> None:
    """Raise HeartbeatError where the run needs more memory than there is."""
    needed, work = needed_bytes(config, operand_copies, sets), config.workload
    if available is not None and needed > available:
        raise HeartbeatError(
            f"{work.shape} in {work.dtype} does not fit into memory",
            f"The run needs {gib(needed)}, the check of its result included; {where} has {gib(available)} free.",
            f"Make {work.smaller} smaller, or free memory.",
        )


def needed_bytes(config: BenchmarkConfig, operand_copies: int = 1, sets: int = 1) -> int:
    """Return the memory a run takes at its peak, torch itself included."""
    results = config.window if config.method == "pipelined" else 1
    work = config.workload
    return work.peak_bytes(operand_copies=operand_copies, results=results, inputs=config.inputs, sets=sets) + RESERVE_BYTES


def gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def kernel_oom_kills() -> int | None:
    """Read how many processes the kernel has killed for memory since boot, None where it does not tell."""
    return number_in(text_of(VMSTAT), "oom_kill")
