"""What an hour of the machine of a run costs: a given rate, else Google's public price list as it was last kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.cloud.accelerators import Provisioning
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.vms.pricing import Rates


@dataclass(frozen=True)
class Price:
    """US dollars an hour; ``source`` says what they buy and by whose list, empty where the rate was given."""

    usd_per_hour: float
    source: str = ""
    devices: int = 1  # that what they buy has: a chip of v2, v3 or 7x has two

    @property
    def usd_of_device(self) -> float:
        return self.usd_per_hour / self.devices


@dataclass(frozen=True)
class CostRates:
    """``given`` are US dollars an hour by host, device or backend; ``kept`` is the price list, None where there is none.

    ``region`` is asked for where a recording does not say where it ran.
    """

    given: Mapping[str, float] = field(default_factory=dict)
    kept: Rates | None = None
    region: Callable[[], str] = str  # nowhere

    def of(self, entry: RunEntry, environment: Mapping[str, Any]) -> Price | None:
        """Find what an hour costs: by host, device or backend, whatever is named first of these, else by the list; None where not known.

        By the list it is one chip, which a run uses: in the zone and of the kind that the recording names, else on
        demand in the region.
        """
        folded = {name.casefold(): rate for name, rate in self.given.items()}
        named = (folded.get(name.casefold()) for name in (entry.host, entry.device, entry.backend) if name)
        given = next((rate for rate in named if rate is not None), None)
        return Price(given) if given is not None else self.by_list(environment)

    def by_list(self, environment: Mapping[str, Any]) -> Price | None:
        chip = environment.get("chip")
        if self.kept is None or not isinstance(chip, str):
            return None
        region = str(environment.get("tpu_zone") or "").rpartition("-")[0] or self.region()
        kind = environment.get("tpu_provisioning")
        provisioning: Provisioning = next((model for model in get_args(Provisioning) if model == kind), "on-demand")
        usd = self.kept.find(chip, region, provisioning)
        words = f"one chip of {chip}, {provisioning.replace('-', ' ')} in {region}, by {self.kept}"
        known = chip_by_name(chip)
        return None if usd is None else Price(usd, words, known.devices_per_chip if known else 1)


NO_RATES = CostRates()
