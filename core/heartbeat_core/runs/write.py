"""Runs, comparisons and sweeps in files for others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.entry import Entry
from heartbeat_core.runs.export import export, gather
from heartbeat_core.runs.index import Index
from heartbeat_core.runs.side import measure_each
from heartbeat_core.runs.sweep import NoSweep, Swept, load_sweep
from heartbeat_core.runs.tariff import Tariff


def in_form(sides: Sequence[tuple[Entry, ...]], form: str, index: Index, tariff: Tariff) -> tuple[str, tuple[str, ...]]:
    """Write the runs of these sides, or the sweep that they are, in one of the forms of ``export``; return what was left out, and why.

    Raises HeartbeatError where a recording that is needed cannot be read, or where the sides cannot be compared.
    """
    if len(sides) == 1 and (swept := sweep_in(sides[0], index)):
        from heartbeat_core.runs.svg_sweep import sweep_svg
        from heartbeat_core.runs.sweep_forms import FORMS

        writers: dict[str, Callable[[Swept], str]] = {**FORMS, "svg": sweep_svg}
        return writers[form](swept), ()
    read = [measure_each(side, index.ceilings) for side in sides]
    return export(gather([runs for runs, _ in read], tariff), form), tuple(line for _, lines in read for line in lines)


def sweep_in(entries: tuple[Entry, ...], index: Index) -> Swept | None:
    """Put a sweep together where the runs of one group are one: no two of the same plan. None where they are none.

    Raises HeartbeatError where one of them cannot be read: which point it was, nobody knows.
    """
    plans = {(entry.workload, entry.precision, entry.threads) for entry in entries}
    turns = any(entry.round for entry in entries)
    if len(entries) < 2 or len(plans) < len(entries) or turns or {entry.group for entry in entries} in ({""}, set()):
        return None
    try:
        return load_sweep([entry.path for entry in reversed(entries)], index.ceilings, entries[0].group)
    except NoSweep:
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
