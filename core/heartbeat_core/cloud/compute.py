"""Compute Engine: what a region has left, and the zones there are (compute.googleapis.com, v1).

One GET replaces all that is needed of google-cloud-compute, which takes a second to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.json_fields import last, real, rows, segment, text
from heartbeat_core.cloud.session import CloudSession

SERVICE = "compute"


@dataclass(frozen=True)
class RegionQuota:
    """None where Google does not say."""

    limit: float | None
    usage: float | None


@dataclass(frozen=True)
class Region:
    """``quotas`` by metric: IN_USE_ADDRESSES, CPUS, HDB_TOTAL_GB; one that is missing is unknown, not 0."""

    name: str
    status: str | None
    quotas: Mapping[str, RegionQuota]
    zones: tuple[str, ...]


def get_region(session: CloudSession, project: str, region: str) -> Region:
    """Read one region as the project sees it."""
    return region_of(session.get(SERVICE, f"/compute/v1/projects/{segment(project)}/regions/{segment(region)}"), region)


def region_of(answer: Any, asked: str = "") -> Region:
    zones = answer.get("zones") if isinstance(answer, dict) else None
    return Region(
        name=text(answer, "name") or asked,
        status=text(answer, "status"),
        quotas={
            metric: RegionQuota(real(row, "limit"), usage_of(row))
            for row in rows(answer, "quotas")
            if (metric := text(row, "metric")) is not None
        },
        zones=tuple(last(zone) for zone in zones if isinstance(zone, str)) if isinstance(zones, list) else (),
    )


def usage_of(row: Mapping[str, Any]) -> float | None:
    """Read the usage, which JSON leaves out where it is 0 beside a limit."""
    return real(row, "usage") if "usage" in row or "limit" not in row else 0.0
