"""The readings of the chips beside a run, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartbeat_core.units import NOTHING, format_bytes, format_share, plural

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report
    from heartbeat_core.benchmark.series import ChipFigures

Row = tuple[str, str, str]  # name, value, what there is to say about it


def share(percent: float | None) -> str:
    return NOTHING if percent is None else format_share(percent / 100)


def memory_of(chips: ChipFigures) -> str:
    """Return what the memory is called: a driver reports that of its device, whatever kind it is."""
    return "HBM" if chips.source == "tpu-info" else "device memory"


def of_total(used: int | None, total: int | None) -> str:
    """Return "3.00 of 32.0 GiB", with the unit once if both have the same."""
    if used is None:
        return NOTHING
    number, _, unit = format_bytes(used).partition(" ")
    if total is None:
        return f"{number} {unit}"
    whole = format_bytes(total)
    return f"{number} of {whole}" if whole.endswith(f" {unit}") else f"{number} {unit} of {whole}"


def chip_line(report: Report) -> str:
    """Return the chips in one line: as they are now, or afterwards the peak and the median; empty without a reading."""
    chips = report.chips
    device = chips.busiest if chips else None
    if chips is None or device is None:
        return ""
    over = report.state == "ended" or not chips.readings or chips.problem is not None
    used = device.peak_bytes if over else device.used_bytes
    duty = device.median_duty_percent if over else device.duty_percent
    parts = [f"{memory_of(chips)} {'up to ' if over else ''}{of_total(used, device.total_bytes)}"] if used is not None else []
    if duty is not None:
        parts.append(f"duty cycle {share(duty)}{' (median)' if over else ''}")
    which = f"busiest of {len(chips.devices)}: " if len(chips.devices) > 1 else ""
    return which + " · ".join(parts) if parts else ""


def chip_rows(chips: ChipFigures | None) -> list[Row]:
    """Return the figures as rows of a table; a row of its own says what is missing."""
    rows: list[Row] = []
    device = chips.busiest if chips else None
    if chips is None:
        return rows
    if device is not None:
        which = f"the busiest of {len(chips.devices)} devices; " if len(chips.devices) > 1 else ""
        source = f"{which}by {chips.source}, {plural(chips.readings, 'reading')}"
        whole = f"of {format_bytes(device.total_bytes)}, " if device.total_bytes is not None else ""
        if device.peak_bytes is not None:
            rows.append((memory_of(chips), format_bytes(device.peak_bytes), f"{whole}the peak in use; {source}"))
        if device.median_duty_percent is not None:
            rows.append(("duty cycle", share(device.median_duty_percent), f"median of the run; {source}"))
    if chips.problem:
        rows.append(("chips", "", chips.problem))
    return rows
