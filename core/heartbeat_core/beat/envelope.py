"""The lowest and highest sample of each stretch of a run: what a chart of any width needs, in bounded memory."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

MOST = 2048  # buckets
EMPTY_LOW, EMPTY_HIGH = 2**63 - 1, -1


@dataclass(frozen=True)
class Column:
    """The samples numbered ``first`` to ``last`` lie between ``low_ns`` and ``high_ns``, both reached."""

    first: int
    last: int
    low_ns: int
    high_ns: int


class Envelope:
    """Buckets of equally many consecutive sample numbers, at most 2048: when there are more, neighbours merge.

    Adding a sample costs the same however many there are, and so does reading. Numbers may be skipped (compile
    iterations are drawn apart); they cost no more than the samples around them.
    """

    def __init__(self) -> None:
        self._origin = 0
        self._next = 0
        self._width = 1
        self._lows: array[int] = array("q")
        self._highs: array[int] = array("q")

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
            if bucket >= MOST:
                self._merge()
                continue
            self._reach(bucket)
            end = min(len(samples), self._origin + (bucket + 1) * self._width - start)
            part = samples[taken:end]
            low, high = min(part), max(part)
            self._lows[bucket] = min(self._lows[bucket], low)
            self._highs[bucket] = max(self._highs[bucket], high)
            taken = end
        self._next = start + len(samples)

    def columns(self, most: int) -> tuple[Column, ...]:
        """Give at most ``most`` columns, in order; raise ValueError where that is less than one.

        A column is a whole number of buckets counted from the first, so columns stay put until more buckets must share one.
        """
        if most < 1:
            raise ValueError(f"{most} columns hold nothing")
        group = -(-len(self._lows) // most)
        columns = []
        for bucket in range(0, len(self._lows), group or 1):
            low, high = min(self._lows[bucket : bucket + group]), max(self._highs[bucket : bucket + group])
            if high == EMPTY_HIGH:
                continue
            first = self._origin + bucket * self._width
            columns.append(Column(first, min(first + group * self._width, self._next) - 1, low, high))
        return tuple(columns)

    def _reach(self, bucket: int) -> None:
        missing = bucket + 1 - len(self._lows)
        if missing > 0:
            self._lows.extend([EMPTY_LOW] * missing)
            self._highs.extend([EMPTY_HIGH] * missing)

    def _merge(self) -> None:
        """Halve the buckets and double their width."""
        if len(self._lows) % 2:
            self._reach(len(self._lows))
        self._lows = array("q", map(min, self._lows[::2], self._lows[1::2]))
        self._highs = array("q", map(max, self._highs[::2], self._highs[1::2]))
        self._width *= 2
