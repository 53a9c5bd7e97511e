"""The tariff of this user: the price list that ``vms`` has kept, and the region that is aimed at. Both are read from files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from heartbeat_core.comparison.cost import Tariff


def known_tariff(given: Mapping[str, float] | None = None) -> Tariff:
    """Give what is known of prices; ``given`` rates go before the list."""
    from heartbeat_core.vms.pricing import cache_file, load_prices

    return Tariff(given or {}, load_prices(cache_file()), cache(target_region))


def target_region() -> str:
    """Name the region of the target, empty where there is none."""
    from heartbeat_core.cloud.gcloud_config import read_gcloud
    from heartbeat_core.cloud.target import choose_target
    from heartbeat_core.settings import load_settings

    return choose_target({}, environ=os.environ, gcloud=read_gcloud(), settings=load_settings()).region or ""
