"""Resource Manager: projects, what one may do in them, and who may do what (cloudresourcemanager.googleapis.com, v3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.json_fields import flag, has, last, rows, segment, text, texts
from heartbeat_core.cloud.session import CloudSession

RESOURCE_MANAGER = "cloudresourcemanager"
MOST_PERMISSIONS = 100  # that one call takes


@dataclass(frozen=True)
class Project:
    """``number`` is what service agents are named by; ``state`` is ACTIVE, DELETE_REQUESTED or whatever Google says.

    ``parent`` is the folder or organization it inherits roles from, None where it lies in neither.
    """

    id: str
    number: str | None
    state: str | None
    parent: str | None = None


@dataclass(frozen=True)
class Condition:
    """Restricts a binding; its expression is CEL, which is not evaluated here."""

    title: str | None
    expression: str | None


@dataclass(frozen=True)
class IamBinding:
    role: str
    members: tuple[str, ...]
    condition: Condition | None = None

    def names(self, member: str) -> bool:
        """Return whether it gives its role to ``member`` by name; addresses are compared without regard to case."""
        return member.casefold() in {known.casefold() for known in self.members}


def get_project(session: CloudSession, project: str) -> Project:
    """Read a project; a 403 means that it is missing or out of reach, which Google does not tell apart."""
    return project_of(session.get(RESOURCE_MANAGER, f"/v3/projects/{segment(project)}"), project)


def search_projects(session: CloudSession) -> tuple[Project, ...]:
    """List the projects one may see, for completion."""
    found = session.list(RESOURCE_MANAGER, "/v3/projects:search", "projects", {"query": "state:ACTIVE"})
    return tuple(project_of(item) for item in found)


def granted_permissions(session: CloudSession, project: str, permissions: Iterable[str]) -> frozenset[str]:
    """Ask which of ``permissions`` one has on the project, inherited ones and those of groups and custom roles included."""
    return ask_permissions(session, RESOURCE_MANAGER, f"/v3/projects/{segment(project)}", permissions)


def get_policy(session: CloudSession, project: str) -> tuple[IamBinding, ...]:
    """Read who holds which role on the project itself: what is inherited from a folder or an organization is not in it."""
    body = {"options": {"requestedPolicyVersion": 3}}
    answer = session.ask(RESOURCE_MANAGER, f"/v3/projects/{segment(project)}:getIamPolicy", body)
    return tuple(
        IamBinding(
            text(row, "role") or "",
            texts(row, "members"),
            Condition(text(row, "condition", "title"), text(row, "condition", "expression")) if has(row, "condition") else None,
        )
        for row in rows(answer, "bindings")
    )


@dataclass(frozen=True)
class OrganizationPolicy:
    """The effective policy of one constraint in a project: ``restricts`` is None where that depends on a condition.

    ``allowed`` are the values that a list still allows, empty for none and for constraints without values.
    """

    restricts: bool | None
    allowed: tuple[str, ...] = ()


def get_organization_policy(session: CloudSession, project: str, constraint: str) -> OrganizationPolicy:
    """Read what the policies of organization, folders and project come to, for one constraint."""
    answer = session.get("orgpolicy", f"/v2/projects/{segment(project)}/policies/{segment(constraint)}:getEffectivePolicy")
    found = rows(answer, "spec", "rules")
    if any(has(rule, "condition") for rule in found):
        return OrganizationPolicy(None)
    allowed = tuple(value for rule in found for value in texts(rule, "values", "allowedValues"))
    denied = any(texts(rule, "values", "deniedValues") for rule in found)
    restricts = any(flag(rule, "enforce") or flag(rule, "denyAll") for rule in found)
    return OrganizationPolicy(restricts or denied or bool(allowed), allowed)


def ask_permissions(session: CloudSession, service: str, resource: str, permissions: Iterable[str]) -> frozenset[str]:
    wanted = tuple(dict.fromkeys(permissions))
    granted: set[str] = set()
    for first in range(0, len(wanted), MOST_PERMISSIONS):
        body = {"permissions": list(wanted[first : first + MOST_PERMISSIONS])}
        granted.update(texts(session.ask(service, f"{resource}:testIamPermissions", body), "permissions"))
    return frozenset(granted & set(wanted))


def project_of(answer: Any, asked: str = "") -> Project:
    return Project(
        id=text(answer, "projectId") or asked,
        number=last(text(answer, "name")) or None,
        state=text(answer, "state"),
        parent=text(answer, "parent"),
    )


SERVICE_USAGE = "serviceusage"
# In the order in which to enable them: those that the checks need come first.
APIS = {
    "serviceusage": "Service Usage",
    "cloudresourcemanager": "Resource Manager",
    "cloudbilling": "Cloud Billing",
    "iam": "IAM",
    "cloudquotas": "Cloud Quotas",
    "compute": "Compute Engine",
    "tpu": "Cloud TPU",
}


def get_apis(session: CloudSession, project: str) -> dict[str, str | None]:
    """Read the states of the APIs in one call, ENABLED, DISABLED or whatever Google says; those not in the answer are left out."""
    wanted = [f"projects/{project}/services/{name}.googleapis.com" for name in APIS]
    answer = session.get(SERVICE_USAGE, f"/v1/projects/{segment(project)}/services:batchGet", {"names": wanted})
    return {last(text(row, "name")) or text(row, "config", "name") or "": text(row, "state") for row in rows(answer, "services")}


BILLING = "cloudbilling"


@dataclass(frozen=True)
class Billing:
    """``enabled`` is False without an account and with a closed one, None where Google does not say."""

    enabled: bool | None
    account: str | None


def get_billing(session: CloudSession, project: str) -> Billing:
    """Read how the project pays."""
    answer = session.get(BILLING, f"/v1/projects/{segment(project)}/billingInfo")
    account = last(text(answer, "billingAccountName")) or None
    said = flag(answer, "billingEnabled")
    # JSON may leave out what is false: where a project is named and no account, that is an answer too
    return Billing(False if said is None and account is None and text(answer, "projectId") else said, account)
