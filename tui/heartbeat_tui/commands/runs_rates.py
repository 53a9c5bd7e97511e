"""What an hour of each device costs: what the user says, else the price list that ``vms`` has kept."""

from __future__ import annotations

import os
from collections.abc import Sequence

from heartbeat_tui.commands.backend import say


def known_rates(given: Sequence[tuple[str, float]], devices: set[str]) -> dict[str, float]:
    """Give US dollars an hour by device; a kept price of one chip, on demand in the target's region, is said to be one."""
    rates = {name.casefold(): rate for name, rate in given}
    wanted = {device for device in devices if device and device.casefold() not in rates}
    from heartbeat_core.vms.prices import cache_file, load

    kept = load(cache_file()) if wanted else None
    if kept is None:
        return rates
    from heartbeat_core.cloud.gcloud import read_gcloud
    from heartbeat_core.cloud.target import choose_target
    from heartbeat_core.settings import load_settings

    region = choose_target({}, environ=os.environ, gcloud=read_gcloud(), settings=load_settings()).region or ""
    for device in sorted(wanted):
        price = kept.find(device, region, "on-demand")
        if price is not None:
            rates[device.casefold()] = price
            say(f"note: ${price:.2f}/h for one chip of {device}, on demand in {region}, by {kept}; --rate {device}=USD says otherwise")
    return rates
