"""What the chips told beside a run, in bounded memory: for a band below the chart, and as figures."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from heartbeat_core.beat.records import ChipReading, Chips

T = TypeVar("T", int, float)

MOST = 512  # stretches kept for the band; beyond, neighbours merge: more than any chart is wide
PER_MILLE = 1000  # the duty cycle's median is exact to a tenth of a percent


@dataclass(frozen=True)
class DutyColumn:
    """The mean duty cycle of the busiest device while the samples ``first`` to ``last`` were taken, None where it was not told."""

    first: int
    last: int
    percent: float | None


@dataclass(frozen=True)
class DeviceFigures:
    """One device: the last reading, the most memory seen in use, and the median duty cycle while it beat."""

    device: int
    used_bytes: int | None
    total_bytes: int | None
    duty_percent: float | None
    peak_bytes: int | None
    median_duty_percent: float | None


@dataclass(frozen=True)
class ChipFigures:
    """What ``source`` told in ``readings`` readings; ``problem`` is what it last said is missing."""

    source: str
    devices: tuple[DeviceFigures, ...]
    readings: int
    problem: str | None

    @property
    def peak_bytes(self) -> int | None:
        return greatest(device.peak_bytes for device in self.devices)

    @property
    def busiest(self) -> DeviceFigures | None:
        """Give the device that worked most, by its median where there is one; the fullest where no duty cycle is told."""

        def work(device: DeviceFigures) -> tuple[float, float, float]:
            return device.median_duty_percent or -1, device.duty_percent or -1, device.peak_bytes or -1

        return max(self.devices, key=work, default=None)


@dataclass
class Device:
    last: ChipReading
    peak_bytes: int | None
    duties: array[int]  # how often each tenth of a percent was told while it beat


@dataclass
class Stretch:
    """Readings up to the sample before ``end``: how many told a duty cycle, and their sum."""

    end: int
    count: int
    total: float


class Gauges:
    """Takes the readings of a run. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.source = ""
        self.problem: str | None = None
        self.readings = 0
        self.devices: dict[int, Device] = {}
        self.stretches: list[Stretch] = []

    def take(self, record: Chips, samples: int, *, beating: bool) -> None:
        """Take one record, told when there were so many samples."""
        self.source, self.problem = record.source, record.problem
        self.readings += bool(record.readings)
        for reading in record.readings:
            device = self.devices.setdefault(reading.device, Device(reading, None, array("q", bytes(8 * (PER_MILLE + 1)))))
            device.last = reading
            device.peak_bytes = greatest((device.peak_bytes, reading.used_bytes))
            if beating and reading.duty_percent is not None:
                device.duties[round(10 * min(100.0, max(0.0, reading.duty_percent)))] += 1
        if beating:
            self.stretch(samples, greatest(reading.duty_percent for reading in record.readings))

    def stretch(self, samples: int, percent: float | None) -> None:
        told = Stretch(samples, 0 if percent is None else 1, percent or 0.0)
        if self.stretches and self.stretches[-1].end == samples:  # a sample that takes long
            self.stretches[-1] = merged(self.stretches[-1], told)
        else:
            self.stretches.append(told)
        if len(self.stretches) > MOST:
            pairs = zip(self.stretches[::2], self.stretches[1::2], strict=False)
            self.stretches = [merged(*pair) for pair in pairs] + self.stretches[len(self.stretches) & ~1 :]

    def columns(self) -> tuple[DutyColumn, ...]:
        """Give the band stretch by stretch, in order; none where no duty cycle was ever told."""
        if not any(stretch.count for stretch in self.stretches):
            return ()
        starts = [0, *(stretch.end for stretch in self.stretches)]
        return tuple(
            DutyColumn(start, stretch.end - 1, stretch.total / stretch.count if stretch.count else None)
            for start, stretch in zip(starts, self.stretches, strict=False)
        )

    def figures(self) -> ChipFigures | None:
        """Draw up the figures; None where nothing was told."""
        if not self.source:
            return None
        devices = tuple(figures_of(device) for _, device in sorted(self.devices.items()))
        return ChipFigures(self.source, devices, self.readings, self.problem)


def merged(first: Stretch, second: Stretch) -> Stretch:
    return Stretch(second.end, first.count + second.count, first.total + second.total)


def figures_of(device: Device) -> DeviceFigures:
    last = device.last
    return DeviceFigures(
        last.device, last.used_bytes, last.total_bytes, last.duty_percent, device.peak_bytes, median_percent(device.duties)
    )


def median_percent(duties: array[int]) -> float | None:
    """Find the median of what was counted by tenths of a percent: the lower of the two in the middle."""
    half = (sum(duties) + 1) // 2
    below = accumulate(duties)
    return next(tenths / 10 for tenths, count in enumerate(below) if count >= half) if half else None


def greatest(values: Iterable[T | None]) -> T | None:
    return max((value for value in values if value is not None), default=None)
