"""The questions that several checks ask: each goes over the wire once a round."""

from __future__ import annotations

from heartbeat_core.cloud import compute, iam, projects, services, tpu
from heartbeat_core.readiness.context import Context

# What stands for the roles of the handbook: by permissions, so that inherited, custom and group grants count too.
SERVICE_ACCOUNT_ADMIN = tuple(f"iam.serviceAccounts.{verb}" for verb in ("create", "delete", "setIamPolicy"))
PROJECT_IAM_ADMIN = ("resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy")
TPU_ADMIN = tuple(f"tpu.nodes.{verb}" for verb in ("create", "delete", "update", "start", "stop"))
PERMISSIONS = (*SERVICE_ACCOUNT_ADMIN, *PROJECT_IAM_ADMIN, *TPU_ADMIN)


def ask_project(context: Context) -> projects.Project:
    name = context.project
    return context.ask_once("project", lambda session: projects.get_project(session, name))


def ask_apis(context: Context) -> dict[str, services.Api]:
    name = context.project
    return context.ask_once("apis", lambda session: services.get_apis(session, name))


def ask_permissions(context: Context) -> frozenset[str]:
    name = context.project
    return context.ask_once("permissions", lambda session: projects.granted_permissions(session, name, PERMISSIONS))


def ask_policy(context: Context) -> projects.Policy:
    name = context.project
    return context.ask_once("policy", lambda session: projects.get_policy(session, name))


def ask_service_accounts(context: Context) -> tuple[iam.ServiceAccount, ...]:
    name = context.project
    return context.ask_once("service accounts", lambda session: iam.list_service_accounts(session, name))


def ask_region(context: Context, region: str) -> compute.Region:
    name = context.project
    return context.ask_once("region", lambda session: compute.get_region(session, name, region))


def ask_nodes(context: Context) -> tpu.Nodes:
    """Ask for every node and queued resource of the project, in all zones."""
    name = context.project
    nodes = context.ask_once("nodes", lambda session: tpu.list_nodes(session, name))
    queued = context.ask_once("queued resources", lambda session: tpu.list_queued_resources(session, name))
    return tpu.Nodes(nodes.nodes, queued.queued, tuple(dict.fromkeys((*nodes.unreachable, *queued.unreachable))))


def ask_types(context: Context, zone: str) -> tuple[str, ...]:
    name = context.project
    return context.ask_once(f"types in {zone}", lambda session: tpu.list_accelerator_types(session, name, zone))
