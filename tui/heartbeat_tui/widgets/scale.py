"""Axes: round bounds that seldom move, and ticks worth reading."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heartbeat_core.benchmark.statistics import round_step

UNITS: tuple[tuple[float, str], ...] = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
LOG_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A vertical axis from ``low`` to ``high``, both finite and low < high; ``log`` needs low > 0."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Place a value between 0 (low) and 1 (high); values outside stay at the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def scale_for(low: float, high: float, log: bool, ticks: int) -> Scale:
    """Choose round bounds around [low, high], both positive, and about ``ticks`` ticks."""
    if high - low < 0.02 * high:  # a flat series keeps its noise small
        middle = (low + high) / 2
        low, high = min(low, 0.99 * middle), max(high, 1.01 * middle)
    step = round_step((high - low) / max(1, ticks - 1))
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if log and (high > 2 * low or bottom <= 0):
        bottom, top = log_floor(low), log_ceiling(high)
        return Scale(bottom, top, True, spread(log_steps(bottom, top), ticks))
    count = round((top - bottom) / step)
    return Scale(bottom, top, log, tuple(bottom + step * i for i in range(count + 1)))


def unit_for(value_ns: float) -> tuple[float, str]:
    """Choose the unit in which a value in nanoseconds reads best: (nanoseconds in it, its name)."""
    for size, name in UNITS:
        if value_ns >= size:
            return size, name
    return UNITS[-1]


def log_floor(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    return power * max(step for step in LOG_STEPS if power * step <= value * (1 + 1e-9))


def log_ceiling(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    return power * min(step for step in LOG_STEPS if power * step >= value * (1 - 1e-9))


def log_steps(low: float, high: float) -> list[float]:
    """List the round values of a logarithmic axis; whole decades where it spans many."""
    steps = LOG_STEPS[:-1] if high / low < 1e3 else (1.0, 3.0) if high / low < 1e5 else (1.0,)
    first, last = math.floor(math.log10(low) + 1e-12), math.ceil(math.log10(high))
    values = [10.0**power * step for power in range(first, last + 1) for step in steps]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def spread(values: list[float], most: int) -> tuple[float, ...]:
    """Keep at most about ``most`` of the values, evenly far apart in the logarithm."""
    if len(values) < 2:
        return tuple(values)
    gap = math.log(values[-1] / values[0]) / max(1, most - 1) * 0.7
    kept = [values[0]]
    for value in values[1:]:
        if math.log(value / kept[-1]) >= gap:
            kept.append(value)
    return tuple(kept)
