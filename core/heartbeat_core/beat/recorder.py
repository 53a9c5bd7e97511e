"""Samples on their way out of the worker: kept in preallocated memory, written about every 33 ms."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from time import perf_counter_ns

from heartbeat_core.beat.records import Pause, Phase, Samples

FLUSH_NS = 33_000_000
CAPACITY = 8192  # samples; at 1e5 a second a flush holds 3,300


class Recorder:
    """Take the samples of one phase after another; hand them on in batches, outside of the timed interval."""

    def __init__(self, parts: tuple[str, ...], emit: Callable[[Samples | Pause], None], now: Callable[[], int]) -> None:
        self.names = ("total", *parts)
        self.emit = emit
        self.now = now
        row = struct.Struct(f"{len(self.names)}q")
        self.pack_into, self.row_bytes = row.pack_into, row.size
        self.buffer = bytearray(CAPACITY * row.size)
        self.view = memoryview(self.buffer).cast("q")
        self.offset = 0
        self.start = 0
        self.phase: Phase = "cold"
        self.due = perf_counter_ns() + FLUSH_NS

    def begin(self, phase: Phase) -> None:
        """Start a phase; what the last one left is handed on."""
        self.flush()
        self.phase = phase

    def add(self, row: tuple[int, ...]) -> None:
        """Take one sample, nanoseconds: the total and then the parts."""
        self.pack_into(self.buffer, self.offset, *row)
        self.offset += self.row_bytes
        if perf_counter_ns() >= self.due or self.offset == len(self.buffer):
            self.flush()

    def paused(self, start_ns: int) -> None:
        """Note a pause that began at ``start_ns`` on the performance counter and is over now."""
        self.emit(Pause(self.now(), self.taken, perf_counter_ns() - start_ns))

    @property
    def taken(self) -> int:
        return self.start + self.offset // self.row_bytes

    def flush(self) -> None:
        """Hand on what is there."""
        if self.offset:
            width = len(self.names)
            rows = self.view[: self.offset // 8]
            columns = {name: array("q", rows[i::width].tobytes()) for i, name in enumerate(self.names)}
            samples = Samples(self.now(), self.phase, self.start, columns)
            self.start, self.offset = self.taken, 0
            self.emit(samples)
        self.due = perf_counter_ns() + FLUSH_NS
