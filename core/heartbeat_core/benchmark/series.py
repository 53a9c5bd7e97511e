"""The state of a run so far: its records, reduced to samples, figures and columns of a chart."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate, compress
from typing import Any, TypeVar

from heartbeat_core.benchmark.config import BenchmarkConfig, config_of_recording
from heartbeat_core.benchmark.envelope import Envelope, EnvelopeColumn
from heartbeat_core.benchmark.protocol import (
    ChipReading,
    Chips,
    Elapsed,
    Ended,
    Environment,
    Failed,
    HandbookClock,
    Health,
    Label,
    Pause,
    PeaksMeasured,
    Profiled,
    Proof,
    Record,
    Samples,
    Stage,
    Started,
    StreamError,
)
from heartbeat_core.benchmark.samples import SampleStore

T = TypeVar("T", int, float)

MOST_STRETCHES = 512  # stretches kept for the band; beyond, neighbours merge: more than any chart is wide
PER_MILLE = 1000  # the duty cycle's median is exact to a tenth of a percent


@dataclass(frozen=True)
class DutyColumn:
    """The mean duty cycle of the busiest device while the samples ``first`` to ``last`` were taken, None where it is not known."""

    first: int
    last: int
    percent: float | None


@dataclass(frozen=True)
class DeviceFigures(ChipReading):
    """One device: the last reading, the most memory seen in use, and the median duty cycle while it ran."""

    peak_bytes: int | None
    median_duty_percent: float | None


@dataclass(frozen=True)
class ChipFigures:
    """What ``source`` read in ``readings`` readings; ``problem`` is what it last said is missing."""

    source: str
    devices: tuple[DeviceFigures, ...]
    readings: int
    problem: str | None

    @property
    def peak_bytes(self) -> int | None:
        return greatest(device.peak_bytes for device in self.devices)

    @property
    def busiest(self) -> DeviceFigures | None:
        """Return the device that worked most, by its median where there is one; the fullest where no duty cycle is known."""

        def work(device: DeviceFigures) -> tuple[float, float, float]:
            return device.median_duty_percent or -1, device.duty_percent or -1, device.peak_bytes or -1

        return max(self.devices, key=work, default=None)


@dataclass
class ChipDevice:
    last: ChipReading
    peak_bytes: int | None
    duties: array[int]  # how often each tenth of a percent was read while it ran


@dataclass
class Stretch:
    """Readings up to the sample before ``end``: how many have a duty cycle, and their sum."""

    end: int
    count: int
    total: float


class Gauges:
    """Takes the readings of a run. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.source = ""
        self.problem: str | None = None
        self.readings = 0
        self.devices: dict[int, ChipDevice] = {}
        self.stretches: list[Stretch] = []

    def take(self, record: Chips, samples: int, *, beating: bool) -> None:
        """Take one record, which came when there were so many samples."""
        self.source, self.problem = record.source, record.problem
        self.readings += bool(record.readings)
        for reading in record.readings:
            device = self.devices.setdefault(reading.device, ChipDevice(reading, None, array("q", bytes(8 * (PER_MILLE + 1)))))
            device.last = reading
            device.peak_bytes = greatest((device.peak_bytes, reading.used_bytes))
            if beating and reading.duty_percent is not None:
                device.duties[round(10 * min(100.0, max(0.0, reading.duty_percent)))] += 1
        if beating:
            self.stretch(samples, greatest(reading.duty_percent for reading in record.readings))

    def stretch(self, samples: int, percent: float | None) -> None:
        reported = Stretch(samples, 0 if percent is None else 1, percent or 0.0)
        if self.stretches and self.stretches[-1].end == samples:  # a sample that takes long
            self.stretches[-1] = merged(self.stretches[-1], reported)
        else:
            self.stretches.append(reported)
        if len(self.stretches) > MOST_STRETCHES:
            pairs = zip(self.stretches[::2], self.stretches[1::2], strict=False)
            self.stretches = [merged(*pair) for pair in pairs] + self.stretches[len(self.stretches) & ~1 :]

    def columns(self) -> tuple[DutyColumn, ...]:
        """Return the band stretch by stretch, in order; none where no duty cycle is known."""
        if not any(stretch.count for stretch in self.stretches):
            return ()
        starts = [0, *(stretch.end for stretch in self.stretches)]
        return tuple(
            DutyColumn(start, stretch.end - 1, stretch.total / stretch.count if stretch.count else None)
            for start, stretch in zip(starts, self.stretches, strict=False)
        )

    def figures(self) -> ChipFigures | None:
        """Draw up the figures; None where nothing was read."""
        if not self.source:
            return None
        each = (device for _, device in sorted(self.devices.items()))
        devices = tuple(
            DeviceFigures(**vars(one.last), peak_bytes=one.peak_bytes, median_duty_percent=median_percent(one.duties)) for one in each
        )
        return ChipFigures(self.source, devices, self.readings, self.problem)


def merged(first: Stretch, second: Stretch) -> Stretch:
    return Stretch(second.end, first.count + second.count, first.total + second.total)


def median_percent(duties: array[int]) -> float | None:
    """Find the median of what was counted by tenths of a percent: the lower of the two in the middle."""
    half = (sum(duties) + 1) // 2
    below = accumulate(duties)
    return next(tenths / 10 for tenths, count in enumerate(below) if count >= half) if half else None


def greatest(values: Iterable[T | None]) -> T | None:
    return max((value for value in values if value is not None), default=None)


CLOCK_CHANGED = 1.4  # the mean of the cores varies by less while they are busy
LEAST_OF_WARMUP = 12  # a twelfth of the chart's columns are its own, where it has so many samples
MARKED_COMPILES = 500  # compile iterations remembered one by one
KEPT_CLOCKS = 1000  # readings of the handbook's clock kept
WARMUP_KEPT = 100_000
SPLIT_EXACT = 100_000  # samples of each part kept exactly


# Records of which the last one counts, and where it is kept.
KEPT: dict[type[Record], str] = {
    Health: "health",
    Proof: "proof",
    PeaksMeasured: "peaks",
    Elapsed: "elapsed",
    Profiled: "profiled",
    Failed: "failed",
    Ended: "ended",
}


@dataclass(frozen=True)
class ChartData:
    """What a chart of N columns draws, in nanoseconds per sample; never more than N columns.

    ``boundary`` is the number of the first steady sample; ``products`` how many products a sample spans. ``duty`` is
    what the chips reported beside them, in stretches of its own; there is none without telemetry.
    """

    warm: tuple[EnvelopeColumn, ...]
    steady: tuple[EnvelopeColumn, ...]
    compiles: tuple[tuple[int, int], ...]
    boundary: int | None
    products: int
    duty: tuple[DutyColumn, ...] = ()


@dataclass
class Series:
    """The state of one run, brought forward record by record. Not thread-safe: its owner holds a lock.

    What only charts and the times of an iteration's parts need is left out where ``charted`` is False: that takes half the time.
    """

    config: BenchmarkConfig = field(default_factory=BenchmarkConfig)
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
    clocks_mhz: tuple[float, float] | None = None  # of the processor, the first and the last reading of the steady state
    gauges: Gauges = field(default_factory=Gauges)
    proof: Proof | None = None
    peaks: PeaksMeasured | None = None
    elapsed: Elapsed | None = None
    profiled: Profiled | None = None
    failed: Failed | None = None
    ended: Ended | None = None
    label: Label | None = None
    unknown: tuple[str, ...] = ()  # what the plan names that this version does not know
    charted: bool = True

    @property
    def cut_off(self) -> bool:
        """Return whether the record that ends a run is missing."""
        return self.ended is None and self.failed is None

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
            self.keep(name, record)
        elif isinstance(record, Samples):
            try:
                self.take_samples(record)
            except ValueError as error:
                raise StreamError("the stream holds samples that cannot be", str(error), "Run it again.") from error
        elif isinstance(record, Started):
            self.started = record
            self.config, self.unknown = config_of_recording(record.plan)
        elif isinstance(record, Environment):
            self.environment = record.values
        elif isinstance(record, Stage):
            self.stages[record.name] = record.ns
        elif isinstance(record, HandbookClock):
            if len(self.clocks) < KEPT_CLOCKS:
                self.clocks.append(record)
        elif isinstance(record, Pause):
            self.paused_ns += record.ns

    def keep(self, name: str, record: Record) -> None:
        setattr(self, name, record)
        if isinstance(record, Health) and record.clock_mhz and len(self.steady):
            self.clocks_mhz = (self.clocks_mhz[0] if self.clocks_mhz else record.clock_mhz, record.clock_mhz)

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
        compiles = record.columns.get("compile", ())
        compiling = [i for i, ns in enumerate(compiles) if ns]
        self.compile_count += len(compiling)
        self.compile_ns += sum(compiles)
        self.compiles += [(record.start + i, total[i]) for i in compiling[: MARKED_COMPILES - len(self.compiles)]]
        if self.charted:
            (self.steady_envelope if record.phase == "steady" else self.warm_envelope).extend(total, record.start)
        if record.phase == "steady":
            self.take_steady(record, total, compiled=bool(compiling))
        elif record.phase == "cold":
            self.cold_ns = total[0]
        else:
            self.warmup.extend(total)

    def take_steady(self, record: Samples, total: array[int], *, compiled: bool) -> None:
        """Take steady samples; those that compiled are marked on the chart and left out of the statistics."""
        if self.boundary is None:
            self.boundary = record.start
            self.steady_from_ns = record.at_ns - sum(total)
        parts = {name: column for name, column in record.columns.items() if name != "total" and self.charted}
        if compiled:
            keep = [not ns for ns in record.columns["compile"]]
            total = array("q", compress(total, keep))
            parts = {name: array("q", compress(column, keep)) for name, column in parts.items()}
        self.steady.extend(total)
        for name, column in parts.items():
            if name not in self.parts:
                self.parts[name] = SampleStore(limit=SPLIT_EXACT)
            self.parts[name].extend(column)

    @property
    def clock_change(self) -> tuple[float, float] | None:
        """Return the processor's clock at the beginning and the end of the steady state, MHz, where it changed clearly."""
        if self.clocks_mhz is None or max(self.clocks_mhz) < CLOCK_CHANGED * min(self.clocks_mhz):
            return None
        return self.clocks_mhz

    @property
    def stage(self) -> str | None:
        """Name the step that is under way before or after the iterations."""
        return next((name for name, ns in reversed(self.stages.items()) if ns is None), None)

    def chart(self, columns: int, steady_only: bool = False) -> ChartData:
        """Draw up at most ``columns`` columns in all, shared between the phases by their samples."""
        warm_count = 0 if steady_only else self.count if self.boundary is None else self.boundary
        # a short warm-up beside a long run still has columns of its own
        least = min(warm_count, max(1, columns // LEAST_OF_WARMUP))
        share = max(least, round(columns * warm_count / self.count)) if warm_count and self.count else 0
        share = min(share, columns - 1) if len(self.steady_envelope) else share
        warm = self.warm_envelope.columns(share) if share else ()
        steady = self.steady_envelope.columns(max(1, columns - share)) if len(self.steady_envelope) else ()
        compiles = tuple(mark for mark in self.compiles if not steady_only or mark[0] >= (self.boundary or 0))
        return ChartData(warm, steady, compiles, self.boundary, self.config.products_per_sample, self.gauges.columns())
