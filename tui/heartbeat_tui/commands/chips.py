"""``heartbeat-tui chips``: memory and duty cycle of the TPU's chips, and who holds them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.plan_flags import duration

if TYPE_CHECKING:
    from heartbeat_core.beat.stream import ChipReading
    from heartbeat_core.telemetry.look import Look
    from heartbeat_core.telemetry.watcher import Reader

EVERY_S = 1.0
DESCRIPTION = (
    "Look at the chips of this machine, also while somebody else's program uses them: nothing is opened, taken or disturbed. "
    "Exit 0 where the chips told of themselves, 1 where there is no workload yet, 3 where it could not be told."
)


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser("chips", help="show memory and duty cycle of the TPU's chips", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one object a look: schema, state, chips, holders, problem")
    parser.add_argument("--watch", action="store_true", help="look again and again, until Ctrl-C")
    parser.add_argument("--every", type=duration, default=EVERY_S, metavar="TIME", help="between two looks of --watch, default 1s")
    parser.add_argument(
        "--port", type=port, action="append", default=[], metavar="N", help="where libtpu serves its metrics, default 8431; may be repeated"
    )
    parser.add_argument("--python", metavar="PATH", default=argparse.SUPPRESS, help="look with this Python, which has tpu-info")
    parser.set_defaults(run=run)


def port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError
    return number


def run(args: argparse.Namespace) -> int:
    """Look; return 0 where the chips told of themselves, else what the last look's problem says."""
    from heartbeat_core.launch import Launcher
    from heartbeat_core.settings import load_settings

    launcher = Launcher(load_settings(), python=args.python or "")
    try:
        reader = launcher.reader(tuple(args.port))
    finally:
        launcher.close()
    if args.watch:
        return watch(reader, args)
    from heartbeat_core.telemetry.watcher import take_look

    look = take_look(reader)
    show(look, args)
    return exit_code(look)


def watch(reader: Reader, args: argparse.Namespace) -> int:
    """Show look after look until Ctrl-C; on a terminal each in the place of the one before."""
    from heartbeat_core.telemetry.watcher import Watcher

    look: Look | None = None
    with contextlib.closing(Watcher(reader, args.every).looks()) as looks:  # whatever ends this ends the reader
        if sys.stdout.isatty() and not args.json:
            look = watch_live(looks)
        else:
            for look in looks:
                show(look, args)
                sys.stdout.flush()
    return exit_code(look) if look else 3


def watch_live(looks: Iterator[Look]) -> Look | None:
    from rich.live import Live
    from rich.text import Text

    look = None
    with Live(auto_refresh=False, transient=False) as live:
        for look in looks:
            live.update(Text("\n".join(lines(look))), refresh=True)
    return look


def show(look: Look, args: argparse.Namespace) -> None:
    print(json.dumps(look_json(look)) if args.json else "\n".join([*lines(look), *([""] if args.watch else [])]))


def exit_code(look: Look) -> int:
    problem = look.problem
    return 0 if look.chips or problem is None else problem.exit_code


def look_json(look: Look) -> dict[str, Any]:
    """Make the one object that ``chips --json`` prints a look: schema 1."""
    problem = look.problem
    return {
        "schema": 1,
        "time": look.time or None,
        "state": look.state,
        "tpus": [{"address": address, "chip": chip} for address, chip in look.tpus],
        "files": list(look.files),
        "holders": [asdict(holder) for holder in look.holders],
        "unreadable_processes": look.unreadable,
        "tpu_info": look.library,
        "ports": [answer.port for answer in look.answers],
        "chips": [asdict(chip) for chip in look.chips],
        "problem": {"title": problem.title, "cause": problem.cause, "remedy": problem.remedy} if problem else None,
    }


def lines(look: Look) -> list[str]:
    """Write a look as text: the machine, who holds the chips, what they told, what is missing and why."""
    shown = [" · ".join(part for part in (look.title, ", ".join(look.files)) if part)]
    shown += [f"held by {holder}" for holder in look.holders]
    if look.tpus and not look.holders:
        hidden = f"; {look.unreadable} processes of others could not be looked into" if look.unreadable else ""
        shown.append(f"nobody was seen with the chip{hidden}")
    if look.chips:
        shown += ["", f"{'device':<8}{'HBM used':>12}{'of':>12}{'':>7}{'duty cycle':>12}", *map(chip_line, look.chips)]
        ports = ", ".join(f"localhost:{answer.port}" for answer in look.answers)
        shown.append(f"told by {ports} through tpu-info {look.library}, {look.time[11:19]} UTC")
    problem = look.problem
    if problem:
        shown += ["", f"{'!' if look.chips else '✗'} {problem.title}", *(f"  {part}" for part in (problem.cause, problem.remedy) if part)]
    return shown


def chip_line(chip: ChipReading) -> str:
    from heartbeat_core.beat.units import NOTHING, format_bytes, format_share

    used, total, duty = chip.used_bytes, chip.total_bytes, chip.duty_percent
    share = format_share(used / total) if used is not None and total else ""
    return (
        f"{chip.device:<8}{NOTHING if used is None else format_bytes(used):>12}{NOTHING if total is None else format_bytes(total):>12}"
        f"{share:>7}{NOTHING if duty is None else format_share(duty / 100):>12}"
    )
