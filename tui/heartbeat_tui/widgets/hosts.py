"""The hosts that beat at once: a line each, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from heartbeat_core.units import NOTHING, format_ns
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.words import MARKS

if TYPE_CHECKING:
    from heartbeat_core.benchmark.run import HostLine

MOST = 8  # lines; of a larger slice those around the one that is shown


class HostTable(Lines):
    """One line a host: name, median, half the width of its interval, p95, verdict; the one whose charts are shown is marked."""

    def show(self, hosts: tuple[HostLine, ...], spread: str) -> None:
        self.set_lines(lines(hosts, spread))


def lines(hosts: tuple[HostLine, ...], spread: str) -> Iterator[Content]:
    """Write the table; ``spread`` is its last line."""
    width = max((len(host.name) for host in hosts), default=0)
    shown = next((index for index, host in enumerate(hosts) if host.shown), 0)
    first = max(0, min(shown - MOST // 2, len(hosts) - MOST))
    for host in hosts[first : first + MOST]:
        yield host_line(host, width)
    left = len(hosts) - MOST
    if left > 0:
        yield ink(f"   {left} more hosts", "quiet")
    if spread:
        yield ink(f"   {spread}", "attention" if " is slow" in spread else "quiet")


def host_line(host: HostLine, width: int) -> Content:
    """Write one host."""
    report = host.report
    stats, ending = report.statistics, report.ending
    glyph, kind = MARKS[report.verdict.kind]
    judged = ink(f"{glyph} {report.verdict.kind}", kind)
    if ending is not None and not ending.clean:
        judged = ink(f"✗ {ending.kind}", "failed")
    elif ending is None and stats is None:
        judged = ink(report.stage or report.state, "quiet")
    median, half, p95 = NOTHING, "", NOTHING
    if stats is not None:
        median = format_ns(stats.median_ns)
        found = dict(stats.quantiles).get(0.95)
        p95 = format_ns(found) if found is not None else NOTHING
        if stats.median_low_ns is not None and stats.median_high_ns is not None:
            half = f"± {format_ns((stats.median_high_ns - stats.median_low_ns) / 2)}"
    return Content.assemble(
        ink(" ▸ " if host.shown else "   ", "beat"),
        ink(f"{host.name:<{width}}  ", "strong" if host.shown else "plain"),
        ink(f"{median:>9} ", "plain"),
        ink(f"{half:<12}", "quiet"),
        ink(" p95 ", "quiet"),
        ink(f"{p95:>9}   ", "plain"),
        judged,
    )
