"""``heartbeat-tui vms``: TPU VMs without a screen."""

from __future__ import annotations

import argparse
from typing import Any

from heartbeat_tui.commands import vms_change, vms_create, vms_list, vms_setup, vms_ssh, vms_watch

VERBS = (vms_list, vms_create, vms_watch, vms_change, vms_ssh, vms_setup)  # each adds what it knows


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser(
        "vms",
        help="list, create, watch, connect to, set up, start, stop and delete TPU VMs",
        description="TPU VMs and queued resources of the Cloud TPU API. What costs money or deletes asks first, and shows gcloud's command "
        "that does the same. Exit 0 yes, 1 no (refused, failed, not there), 2 bad usage, 3 could not tell, 130 interrupted.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in VERBS:
        module.register(verbs)
