"""From a scenario to a Cloud in that state."""

from __future__ import annotations

from collections.abc import Mapping

from heartbeat_core.emulator.catalogue import SERVICES, Slice, find_slice
from heartbeat_core.emulator.http import Json
from heartbeat_core.emulator.scenario import NodeStart, QueuedStart, Scenario
from heartbeat_core.emulator.state import (
    Account,
    Clock,
    Cloud,
    EmulatedNode,
    EmulatedPolicy,
    EmulatedProject,
    Queued,
    binding_of,
    timestamp,
)

AGENTS = {"cloud-tpu": "roles/tpu.serviceAgent", "gcp-sa-tpu": "roles/cloudtpu.serviceAgent"}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def start_cloud(scenario: Scenario, clock: Clock) -> Cloud:
    """Build the state a scenario describes; raise ValueError where it names what does not exist."""
    cloud = Cloud(scenario, clock)
    start = scenario.project
    if start.billing_account:
        cloud.billing_accounts[start.billing_account] = start.billing_open
    cloud.billing_accounts.setdefault("000000-AAAAAA-111111", True)
    if not start.id:
        return cloud
    project = EmulatedProject(start.id, start.number, start.name, start.state, cloud.stamp(), start.billing_account)
    cloud.projects[project.id] = project
    if unknown := set(scenario.services) - set(SERVICES):
        raise ValueError(f"there is no API {min(unknown)}")
    project.enabled, project.answering = set(scenario.services), set(scenario.services)
    project.policy = policy_of(scenario.policy)
    project.policy.bindings += [
        binding_of(entry.role, [entry.member], {"title": entry.title, "expression": entry.expression}) for entry in scenario.conditional
    ]
    project.inherited = policy_of(scenario.inherited)
    for name in scenario.agents:
        add_agent(project, name)
    if "compute.googleapis.com" in project.enabled and scenario.default_account:
        add_default_account(cloud, project)
    for name, account in scenario.accounts.items():
        if not account.present:
            continue
        email = name if "@" in name else f"{name}@{project.id}.iam.gserviceaccount.com"
        added = project.accounts.get(email) or add_account(cloud, project, email, displayName=account.display_name)
        if account.disabled:
            added.body["disabled"] = True
        for member in account.act_as:
            added.policy.grant("roles/iam.serviceAccountUser", member)
    project.networks, project.firewalls = list(scenario.networks), dict(scenario.firewalls)
    project.limits = {name: dict(limits) for name, limits in scenario.quotas.items()}
    for node in scenario.nodes:
        add_node(cloud, project, node)
    for queued in scenario.queued:
        add_queued(cloud, project, queued)
    return cloud


def policy_of(roles: Mapping[str, tuple[str, ...]]) -> EmulatedPolicy:
    return EmulatedPolicy([binding_of(role, members) for role, members in roles.items() if members])


def add_agent(project: EmulatedProject, kind: str) -> None:
    """Grant a TPU service agent its role, as the first TPU VM does; an agent made on request has none."""
    project.policy.grant(AGENTS[kind], f"serviceAccount:{agent_email(project, kind)}")


def agent_email(project: EmulatedProject, kind: str) -> str:
    return f"service-{project.number}@{kind}.iam.gserviceaccount.com"


def add_account(cloud: Cloud, project: EmulatedProject, email: str, **about: str) -> Account:
    """Create a service account; what is empty in ``about``, such as displayName, is left out."""
    number = cloud.unique_id()
    body = {"name": f"projects/{project.id}/serviceAccounts/{email}", "projectId": project.id, "uniqueId": number, "email": email}
    given = {name: text for name, text in about.items() if text}
    account = Account({**body, "etag": "MDEwMjE5MjA=", "oauth2ClientId": number, **given})
    project.accounts[email] = account
    return account


def add_default_account(cloud: Cloud, project: EmulatedProject) -> None:
    """Create Compute Engine's default service account, as enabling its API does."""
    if project.default_account not in project.accounts:
        add_account(cloud, project, project.default_account, displayName="Compute Engine default service account")
        project.policy.grant("roles/editor", f"serviceAccount:{project.default_account}")


def slice_at(zone: str, accelerator_type: str) -> Slice:
    if (found := find_slice(zone, accelerator_type)) is None:
        raise ValueError(f"{zone} has no {accelerator_type}")
    return found


def add_node(cloud: Cloud, project: EmulatedProject, start: NodeStart) -> None:
    slice_ = slice_at(start.zone, start.accelerator_type)
    body: Json = {
        "acceleratorType": start.accelerator_type,
        "runtimeVersion": start.runtime_version,
        "schedulingConfig": {"spot": True} if start.spot else {},
        "serviceAccount": {"email": start.service_account or project.default_account, "scope": SCOPES},
    }
    if start.queued_resource:
        body["queuedResource"] = f"projects/{project.id}/locations/{start.zone}/queuedResources/{start.queued_resource}"
    created = timestamp(cloud.now() - start.age_s)
    for number in range(1, start.copies + 1):
        node = start.id if start.copies == 1 else f"{start.id}-{number:04d}"
        name = f"projects/{project.id}/locations/{start.zone}/nodes/{node}"
        project.nodes[name] = EmulatedNode(
            name, slice_, start.spot, dict(body), start.state, created, cloud.node_id(), start.fields, cloud.scenario.addresses
        )


def add_queued(cloud: Cloud, project: EmulatedProject, start: QueuedStart) -> None:
    slice_ = slice_at(start.zone, start.accelerator_type)
    parent = f"projects/{project.id}/locations/{start.zone}"
    node = {"acceleratorType": start.accelerator_type, "runtimeVersion": start.runtime_version}
    body: Json = {"tpu": {"nodeSpec": [{"parent": parent, "nodeId": f"{start.id}-node", "node": node}]}}
    if start.spot:
        body["spot"] = {}  # an empty message: its presence is what counts
    if start.flex_start:
        body["provisioningModel"] = "FLEX_START"
    name = f"{parent}/queuedResources/{start.id}"
    project.queued[name] = Queued(name, slice_, start.spot or start.flex_start, body, start.state, cloud.stamp())
