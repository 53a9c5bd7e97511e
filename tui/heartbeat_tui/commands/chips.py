"""``heartbeat-tui chips``: memory and duty cycle of the TPU's chips, and who holds them."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.columns import NO_VALUE, ColumnSpec, text_table
from heartbeat_core.launcher import Launcher
from heartbeat_core.remote.hosts import Host, bring_nothing, hosts_of, reach
from heartbeat_core.settings import Settings, load_settings
from heartbeat_core.telemetry.monitor import Reader, readings_of
from heartbeat_core.telemetry.readings import ChipReadings
from heartbeat_core.units import format_bytes, format_share
from heartbeat_tui.commands.console import print_answer
from heartbeat_tui.commands.options import add_project_flag, duration, make_destination

EVERY_S = 1.0


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show memory and duty cycle of the chips of this machine or of a TPU VM, also while another program uses them: no device is "
        "opened. Exit 0 with values, 1 if there is no workload yet, 3 could not tell."
    )
    parser.add_argument("--json", action="store_true", help="print one object for each reading: schema, state, chips, holders, problem")
    parser.add_argument("--watch", action="store_true", help="read again and again, until Ctrl-C")
    parser.add_argument("--every", type=duration, default=EVERY_S, metavar="TIME", help="between two readings of --watch, default 1s")
    parser.add_argument(
        "--port", type=port, action="append", default=[], metavar="N", help="where libtpu serves its metrics, default 8431; may be repeated"
    )
    parser.add_argument("--python", metavar="PATH", default=argparse.SUPPRESS, help="read with this Python, which has tpu-info")
    parser.add_argument("--on", metavar="NAME[:WORKER|:all]", default=argparse.SUPPRESS, help="read the chips of this TPU VM, over ssh")
    add_project_flag(parser, "the project of the TPU VM that --on names")
    parser.add_argument("--zone", metavar="ZONE", help="the zone of the TPU VM that --on names")


def port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError
    return number


def run(args: argparse.Namespace) -> int:
    """Print the readings; return 0 if the last one of every machine has values, else the worst of their exit codes."""
    last: dict[str, ChipReadings] = {}
    # the readers end with this
    with contextlib.closing(readings_of(make_readers(args), args.every if args.watch else None)) as readings:
        if args.watch and sys.stdout.isatty() and not args.json:
            show_live(readings, last)
        else:
            for name, reading in readings:
                last[name] = reading
                ending = [""] if args.watch or name else []
                print_answer(args, reading_json(reading, name), [*lines(reading, name), *ending], indent=None)
                sys.stdout.flush()
    return max(map(exit_code, last.values()))


def make_readers(args: argparse.Namespace) -> dict[str, Reader]:
    """Return a reader for each machine, by its name, which is empty for this one; raise HeartbeatError if one cannot be reached."""
    ports = tuple(args.port)
    with contextlib.closing(Launcher(load_settings(), python=args.python or "")) as launcher:
        return {host.label: launcher.reader(ports, host) for host in hosts(args, launcher.settings)} or {"": launcher.reader(ports)}


def hosts(args: argparse.Namespace, settings: Settings) -> tuple[Host, ...]:
    """Return the hosts that ``--on`` names, with our key on them and nothing else: the reader is sent with its order."""
    destination = make_destination(args, settings)
    if destination is None:
        return ()
    on, endpoint = destination.on, destination.endpoint
    found = hosts_of(destination.find(), destination.project, on, endpoint=endpoint, remote=settings.remote)
    reach(found, partial(bring_nothing, set_up=not args.python))
    return tuple(replace(host, python=args.python or host.python) for host in found)


def show_live(readings: Iterator[tuple[str, ChipReadings]], last: dict[str, ChipReadings]) -> None:
    """Draw each reading in place of the one before, machines one below the other."""
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        for name, reading in readings:
            last[name] = reading
            live.update(Text("\n\n".join("\n".join(lines(reading, each)) for each, reading in sorted(last.items()))), refresh=True)


def exit_code(reading: ChipReadings) -> int:
    return 0 if reading.chips or reading.problem is None else reading.problem.exit_code


def reading_json(reading: ChipReadings, host: str = "") -> dict[str, Any]:
    """Return the object that ``chips --json`` prints for a reading: schema 1."""
    problem = reading.problem
    return {
        "schema": 1,
        "host": host or None,
        "time": reading.time or None,
        "state": reading.state,
        "tpus": [{"address": address, "chip": chip} for address, chip in reading.tpus],
        "files": list(reading.files),
        "holders": [asdict(holder) for holder in reading.holders],
        "unreadable_processes": reading.unreadable,
        "bus_hidden": reading.bus_hidden,
        "contained": reading.contained,
        "tpu_info": reading.library,
        "ports": [answer.port for answer in reading.answers],
        "chips": [asdict(chip) for chip in reading.chips],
        "problem": {"title": problem.title, "cause": problem.cause, "remedy": problem.remedy} if problem else None,
    }


def share_of_memory(chip: ChipReading) -> str:
    return format_share(chip.used_bytes / chip.total_bytes) if chip.used_bytes is not None and chip.total_bytes else NO_VALUE


COLUMNS: tuple[ColumnSpec[ChipReading], ...] = (
    ColumnSpec("device", "device", lambda chip: str(chip.device)),
    ColumnSpec("used", "HBM used", lambda chip: NO_VALUE if chip.used_bytes is None else format_bytes(chip.used_bytes), align="right"),
    ColumnSpec("total", "of", lambda chip: NO_VALUE if chip.total_bytes is None else format_bytes(chip.total_bytes), align="right"),
    ColumnSpec("share", "share", share_of_memory, align="right"),
    ColumnSpec(
        "duty", "duty cycle", lambda chip: NO_VALUE if chip.duty_percent is None else format_share(chip.duty_percent / 100), align="right"
    ),
)


def lines(reading: ChipReadings, host: str = "") -> list[str]:
    """Return a reading as text: the machine, who holds the chips, their values, what is missing and why."""
    shown = [" · ".join(filter(None, (host, reading.title, ", ".join(reading.files))))]
    shown += [f"held by {holder}" for holder in reading.holders]
    if reading.tpus and not reading.holders:
        hidden = f"; {reading.unreadable} processes of other users are unreadable" if reading.unreadable else ""
        hidden += "; this container does not see those of others" if reading.contained else ""
        shown.append(f"no process was seen with the chip{hidden}")
    if reading.chips:
        shown += ["", *text_table(COLUMNS, reading.chips)]
        ports = ", ".join(f"localhost:{answer.port}" for answer in reading.answers if answer.outcome == "told")
        shown.append(f"from {ports} through tpu-info {reading.library}, {reading.time[11:19]} UTC")
    if problem := reading.problem:
        shown += ["", f"{'!' if reading.chips else '✗'} {problem.title}"]
        shown += [f"  {part}" for part in (problem.cause, problem.remedy) if part]
    return shown
