"""IAM v1: service accounts, who may act as them, and roles."""

from __future__ import annotations

import re

from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page, permission_denied
from heartbeat_core.emulator.resource_manager import held, replace_policy
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.scenario import read_roles
from heartbeat_core.emulator.seed import add_account
from heartbeat_core.emulator.state import Account, Cloud, EmulatedProject

ID = re.compile(r"[a-z]([a-z0-9-]{4,28}[a-z0-9])")


def find(cloud: Cloud, call: EmulatedCall, permission: str) -> tuple[EmulatedProject, Account]:
    """Find the account a path names, in any project for "-", and hold the caller to ``permission`` on it."""
    wanted = call.args["account"]
    for project, account in cloud.accounts():
        if call.args["project"] in ("-", project.id, project.number) and wanted in (account.email, account.body["uniqueId"]):
            if permission and permission not in cloud.granted(project, account):
                raise permission_denied("iam.googleapis.com", permission, call.resource)
            return project, account
    raise ApiError(404, f"Unknown service account: {call.resource}" if call.method == "POST" else "Unknown service account")


def list_accounts(cloud: Cloud, call: EmulatedCall) -> Json:
    return page([account.body for account in cloud.project(call).accounts.values()], "accounts", call)


def create(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    name = str(call.body.get("accountId", ""))
    if not ID.fullmatch(name):
        raise ApiError(400, "Invalid service account ID: it must be 6 to 30 lowercase letters, digits and hyphens.")
    email = f"{name}@{project.id}.iam.gserviceaccount.com"
    if email in project.accounts:
        raise ApiError(409, f"Service account {name} already exists within project projects/{project.id}.")
    sent = call.body.get("serviceAccount") or {}
    about = {name: str(sent.get(name, "")) for name in ("displayName", "description")}
    return add_account(cloud, project, email, **about).body


def delete(cloud: Cloud, call: EmulatedCall) -> Json:
    project, account = find(cloud, call, "iam.serviceAccounts.delete")
    del project.accounts[account.email]
    return {}


def switch(cloud: Cloud, call: EmulatedCall) -> Json:
    """Disable or enable an account, by the verb that ends the path."""
    verb = call.path.rpartition(":")[2]
    _, account = find(cloud, call, f"iam.serviceAccounts.{verb}")
    if verb == "disable":
        account.body["disabled"] = True
    else:
        account.body.pop("disabled", None)
    return {}


def get_policy(cloud: Cloud, call: EmulatedCall) -> Json:
    return find(cloud, call, "iam.serviceAccounts.getIamPolicy")[1].policy.to_json()


def set_policy(cloud: Cloud, call: EmulatedCall) -> Json:
    return replace_policy(cloud, find(cloud, call, "iam.serviceAccounts.setIamPolicy")[1].policy, call)


def test_permissions(cloud: Cloud, call: EmulatedCall) -> Json:
    return held(call, cloud.granted(*find(cloud, call, "")))


def get_role(cloud: Cloud, call: EmulatedCall) -> Json:
    """Describe a role, with those of its permissions that the emulator knows."""
    del cloud
    name = f"roles/{call.args['role']}"
    if name not in read_roles():
        raise ApiError(404, f"The role named {name} was not found.")
    title, permissions = read_roles()[name]
    return {"name": name, "title": title, "stage": "GA", "etag": "AA==", "includedPermissions": sorted(permissions)}


ACCOUNT = "/v1/projects/{project}/serviceAccounts/{account}"
ROUTES = routes_of(
    "iam.googleapis.com",
    ("GET", "/v1/projects/{project}/serviceAccounts", list_accounts, "iam.serviceAccounts.list"),
    ("POST", "/v1/projects/{project}/serviceAccounts", create, "iam.serviceAccounts.create"),
    ("GET", ACCOUNT, lambda cloud, call: find(cloud, call, "iam.serviceAccounts.get")[1].body, ""),
    ("DELETE", ACCOUNT, delete, ""),
    ("POST", ACCOUNT + ":(disable|enable)", switch, ""),
    ("GET", ACCOUNT + ":getIamPolicy", get_policy, ""),
    ("POST", ACCOUNT + ":getIamPolicy", get_policy, ""),
    ("POST", ACCOUNT + ":setIamPolicy", set_policy, ""),
    ("POST", ACCOUNT + ":testIamPermissions", test_permissions, ""),
    ("GET", "/v1/roles/{role}", get_role, ""),
)
