"""Runs, comparisons and sweeps in files for others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.entry import Entry
from heartbeat_core.runs.export import export, gather
from heartbeat_core.runs.index import Index
from heartbeat_core.runs.side import measure
from heartbeat_core.runs.sweep import Swept, load_sweep


def in_form(sides: Sequence[tuple[Entry, ...]], form: str, index: Index, rates: Mapping[str, float]) -> str:
    """Write the runs of these sides, or the sweep that they are, in one of the forms of ``export``."""
    if len(sides) == 1 and (swept := sweep_in(sides[0], index)):
        from heartbeat_core.runs.svg_sweep import sweep_svg
        from heartbeat_core.runs.sweep_forms import FORMS

        writers: dict[str, Callable[[Swept], str]] = {**FORMS, "svg": sweep_svg}
        return writers[form](swept)
    return export(gather([[measure(entry, index.ceilings) for entry in side] for side in sides], rates), form)


def sweep_in(entries: tuple[Entry, ...], index: Index) -> Swept | None:
    """Put a sweep together where the runs of one group are one: no two of the same plan."""
    plans = {(entry.workload, entry.precision, entry.threads) for entry in entries}
    if len(entries) < 2 or len(plans) < len(entries) or {entry.group for entry in entries} in ({""}, set()):
        return None
    try:
        return load_sweep([entry.path for entry in reversed(entries)], index.ceilings, entries[0].group)
    except HeartbeatError:
        return None  # runs that differ otherwise, to be exported side by side


def keep(path: Path, text: str, *, force: bool) -> None:
    """Write a file, whole or not at all; raise HeartbeatError where there is one already, or it cannot be written."""
    taken = HeartbeatError(f"{path} exists", "Nothing is overwritten unasked.", "Choose another name, or add --force.")
    partial = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    begun = False
    try:
        with partial.open("x", encoding="utf-8") as file:
            begun = True
            file.write(text)
        if force:
            partial.replace(path)
    except OSError as error:
        if begun:
            with contextlib.suppress(OSError):  # what went wrong before is said below
                partial.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise taken from error
        cause = os.strerror(error.errno or 0)
        raise HeartbeatError(f"{path} cannot be written", cause, "Free the disk, or choose another place.", exit_code=3) from error
