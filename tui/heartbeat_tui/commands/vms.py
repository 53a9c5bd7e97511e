"""``heartbeat-tui vms``: TPU VMs without a screen."""

from __future__ import annotations

import argparse

from heartbeat_tui.commands import vms_connect, vms_create, vms_list, vms_manage
from heartbeat_tui.commands.vms_shared import report_errors


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "TPU VMs and queued resources of the Cloud TPU API. What costs money or deletes asks first, and shows gcloud's command "
        "that does the same. Exit 0 yes, 1 no (refused, failed, not there), 2 bad usage, 3 could not tell, 130 interrupted."
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for register_verbs in (vms_list.register, vms_create.register, vms_manage.register, vms_connect.register):
        register_verbs(verbs)
    for verb in verbs.choices.values():
        verb.set_defaults(run=report_errors(verb.get_default("run")))
