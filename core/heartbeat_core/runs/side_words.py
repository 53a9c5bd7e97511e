"""The sides of a comparison row by row, as people read them: the same table on a terminal, in a pane and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from heartbeat_core.runs.entry import GLYPHS
from heartbeat_core.runs.side import APART, Side
from heartbeat_core.units import NOTHING, format_bytes_rate, format_count, format_ns, format_rate, format_share, significant

Row = tuple[str, ...]


def side_table(sides: Sequence[Side]) -> list[Row]:
    """Give the titles, then a row for all that is known of at least one side; the first cell of each names it."""
    rows: list[Row] = [
        ("where", *(side.where for side in sides)),
        ("product", *(f"{side.workload.shape} {side.workload.dtype}" for side in sides)),
        ("method", *(side.method for side in sides)),
        ("processes", *(str(side.processes) if side.processes > 1 else NOTHING for side in sides)),
        ("median", *(format_ns(side.ns) for side in sides)),
        ("from", *(or_nothing(side.low_ns) for side in sides)),
        ("to", *(or_nothing(side.high_ns) for side in sides)),
        ("samples", *(format_count(side.n) for side in sides)),
        ("worth", *(format_count(round(side.worth)) if side.worth < side.n else NOTHING for side in sides)),
        ("throughput", *(format_rate(side.flops_per_s) for side in sides)),
        ("memory", *(format_bytes_rate(side.bytes_per_s) for side in sides)),
        ("of its limit", *(NOTHING if side.share is None else format_share(side.share) for side in sides)),
        ("verdict", *(f"{GLYPHS.get(side.verdict, '')} {side.verdict}" for side in sides)),
        *((name, *(or_nothing(side.apart_ns[name]) for side in sides)) for name in APART),
        ("1 million products", *costs(sides)),
    ]
    return [("", *(side.title for side in sides)), *(row for row in rows if any(cell != NOTHING for cell in row[1:]))]


def or_nothing(ns: float | None) -> str:
    return NOTHING if ns is None else format_ns(ns)


def costs(sides: Sequence[Side]) -> tuple[str, ...]:
    """Say what a million products cost on each side; nothing of any where no rate is known and none is paid for by the hour."""
    if not any(side.billed or side.usd_per_million is not None for side in sides):
        return (NOTHING,) * len(sides)
    return tuple(
        "unknown rate"
        if side.usd_per_million is None or side.usd_per_hour is None
        else f"${significant(side.usd_per_million)} at ${side.usd_per_hour:.2f}/h"
        for side in sides
    )


def price_notes(sides: Sequence[Side]) -> tuple[str, ...]:
    """Say what the rates that nobody gave are the price of, each once."""
    return tuple(dict.fromkeys(f"${side.usd_per_hour:.2f}/h is for {side.price_source}" for side in sides if side.price_source))
