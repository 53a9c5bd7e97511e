"""Bars of block characters, an eighth of a cell fine."""

from __future__ import annotations

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """Draw a share from 0 to 1 of ``width`` cells; whatever is more than nothing is seen."""
    eighths = min(8 * width, round(8 * width * share))
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (EIGHTHS[rest] if rest else "")


def progress(share: float, width: int) -> tuple[str, str]:
    """Draw how far a run is, in half cells: the part done, the part to come."""
    halves = min(2 * width, max(0, round(2 * width * share)))
    done = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return done, "─" * (width - len(done))
