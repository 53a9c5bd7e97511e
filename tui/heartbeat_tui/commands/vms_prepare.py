"""All that is asked for before a TPU VM is: what its zone offers, the quota left, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from heartbeat_tui.commands.vms_place import Place, try_rates

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Estimate
    from heartbeat_core.vms.quota_headroom import Room
    from heartbeat_core.vms.request import CreateRequest, ZoneOffers

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """What became known, by zone; ``notes`` say what could not be found out."""

    offers: ZoneOffers
    rooms: Mapping[str, tuple[Room, ...]]
    prices: Mapping[str, Estimate | str]  # or why there is none
    notes: tuple[str, ...]


def prepare(place: Place, request: CreateRequest, zones: tuple[str, ...]) -> Prepared:
    """Ask for everything side by side; raise CloudError where that was cancelled, all else that fails is a note."""
    from heartbeat_core.vms.inventory import take_look
    from heartbeat_core.vms.pricing import estimate, why_unpriced
    from heartbeat_core.vms.quota_headroom import find_room
    from heartbeat_core.vms.request import ZoneOffers, ask_offers

    notes: list[str] = []
    wishes = {zone: replace(request, zone=zone) for zone in zones or (request.zone,)}

    def rooms() -> dict[str, tuple[Room, ...]]:
        look = take_look(place.session, place.project)
        return {zone: find_room(place.session, wish, look) for zone, wish in wishes.items()}

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as pool:
        offered = pool.submit(ask_offers, place.session, place.project, request.zone)
        priced = pool.submit(try_rates, place.session)
        found = noted(rooms, "the quota left", notes) or {}
        offers = noted(offered.result, f"what {request.zone} offers", notes) or ZoneOffers()
        rates, problem = priced.result()
    kind, model = request.accelerator_type, request.provisioning
    prices = {zone: estimate(rates, kind, zone, model) or problem or why_unpriced(kind, zone, model) for zone in wishes}
    return Prepared(offers, found, prices, tuple(notes))


def noted(ask: Callable[[], T], what: str, notes: list[str]) -> T | None:
    """Ask; where that fails note it down and give None."""
    from heartbeat_core.cloud.errors import CloudError

    try:
        return ask()
    except CloudError as error:
        if error.kind == "cancelled":
            raise
        notes.append(f"{what} could not be found out: {error.title}: {error.message}")
        return None
