"""``--on``: the TPU VM that runs go to, found as the flags, the environment, the settings and gcloud say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.remote.hosts import Destination
    from heartbeat_core.settings import Settings


def make_destination(args: argparse.Namespace, settings: Settings) -> Destination | None:
    """Make what ``--on`` names, None where it is not given; nothing is asked yet. Raise HeartbeatError for what makes no sense."""
    if getattr(args, "on", None) is None:
        return None
    from heartbeat_core.checks.environment import look_around
    from heartbeat_core.remote.hosts import Destination, find_node, parse_on

    on = parse_on(args.on)
    if getattr(args, "demo", None) is not None:
        raise HeartbeatError("--on and --demo exclude one another", "A demo's TPU VMs have no machines behind them.", "Give one of them.")
    world = look_around({name: getattr(args, name, None) for name in ("project", "zone")}, settings=settings)
    project, zone = world.target.project.value, world.target.zone
    if not project:
        raise HeartbeatError("no project was chosen", "", "Give --project, set PROJECT_ID, or: gcloud config set project PROJECT")

    def find() -> Node:
        session = world.open_session()
        try:
            return find_node(session, project, on.name, zone.value if zone.source == "--zone" else None)
        finally:
            session.close()

    return Destination(on, project, world.endpoint, settings.remote, find)
