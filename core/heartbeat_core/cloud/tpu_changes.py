"""Cloud TPU: what makes, changes and deletes TPU VMs and queued resources. No call here is ever made twice by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from heartbeat_core.cloud.fields import segment
from heartbeat_core.cloud.operations import Operation, operation_of
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import SERVICE, place


def create_node(session: CloudSession, project: str, zone: str, node: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM; the node's id is all that tells one request from another: this API has no id of requests."""
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/nodes", body, {"nodeId": node}))


def create_queued_resource(session: CloudSession, project: str, zone: str, queued: str, body: Mapping[str, Any]) -> Operation:
    """Ask for a TPU VM as soon as there is one."""
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/queuedResources", body, {"queuedResourceId": queued}))


def change_node(session: CloudSession, project: str, zone: str, node: str, verb: Literal["start", "stop"]) -> Operation:
    return operation_of(session.post(SERVICE, f"{place(project, zone)}/nodes/{segment(node)}:{verb}", {}))


def delete_node(session: CloudSession, project: str, zone: str, node: str) -> Operation:
    return operation_of(session.delete(SERVICE, f"{place(project, zone)}/nodes/{segment(node)}"))


def delete_queued_resource(session: CloudSession, project: str, zone: str, queued: str) -> Operation:
    """Delete a queued resource with its nodes: without ``force`` one that holds nodes is not deleted."""
    return operation_of(session.delete(SERVICE, f"{place(project, zone)}/queuedResources/{segment(queued)}", {"force": "true"}))
