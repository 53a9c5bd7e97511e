"""``heartbeat-tui emulator``: run a local Google Cloud for trials."""

from __future__ import annotations

import argparse
import shlex
from contextlib import suppress

from heartbeat_core.columns import aligned
from heartbeat_core.emulator.process import ENDPOINT, gcloud_environment
from heartbeat_core.emulator.scenario import load_scenario, scenario_names
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.paths import emulated_gcloud_folder
from heartbeat_tui.commands.options import duration


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serve Google's APIs on this machine from a scenario, until Ctrl-C. Nothing leaves the machine, no credentials are "
        "needed and nothing costs money."
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: any free one")
    parser.add_argument("--scenario", default="ready", metavar="NAME", help="one of --list, or a .toml file; default ready")
    parser.add_argument("--latency", type=duration, default=0.0, metavar="TIME", help="delay of every answer: 150ms")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="how many times as fast its clock runs, default 1")
    parser.add_argument("--list", action="store_true", help="list the scenarios and stop")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C and return 0; raise HeartbeatError where the scenario or the port cannot be used."""
    from heartbeat_core.emulator.server import bind, make_cloud, serve

    if args.list:
        rows = [(name, load_scenario(name).description) for name in scenario_names()]
        print("\n".join(aligned(rows, left=(0, 1))))
        return 0
    if not args.speed > 0:
        raise HeartbeatError(f"--speed is {args.speed:g}", "Its clock would stand still or run backwards.", "Give a number above 0.")
    scenario = load_scenario(args.scenario)
    cloud = make_cloud(scenario, args.speed)
    with bind(args.port) as listener, suppress(KeyboardInterrupt):  # the way to end it
        serve(cloud, listener, args.latency, ready=lambda url: announce(url, scenario.name, scenario.description))
    print()
    return 0


def announce(url: str, name: str, description: str) -> None:
    """Print the address and the variables that point gcloud and heartbeat-tui at it."""
    print(f"{url}\n\nscenario {name}: {description}\n\nheartbeat-tui uses it when this is set:\n")
    print(f"  export {ENDPOINT}={url}\n\nand gcloud, with a separate configuration:\n")
    for variable, value in gcloud_environment(url, emulated_gcloud_folder()).items():
        print(f"  export {variable}={shlex.quote(value)}")
    print("\nCtrl-C stops it; its state is not kept.", flush=True)
