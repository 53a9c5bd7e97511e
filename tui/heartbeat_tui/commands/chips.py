"""``heartbeat-tui chips``: memory and duty cycle of the TPU's chips, and who holds them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heartbeat_tui.commands.options import duration

if TYPE_CHECKING:
    from heartbeat_core.benchmark.protocol import ChipReading
    from heartbeat_core.remote.hosts import Host
    from heartbeat_core.settings import Settings
    from heartbeat_core.telemetry.monitor import Reader
    from heartbeat_core.telemetry.readings import ChipReadings

EVERY_S = 1.0
DESCRIPTION = (
    "Show memory and duty cycle of the chips of this machine or of a TPU VM, also while another program uses them: no device is opened. "
    "Exit 0 with values, 1 if there is no workload yet, 3 could not tell."
)


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser("chips", help="show memory and duty cycle of the TPU's chips", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one object for each reading: schema, state, chips, holders, problem")
    parser.add_argument("--watch", action="store_true", help="read again and again, until Ctrl-C")
    parser.add_argument("--every", type=duration, default=EVERY_S, metavar="TIME", help="between two readings of --watch, default 1s")
    parser.add_argument(
        "--port", type=port, action="append", default=[], metavar="N", help="where libtpu serves its metrics, default 8431; may be repeated"
    )
    parser.add_argument("--python", metavar="PATH", default=argparse.SUPPRESS, help="read with this Python, which has tpu-info")
    parser.add_argument("--on", metavar="NAME[:WORKER|:all]", default=argparse.SUPPRESS, help="read the chips of this TPU VM, over ssh")
    parser.add_argument("--project", metavar="ID", default=argparse.SUPPRESS, help="the project of the TPU VM that --on names")
    parser.add_argument("--zone", metavar="ZONE", help="the zone of the TPU VM that --on names")
    parser.set_defaults(run=run)


def port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError
    return number


def run(args: argparse.Namespace) -> int:
    """Print the readings; return 0 if the last one of every machine has values, else the worst of their exit codes."""
    from heartbeat_core.telemetry.monitor import looks_at

    last: dict[str, ChipReadings] = {}
    # the readers end with this
    with contextlib.closing(looks_at(make_readers(args), args.every if args.watch else None)) as looks:
        if args.watch and sys.stdout.isatty() and not args.json:
            show_live(looks, last)
        else:
            for name, look in looks:
                last[name] = look
                show(name, look, args)
                sys.stdout.flush()
    return max(map(exit_code, last.values()))


def make_readers(args: argparse.Namespace) -> dict[str, Reader]:
    """Return a reader for each machine, by its name, which is empty for this one; raise HeartbeatError if one cannot be reached."""
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.settings import load_settings

    launcher = Launcher(load_settings(), python=args.python or "")
    try:
        ports = tuple(args.port)
        return {host.label: launcher.reader(ports, host) for host in hosts(args, launcher.settings)} or {"": launcher.reader(ports)}
    finally:
        launcher.close()


def hosts(args: argparse.Namespace, settings: Settings) -> tuple[Host, ...]:
    """Return the hosts that ``--on`` names, with our key on them and nothing else: the reader is sent with its order."""
    from heartbeat_tui.commands.options import make_destination

    destination = make_destination(args, settings)
    if destination is None:
        return ()
    from heartbeat_core.remote.hosts import bring_nothing, hosts_of, reach

    node, project, remote = destination.find(), destination.project, settings.remote
    found = hosts_of(node, project, destination.on, endpoint=destination.endpoint, remote=remote)
    reach(found, node, project, remote, partial(bring_nothing, set_up=not args.python))
    return tuple(replace(host, python=args.python or host.python) for host in found)


def show_live(looks: Iterator[tuple[str, ChipReadings]], last: dict[str, ChipReadings]) -> None:
    """Draw each reading in place of the one before, machines one below the other."""
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        for name, look in looks:
            last[name] = look
            live.update(Text("\n\n".join("\n".join(lines(look, each)) for each, look in sorted(last.items()))), refresh=True)


def show(name: str, look: ChipReadings, args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps(look_json(look, name)))
    else:
        print("\n".join([*lines(look, name), *([""] if args.watch or name else [])]))


def exit_code(look: ChipReadings) -> int:
    problem = look.problem
    return 0 if look.chips or problem is None else problem.exit_code


def look_json(look: ChipReadings, host: str = "") -> dict[str, Any]:
    """Return the object that ``chips --json`` prints for a reading: schema 1."""
    problem = look.problem
    return {
        "schema": 1,
        "host": host or None,
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


def lines(look: ChipReadings, host: str = "") -> list[str]:
    """Return a reading as text: the machine, who holds the chips, their values, what is missing and why."""
    shown = [" · ".join(part for part in (host, look.title, ", ".join(look.files)) if part)]
    shown += [f"held by {holder}" for holder in look.holders]
    if look.tpus and not look.holders:
        hidden = f"; {look.unreadable} processes of other users are unreadable" if look.unreadable else ""
        shown.append(f"no process was seen with the chip{hidden}")
    if look.chips:
        shown += ["", f"{'device':<8}{'HBM used':>12}{'of':>12}{'':>7}{'duty cycle':>12}", *map(chip_line, look.chips)]
        ports = ", ".join(f"localhost:{answer.port}" for answer in look.answers if answer.outcome == "told")
        shown.append(f"from {ports} through tpu-info {look.library}, {look.time[11:19]} UTC")
    problem = look.problem
    if problem:
        shown += ["", f"{'!' if look.chips else '✗'} {problem.title}", *(f"  {part}" for part in (problem.cause, problem.remedy) if part)]
    return shown


def chip_line(chip: ChipReading) -> str:
    from heartbeat_core.units import NOTHING, format_bytes, format_share

    used, total, duty = chip.used_bytes, chip.total_bytes, chip.duty_percent
    share = format_share(used / total) if used is not None and total else ""
    return (
        f"{chip.device:<8}{NOTHING if used is None else format_bytes(used):>12}{NOTHING if total is None else format_bytes(total):>12}"
        f"{share:>7}{NOTHING if duty is None else format_share(duty / 100):>12}"
    )
