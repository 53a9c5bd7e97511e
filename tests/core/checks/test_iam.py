from __future__ import annotations

from datetime import datetime, timezone

import pytest

from heartbeat_core.checks.iam import find_grant
from heartbeat_core.cloud.projects import Condition, IamBinding
from heartbeat_core.emulator.scenario import read_roles

ROBOT, ROLE = "serviceAccount:robot@llm.iam.gserviceaccount.com", "roles/tpu.admin"
NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def bound(role: str = ROLE, member: str = ROBOT, expression: str | None = None) -> IamBinding:
    return IamBinding(role, (member,), Condition("a title", expression) if expression is not None else None)


def included(role: str) -> frozenset[str] | None:
    return read_roles()[role][1] if role in read_roles() else None


@pytest.mark.parametrize(
    ("bindings", "inherits", "holds", "reason"),
    [
        ((bound(),), False, True, ""),
        ((bound(),), True, True, ""),
        ((bound(member=ROBOT.upper().replace("SERVICEACCOUNT", "serviceAccount")),), False, True, ""),
        ((bound("roles/owner"),), False, True, ""),
        ((bound("roles/editor"),), False, True, ""),
        ((bound("roles/tpu.viewer"),), False, True, ""),
        ((), False, False, "not granted"),
        ((), True, None, "inherit"),
        ((bound("roles/storage.admin"),), False, False, "not granted"),
        ((bound("roles/storage.admin", "group:robots@example.com"),), False, False, "not granted"),
        ((bound(member="serviceAccount:other@llm.iam.gserviceaccount.com"),), False, False, "not granted"),
        ((bound(member="deleted:serviceAccount:robot@llm.iam.gserviceaccount.com?uid=1"),), False, False, "not granted"),
        ((bound(member="group:robots@example.com"),), False, None, "group"),
        ((bound(member="allAuthenticatedUsers"),), False, None, "group"),
        ((bound("projects/llm/roles/tpu"),), False, None, "projects/llm/roles/tpu"),
        ((bound(expression='request.time < timestamp("2026-01-01T00:00:00Z")'),), False, False, "ended 2026-01-01"),
        ((bound(expression='request.time < timestamp("2027-01-01T00:00:00Z")'),), False, True, "until 2027-01-01"),
        ((bound(expression="request.time < timestamp('2027-01-01T00:00:00+02:00')"),), False, True, "until"),
        ((bound(expression='request.time < timestamp("soon")'),), False, None, "condition"),
        ((bound(expression='request.time > timestamp("2026-01-01T00:00:00Z")'),), False, None, "condition"),
        ((bound(expression='resource.name == "x"'),), False, None, "a title"),
        ((bound(expression=""),), False, None, "condition"),
        ((bound(expression='resource.name == "x"'), bound()), False, True, ""),
    ],
)
def test_a_grant_holds_only_where_that_is_sure(bindings: tuple[IamBinding, ...], inherits: bool, holds: bool | None, reason: str) -> None:
    found = find_grant(bindings, ROBOT, "tpu.nodes.get", included, inherits=inherits, now=NOW)
    assert found.holds is holds
    assert reason in found.reason


@pytest.mark.parametrize(
    ("role", "holds"), [("roles/editor", False), ("roles/owner", True), ("roles/storage.objectAdmin", True), ("roles/tpu.admin", False)]
)
def test_a_role_counts_by_its_permissions(role: str, holds: bool) -> None:
    assert find_grant((bound(role),), ROBOT, "storage.objects.get", included, inherits=False).holds is holds
