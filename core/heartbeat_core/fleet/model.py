"""A fleet: what each host reports about once a second, and all of them at one moment. No sample travels."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from heartbeat_core.benchmark.protocol import fits
from heartbeat_core.benchmark.report import Report, State
from heartbeat_core.benchmark.verdict import QUALITY_MARKS, QualityKind
from heartbeat_core.errors import HeartbeatError, sanitize_line

if TYPE_CHECKING:
    from heartbeat_core.recordings.entry import RunEntry

HostState = Literal[State, "waiting"]  # waiting: the host is known, its worker is not there yet
SCHEMA = 1
CHOICES: dict[str, tuple[str, ...]] = {"HostState": (*get_args(State), "waiting"), "QualityKind": tuple(QUALITY_MARKS)}
UNRELIABLE: tuple[QualityKind, ...] = ("wrong result", "impossible", "suspicious")


@dataclass(frozen=True)
class HostSummary:
    """One host at one moment. Times are nanoseconds per product.

    ``id`` is unique in the fleet, ``node`` what the cluster or the cloud calls the machine, ``slice`` the name of its TPU slice, empty
    where it has none. ``low_ns``..``high_ns`` is the 95 % interval of the median, ``relative_iqr`` the noise. ``n`` steady samples have
    the mean ``mean_ns``. ``quality`` and ``reasons`` are the badge. ``ending`` is the kind of a ``RunOutcome``, empty while the run goes
    on; ``problem`` says what went wrong or what is waited for, ``remedy`` what to do. ``at_s`` is the Unix time of the last news, by the
    clock of the machine that collects them.
    """

    id: str
    name: str
    node: str = ""
    slice: str = ""
    device: str = ""  # as in the list of runs: "v5p", "cpu"
    chips: int = 0
    state: HostState = "waiting"
    stage: str = ""
    count: int = 0  # samples so far, warm-up included
    n: int = 0
    median_ns: float | None = None
    low_ns: float | None = None
    high_ns: float | None = None
    mean_ns: float | None = None
    p95_ns: float | None = None
    relative_iqr: float | None = None
    quality: QualityKind = "unknown"
    reasons: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    ending: str = ""
    problem: str = ""
    remedy: str = ""
    recording: str = ""
    at_s: float = 0.0

    @property
    def over(self) -> bool:
        return self.state == "ended"

    @property
    def lost(self) -> bool:
        """Return whether its run ended otherwise than it should: an incomplete run covers another time than the rest."""
        return self.ending not in ("", "done", "stopped")

    def with_report(self, report: Report, at_s: float) -> HostSummary:
        """Return the summary of this host with the figures of a report."""
        found, environment, ending = report.statistics, report.environment, report.ending
        return replace(
            self,
            device=str(environment.get("chip") or environment.get("hardware") or environment.get("device") or self.device),
            state=report.state,
            stage=report.stage or "",
            count=report.count,
            n=found.n if found else 0,
            median_ns=report.iteration_ns,
            low_ns=found.median_low_ns if found else None,
            high_ns=found.median_high_ns if found else None,
            mean_ns=report.mean_ns,
            p95_ns=found.p95_ns if found else None,
            relative_iqr=found.relative_iqr if found else None,
            quality=report.quality.kind,
            reasons=report.quality.reasons,
            labels=report.labels,
            ending=ending.kind if ending else "",
            problem=". ".join(part.rstrip(".") for part in (ending.title, ending.cause) if part) if ending else self.problem,
            remedy=ending.remedy if ending else self.remedy,
            at_s=at_s,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object that travels once a second."""
        return {"schema": SCHEMA, **asdict(self), "reasons": list(self.reasons), "labels": list(self.labels)}


def summary_from_json(values: Mapping[str, Any]) -> HostSummary:
    """Read what ``to_json`` returned; raise HeartbeatError where it is something else. Keys of newer versions are left out.

    Texts of the cluster lose what would command a terminal.
    """
    kinds = {field.name: str(field.type) for field in fields(HostSummary) if field.name in values}
    wrong = [name for name, kind in kinds.items() if not is_of_kind(values[name], kind)]
    if wrong or values.get("schema") != SCHEMA or not {"id", "name"} <= kinds.keys():
        cause = f"{wrong[0]} is {values[wrong[0]]!r}." if wrong else "It has no id, no name, or another schema."
        raise HeartbeatError("the summary of a host cannot be read", cause, "Run the same version on every host.")
    given: dict[str, Any] = {name: sanitize_line(values[name]) if kind == "str" else values[name] for name, kind in kinds.items()}
    return HostSummary(**{**given, **{name: tuple(map(sanitize_line, given.get(name, ()))) for name in ("reasons", "labels")}})


def is_of_kind(value: object, kind: str) -> bool:
    """Return whether a value out of JSON is what a field of HostSummary is annotated with."""
    if kind in CHOICES:
        return value in CHOICES[kind]
    return fits(value, kind) and (not isinstance(value, list) or all(isinstance(each, str) for each in value))


@dataclass(frozen=True)
class Fleet:
    """All hosts at one moment, in the order of their names; ``source`` says where from: "ray", "ssh", "recorded"."""

    hosts: tuple[HostSummary, ...]
    source: str = ""

    @cached_property
    def measured(self) -> tuple[HostSummary, ...]:
        """Return the hosts whose figures count: those with a median to be relied on, whose run was not cut short."""
        return tuple(host for host in self.hosts if host.median_ns and not host.lost and host.quality not in UNRELIABLE)

    @cached_property
    def medians(self) -> dict[str, float]:
        """Return the median of the hosts' medians, by device; of an even number the faster of the two in the middle."""
        found: dict[str, list[float]] = {}
        for host in self.measured:
            found.setdefault(host.device, []).append(host.median_ns or 0)
        return {device: statistics.median_low(each) for device, each in found.items()}

    @property
    def median_ns(self) -> float | None:
        """Return the median of the hosts, None where they have different devices or no figures."""
        return next(iter(self.medians.values())) if len(self.medians) == 1 else None

    def ratio(self, host: HostSummary) -> float | None:
        """Return the time of a host over that of all hosts with its device."""
        middle = self.medians.get(host.device)
        return host.median_ns / middle if middle and host.median_ns else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``fleet check --json`` prints, without its judgement."""
        hosts = [{**host.to_json(), "ratio": self.ratio(host)} for host in self.hosts]
        return {"schema": SCHEMA, "source": self.source, "median_ns": self.median_ns, "hosts": hosts}


def recorded_fleet(entries: Sequence[RunEntry]) -> Fleet:
    """Return the hosts of recorded runs, one run a host, and those of a group that left none; raise HeartbeatError for different work."""
    work = {(entry.backend, entry.workload, entry.method, entry.precision) for entry in entries if entry.workload}
    if len(work) > 1:
        cause = f"They have {len(work)} different configs."
        raise HeartbeatError("these runs are no fleet", cause, "Name the group of one `bench --on`: heartbeat-tui runs list.")
    names = [entry.ray_node or entry.host for entry in entries]
    counts, groups = Counter(names), Counter(entry.group for entry in entries)
    names = [name if name and counts[name] == 1 else entry.title for name, entry in zip(names, entries, strict=True)]
    expected = {group: max(entry.fleet_hosts or 0 for entry in entries if entry.group == group) for group in groups}
    missing = sum(max(0, count - groups[group]) for group, count in expected.items())
    lost = HostSummary("", "", state="ended", ending="lost", problem="its run left no recording")
    absent = [replace(lost, id=f"not recorded {number}", name=f"not recorded {number}") for number in range(1, missing + 1)]
    return Fleet((*map(recorded_host, entries, names), *absent), "recorded")


def recorded_host(entry: RunEntry, name: str) -> HostSummary:
    clean = entry.status in ("done", "stopped")
    return HostSummary(
        id=entry.id,
        name=name,
        slice=entry.tpu_slice,
        device=entry.device,
        state="beating" if entry.status == "running" else "ended",
        count=entry.n,
        n=entry.n,
        median_ns=entry.median_ns,
        low_ns=entry.low_ns,
        high_ns=entry.high_ns,
        relative_iqr=entry.relative_iqr,
        quality=cast("QualityKind", entry.quality) if entry.quality in QUALITY_MARKS else "unknown",
        reasons=entry.findings,
        ending="" if entry.status == "running" else entry.status if clean else "lost",
        problem="" if clean else entry.problem or f"its run is {entry.status}",
        recording=str(entry.path),
    )
