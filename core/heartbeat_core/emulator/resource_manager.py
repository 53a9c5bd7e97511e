"""Resource Manager v3, and v1 where gcloud asks it: projects, who may do what in them."""

from __future__ import annotations

import re

from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page
from heartbeat_core.emulator.operations import begin
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.state import Cloud, EmulatedPolicy, EmulatedProject

ORGANIZATION = "organizations/424242424242"  # of projects that inherit roles
NEW_PROJECT_SERVICES = ("bigquery", "cloudapis", "logging", "monitoring", "serviceusage", "storage")
ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def project_json(cloud: Cloud, call: EmulatedCall, project: EmulatedProject) -> Json:
    """Describe a project in the version of the API that the call is for."""
    if call.path.startswith("/v1/"):
        return {
            "projectId": project.id,
            "projectNumber": project.number,
            "name": project.name,
            "lifecycleState": project.state,
            "createTime": project.created,
        }
    return {
        "name": f"projects/{project.number}",
        "projectId": project.id,
        "displayName": project.name,
        "state": project.state,
        "createTime": project.created,
        "updateTime": project.created,
        "etag": 'W/"emulated"',
        **({"parent": ORGANIZATION} if project.inherited.bindings or cloud.scenario.constraints else {}),
    }


def get(cloud: Cloud, call: EmulatedCall) -> Json:
    return project_json(cloud, call, cloud.project(call))


def list_projects(cloud: Cloud, call: EmulatedCall) -> Json:
    """List the projects the caller may see; of a filter only words and id:… are understood."""
    words = (call.query.get("query") or call.query.get("filter") or "").lower().split()
    words = [word.partition(":")[2] or word.partition("=")[2] or word for word in words if "state" not in word]
    found = [
        project_json(cloud, call, project)
        for project in cloud.projects.values()
        if "resourcemanager.projects.get" in cloud.granted(project)
        and all(word.strip('"*') in f"{project.id} {project.name.lower()} {project.number}" for word in words)
    ]
    return page(found, "projects", call)


def create(cloud: Cloud, call: EmulatedCall) -> Json:
    """Create a project; the caller becomes its owner."""
    name = str(call.body.get("projectId", ""))
    if not ID.fullmatch(name):
        raise ApiError(400, "field [project_id] has issue [project_id contains invalid characters]")
    if name in cloud.projects:
        raise ApiError(409, "Requested entity already exists")
    number = str(987_000_000_000 + next(cloud.numbers))
    title = call.body.get("displayName") or call.body.get("name") or name

    def finish() -> Json:
        project = EmulatedProject(name, number, str(title), "ACTIVE", cloud.stamp())
        project.policy.grant("roles/owner", cloud.scenario.principal)
        project.enabled = {f"{service}.googleapis.com" for service in NEW_PROJECT_SERVICES}
        project.answering = set(project.enabled)
        cloud.projects[name] = project
        kind = "google.cloudresourcemanager.v1." if call.path.startswith("/v1/") else "google.cloud.resourcemanager.v3."
        return {"@type": f"type.googleapis.com/{kind}Project", **project_json(cloud, call, project)}

    metadata = {"@type": "type.googleapis.com/google.cloud.resourcemanager.v3.CreateProjectMetadata", "createTime": cloud.stamp()}
    return begin(cloud, f"operations/cp.{next(cloud.numbers)}", metadata, cloud.scenario.timings.update_s, finish)


def get_policy(cloud: Cloud, call: EmulatedCall) -> Json:
    return cloud.project(call).policy.to_json()


def set_policy(cloud: Cloud, call: EmulatedCall) -> Json:
    return replace_policy(cloud, cloud.project(call).policy, call)


def replace_policy(cloud: Cloud, policy: EmulatedPolicy, call: EmulatedCall) -> Json:
    """Replace a policy; refuse one that names a service account of an emulated project which is not there."""
    known = {account.email for _, account in cloud.accounts()}
    for binding in (call.body.get("policy") or {}).get("bindings", []):
        for member in binding.get("members", []):
            email = str(member).partition(":")[2]
            domain = email.partition("@")[2]
            ours = any(domain == f"{project.id}.iam.gserviceaccount.com" for project in cloud.projects.values())
            if member.startswith("serviceAccount:") and ours and email not in known:
                raise ApiError(400, f"Service account {email} does not exist.")
    policy.replace(call.body)
    return policy.to_json()


def test_permissions(cloud: Cloud, call: EmulatedCall) -> Json:
    """Answer which of the permissions asked for the caller has; nothing at all where there is no such project."""
    project = cloud.find(call.args["project"])
    if project is None:
        raise ApiError(403, "The caller does not have permission")
    return held(call, cloud.granted(project))


def held(call: EmulatedCall, granted: set[str]) -> Json:
    found = [permission for permission in call.body.get("permissions", []) if permission in granted]
    return {"permissions": found} if found else {}


LISTS = ("compute.vmExternalIpAccess", "iam.allowedPolicyMemberDomains")  # constraints with values; the others are on or off


def effective_policy(cloud: Cloud, call: EmulatedCall) -> Json:
    """Answer what the organization's policies come to in the project, for one constraint."""
    name = call.args["constraint"]
    values = cloud.scenario.constraints.get(name)
    if name in LISTS:
        rule: Json = {"allowAll": True} if values is None else {"values": {"allowedValues": list(values)}} if values else {"denyAll": True}
    else:
        rule = {"enforce": values is not None}
    return {"name": f"projects/{cloud.project(call).number}/policies/{name}", "spec": {"rules": [rule]}}


PROJECT = "/(v1|v3)/projects/{project}"
ROUTES = routes_of(
    "orgpolicy.googleapis.com",
    ("GET", "/v2/projects/{project}/policies/{constraint}:getEffectivePolicy", effective_policy, "orgpolicy.policy.get"),
) + routes_of(
    "cloudresourcemanager.googleapis.com",
    ("GET", "/v3/projects:search", list_projects, ""),
    ("GET", "/(v1|v3)/projects", list_projects, ""),
    ("POST", "/(v1|v3)/projects", create, ""),
    ("GET", PROJECT, get, "resourcemanager.projects.get"),
    ("POST", PROJECT + ":getIamPolicy", get_policy, "resourcemanager.projects.getIamPolicy"),
    ("POST", PROJECT + ":setIamPolicy", set_policy, "resourcemanager.projects.setIamPolicy"),
    ("POST", PROJECT + ":testIamPermissions", test_permissions, ""),
)
