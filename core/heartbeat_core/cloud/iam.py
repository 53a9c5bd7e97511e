"""IAM: service accounts (iam.googleapis.com, v1)."""

from __future__ import annotations

from heartbeat_core.cloud.json_fields import flag, segment, texts
from heartbeat_core.cloud.projects import ask_permissions
from heartbeat_core.cloud.session import CloudSession

SERVICE = "iam"
ACT_AS = "iam.serviceAccounts.actAs"


def default_account(number: str) -> str:
    """Return Compute Engine's default service account, as which a TPU VM runs where none is given."""
    return f"{number}-compute@developer.gserviceaccount.com"


def service_agents(number: str) -> tuple[tuple[str, str], ...]:
    """Name the two agents that Cloud TPU may act as in the project of that number, each with its role."""
    return (
        (f"service-{number}@cloud-tpu.iam.gserviceaccount.com", "roles/tpu.serviceAgent"),
        (f"service-{number}@gcp-sa-tpu.iam.gserviceaccount.com", "roles/cloudtpu.serviceAgent"),
    )


def is_disabled(session: CloudSession, project: str, email: str) -> bool:
    """Return whether a service account of the project is disabled; raise CloudError, with status 404 if there is none."""
    return flag(session.get(SERVICE, account_path(project, email)), "disabled") or False


def role_permissions(session: CloudSession, role: str) -> frozenset[str]:
    """Read what a role includes: "roles/tpu.viewer", or a custom role "projects/p/roles/r"."""
    return frozenset(texts(session.get(SERVICE, "/v1/" + "/".join(segment(part) for part in role.split("/"))), "includedPermissions"))


def may_act_as(session: CloudSession, project: str, email: str) -> bool:
    """Ask whether one may act as the service account, permissions on the whole project included."""
    return ACT_AS in ask_permissions(session, SERVICE, account_path(project, email), (ACT_AS,))


def account_path(project: str, email: str) -> str:
    return f"/v1/projects/{segment(project)}/serviceAccounts/{segment(email)}"
