"""IAM: service accounts (iam.googleapis.com, v1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.json_fields import flag, segment, text, texts
from heartbeat_core.cloud.projects import ask_permissions
from heartbeat_core.cloud.session import CloudSession

SERVICE = "iam"
ACT_AS = "iam.serviceAccounts.actAs"


@dataclass(frozen=True)
class ServiceAccount:
    email: str
    name: str | None
    disabled: bool

    @property
    def member(self) -> str:
        return f"serviceAccount:{self.email}"


def default_account(number: str) -> str:
    """Return Compute Engine's default service account, as which a TPU VM runs where none is given."""
    return f"{number}-compute@developer.gserviceaccount.com"


def service_agents(number: str) -> tuple[tuple[str, str], ...]:
    """Name the two agents that Cloud TPU may act as in the project of that number, each with its role."""
    return (
        (f"service-{number}@cloud-tpu.iam.gserviceaccount.com", "roles/tpu.serviceAgent"),
        (f"service-{number}@gcp-sa-tpu.iam.gserviceaccount.com", "roles/cloudtpu.serviceAgent"),
    )


def get_service_account(session: CloudSession, project: str, email: str) -> ServiceAccount:
    """Read one service account of the project."""
    return account_of(session.get(SERVICE, account_path(project, email)), email)


def role_permissions(session: CloudSession, role: str) -> frozenset[str]:
    """Read what a role includes: "roles/tpu.viewer", or a custom role "projects/p/roles/r"."""
    return frozenset(texts(session.get(SERVICE, "/v1/" + "/".join(segment(part) for part in role.split("/"))), "includedPermissions"))


def granted_on_account(session: CloudSession, project: str, email: str, permissions: Iterable[str] = (ACT_AS,)) -> frozenset[str]:
    """Ask which of ``permissions`` one has on the service account, those of the whole project included."""
    return ask_permissions(session, SERVICE, account_path(project, email), permissions)


def account_path(project: str, email: str) -> str:
    return f"/v1/projects/{segment(project)}/serviceAccounts/{segment(email)}"


def account_of(answer: Any, asked: str = "") -> ServiceAccount:
    return ServiceAccount(text(answer, "email") or asked, text(answer, "displayName"), flag(answer, "disabled") or False)
