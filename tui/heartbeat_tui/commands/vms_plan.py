"""What is shown before a TPU VM is created."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from heartbeat_core.errors import plain
from heartbeat_core.vms.request import WORDS
from heartbeat_tui.commands.talk import WIDTH, folded

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Estimate
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.commands.vms_prepare import Prepared

INDENT = 12


def plan_lines(request: CreateRequest, zones: tuple[str, ...], known: Prepared, label: str) -> Iterator[str]:
    """Write what it will be, what is left for it, what it costs, and gcloud's command."""
    if label:
        yield plain(label)
    kind = request.accelerator
    chips = f" ({kind.chips} chip{'s' * (kind.chips != 1)}, {kind.family.name})" if kind else ""
    model = f"{WORDS[request.provisioning]}{', as a queued resource' * request.queued}"
    yield from line("create", f"{request.name}: {request.accelerator_type}{chips}, {model}, runtime {request.runtime_version}")
    yield from line("where", f"project {request.project}, {'one of ' * (len(zones) > 1)}{', '.join(zones or (request.zone,))}")
    yield from line("network", f"{request.network or 'default'}{f', subnetwork {request.subnetwork}' * bool(request.subnetwork)}")
    yield from line("reached", request.reach())
    yield from line("acts as", request.service_account or "Compute Engine's default service account")
    if request.labels:
        yield from line("labels", ", ".join(f"{key}={value}" for key, value in request.labels.items()))
    if request.startup_script:
        yield from line("runs", f"{request.startup_script} whenever it starts")
    places = zones or (request.zone,)
    for room in (room for zone in places for room in known.rooms.get(zone, ())):
        yield from line("quota", f"{room}{'' if room.enough is not False else ': NOT ENOUGH, Google will refuse'}")
    if known.rooms and not any(known.rooms.values()):
        yield from line("quota", f"not known: the name of the quota for {request.accelerator_type} is not known here")
    costs = {zone: cost(known.prices[zone]) for zone in places}
    for words in dict.fromkeys(costs.values()):
        where = ", ".join(zone for zone in places if costs[zone] == words)
        yield from line("cost", words if len(set(costs.values())) == 1 else f"{where}: {words}")
    for note in known.notes:
        yield from line("!", note)
    for zone in places:
        yield f"{'command':<{INDENT}}{plain(shlex.join(replace(request, zone=zone).command()))}"


def cost(price: Estimate | str) -> str:
    if isinstance(price, str):
        return f"not known: {price}. A TPU VM costs as long as it is READY."
    return (
        f"about ${price.per_hour:,.2f} an hour, ${24 * price.per_hour:,.2f} a day, while it runs "
        f"(estimate by {price.rates}: ${price.per_chip:,.4g} a chip; discounts, disk and traffic are not in it)"
    )


def line(label: str, text: str) -> Iterator[str]:
    return folded(text, f"{label:<{INDENT}}", " " * INDENT, WIDTH - INDENT)
