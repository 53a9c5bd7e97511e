"""Which hosts of a fleet are slow: a robust z with at most one false alarm in a hundred fleets, whatever their size.

A host's z is the logarithm of its median over that of all hosts with its device, in standard deviations: 1.4826 times their median absolute
deviation, and the host's own interval. Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers"; the limits are simulated
(docs/statistics.md, benchmarks/statistics_power.py).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from heartbeat_core.errors import COULD_NOT_TELL
from heartbeat_core.fleet.model import SCHEMA, UNRELIABLE, Fleet, HostSummary
from heartbeat_core.units import format_share, significant, some

MAX_SLOW = 0.03  # a host slower by less does not matter
NORMAL = 1.4826  # standard deviations in a median absolute deviation, were the hosts normal
FEW = 4  # of fewer hosts the spread cannot be seen
ASSUMED_SPREAD = 0.01  # of fewer: the standard deviation of healthy hosts
LEAST_SPREAD = 0.001  # of more: hosts alike by chance, or by a coarse clock, differ by no less
# the z that the slowest of so many healthy hosts exceeds once in a hundred fleets, by tails up to Laplace's and Student's t of 5 degrees
LIMITS = (
    (2, 6.3), (3, 6.3), (4, 14.5), (5, 17.5), (6, 12.0), (7, 13.0), (8, 10.5), (9, 11.0), (10, 10.0), (12, 9.6), (16, 9.2), (32, 9.0),
    (64, 9.2), (128, 10.0), (256, 11.3), (512, 13.0), (1024, 15.0), (2048, 17.2), (5000, 21.0),
)  # fmt: skip
Z95 = 1.96
HostVerdict = Literal["wrong", "slow", "unsure", "fine"]
ORDER: tuple[HostVerdict, ...] = ("wrong", "slow", "unsure", "fine")
BUSY = ("disturbed", "noisy", "drifting")


@dataclass(frozen=True)
class HostFinding:
    """A host, judged: ``ratio`` is its time over the median of those with its device, ``z`` how many standard deviations it lies above."""

    host: HostSummary
    verdict: HostVerdict
    reason: str
    ratio: float | None = None
    z: float | None = None

    @property
    def key(self) -> str:
        return self.host.id


@dataclass(frozen=True)
class FleetFindings:
    """All hosts of a fleet, judged, the worst first; ``slices`` are those whose hosts are all slow.

    ``spread`` is the standard deviation of healthy hosts, relative; ``limit`` the z above which a host is slow; of several devices
    those of the one with most hosts.
    """

    fleet: Fleet
    max_slow: float
    spread: float
    limit: float
    hosts: tuple[HostFinding, ...]
    slices: tuple[str, ...]
    doubt: str = ""  # why hosts that lie near the median are not judged

    def of(self, *verdicts: HostVerdict) -> tuple[HostFinding, ...]:
        return tuple(found for found in self.hosts if found.verdict in verdicts)

    @property
    def exit_code(self) -> int:
        """Return 1 where a host is slow or computes wrongly, 3 where one could not be judged, 0 where all are fine."""
        return 1 if self.of("slow", "wrong") else COULD_NOT_TELL if self.of("unsure") or not self.hosts else 0

    @property
    def sentence(self) -> str:
        """Return the result in a sentence or two."""
        if not self.hosts:
            return "There is no host."
        said = [f"The slice {name} is slow: all its hosts." for name in self.slices]
        slow = [found for found in self.of("slow") if found.host.slice not in self.slices]
        said += named([f"{found.host.name} ({significant(found.ratio or 0, 3)} ×)" for found in slow], "slow")
        said += named([found.host.name for found in self.of("wrong")], "wrong in their results", "wrong in its results")
        said += named([found.host.name for found in self.of("unsure")], "not judged")
        said += [f"{self.doubt.capitalize()}."] if self.doubt else []
        return " ".join(said) or f"No host is slow: all {len(self.hosts)} take at most {format_share(self.max_slow)} more than the median."

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``fleet check --json`` prints."""
        verdicts = {found.host.id: {"verdict": found.verdict, "reason": found.reason, "z": found.z} for found in self.hosts}
        fleet = self.fleet.to_json()
        return {
            **fleet,
            "schema": SCHEMA,
            "hosts": [{**host, **verdicts[host["id"]]} for host in fleet["hosts"]],
            "max_slow": self.max_slow,
            "spread": self.spread,
            "limit": self.limit,
            "cordon": [found.host.name for found in self.of("slow", "wrong")],
            "slow_slices": list(self.slices),
            "sentence": self.sentence,
        }


def spread_json(found: FleetFindings) -> dict[str, Any] | None:
    """Return how far the hosts lie apart, as ``bench --on --json`` has it, None for fewer than two: times the next one is the slowest."""
    medians = sorted(host.median_ns for host in found.fleet.measured if host.median_ns)
    if len(medians) < 2:
        return None
    slow = found.of("slow")
    return {
        "fastest_ns": medians[0],
        "slowest_ns": medians[-1],
        "slow": slow[0].host.name if slow else None,
        "times": medians[-1] / medians[-2],
        "share": medians[-1] / medians[0] - 1,
        "sentence": found.sentence,
    }


def named(names: list[str], many: str, one: str = "") -> list[str]:
    if not names:
        return []
    return [f"{some(names, 5)} {'is' if len(names) == 1 else 'are'} {one or many if len(names) == 1 else many}."]


def find_slow(fleet: Fleet, max_slow: float = MAX_SLOW) -> FleetFindings:
    """Judge every host among those with its device; ``max_slow`` is the share above their median from which a slow host matters."""
    logs: dict[str, list[float]] = {host.device: [] for host in fleet.hosts}
    for host in fleet.measured:
        if (ratio := fleet.ratio(host)) is not None and deviation(host) is not None:
            logs[host.device].append(math.log(ratio))
    scales = {device: (spread_of(each), z_limit(len(each))) for device, each in logs.items()}
    found = []
    for host in fleet.hosts:
        spread, limit = scales[host.device]
        found.append(judge_host(host, fleet.ratio(host), spread, limit, max_slow, alone=len(logs[host.device]) < 2))
    faster = {one.host.device for one in found if is_faster(one, max_slow, scales[one.host.device][1])}
    why = f"some hosts are faster by more than {format_share(max_slow)}: the median itself may be slow"
    for at, one in enumerate(found):
        if one.verdict == "fine" and one.host.device in faster and not is_faster(one, max_slow, scales[one.host.device][1]):
            found[at] = replace(one, verdict="unsure", reason=why)
    doubt = why if any(one.reason == why for one in found) else ""
    found.sort(key=lambda one: (ORDER.index(one.verdict), -(one.ratio or 0) if one.verdict == "slow" else 0))  # the rest stay in place
    spread, limit = scales[max(logs, key=lambda device: len(logs[device]))] if logs else (spread_of([]), z_limit(0))
    return FleetFindings(fleet, max_slow, spread, limit, tuple(found), slow_slices(found), doubt)


def is_faster(found: HostFinding, max_slow: float, limit: float) -> bool:
    """Return whether a host is as far below the median as a slow one is above it."""
    return found.verdict == "fine" and found.ratio is not None and found.ratio < 1 / (1 + max_slow) and (found.z or 0) < -limit


def spread_of(logs: list[float]) -> float:
    """Return the standard deviation of the hosts by their median absolute deviation, which a few slow ones leave as it is."""
    if len(logs) < FEW:
        return ASSUMED_SPREAD
    middle = statistics.median(logs)
    return max(LEAST_SPREAD, NORMAL * statistics.median(abs(value - middle) for value in logs))


def z_limit(hosts: int) -> float:
    """Return the z above which a host of so many is slow, between those of the table by the logarithm of the number."""
    counts = [count for count, _ in LIMITS]
    at = min(max(1, bisect_left(counts, hosts)), len(LIMITS) - 1)
    (few, low), (many, high) = LIMITS[at - 1 : at + 1]
    return low + (high - low) * max(0.0, math.log(max(1, hosts) / few) / math.log(many / few))


def deviation(host: HostSummary) -> float | None:
    """Return the relative standard deviation of a host's median by its 95 % interval, None where it has none."""
    if host.low_ns is None or host.high_ns is None or host.low_ns <= 0:
        return None
    return math.log(host.high_ns / host.low_ns) / (2 * Z95)


def judge_host(host: HostSummary, ratio: float | None, spread: float, limit: float, max_slow: float, *, alone: bool) -> HostFinding:
    """Judge one host by its ratio to the median of those with its device."""
    own = deviation(host)
    if host.quality == "wrong result":
        return HostFinding(host, "wrong", host.reasons[0] if host.reasons else "its result is wrong", ratio)
    if host.lost:
        return HostFinding(host, "unsure", host.problem or f"its run ended: {host.ending}", ratio)
    if ratio is None or own is None:
        why = f"no interval of its median: {', '.join(host.reasons) or 'too few independent samples'}" if host.count else "no figure yet"
        return HostFinding(host, "unsure", host.problem or why, ratio)
    if host.quality in UNRELIABLE:
        return HostFinding(host, "unsure", f"{host.quality}: {', '.join(host.reasons)}", ratio)
    if alone:
        return HostFinding(host, "unsure", "there is no other host with its device to compare it with", ratio)
    z = math.log(ratio) / math.hypot(spread, own)
    times = f"{significant(ratio, 3)} × the median"
    if ratio > 1 + max_slow and host.quality in BUSY:
        return HostFinding(host, "unsure", f"{times}, but {host.quality}: {', '.join(host.reasons)}", ratio, z)
    if ratio > 1 + max_slow and z > limit:
        return HostFinding(host, "slow", f"{times}: z {z:.1f}, and {limit:.1f} is the limit", ratio, z)
    if ratio > 1 + max_slow:
        reason = f"{times}, but healthy hosts may lie so far apart: z {z:.1f}, and {limit:.1f} is the limit"
        return HostFinding(host, "unsure", reason, ratio, z)
    if Z95 * own > max_slow or (host.quality in BUSY and ratio * (1 + Z95 * own) > 1 + max_slow):
        return HostFinding(host, "unsure", f"its median is known to {format_share(Z95 * own)} only", ratio, z)
    return HostFinding(host, "fine", times, ratio, z)


def slow_slices(found: Iterable[HostFinding]) -> tuple[str, ...]:
    """Name the slices of two hosts or more all of which are slow."""
    verdicts: dict[str, list[HostVerdict]] = {}
    for one in found:
        if one.host.slice:
            verdicts.setdefault(one.host.slice, []).append(one.verdict)
    return tuple(sorted(name for name, all_of_it in verdicts.items() if len(all_of_it) > 1 and set(all_of_it) == {"slow"}))
