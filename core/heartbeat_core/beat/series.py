"""What a run has told so far: its records, reduced to samples, figures and an envelope for a chart."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from heartbeat_core.beat.envelope import Column, Envelope
from heartbeat_core.beat.gauges import DutyColumn, Gauges
from heartbeat_core.beat.plan import Plan, plan_of_recording
from heartbeat_core.beat.records import (
    CeilingMeasured,
    Chips,
    Ended,
    Environment,
    Failed,
    HandbookClock,
    Health,
    Label,
    Pause,
    Profiled,
    Proof,
    Record,
    Samples,
    Stage,
    Started,
)
from heartbeat_core.beat.store import SampleStore
from heartbeat_core.beat.stream import StreamError

LEAST_OF_WARMUP = 12  # a twelfth of the chart's columns are its own, where it has so many samples
MARKED_COMPILES = 500  # compile iterations remembered one by one
KEPT_CLOCKS = 1000  # readings of the handbook's clock kept
WARMUP_KEPT = 100_000
SPLIT_EXACT = 100_000  # samples of each part kept exactly


# Records of which the last one counts, and where it is kept.
KEPT: dict[type[Record], str] = {
    Health: "health",
    Proof: "proof",
    CeilingMeasured: "ceiling",
    Profiled: "profiled",
    Failed: "failed",
    Ended: "ended",
}


@dataclass(frozen=True)
class ChartData:
    """What a chart of N columns draws, in nanoseconds per sample; never more than N columns.

    ``boundary`` is the number of the first steady sample; ``products`` how many products a sample spans. ``duty`` is
    what the chips told beside them, in stretches of its own; there is none without telemetry.
    """

    warm: tuple[Column, ...]
    steady: tuple[Column, ...]
    compiles: tuple[tuple[int, int], ...]
    boundary: int | None
    products: int
    duty: tuple[DutyColumn, ...] = ()


@dataclass
class Series:
    """The state of one run, brought forward record by record. Not thread-safe: its owner holds a lock."""

    plan: Plan = field(default_factory=Plan)
    started: Started | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, int | None] = field(default_factory=dict)
    cold_ns: int | None = None
    warmup: SampleStore = field(default_factory=lambda: SampleStore(limit=WARMUP_KEPT))
    steady: SampleStore = field(default_factory=SampleStore)
    parts: dict[str, SampleStore] = field(default_factory=dict)
    warm_envelope: Envelope = field(default_factory=Envelope)
    steady_envelope: Envelope = field(default_factory=Envelope)
    compiles: list[tuple[int, int]] = field(default_factory=list)
    compile_count: int = 0
    compile_ns: int = 0
    boundary: int | None = None
    count: int = 0
    last_ns: int | None = None
    last_at_ns: int = 0
    first_beat_at_ns: int | None = None
    steady_from_ns: int | None = None
    paused_ns: int = 0
    clocks: list[HandbookClock] = field(default_factory=list)
    health: Health | None = None
    gauges: Gauges = field(default_factory=Gauges)
    proof: Proof | None = None
    ceiling: CeilingMeasured | None = None
    profiled: Profiled | None = None
    failed: Failed | None = None
    ended: Ended | None = None
    label: Label | None = None
    unknown: tuple[str, ...] = ()  # what the plan names that this version does not know

    def apply(self, record: Record) -> None:
        """Take one record; raise HeartbeatError where it cannot be what a worker measured."""
        if isinstance(record, Label):  # no part of the run: it may come long after
            self.label = record
            return
        if isinstance(record, Chips):  # by another clock, brought near this one: no time of the run's
            self.gauges.take(record, self.count, beating=self.count > 0 and self.stage is None)
            return
        self.last_at_ns = record.at_ns
        name = KEPT.get(type(record))
        if name is not None:
            setattr(self, name, record)
        elif isinstance(record, Samples):
            try:
                self.take_samples(record)
            except ValueError as error:
                raise StreamError("the stream holds samples that cannot be", str(error), "Run it again.") from error
        elif isinstance(record, Started):
            self.started = record
            self.plan, self.unknown = plan_of_recording(record.plan)
        elif isinstance(record, Environment):
            self.environment = record.values
        elif isinstance(record, Stage):
            self.stages[record.name] = record.ns
        elif isinstance(record, HandbookClock):
            if len(self.clocks) < KEPT_CLOCKS:
                self.clocks.append(record)
        elif isinstance(record, Pause):
            self.paused_ns += record.ns

    def take_samples(self, record: Samples) -> None:
        total = record.columns["total"]
        if not total:
            return
        if record.start < self.count:
            raise ValueError(f"sample {record.start:,} comes after sample {self.count - 1:,}")
        if self.first_beat_at_ns is None:
            self.first_beat_at_ns = record.at_ns - sum(total)
        self.count = record.start + len(total)
        self.last_ns = total[-1]
        compile_ns = record.columns.get("compile")
        compiling = [i for i, ns in enumerate(compile_ns) if ns] if compile_ns and any(compile_ns) else []
        if compile_ns:
            for i in compiling:
                self.compile_count += 1
                self.compile_ns += compile_ns[i]
                if len(self.compiles) < MARKED_COMPILES:
                    self.compiles.append((record.start + i, total[i]))
        if record.phase == "steady":
            self.take_steady(record, total, compiling)
        else:
            if record.phase == "cold":
                self.cold_ns = total[0]
            else:
                self.warmup.extend(total)
            self.warm_envelope.extend(total, record.start)

    def take_steady(self, record: Samples, total: array[int], compiling: list[int]) -> None:
        """Take steady samples; those that compiled are marked on the chart and left out of the statistics."""
        if self.boundary is None:
            self.boundary = record.start
            self.steady_from_ns = record.at_ns - sum(total)
        self.steady_envelope.extend(total, record.start)
        parts = {name: column for name, column in record.columns.items() if name != "total"}
        if compiling:
            left_out = set(compiling)
            keep = [i for i in range(len(total)) if i not in left_out]
            total = array("q", [total[i] for i in keep])
            parts = {name: array("q", [column[i] for i in keep]) for name, column in parts.items()}
        self.steady.extend(total)
        for name, column in parts.items():
            if name not in self.parts:
                self.parts[name] = SampleStore(limit=SPLIT_EXACT)
            self.parts[name].extend(column)

    @property
    def stage(self) -> str | None:
        """Name the step that is under way before or after the beats."""
        return next((name for name, ns in reversed(self.stages.items()) if ns is None), None)

    def chart(self, columns: int, *, steady_only: bool = False) -> ChartData:
        """Draw up at most ``columns`` columns in all, shared between the phases by their samples."""
        warm_count = 0 if steady_only else self.count if self.boundary is None else self.boundary
        # a short warm-up beside a long run still has its samples told apart
        least = min(warm_count, max(1, columns // LEAST_OF_WARMUP))
        share = max(least, round(columns * warm_count / self.count)) if warm_count and self.count else 0
        share = min(share, columns - 1) if len(self.steady_envelope) else share
        warm = self.warm_envelope.columns(share) if share else ()
        steady = self.steady_envelope.columns(max(1, columns - share)) if len(self.steady_envelope) else ()
        compiles = tuple(mark for mark in self.compiles if not steady_only or mark[0] >= (self.boundary or 0))
        return ChartData(warm, steady, compiles, self.boundary, self.plan.products_per_sample, self.gauges.columns())
