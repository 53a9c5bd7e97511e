"""The columns of the table of hosts: for the screen, and for the text of `fleet check`."""

from __future__ import annotations

from collections.abc import Iterator

from heartbeat_core.benchmark.verdict import badge
from heartbeat_core.columns import NO_VALUE, ColumnSpec, StyledText, text_table
from heartbeat_core.fleet.slow_hosts import FleetFindings, HostFinding, HostVerdict
from heartbeat_core.units import format_count, format_ns, format_share

NO_CELL: StyledText = (NO_VALUE, "quiet")
VERDICTS: dict[HostVerdict, StyledText] = {
    "wrong": ("✗ wrong", "failed"),
    "slow": ("✗ slow", "failed"),
    "unsure": ("? not judged", "attention"),
    "fine": ("✓ fine", "ok"),
}
STATES = {
    "waiting": "… waiting",
    "starting": "… starting",
    "beating": "▶",
    "paused": "‖ paused",
    "stopping": "stopping",
    "finishing": "checking",
}


def state_cell(found: HostFinding) -> StyledText:
    """Return what a host does, with its samples while it runs."""
    host = found.host
    if host.lost:
        return f"✗ {host.ending}", "failed"
    if host.over:
        return host.ending or "done", "quiet"
    counted = f" {format_count(host.count)}" if host.state == "beating" else ""
    return STATES.get(host.state, host.state) + counted, "accent" if host.state == "beating" else "quiet"


def median_cell(found: HostFinding) -> StyledText:
    ns = found.host.median_ns
    return (format_ns(ns), "plain") if ns else NO_CELL


def interval_cell(found: HostFinding) -> StyledText:
    host = found.host
    if host.low_ns is None or host.high_ns is None:
        return NO_CELL
    return f"± {format_ns((host.high_ns - host.low_ns) / 2)}", "quiet"


def ratio_cell(found: HostFinding) -> StyledText:
    if found.ratio is None:
        return NO_CELL
    return f"{found.ratio:.3f} ×", "failed" if found.verdict == "slow" else "plain"


def verdict_cell(found: HostFinding) -> StyledText:
    going = not found.host.over and found.verdict == "unsure"  # more samples may tell
    return ("…", "quiet") if going else VERDICTS[found.verdict]


COLUMNS: tuple[ColumnSpec[HostFinding], ...] = (
    ColumnSpec("host", "HOST", lambda found: (found.host.name, "strong"), least=16, most=32, worth=10),
    ColumnSpec("slice", "SLICE", lambda found: found.host.slice or NO_VALUE, least=6, most=20, worth=2, optional=True),
    ColumnSpec("state", "STATE", state_cell, least=10, most=16, worth=7),
    ColumnSpec("median", "MEDIAN", median_cell, least=9, worth=9, align="right", whole=True),
    ColumnSpec("interval", "95 % CI", interval_cell, least=9, worth=5, whole=True),
    ColumnSpec("ratio", "RATIO", ratio_cell, least=7, worth=9, align="right", whole=True),
    ColumnSpec("verdict", "VERDICT", verdict_cell, worth=8, whole=True),
    ColumnSpec(
        "noise", "NOISE", lambda found: (format_share(found.host.relative_iqr), "quiet"), least=5, worth=3, align="right", whole=True,
    ),
    ColumnSpec("p95", "P95", lambda found: (format_ns(found.host.p95_ns), "quiet"), worth=1, align="right", whole=True),
    ColumnSpec("badge", "BADGE", lambda found: badge(found.host.quality) if found.host.count else NO_CELL, worth=4, whole=True),
    ColumnSpec("reason", "WHY", lambda found: "" if found.verdict == "fine" else found.reason, least=20, most=200, screen=False),
)  # fmt: skip


def fleet_lines(findings: FleetFindings) -> Iterator[str]:
    yield from text_table(COLUMNS, findings.hosts)
    yield ""
    yield findings.sentence
