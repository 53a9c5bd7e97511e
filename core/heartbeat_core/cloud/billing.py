"""Cloud Billing: whether a project can pay (cloudbilling.googleapis.com, v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.fields import flag, last, segment, text
from heartbeat_core.cloud.session import CloudSession

SERVICE = "cloudbilling"


@dataclass(frozen=True)
class Billing:
    """``enabled`` is False without an account and with a closed one, None where Google does not say."""

    enabled: bool | None
    account: str | None


def get_billing(session: CloudSession, project: str) -> Billing:
    """Read how the project pays."""
    return billing_of(session.get(SERVICE, f"/v1/projects/{segment(project)}/billingInfo"))


def billing_of(answer: Any) -> Billing:
    account = last(text(answer, "billingAccountName")) or None
    said = flag(answer, "billingEnabled")
    # JSON may leave out what is false: where a project is named and no account, that is an answer too
    return Billing(False if said is None and account is None and text(answer, "projectId") else said, account)
