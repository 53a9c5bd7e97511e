"""Decimation for charts: any number of samples as columns with their extremes, median and p5 to p95."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BUCKETS = 2048
RAW_WIDTH = 64  # samples a bucket: up to here (131,072 samples, 1 MiB) quantiles of columns are exact
EMPTY_LOW, EMPTY_HIGH = 2**63 - 1, -1
BAND = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class EnvelopeColumn:
    """The samples numbered ``first`` to ``last``: their extremes, both reached, and their p5, median and p95, nanoseconds."""

    first: int
    last: int
    low_ns: int
    high_ns: int
    p5_ns: float
    median_ns: float
    p95_ns: float


class Envelope:
    """Buckets of equally many consecutive sample numbers, at most 2048: when there are more, neighbours merge.

    Adding a sample costs the same however many there are, and so does reading. Numbers may be skipped (compile iterations
    are drawn apart). Buckets of more than 64 samples keep their quantiles alone; a quantile of several such buckets is the
    mean of theirs.
    """

    def __init__(self) -> None:
        self._origin = 0
        self._next = 0
        self._width = 1
        self._lows: array[int] = array("q")
        self._highs: array[int] = array("q")
        self._raw: list[array[int]] = []  # the samples of each bucket; of the last one alone once buckets are wide
        self._quantiles: list[tuple[float, float, float] | None] = []  # of each full bucket once buckets are wide
        self._columns: dict[int, EnvelopeColumn] = {}  # the full columns by their first bucket, for one group size
        self._group = 0

    def __len__(self) -> int:
        return len(self._lows)

    def extend(self, samples: array[int], start: int) -> None:
        """Add samples numbered from ``start``; raise ValueError where that goes back."""
        if not samples:
            return
        if not self._lows:
            self._origin = self._next = start
        if start < self._next:
            raise ValueError(f"sample {start:,} comes after sample {self._next - 1:,}")
        taken = 0
        while taken < len(samples):
            bucket = (start + taken - self._origin) // self._width
            if bucket >= MOST_BUCKETS:
                self._merge()
                continue
            self._reach(bucket)
            end = min(len(samples), self._origin + (bucket + 1) * self._width - start)
            part = samples[taken:end]
            self._lows[bucket] = min(self._lows[bucket], *part)
            self._highs[bucket] = max(self._highs[bucket], *part)
            self._raw[bucket].extend(part)
            taken = end
        self._next = start + len(samples)

    def columns(self, most: int) -> tuple[EnvelopeColumn, ...]:
        """Return at most ``most`` columns, in order; raise ValueError where that is less than one.

        A column is a whole number of buckets counted from the first, so columns stay put until more buckets must share one.
        """
        if most < 1:
            raise ValueError(f"{most} columns hold nothing")
        group = -(-len(self._lows) // most) or 1
        if group != self._group:
            self._group, self._columns = group, {}
        found = [self._column(bucket, group) for bucket in range(0, len(self._lows), group)]
        return tuple(column for column in found if column is not None)

    def _column(self, bucket: int, group: int) -> EnvelopeColumn | None:
        """Return the column of ``group`` buckets from ``bucket`` on, None where all their numbers were skipped."""
        known = self._columns.get(bucket)
        if known is not None:
            return known
        end = bucket + group
        low, high = min(self._lows[bucket:end]), max(self._highs[bucket:end])
        if high == EMPTY_HIGH:
            return None
        first = self._origin + bucket * self._width
        last = min(first + group * self._width, self._next) - 1
        column = EnvelopeColumn(first, last, low, high, *self._band(bucket, min(end, len(self._lows))))
        if end < len(self._lows):
            self._columns[bucket] = column
        return column

    def _band(self, bucket: int, end: int) -> tuple[float, float, float]:
        if self._width <= RAW_WIDTH:
            samples: array[int] = array("q")
            for raw in self._raw[bucket:end]:
                samples.extend(raw)
            return band_of(samples)
        found = [self._quantiles[index] or band_of(self._raw[index]) for index in range(bucket, end) if self._highs[index] != EMPTY_HIGH]
        return mean_band(found)

    def _reach(self, bucket: int) -> None:
        missing = bucket + 1 - len(self._lows)
        if missing <= 0:
            return
        if self._width > RAW_WIDTH and self._raw and self._raw[-1]:
            self._quantiles[-1], self._raw[-1] = band_of(self._raw[-1]), array("q")
        self._lows.extend([EMPTY_LOW] * missing)
        self._highs.extend([EMPTY_HIGH] * missing)
        self._raw.extend(array("q") for _ in range(missing))
        self._quantiles.extend([None] * missing)

    def _merge(self) -> None:
        """Halve the buckets and double their width."""
        if len(self._lows) % 2:
            self._reach(len(self._lows))
        self._lows = array("q", map(min, self._lows[::2], self._lows[1::2]))
        self._highs = array("q", map(max, self._highs[::2], self._highs[1::2]))
        self._width *= 2
        self._columns = {}
        raw = [left + right for left, right in zip(self._raw[::2], self._raw[1::2], strict=True)]
        if self._width <= RAW_WIDTH:
            self._raw, self._quantiles = raw, [None] * len(raw)
            return
        pairs = zip(self._quantiles[::2], self._quantiles[1::2], raw, strict=True)
        self._quantiles = [merged(left, right, samples) for left, right, samples in pairs]
        self._raw = [array("q") for _ in raw]


def merged(
    left: tuple[float, float, float] | None, right: tuple[float, float, float] | None, samples: array[int]
) -> tuple[float, float, float] | None:
    """Return the quantiles of two neighbours: of their samples where these are there, else the mean of theirs."""
    known = [band for band in (left, right) if band is not None]
    if samples:
        known.append(band_of(samples))
    return mean_band(known) if known else None


def band_of(samples: Sequence[int]) -> tuple[float, float, float]:
    """Return p5, median and p95, each a sample or the mean of two neighbours."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    low, middle, high = ((ordered[int(q * last)] + ordered[-int(-q * last // 1)]) / 2 for q in BAND)
    return low, middle, high


def mean_band(bands: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    low, middle, high = (sum(values) / len(bands) for values in zip(*bands, strict=True))
    return low, middle, high
