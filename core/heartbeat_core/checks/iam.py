"""Checks of permissions: those of the principal, and those of the service accounts of a TPU VM."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from heartbeat_core.checks.check import Check, Finding, failed, passed, unknown, warned
from heartbeat_core.checks.context import (
    PROJECT_IAM_ADMIN,
    SERVICE_ACCOUNT_ADMIN,
    TPU_ADMIN,
    Blocked,
    Context,
    fetch_permissions,
    fetch_policy,
    fetch_project,
    fetch_service_accounts,
)
from heartbeat_core.cloud import iam
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.projects import Condition, IamPolicy
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

EXPIRY = re.compile(r"""\s*request\.time\s*<=?\s*timestamp\(\s*["']([^"']+)["']\s*\)\s*""")
# Basic roles that include all permissions of these.
WIDER = {"roles/tpu.admin": ("roles/owner", "roles/editor"), "roles/storage.admin": ("roles/owner",)}
MANY = ("group:", "domain:", "principalSet:", "allUsers", "allAuthenticatedUsers", "projectOwner:", "projectEditor:")


@dataclass(frozen=True)
class Grant:
    """Whether a member holds a role, None where that is unknown; ``reason`` may be empty."""

    holds: bool | None
    reason: str = ""


def find_grant(policy: IamPolicy, member: str, role: str, *, inherits: bool, now: datetime | None = None) -> Grant:
    """Return whether ``member`` holds ``role``; ``inherits`` is whether roles may also come from above the project."""
    now = now or datetime.now(timezone.utc)
    reasons: list[str] = []
    uncertain = False
    for name in (role, *WIDER.get(role, ())):
        for binding in policy.holds(member, name):
            if binding.condition is None:
                return Grant(True)
            until = expiry(binding.condition)
            if until and until > now:
                return Grant(True, f"until {until:%Y-%m-%d}")
            uncertain = uncertain or until is None
            reasons.append(f"its grant ended {until:%Y-%m-%d}" if until else f"its grant depends on a condition{titled(binding.condition)}")
    if not uncertain and any(binding.role == role and any(who.startswith(MANY) for who in binding.members) for binding in policy.bindings):
        uncertain = True
        reasons.append("a group holds it, and its members cannot be seen")
    custom = [name for name in policy.roles(member) if not name.startswith("roles/")]
    if custom:
        uncertain = True
        reasons.append(f"it holds {', '.join(custom)}, whose permissions are not read")
    if inherits:
        uncertain = True
        reasons.append("the project is in an organization or folder and may inherit the role from there")
    return Grant(None if uncertain else False, "; ".join(reasons) or "not granted")


def expiry(condition: Condition) -> datetime | None:
    """Return when a condition expires, None for any other condition."""
    match = EXPIRY.fullmatch(condition.expression or "")
    if not match:
        return None
    try:
        moment = datetime.fromisoformat(match[1].replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def titled(condition: Condition) -> str:
    return f', "{condition.title}"' if condition.title else ""


ROLES = "https://docs.cloud.google.com/iam/docs/roles-permissions"
AGENTS = "https://docs.cloud.google.com/iam/docs/service-agents"
ACT_AS = "https://docs.cloud.google.com/iam/docs/service-accounts-actas"
SUGGESTED = "heartbeat-tpu"
TPU_ROLE, STORAGE_ROLE = "roles/tpu.admin", "roles/storage.admin"


def tested_account(context: Context) -> str:
    """Return the name of the account whose permissions are tested."""
    principal = context.session.principal
    return f"this VM's service account {principal.name}" if principal.sort == "metadata server" else str(principal)


def check_permissions(context: Context, wanted: Iterable[str], role: str, title: str) -> Finding:
    """Test the permissions of a role, whichever role grants them."""
    granted = fetch_permissions(context)
    missing = [permission for permission in wanted if permission not in granted]
    if not missing:
        return passed(f"{tested_account(context)} has all permissions of {title}", "Inherited, group and custom grants count.")
    why = f"{tested_account(context)} lacks {', '.join(missing)}. {title} ({role}) includes them, and so does Owner (roles/owner)."
    return failed(
        f"{len(missing)} permission{'s' * (len(missing) != 1)} of {title} missing", why, do.grant_role({**context.words, "role": role})
    )


def service_account_admin(context: Context) -> Finding:
    return check_permissions(context, SERVICE_ACCOUNT_ADMIN, "roles/iam.serviceAccountAdmin", "Service Account Admin")


def project_iam_admin(context: Context) -> Finding:
    return check_permissions(context, PROJECT_IAM_ADMIN, "roles/resourcemanager.projectIamAdmin", "Project IAM Admin")


def tpu_admin(context: Context) -> Finding:
    return check_permissions(context, TPU_ADMIN, TPU_ROLE, "TPU Admin")


def service_agent(context: Context) -> Finding:
    """Look for either agent with its role. No read-only call can prove that there is none."""
    project = fetch_project(context)
    if not project.number:
        return unknown("could not tell: Google does not return the project's number", "The names of the agents contain it.")
    policy = fetch_policy(context)
    agents = iam.service_agents(project.number)
    for email, role in agents:
        if any(binding.condition is None for binding in policy.holds(f"serviceAccount:{email}", role)):
            return passed(email)
    why = (
        f"Neither {agents[0][0]} nor {agents[1][0]} holds its role in the project. That does not prove that it is missing: "
        "the role may be inherited. The first TPU VM also creates the agent."
    )
    return unknown("not seen", why, do.create_service_agent(context.words), link=AGENTS)


def choose_account(context: Context) -> iam.ServiceAccount | str:
    """Return the service account of TPU VMs: the named one, or a user-managed one that holds TPU Admin.

    Return the reason as a text where there is none.
    """
    named = context.target.service_account.value
    if not named:
        policy = fetch_policy(context)
        listed = [account for account in fetch_service_accounts(context) if account.user_managed]
        # those with TPU Admin first, then those with "tpu" in the name
        listed.sort(key=lambda account: (not policy.holds(account.member, TPU_ROLE), account.disabled, "tpu" not in account.email))
        return listed[0] if listed else "the project has no user-managed service account"
    project = context.project
    try:
        return context.fetch_once("the service account", lambda session: iam.get_service_account(session, project, named))
    except CloudError as error:
        if error.status == 404:
            return f"{named} does not exist"
        raise


def tpu_service_account(context: Context) -> Finding:
    found = choose_account(context)
    words = context.words
    if isinstance(found, str):
        words.setdefault("service_account", SUGGESTED)
        why = "A TPU VM runs as a service account. The handbook asks for a separate one with only the roles it needs."
        return failed(found, why, do.create_service_account(words))
    if found.disabled:
        command = ("gcloud", "iam", "service-accounts", "enable", found.email, f"--project={context.project}")
        return failed(f"{found.email} is disabled", "", Remedy("Enable it.", command, changes="enables the service account"))
    return passed(found.email, f"It is set by {context.target.service_account.source}." if words.get("service_account") else "")


def chosen_account(context: Context) -> iam.ServiceAccount:
    found = choose_account(context)
    if isinstance(found, str):
        raise Blocked("iam.tpu-service-account", found)
    return found


def tpu_service_account_roles(context: Context) -> Finding:
    account = chosen_account(context)
    policy, project = fetch_policy(context), fetch_project(context)
    grants = {role: find_grant(policy, account.member, role, inherits=project.parent is not None) for role in (TPU_ROLE, STORAGE_ROLE)}
    words = {**context.words, "principal": account.member}
    missing = [role for role, grant in grants.items() if not grant.holds]
    remedies = [do.grant_role({**words, "role": role}) for role in missing]
    why = " ".join(f"{role}: {grant.reason}." for role, grant in grants.items() if grant.reason)
    summary = f"{account.email} may lack {' and '.join(missing)}"
    return verdict(grants, account.email, summary, why, remedies)


def verdict(grants: dict[str, Grant], email: str, summary: str, why: str, remedies: list[Remedy]) -> Finding:
    """Return the finding for all grants: a missing one outweighs an unknown one."""
    answers = [grant.holds for grant in grants.values()]
    if False in answers:
        return failed(summary.replace("may lack", "lacks"), why, *remedies, link=ROLES)
    if None in answers:
        return unknown(summary, why, *remedies, link=ROLES)
    if why:
        return warned(f"{email} holds both until they expire", why, link=ROLES)
    return passed(f"{email} holds TPU Admin and Storage Admin")


def act_as(context: Context) -> Finding:
    account = chosen_account(context)
    if iam.ACT_AS in iam.granted_on_account(context.session, context.project, account.email):
        return passed(f"{tested_account(context)} may act as {account.email}")
    why = (
        f"{tested_account(context)} lacks {iam.ACT_AS} on it, which creating a TPU VM with it needs. "
        "The handbook's three roles do not include it."
    )
    words = {**context.words, "service_account": account.email}
    return failed(f"you may not act as {account.email}", why, do.grant_act_as(words), link=ACT_AS)


EXISTS = ("project.exists",)
ACCOUNT = ("project.exists", "iam.tpu-service-account")
SEE_POLICY = "resourcemanager.projects.getIamPolicy"
CHECKS = (
    Check(
        "iam.service-account-admin", "Service Account Admin", "May you create service accounts and set their users?",
        service_account_admin, EXISTS, link=ROLES,
    ),
    Check("iam.project-iam-admin", "Project IAM Admin", "May you grant roles in the project?", project_iam_admin, EXISTS, link=ROLES),
    Check(
        "iam.tpu-admin", "TPU Admin", "May you create, start, stop and delete TPU VMs?", tpu_admin, EXISTS, link=f"{ROLES}/tpu",
    ),
    Check(
        "iam.service-agent", "Cloud TPU service agent", "Is there a Cloud TPU service agent?", service_agent, EXISTS, SEE_POLICY,
        link=AGENTS,
    ),
    Check(
        "iam.tpu-service-account", "TPU service account", "Is there a service account for TPU VMs?", tpu_service_account, EXISTS,
        "iam.serviceAccounts.get",
    ),
    Check(
        "iam.tpu-service-account-roles", "Service account roles", "Does it hold TPU Admin and Storage Admin?",
        tpu_service_account_roles, ACCOUNT, SEE_POLICY, link=ROLES,
    ),
    Check("iam.act-as", "Act-as permission", "May you create a TPU VM that runs as it?", act_as, ACCOUNT, link=ACT_AS),
)  # fmt: skip
