"""From what went wrong within a check to its answer: never a pass, and never a failure of something else than was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heartbeat_core.readiness.check import Blocked, Check, Finding, unknown

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis

# Diagnoses that say which other check has to be mended first.
BLOCKERS = {
    "billing-disabled": "project.billing",
    "credentials-expired": "account.adc",
    "credentials-file": "account.adc",
    "credentials-missing": "account.adc",
    "project-denied": "project.exists",
    "project-suspended": "project.exists",
    "quota-project-denied": "account.quota-project",
    "quota-project-foreign": "account.quota-project",
    "quota-project-unset": "account.quota-project",
    "scopes": "host.scopes",
}
NO_RIGHT = ("forbidden", "permission", "tpu-permission")
# The least role that lets one look, by the first part of the permission.
LOOKING = {
    "billing": "roles/billing.viewer",
    "cloudquotas": "roles/cloudquotas.viewer",
    "compute": "roles/compute.viewer",
    "iam": "roles/iam.serviceAccountViewer",
    "resourcemanager": "roles/browser",
    "serviceusage": "roles/serviceusage.serviceUsageViewer",
    "tpu": "roles/tpu.viewer",
}


@dataclass(frozen=True)
class Failure:
    """``finding`` holds unless ``blocker`` is a check that failed, which then is what has to be mended."""

    finding: Finding
    diagnosis: Diagnosis | None = None
    blocker: str = ""


def failure_of(error: BaseException, check: Check, words: Mapping[str, str]) -> Failure:
    """Read what a check raised."""
    from heartbeat_core.cloud.errors import CloudError  # here, and below: most checks raise nothing
    from heartbeat_core.diagnosis.diagnose import diagnose_exception

    if isinstance(error, Blocked):
        return Failure(unknown(str(error)), blocker=error.by)
    diagnosis = diagnose_exception(error, "call", words)
    if diagnosis.id in NO_RIGHT:
        permission = (error.metadata.get("permission") if isinstance(error, CloudError) else None) or check.permission
        # whoever may not even see the project learns nothing of its APIs
        return Failure(no_right(diagnosis, permission, words), diagnosis, "project.exists" if check.group == "api" else "")
    cause = diagnosis.cause if diagnosis.cause == diagnosis.evidence else f"{diagnosis.cause} {diagnosis.evidence}"
    finding = unknown(f"could not tell: {diagnosis.title}", cause.strip(), *diagnosis.remedies, link=diagnosis.link)
    return Failure(finding, diagnosis, blocker_of(error, diagnosis))


def no_right(diagnosis: Diagnosis, permission: str, words: Mapping[str, str]) -> Finding:
    """Say that one may not look, and which role would let one."""
    from heartbeat_core.diagnosis.remedies import grant_role

    role = LOOKING.get(permission.partition(".")[0])
    remedies = (grant_role({**words, "role": role}),) if role else diagnosis.remedies
    why = f"Whoever asks must have {permission}. {diagnosis.evidence}" if permission else f"{diagnosis.cause} {diagnosis.evidence}"
    return unknown("could not tell: you may not look", why, *remedies, link=diagnosis.link)


def blocker_of(error: BaseException, diagnosis: Diagnosis) -> str:
    from heartbeat_core.cloud.errors import CloudError

    if diagnosis.id == "api-disabled" and isinstance(error, CloudError):
        service = error.metadata.get("service") or error.service
        return f"api.{service.partition('.')[0]}"
    return BLOCKERS.get(diagnosis.id, "")
