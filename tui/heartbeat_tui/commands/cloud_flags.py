"""The flags that say which project and which TPU VM is meant, shared by the commands that ask Google Cloud."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heartbeat_tui.commands.plan_flags import duration

if TYPE_CHECKING:
    from heartbeat_core.checks.context import World

DEFAULT_SCENARIO = "ready"
PARTS = ("project", "zone", "accelerator_type", "runtime_version", "tpu_name", "service_account")


def add_cloud_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("which TPU VM", "otherwise: environment, settings, gcloud's configuration, metadata server, a default")
    # these two may stand before the command's name as well, and its own defaults would undo them
    what.add_argument("--project", metavar="ID", default=argparse.SUPPRESS, help="also PROJECT_ID")
    what.add_argument("--zone", metavar="ZONE", help="also ZONE; default us-central1-b")
    what.add_argument("--accelerator-type", metavar="TYPE", help="also ACCELERATOR_TYPE; default v6e-1")
    what.add_argument("--runtime-version", metavar="VERSION", help="also RUNTIME_VERSION; default: the one for the accelerator")
    what.add_argument("--spot", action="store_true", help="a spot VM, which has quotas of its own")
    what.add_argument("--tpu-name", metavar="NAME", help="also TPU_NAME")
    what.add_argument("--service-account", metavar="EMAIL", help="default: one made by somebody that holds TPU Admin")
    where = add_where_flags(parser)
    where.add_argument("--timeout", type=duration, metavar="TIME", help="the limit of each check, default 10s")


def add_where_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags that say which Cloud is asked; give their group."""
    where = parser.add_argument_group("where")
    where.add_argument("--endpoint", metavar="URL", help="ask this emulator instead of Google; also HEARTBEAT_CLOUD_ENDPOINT")
    where.add_argument(
        "--demo",
        nargs="?",
        const=DEFAULT_SCENARIO,
        default=argparse.SUPPRESS,
        metavar="SCENARIO",
        help="ask a local Google Cloud started for this, default ready",
    )
    return where


@contextmanager
def open_world(args: argparse.Namespace) -> Iterator[tuple[World, str]]:
    """Look around as the flags say; give a label for what is emulated too, empty for the real thing. Raise HeartbeatError."""
    from heartbeat_core.checks.environment import demo_environ, look_around

    flags: dict[str, str | None] = {name: getattr(args, name, None) for name in PARTS}
    flags["provisioning"] = next((model for model in ("spot", "reserved") if getattr(args, model, False)), None)
    demo: str | None = getattr(args, "demo", None)
    if demo is None:
        from heartbeat_core.settings import load_settings

        world = look_around(flags, endpoint=args.endpoint, settings=load_settings())
        yield world, f"EMULATED, at {world.endpoint}" if world.endpoint else ""
        return
    from heartbeat_core.cloud.gcloud_config import Chosen
    from heartbeat_core.emulator.process import start_emulator
    from heartbeat_core.emulator.scenario import load_scenario
    from heartbeat_core.errors import HeartbeatError

    if args.endpoint:
        raise HeartbeatError("--demo and --endpoint exclude one another", "Each names a Google Cloud to ask.", "Give one of them.")
    scenario = load_scenario(demo)
    project = Chosen(scenario.project.id or None, f"the scenario {scenario.name}")
    with start_emulator(demo) as emulator:
        yield look_around(flags, endpoint=emulator.url, environ=demo_environ(), project=project), f"DEMO {scenario.name}"
