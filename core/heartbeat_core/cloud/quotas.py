"""Cloud Quotas: what Google allows a project in one place (cloudquotas.googleapis.com, v1). What is in stock is another matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from heartbeat_core.cloud.accelerators import Scope
from heartbeat_core.cloud.errors import unless_missing
from heartbeat_core.cloud.json_fields import dig, flag, labels, rows, segment, text, texts, whole
from heartbeat_core.cloud.session import CloudSession

SERVICE = "cloudquotas"
TPU, COMPUTE = "tpu.googleapis.com", "compute.googleapis.com"
UNLIMITED = -1
PLACES: tuple[Scope, ...] = ("zone", "region")
# of compute.googleapis.com, each with the metric under which a region tells its use
ADDRESSES = ("IN-USE-ADDRESSES-per-project-region", "IN_USE_ADDRESSES")
HYPERDISK = ("HDB-TOTAL-GB-per-project-region", "HDB_TOTAL_GB")
CPUS = ("CPUS-per-project-region", "CPUS")


@dataclass(frozen=True)
class Limit:
    """``value`` is there for a limited quota alone.

    "unset": the quota exists and says nothing of this place. "unreadable": what it says is no number.
    """

    kind: Literal["unlimited", "limited", "unset", "unreadable"]
    value: int | None = None

    def covers(self, needed: int, used: int = 0) -> bool | None:
        """Return whether ``needed`` fits beside what is used, None if unknown."""
        if self.kind == "unlimited":
            return True
        return None if self.value is None else self.value - used >= needed

    def __str__(self) -> str:
        return f"{self.value:,}" if self.value is not None else self.kind


@dataclass(frozen=True)
class QuotaRow:
    """What holds in some places: those its ``dimensions`` name, or else those in ``locations``."""

    dimensions: Mapping[str, str]
    locations: tuple[str, ...]
    limit: Limit


@dataclass(frozen=True)
class Quota:
    """``can_increase`` is None where Google does not say; ``rows`` run from the most specific to the least."""

    id: str
    dimensions: tuple[str, ...]
    rows: tuple[QuotaRow, ...]
    can_increase: bool | None
    why_not: str | None

    def limit(self, place: str) -> Limit:
        """Find the limit in the zone or region ``place``: of a row that names it, else of one that lists it, else of that for everywhere.

        A row that names anything else, such as a family of TPUs, is none of ours, wherever it holds.
        """
        named = [row for row in self.rows if row.dimensions.keys() <= set(PLACES) and place in row.dimensions.values()]
        unnamed = [row for row in self.rows if not row.dimensions]
        listed = [row for row in unnamed if place in row.locations]
        # only a quota that does not go by places holds everywhere without saying so
        everywhere = [] if set(self.dimensions) & set(PLACES) else unnamed
        return next((row.limit for row in (*named, *listed, *everywhere)), Limit("unset"))


def get_quota(session: CloudSession, project: str, service: str, quota_id: str) -> Quota | None:
    """Read one quota, None where Google knows none of that id, which says nothing about the project."""
    answer = unless_missing(session.get, SERVICE, f"{infos(project, service)}/{segment(quota_id)}")
    return None if answer is None else quota_of(answer, quota_id)


def list_quotas(session: CloudSession, project: str, service: str) -> tuple[Quota, ...]:
    found = session.list(SERVICE, infos(project, service), "quotaInfos", {"pageSize": "1000"})
    return tuple(quota_of(item) for item in found)


def infos(project: str, service: str) -> str:
    return f"/v1/projects/{segment(project)}/locations/global/services/{segment(service)}/quotaInfos"


def quota_of(answer: Any, asked: str = "") -> Quota:
    return Quota(
        id=text(answer, "quotaId") or asked,
        dimensions=texts(answer, "dimensions"),
        rows=tuple(
            QuotaRow(labels(row, "dimensions"), texts(row, "applicableLocations"), limit_of(row)) for row in rows(answer, "dimensionsInfos")
        ),
        can_increase=flag(answer, "quotaIncreaseEligibility", "isEligible"),
        why_not=text(answer, "quotaIncreaseEligibility", "ineligibilityReason"),
    )


def limit_of(row: Any) -> Limit:
    """Read a limit; a value left out is 0, for so JSON writes a 0. Without any details nothing is said."""
    if "details" not in row:
        return Limit("unreadable")
    if dig(row, ("details", "value")) is None:
        return Limit("limited", 0)
    value = whole(row, "details", "value")
    if value is None:
        return Limit("unreadable")
    return Limit("unlimited") if value == UNLIMITED else Limit("limited", value)
