"""``heartbeat-tui runs export``: runs, comparisons and sweeps in files for others."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from heartbeat_tui.commands.talk import say

if TYPE_CHECKING:
    from heartbeat_core.recordings.index import Index


def export_runs(args: argparse.Namespace, index: Index) -> int:
    """Write what is named, to stdout or to a new file."""
    from heartbeat_core.export.export import in_form, keep
    from heartbeat_tui.tariff import known_tariff

    form = form_of(args)
    sides = [index.find_all(text.split(",")) for text in args.sides]
    text, left_out = in_form(sides, form, index, known_tariff(dict(args.rate)))
    for line in left_out:
        say(f"note: {line}")
    if args.output is None:
        sys.stdout.write(text)
        return 0
    keep(args.output, text, force=args.force)
    say(f"{args.output}: {len(text.encode()):,} bytes")
    return 0


def form_of(args: argparse.Namespace) -> str:
    """Take the form that was given, else the one that the file's name ends in; raise HeartbeatError where neither tells."""
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_core.export.export import FORMATS

    given: str | None = args.format
    form = given or (args.output.suffix.removeprefix(".").lower() if args.output else "")
    if form not in FORMATS:
        raise HeartbeatError("the form is not given", f"There are {', '.join(FORMATS)}.", "Add --format md, or -o FILE.md.")
    return form
