"""Numbers as people read them: a unit that fits, 3 significant digits. What is not known, None, is written as NOTHING."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

Units = tuple[tuple[float, str], ...]
TIME: Units = ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
FLOP_RATE: Units = ((1.0, "FLOP/s"), (1e3, "kFLOP/s"), (1e6, "MFLOP/s"), (1e9, "GFLOP/s"), (1e12, "TFLOP/s"))
BYTE_RATE: Units = ((1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s"))  # data sheets say 1,638 GB/s, not 1.638 TB/s
SIZE: Units = ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"))
NOTHING = "–"

DURATION = re.compile(r"(\d*\.?\d+)\s*(ms|s|min|m|h)?")
LONGEST_S = 1e8
SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, None: 1.0}


def parse_duration(text: str, *, plain: bool = True) -> float | None:
    """Read "30s", "1.5m", "250ms" or, where ``plain``, bare seconds; return seconds, None where it is no duration, or over three years."""
    found = DURATION.fullmatch(text.strip())
    if not found or (found[2] is None and not plain):
        return None
    seconds = float(found[1]) * SECONDS[found[2]]
    return seconds if seconds <= LONGEST_S else None  # no clock of the system counts to infinity


def format_ns(ns: float | None) -> str:
    """Write a duration given in nanoseconds: "9.61 ms"."""
    return scaled(ns, TIME)


def format_interval(low_ns: float | None, high_ns: float | None) -> str:
    """Write an interval of durations in one unit, with the digits in which its ends differ: "117–121 ms"."""
    if low_ns is None or high_ns is None:
        return NOTHING
    factor, unit = unit_of(high_ns, TIME)
    for digits in (3, 4, 5, 6):
        low, high = significant(low_ns / factor, digits), significant(high_ns / factor, digits)
        if low != high:
            return f"{low}–{high} {unit}"
    return format_ns(high_ns)


def format_rate(flops_per_s: float | None) -> str:
    """Write a rate of computing: "1.79 TFLOP/s"."""
    return scaled(flops_per_s, FLOP_RATE)


def format_bytes_rate(bytes_per_s: float | None) -> str:
    """Write a rate of moving, in decimal units as data sheets do: "29.0 GB/s"."""
    return scaled(bytes_per_s, BYTE_RATE)


def format_bytes(size: float | None) -> str:
    """Write a size in binary units: "256 MiB"."""
    return scaled(size, SIZE)


def format_count(count: int) -> str:
    """Write a count, every digit of it below a million: "12,345", then "3.00 million"."""
    if abs(count) < 1_000_000:
        return f"{count:,}"
    return scaled(count, ((1e6, "million"), (1e9, "billion"), (1e12, "trillion")))


def plural(count: int, noun: str) -> str:
    """Write a count and what is counted: "1 run", "1,200 runs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def some(names: Iterable[str], most: int = 4) -> str:
    """Write the first few names and the number of the others: "a, b and 3 more"."""
    first = list(names)
    more = f" and {len(first) - most:,} more" if len(first) > most else ""
    return ", ".join(first[:most]) + more


def format_share(share: float | None) -> str:
    """Write a share of 1 as a percentage: "71 %", "5.3 %"."""
    return NOTHING if share is None else f"{significant(100 * share, 2)} %"


def scaled(value: float | None, units: Units) -> str:
    """Write ``value`` in the largest unit of which it is at least one."""
    if value is None or not math.isfinite(value):
        return NOTHING
    factor, name = unit_of(value, units)
    return f"{significant(value / factor)} {name}"


def unit_of(value: float, units: Units) -> tuple[float, str]:
    """Return the largest unit of which the value is at least one, else the smallest."""
    # 0.9995 is 1.00 in three digits: 999.9 µs is 1.00 ms, not 1,000 µs
    return next((unit for unit in reversed(units) if abs(value) >= 0.9995 * unit[0]), units[0])


def significant(value: float, digits: int = 3) -> str:
    """Write ``value`` with so many significant digits; whole numbers are never cut short: 1,638."""
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"
