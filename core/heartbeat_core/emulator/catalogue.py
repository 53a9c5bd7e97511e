"""What the emulated Cloud offers: a sample of zones, accelerators, runtimes and APIs, and the quotas that hold there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

SERVICES: dict[str, str] = {
    "bigquery.googleapis.com": "BigQuery API",
    "cloudapis.googleapis.com": "Google Cloud APIs",
    "cloudbilling.googleapis.com": "Cloud Billing API",
    "cloudquotas.googleapis.com": "Cloud Quotas API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "compute.googleapis.com": "Compute Engine API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "logging.googleapis.com": "Cloud Logging API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "orgpolicy.googleapis.com": "Organization Policy API",
    "serviceusage.googleapis.com": "Service Usage API",
    "storage.googleapis.com": "Cloud Storage API",
    "tpu.googleapis.com": "Cloud TPU API",
}
NEED_BILLING = {"compute.googleapis.com", "tpu.googleapis.com"}

GRIDS = {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"}
CUBES = {8: "2x2x1", 16: "2x2x2", 32: "2x2x4", 64: "2x4x4", 128: "4x4x4"}  # by cores, two a chip


@dataclass(frozen=True)
class TpuGeneration:
    """One generation: what its types are called, cut into and charged to; ``unit`` is what the number in a type counts."""

    name: str
    prefix: str
    config: str
    quota: str
    spot_quota: str
    sizes: dict[int, str]
    unit: str
    one_host: int
    per_host: int
    runtime: str


FAMILIES = (
    TpuGeneration("v6e", "v6e", "V6E", "TPUV6E", "TPUV6EPreemptible", GRIDS, "chips", 8, 4, "v2-alpha-tpuv6e"),
    TpuGeneration(
        "v5e", "v5litepod", "V5LITE_POD", "TPUV5sLitepod", "TPUV5sPreemptibleLitepod", GRIDS, "chips", 8, 4, "v2-alpha-tpuv5-lite"
    ),
    TpuGeneration("v5p", "v5p", "V5P", "TPUV5P", "TPUV5PPreemptible", CUBES, "cores", 8, 8, "v2-alpha-tpuv5"),
    TpuGeneration("v4", "v4", "V4", "TPUV4sPod", "TPUV4sPreemptiblePod", CUBES, "cores", 8, 8, "tpu-ubuntu2204-base"),
    TpuGeneration("v3", "v3", "V3", "TPUV3", "TPUV3Preemptible", {8: "2x2"}, "cores", 8, 8, "tpu-ubuntu2204-base"),
    TpuGeneration("v2", "v2", "V2", "TPUV2", "TPUV2Preemptible", {8: "2x2"}, "cores", 8, 8, "tpu-ubuntu2204-base"),
)
ZONES: dict[str, tuple[str, ...]] = {
    "asia-northeast1-b": ("v6e",),
    "europe-west4-a": ("v2", "v3", "v6e"),
    "europe-west4-b": ("v5e", "v5p"),
    "us-central1-a": ("v3", "v5e", "v5p"),
    "us-central1-b": ("v2", "v3", "v6e"),
    "us-central2-b": ("v4",),
    "us-east1-d": ("v6e",),
    "us-east5-a": ("v5p", "v6e"),
    "us-east5-b": ("v6e",),
    "us-south1-ai1b": ("v6e",),
    "us-west1-c": ("v5e",),
    "us-west4-a": ("v5e",),
}
REGIONS = tuple(sorted({zone.rpartition("-")[0] for zone in ZONES}))
RUNTIMES = (
    "tpu-ubuntu2204-base", "tpu-vm-base", "tpu-vm-tf-2.18.0-pjrt", "tpu-vm-v4-base", "v2-alpha-tpuv5", "v2-alpha-tpuv5-lite",
    "v2-alpha-tpuv6e",
)  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """One accelerator type: v6e-4 is a slice of 4 of the family v6e."""

    family: TpuGeneration
    size: int

    @property
    def type(self) -> str:
        return f"{self.family.prefix}-{self.size}"

    @property
    def topology(self) -> str:
        return self.family.sizes[self.size]

    @property
    def hosts(self) -> int:
        return 1 if self.size <= self.family.one_host else self.size // self.family.per_host

    def quota_id(self, *, spot: bool, scope: str) -> str:
        """Name the quota it counts against; ``scope`` is "Zone" or "Region"."""
        serving = "Serving" if self.family.name == "v5e" and self.size <= 8 else ""
        return f"{self.family.spot_quota if spot else self.family.quota}{serving}PerProjectPer{scope}ForTPUAPI"


def slices(zone: str) -> list[Slice]:
    """List what a zone offers; nothing where there is no such zone."""
    return [Slice(family, size) for family in FAMILIES if family.name in ZONES.get(zone, ()) for size in family.sizes]


def find_slice(zone: str, accelerator_type: str) -> Slice | None:
    return next((slice_ for slice_ in slices(zone) if slice_.type == accelerator_type), None)


@dataclass(frozen=True)
class QuotaDefinition:
    """One quota of one API: ``dimension`` is "zone", "region" or empty, ``default`` what a new project has."""

    service: str
    id: str
    metric: str
    dimension: str
    default: int
    display: str


def tpu_quotas() -> list[QuotaDefinition]:
    found: dict[str, QuotaDefinition] = {}
    for family in FAMILIES:
        for size, spot, scope in itertools.product(family.sizes, (False, True), ("Zone", "Region")):
            name = Slice(family, size).quota_id(spot=spot, scope=scope)
            metric = "tpu.googleapis.com/" + name.partition("PerProject")[0].lower()
            display = f"TPU {family.name} {'preemptible ' * spot}{family.unit} per project per {scope.lower()}"
            found[name] = QuotaDefinition("tpu.googleapis.com", name, metric, scope.lower(), 0, display)
    return list(found.values())


QUOTAS: tuple[QuotaDefinition, ...] = (
    *tpu_quotas(),
    *(
        QuotaDefinition("compute.googleapis.com", name, f"compute.googleapis.com/{metric}", dimension, default, display)
        for name, metric, dimension, default, display in (
            ("CPUS-per-project-region", "cpus", "region", 24, "CPUs"),
            ("CPUS-ALL-REGIONS-per-project", "cpus_all_regions", "", 32, "CPUs (all regions)"),
            ("HDB-TOTAL-GB-per-project-region", "hdb_total_gb", "region", 500, "Hyperdisk Balanced capacity (GB)"),
            ("IN-USE-ADDRESSES-per-project-region", "in_use_addresses", "region", 8, "In-use regional external IPv4 addresses"),
            ("PREEMPTIBLE-CPUS-per-project-region", "preemptible_cpus", "region", 0, "Preemptible CPUs"),
        )
    ),
)
# Compute Engine's regions call them otherwise: IN_USE_ADDRESSES is IN-USE-ADDRESSES-per-project-region.
REGIONAL = "-per-project-region"
REGION_METRICS = {each.id.removesuffix(REGIONAL).replace("-", "_"): each.id for each in QUOTAS if each.id.endswith(REGIONAL)}
