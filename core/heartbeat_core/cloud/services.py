"""Service Usage: which APIs a project has enabled (serviceusage.googleapis.com, v1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.fields import last, rows, segment, text
from heartbeat_core.cloud.session import CloudSession

SERVICE = "serviceusage"
NAMES = tuple(
    f"{name}.googleapis.com" for name in ("tpu", "compute", "iam", "cloudquotas", "cloudbilling", "cloudresourcemanager", "serviceusage")
)


@dataclass(frozen=True)
class Api:
    """``state`` is ENABLED, DISABLED or whatever Google says."""

    name: str
    state: str | None

    @property
    def enabled(self) -> bool | None:
        return {"ENABLED": True, "DISABLED": False}.get(self.state or "")


def get_api(session: CloudSession, project: str, name: str) -> Api:
    """Read the state of one API, such as "tpu.googleapis.com"."""
    return api_of(session.get(SERVICE, f"/v1/projects/{segment(project)}/services/{segment(name)}"), name)


def get_apis(session: CloudSession, project: str, names: Iterable[str] = NAMES) -> dict[str, Api]:
    """Read the state of up to 30 APIs in one call; one that is not in the answer is not in the dictionary."""
    wanted = [f"projects/{project}/services/{name}" for name in names]
    answer = session.get(SERVICE, f"/v1/projects/{segment(project)}/services:batchGet", {"names": wanted})
    found = [api_of(row) for row in rows(answer, "services")]
    return {api.name: api for api in found}


def api_of(answer: Any, asked: str = "") -> Api:
    return Api(last(text(answer, "name")) or text(answer, "config", "name") or asked, text(answer, "state"))
