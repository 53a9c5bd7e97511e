"""What TPU VMs cost by Google's public price list: an estimate, without discounts, contracts and disks.

The list is the Cloud Billing catalogue, by chip and hour. Rates change, so none is written down here: they are fetched, and kept
in the user's cache with their date. Those of an emulator are invented; they are marked so and never kept.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from heartbeat_core.cloud.accelerators import Provisioning, find_accelerator
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.json_fields import rows, text, texts, whole
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.paths import cache_folder, write_whole
from heartbeat_core.vms.inventory import age_s, moment
from heartbeat_core.vms.vocabulary import state_of

SERVICE = "cloudbilling"
COMPUTE = "6F81-5844-456A"  # Compute Engine's list: it has v5e, v5p and v6e; how v2 to v4 are priced is not known here
CURRENCY = "USD"
FIELDS = "skus(description,category,serviceRegions,pricingInfo),nextPageToken"
FRESH = timedelta(days=7)
# How the list calls them, with the usage type it must have: other prices begin with the same words.
SKUS: tuple[tuple[Provisioning, str, re.Pattern[str]], ...] = (
    ("on-demand", "OnDemand", re.compile(r"Tpu(V\d+\w*) running in ", re.IGNORECASE)),
    ("spot", "Preemptible", re.compile(r"Tpu(V\d+\w*) attached to Spot Preemptible VMs", re.IGNORECASE)),
    ("flex-start", "", re.compile(r"DWS Defined Duration (?:Tpu)?(V\d+\w*)", re.IGNORECASE)),
)

PerChip = Mapping[str, float]  # "v6e us-central1 spot" -> US dollars per chip and hour


@dataclass(frozen=True)
class Rates:
    """Prices of the moment ``at``; ``source`` is whose they are, fit to stand after "by"."""

    at: datetime
    source: str
    per_chip: PerChip
    emulated: bool = False

    def find(self, family: str, region: str, provisioning: Provisioning) -> float | None:
        """Return US dollars per chip and hour, None if the list has no price: reserved TPUs are paid for by contract."""
        return self.per_chip.get(key(family, region, provisioning))

    def __str__(self) -> str:
        return f"{'EMULATED, invented: ' if self.emulated else ''}{self.source}, {self.at:%Y-%m-%d}"


@dataclass(frozen=True)
class Estimate:
    """US dollars an hour for ``chips`` at ``per_chip``, by ``rates``; ``charged``: its state is one that is charged by the chip."""

    per_hour: float
    per_chip: float
    chips: int
    charged: bool
    rates: Rates


def key(family: str, region: str, provisioning: Provisioning) -> str:
    return f"{family} {region} {provisioning}"


def estimate(
    rates: Rates | None, accelerator_type: str | None, zone: str, provisioning: Provisioning, *, charged: bool = True
) -> Estimate | None:
    """Return what a TPU VM of that kind costs an hour, None if that is not known."""
    kind = find_accelerator(accelerator_type)
    if rates is None or kind is None:
        return None
    per_chip = rates.find(kind.family.name, zone.rpartition("-")[0], provisioning)
    return None if per_chip is None else Estimate(per_chip * kind.chips, per_chip, kind.chips, charged, rates)


def why_unpriced(accelerator_type: str, zone: str, provisioning: Provisioning) -> str:
    if provisioning == "reserved":
        return "reserved TPUs are paid for by contract"
    if find_accelerator(accelerator_type) is None:
        return f"how {accelerator_type} is priced is not known here"
    return f"the price list has none for {accelerator_type}, {provisioning}, in {zone.rpartition('-')[0]}"


def rate_of(rates: Rates | None, node: Node) -> Estimate | None:
    """Return what a node costs an hour while it runs, and whether it does."""
    return estimate(rates, node.accelerator_type, node.zone, node.provisioning, charged=state_of(node).charged)


def cost_so_far(rates: Rates | None, node: Node, now: datetime) -> float | None:
    """Return the most a node can have cost since it was created, in US dollars: as if it had run all the time at today's rate."""
    found, age = rate_of(rates, node), age_s(node.created, now)
    return found.per_hour * age / 3600 if found and age is not None else None


def fetch_rates(session: CloudSession) -> Rates:
    """Fetch Google's whole list of Compute Engine prices, which has many pages; raise CloudError."""
    params = {"pageSize": "5000", "currencyCode": CURRENCY, "fields": FIELDS}
    found = session.list(SERVICE, f"/v1/services/{COMPUTE}/skus", "skus", params)
    source = "the emulator's list" if session.emulated else "Google's public price list"
    return Rates(datetime.now(timezone.utc), source, read_skus(found), emulated=session.emulated)


def find_rates(session: CloudSession, cache: Path | None = None, *, fresh: timedelta = FRESH) -> Rates:
    """Return the rates in the cache if they are fresh, else fetch and keep them; raise CloudError if there are none at all.

    If they cannot be fetched, older ones are returned, with their date.
    """
    if session.emulated:
        return fetch_rates(session)
    path = cache or cache_file()
    kept = load_prices(path)
    if kept and abs(datetime.now(timezone.utc) - kept.at) < fresh:  # a date to come was written by another clock
        return kept
    try:
        rates = fetch_rates(session)
    except CloudError:
        if kept:
            return kept
        raise
    save(path, rates)
    return rates


def cache_file() -> Path:
    return cache_folder() / "prices.json"


def load_prices(path: Path) -> Rates | None:
    """Return the rates that were kept, None if there are none that can be read."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    at, prices = moment(text(table, "at")), table.get("per_chip") if isinstance(table, dict) else None
    if at is None or not isinstance(prices, dict):
        return None
    per_chip = {name: float(value) for name, value in prices.items() if isinstance(value, int | float)}
    return Rates(at, text(table, "source") or "an unknown list", per_chip)


def save(path: Path, rates: Rates) -> None:
    """Keep rates; if that fails, they are fetched again next time."""
    table = {"at": f"{rates.at:%Y-%m-%dT%H:%M:%SZ}", "source": rates.source, "currency": CURRENCY, "per_chip": dict(rates.per_chip)}
    with contextlib.suppress(OSError):
        write_whole(path, json.dumps(table, indent=1))


def read_skus(skus: tuple[Mapping[str, Any], ...]) -> PerChip:
    """Return the prices of TPUs among those of everything."""
    found: dict[str, float] = {}
    for sku in skus:
        description, usage = text(sku, "description") or "", text(sku, "category", "usageType")
        price = price_of(sku) if description.startswith("DWS") or text(sku, "category", "resourceGroup") == "TPU" else None
        if price is None:
            continue
        for model, wanted, pattern in SKUS:
            if (match := pattern.match(description)) and wanted in ("", usage):
                found |= {key(match[1].lower(), region, model): price for region in texts(sku, "serviceRegions")}
    return found


def price_of(sku: Mapping[str, Any]) -> float | None:
    """Return the newest price of an hour, of a tiered list the highest; None if it is in another unit."""
    newest: Mapping[str, Any] = next(reversed(rows(sku, "pricingInfo")), {})
    if text(newest, "pricingExpression", "usageUnit") not in ("h", None):
        return None
    prices = [
        (whole(rate, "unitPrice", "units") or 0) + (whole(rate, "unitPrice", "nanos") or 0) / 1e9
        for rate in rows(newest, "pricingExpression", "tieredRates")
    ]
    return max(prices, default=None) or None


def money(amount: float) -> str:
    """Return an amount in two decimals, from a thousand on in none."""
    return f"{amount:,.2f}" if amount < 1000 else f"{amount:,.0f}"


def unit_price(amount: float) -> str:
    """Return the price of a chip, which may have four decimals: 2.70, 1.4033."""
    stem = f"{amount:.4f}"
    return stem[:-2] + stem[-2:].rstrip("0")
