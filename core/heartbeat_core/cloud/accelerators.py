"""Accelerator types by name: what they are made of, which runtime fits, which quotas and what else a VM of one needs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Provisioning = Literal["on-demand", "spot", "reserved", "flex-start"]
Scope = Literal["zone", "region"]
Unit = Literal["chips", "cores"]

NAME = re.compile(r"(v\d+\w*?)-(\d+)")
OLDEST_RUNTIME = "tpu-ubuntu2204-base"
RUNTIMES_SOURCE = "https://docs.cloud.google.com/tpu/docs/runtimes"
BOOT_DISK_GB = 100
PREEMPTIBLE = ("spot", "flex-start")  # both count against the quotas of preemptible TPUs


@dataclass(frozen=True)
class Family:
    """One generation: how its types are called, what the number in them counts, and the quotas it is charged to.

    ``quota`` and ``spot_quota`` are empty where the name of the quota was not found.
    """

    name: str
    prefix: str
    unit: Unit
    cores_per_chip: int
    runtime: str
    quota: str = ""
    spot_quota: str = ""
    hyperdisk: bool = False


FAMILIES = (
    Family("v2", "v2", "cores", 2, OLDEST_RUNTIME),
    Family("v3", "v3", "cores", 2, OLDEST_RUNTIME),
    Family("v4", "v4", "cores", 2, OLDEST_RUNTIME, "TPUV4sPod", "TPUV4sPreemptiblePod"),
    Family("v5e", "v5litepod", "chips", 1, "v2-alpha-tpuv5-lite", "TPUV5sLitepod", "TPUV5sPreemptibleLitepod"),
    Family("v5p", "v5p", "cores", 2, "v2-alpha-tpuv5", "TPUV5P", "TPUV5PPreemptible"),
    Family("v6e", "v6e", "chips", 1, "v2-alpha-tpuv6e", "TPUV6E", "TPUV6EPreemptible", hyperdisk=True),
)
SERVING_SIZES = (1, 4, 8)  # v5litepod of these sizes has quotas of its own
# The VM that stands before a type of one host, and its vCPUs; only those for which a source was found.
MACHINES = {
    "v5litepod-1": ("ct5lp-hightpu-1t", 24),
    "v6e-1": ("ct6e-standard-1t", 44),
    "v6e-4": ("ct6e-standard-4t", 180),
    "v6e-8": ("ct6e-standard-8t", 180),
}


@dataclass(frozen=True)
class Accelerator:
    """One type, such as v6e-4: ``size`` is the number in its name, in the family's unit, which quotas count as well."""

    type: str
    family: Family
    size: int

    @property
    def chips(self) -> int:
        return self.size if self.family.unit == "chips" else max(1, self.size // self.family.cores_per_chip)

    def quota_id(self, provisioning: Provisioning, scope: Scope) -> str | None:
        """Name the quota of the Cloud TPU API it counts against, None where that is not known."""
        stem = self.family.spot_quota if provisioning in PREEMPTIBLE else self.family.quota
        if not stem:
            return None
        serving = "Serving" if self.family.name == "v5e" and self.size in SERVING_SIZES else ""
        return f"{stem}{serving}PerProjectPer{scope.title()}ForTPUAPI"

    def same_quota(self, other: Accelerator) -> bool:
        return self.quota_id("on-demand", "zone") == other.quota_id("on-demand", "zone") and self.family == other.family


def type_of_config(kind: str | None, topology: str | None) -> str | None:
    """Return the accelerator type of an acceleratorConfig: V6E 2x2 → v6e-4, V5P 2x2x1 → v5p-8; None where it is not known."""
    prefix = (kind or "").replace("_", "").lower()  # V5LITE_POD is v5litepod
    family = next((family for family in FAMILIES if family.prefix == prefix), None)
    sides = (topology or "").split("x")
    if family is None or not all(side.isdecimal() for side in sides):
        return None
    chips = math.prod(int(side) for side in sides)
    return f"{family.prefix}-{chips * (1 if family.unit == 'chips' else family.cores_per_chip)}"


@lru_cache(maxsize=1000)  # a list of a thousand TPU VMs asks for the type in every cell
def find_accelerator(name: str | None) -> Accelerator | None:
    """Find a type by its name; None for one not known here, which Google may well have."""
    match = NAME.fullmatch((name or "").strip().lower())
    if not match:
        return None
    prefix, size = match[1], int(match[2][:9])
    family = next((family for family in FAMILIES if prefix in (family.prefix, family.name)), None)
    return Accelerator(f"{family.prefix}-{size}", family, size) if family and size > 0 else None


def runtime_fits(accelerator: Accelerator, runtime: str) -> bool | None:
    """Return whether a TPU VM of that type with that runtime has a driver for its chips; None for an unknown runtime."""
    if runtime == accelerator.family.runtime:
        return True
    if runtime.startswith(("tpu-vm-", "tpu-ubuntu")):  # of v4 and older; on newer chips they come up READY, without a driver
        return None if accelerator.family.runtime == OLDEST_RUNTIME else False
    return False if any(runtime == family.runtime for family in FAMILIES) else None


def runtime_for(accelerator_type: str) -> str | None:
    """Name the runtime that goes with a type, None where that is not known."""
    accelerator = find_accelerator(accelerator_type)
    return accelerator.family.runtime if accelerator else None
