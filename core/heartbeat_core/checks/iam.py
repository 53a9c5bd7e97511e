"""Checks of permissions: those of the principal, and those of the service accounts of a TPU VM."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

from heartbeat_core.checks.check import EXISTS, Check, Finding, failed, passed, unknown, warned
from heartbeat_core.checks.context import Blocked, Context
from heartbeat_core.cloud import iam, projects
from heartbeat_core.cloud.errors import CloudError, unless_missing
from heartbeat_core.cloud.projects import Condition, IamBinding
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

# The roles of the handbook as permissions, so that inherited, custom and group grants count too.
SERVICE_ACCOUNT_ADMIN = tuple(f"iam.serviceAccounts.{verb}" for verb in ("create", "delete", "setIamPolicy"))
PROJECT_IAM_ADMIN = ("resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy")
TPU_ADMIN = tuple(f"tpu.nodes.{verb}" for verb in ("create", "delete", "update", "start", "stop"))
PERMISSIONS = (*SERVICE_ACCOUNT_ADMIN, *PROJECT_IAM_ADMIN, *TPU_ADMIN)
EXPIRY = re.compile(r"""\s*request\.time\s*<=?\s*timestamp\(\s*["']([^"']+)["']\s*\)\s*""")
MANY = ("group:", "domain:", "principalSet:", "allUsers", "allAuthenticatedUsers", "projectOwner:", "projectEditor:")


@dataclass(frozen=True)
class Grant:
    """Whether a member has a permission, None where that is unknown; ``reason`` may be empty."""

    holds: bool | None
    reason: str = ""


def find_grant(
    policy: Iterable[IamBinding],
    member: str,
    permission: str,
    includes: Callable[[str], frozenset[str] | None],
    *,
    inherits: bool,
    now: datetime | None = None,
) -> Grant:
    """Return whether a role gives ``member`` the permission; ``inherits`` is whether roles may also come from above the project.

    ``includes`` returns the permissions of a role, None where they cannot be read.
    """
    now = now or datetime.now(timezone.utc)
    reasons: list[str] = []
    uncertain = False
    for binding in policy:
        by_name = binding.names(member)
        if not by_name and not any(who.startswith(MANY) for who in binding.members):
            continue
        permissions = includes(binding.role)
        if permissions is None:
            uncertain = True
            reasons.append(f"the permissions of {binding.role} cannot be read")
        elif permission not in permissions:
            continue
        elif not by_name:
            uncertain = True
            reasons.append(f"a group holds {binding.role}, and its members cannot be seen")
        elif binding.condition is None:
            return Grant(True)
        else:
            until, titled = expiry(binding.condition), f', "{binding.condition.title}"' if binding.condition.title else ""
            if until and until > now:
                return Grant(True, f"until {until:%Y-%m-%d}")
            uncertain = uncertain or until is None
            reasons.append(f"its grant ended {until:%Y-%m-%d}" if until else f"its grant depends on a condition{titled}")
    if inherits:
        uncertain = True
        reasons.append("the project is in an organization or folder and may inherit a role from there")
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


ROLES = "https://docs.cloud.google.com/iam/docs/roles-permissions"
AGENTS = "https://docs.cloud.google.com/iam/docs/service-agents"
ACT_AS = "https://docs.cloud.google.com/iam/docs/service-accounts-actas"
HANDBOOK = "The handbook recommends a separate account with only the roles it needs, for example TPU Admin and Storage Admin."
# What a program on a TPU VM may need, each with the smallest common role that includes it.
USES = {"tpu.nodes.get": ("TPUs", "roles/tpu.viewer"), "storage.objects.get": ("buckets", "roles/storage.objectAdmin")}


def tested_account(context: Context) -> str:
    principal = context.session.principal
    return f"this VM's service account {principal.name}" if principal.sort == "metadata server" else str(principal)


def check_permissions(context: Context, role: str, title: str, wanted: Iterable[str], missing_why: str = "") -> Finding:
    """Test the permissions of a role, whichever role grants them; with ``missing_why`` a TPU VM can be made without them."""
    granted = context.fetch(projects.granted_permissions, PERMISSIONS)
    missing = [permission for permission in wanted if permission not in granted]
    if not missing:
        return passed(f"{tested_account(context)} has all permissions of {title}", "Inherited, group and custom grants count.")
    why = f"{tested_account(context)} lacks {', '.join(missing)}. {title} ({role}) includes them, and so does Owner (roles/owner)."
    summary = f"{len(missing)} permission{'s' * (len(missing) != 1)} of {title} missing"
    finding = warned if missing_why else failed
    return finding(summary, f"{why} {missing_why}".strip(), do.grant_role({**context.words, "role": role}))


def service_agent(context: Context) -> Finding:
    """Look for either agent with its role. No read-only call can prove that there is none."""
    project = context.fetch(projects.get_project)
    if not project.number:
        return unknown("could not tell: Google does not return the project's number", "The names of the agents contain it.")
    policy = context.fetch(projects.get_policy)
    agents = iam.service_agents(project.number)
    for email, role in agents:
        if any(each.role == role and each.names(f"serviceAccount:{email}") and each.condition is None for each in policy):
            return passed(email)
    why = (
        f"Neither {agents[0][0]} nor {agents[1][0]} holds its role in the project. That does not prove that it is missing: "
        "the role may be inherited. The first TPU VM creates the agent and grants its role."
    )
    email, role = agents[1]
    grant = do.grant_role({**context.words, "principal": f"serviceAccount:{email}", "role": role})
    grant = replace(grant, text="Then grant the agent its role.")
    return unknown("not seen; the first TPU VM makes it", why, do.create_service_agent(context.words), grant)


def vm_account(context: Context) -> str:
    """Return the address of the account that the TPU VM will run as: the chosen one, else Compute Engine's default."""
    if chosen := context.target.service_account.value:
        return chosen
    number = context.fetch(projects.get_project).number
    if not number:
        raise Blocked("project.exists", "Google does not return the project's number, which is part of the default account's name")
    return iam.default_account(number)


def account_project(context: Context, email: str) -> str:
    """Return the project of an account's path: "-" for an account of another project."""
    domain = email.partition("@")[2]
    return context.project if domain in (f"{context.project}.iam.gserviceaccount.com", "developer.gserviceaccount.com") else "-"


def tpu_service_account(context: Context) -> Finding:
    email, chosen = vm_account(context), context.target.service_account
    words = context.words
    choose = replace(do.list_service_accounts(words), text="Choose one, with --service-account or cloud.service_account in the settings.")
    disabled = unless_missing(iam.is_disabled, context.session, account_project(context, email), email)
    if disabled is None:
        if chosen:
            return failed(f"{email} does not exist", f"It is set by {chosen.source}.", do.create_service_account(words), choose)
        if context.fetch(projects.get_apis).get("compute.googleapis.com") == "DISABLED":
            raise Blocked("api.compute", "the default service account appears with Compute Engine")
        why = "No service account is chosen, so the TPU VM would run as Compute Engine's default account, which was deleted."
        return failed(f"{email} does not exist", why, choose)
    if disabled:
        command = ("gcloud", "iam", "service-accounts", "enable", email, f"--project={context.project}")
        return failed(f"{email} is disabled", "", Remedy("Enable it.", command, changes="enables the service account"), choose)
    if chosen:
        return passed(email, f"It is set by {chosen.source}.")
    why = f"None is chosen. {HANDBOOK}"
    create = do.create_service_account({**words, "service_account": "heartbeat-tpu"})
    return warned(f"the TPU VM runs as {email}", why, choose, replace(create, text="Or create one, and choose it then."))


def tpu_service_account_roles(context: Context) -> Finding:
    email = context.target.service_account.value
    if not email:
        return warned("no service account is chosen", f"The roles of Compute Engine's default account are not looked at. {HANDBOOK}")
    policy, project = context.fetch(projects.get_policy), context.fetch(projects.get_project)
    member = f"serviceAccount:{email}"

    def includes(role: str) -> frozenset[str] | None:
        try:
            return context.fetch_once(f"role {role}", lambda session: iam.role_permissions(session, role))
        except CloudError:
            return None

    grants = {use: find_grant(policy, member, use, includes, inherits=project.parent is not None) for use in USES}
    why = " ".join(f"{USES[use][0]}: {grant.reason}." for use, grant in grants.items() if grant.reason)
    missing = [use for use, grant in grants.items() if not grant.holds]
    words = {**context.words, "principal": member}
    remedies = [do.grant_role({**words, "role": USES[use][1]}) for use in missing]
    what = " and ".join(USES[use][0] for use in missing)
    if any(grants[use].holds is None for use in missing):
        return unknown(f"could not tell whether {email} may use {what}", why, *remedies)
    if missing:
        return warned(f"{email} may not use {what}", f"{why} Programs on the TPU VM act as it. {HANDBOOK}", *remedies)
    if why:
        return warned(f"{email} may use both until its grants expire", why)
    return passed(f"{email} may read TPUs and buckets")


def act_as(context: Context) -> Finding:
    email = vm_account(context)
    allowed = unless_missing(iam.may_act_as, context.session, account_project(context, email), email)
    if allowed is None:
        raise Blocked("iam.tpu-service-account", f"{email} does not exist")
    if allowed:
        return passed(f"{tested_account(context)} may act as {email}")
    why = (
        f"{tested_account(context)} lacks {iam.ACT_AS} on it, which creating a TPU VM with it needs. "
        "The handbook's three roles do not include it."
    )
    return failed(f"you may not act as {email}", why, do.grant_act_as({**context.words, "service_account": email}))


SEE_POLICY = "resourcemanager.projects.getIamPolicy"
CHECKS = (
    Check(
        "iam.service-account-admin", "Service Account Admin", "May you create service accounts and set their users?",
        partial(
            check_permissions, role="roles/iam.serviceAccountAdmin", title="Service Account Admin", wanted=SERVICE_ACCOUNT_ADMIN,
            missing_why="A TPU VM needs it only where a service account has to be created first.",
        ), EXISTS, link=ROLES,
    ),
    Check(
        "iam.project-iam-admin", "Project IAM Admin", "May you grant roles in the project?",
        partial(
            check_permissions, role="roles/resourcemanager.projectIamAdmin", title="Project IAM Admin", wanted=PROJECT_IAM_ADMIN,
            missing_why="A TPU VM needs it only where a role has to be granted first.",
        ), EXISTS, link=ROLES,
    ),
    Check(
        "iam.tpu-admin", "TPU Admin", "May you create, start, stop and delete TPU VMs?",
        partial(check_permissions, role="roles/tpu.admin", title="TPU Admin", wanted=TPU_ADMIN), EXISTS, link=f"{ROLES}/tpu",
    ),
    Check(
        "iam.service-agent", "Cloud TPU service agent", "Is there a Cloud TPU service agent?", service_agent, EXISTS, SEE_POLICY,
        link=AGENTS,
    ),
    Check(
        "iam.tpu-service-account", "TPU service account", "Is there the service account that the VM runs as?", tpu_service_account, EXISTS,
        "iam.serviceAccounts.get",
    ),
    Check(
        "iam.tpu-service-account-roles", "Service account roles", "May the chosen service account use TPUs and buckets?",
        tpu_service_account_roles, EXISTS, SEE_POLICY, link=ROLES,
    ),
    Check("iam.act-as", "Act-as permission", "May you create a TPU VM that runs as its service account?", act_as, EXISTS, link=ACT_AS),
)  # fmt: skip
