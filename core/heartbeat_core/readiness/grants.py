"""Whether somebody holds a role in a project, as far as the project's own policy tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from heartbeat_core.cloud.projects import Condition, Policy

EXPIRY = re.compile(r"""\s*request\.time\s*<=?\s*timestamp\(\s*["']([^"']+)["']\s*\)\s*""")
# Basic roles that hold all of what these carry.
WIDER = {"roles/tpu.admin": ("roles/owner", "roles/editor"), "roles/storage.admin": ("roles/owner",)}
MANY = ("group:", "domain:", "principalSet:", "allUsers", "allAuthenticatedUsers", "projectOwner:", "projectEditor:")


@dataclass(frozen=True)
class Grant:
    """``holds`` is None where it cannot be told; ``reason`` is empty where there is nothing to add."""

    holds: bool | None
    reason: str = ""


def find_grant(policy: Policy, member: str, role: str, *, inherits: bool, now: datetime | None = None) -> Grant:
    """Look for ``role`` among what ``member`` holds; ``inherits`` says whether roles may also come from above the project."""
    now = now or datetime.now(timezone.utc)
    reasons: list[str] = []
    doubtful = False
    for name in (role, *WIDER.get(role, ())):
        for binding in policy.holds(member, name):
            if binding.condition is None:
                return Grant(True)
            until = expiry(binding.condition)
            if until and until > now:
                return Grant(True, f"until {until:%Y-%m-%d}")
            doubtful = doubtful or until is None
            reasons.append(f"its grant ended {until:%Y-%m-%d}" if until else f"its grant depends on a condition{titled(binding.condition)}")
    if not doubtful and any(binding.role == role and any(who.startswith(MANY) for who in binding.members) for binding in policy.bindings):
        doubtful = True
        reasons.append("a group holds it, and whether it is a member of that cannot be seen")
    custom = [name for name in policy.roles(member) if not name.startswith("roles/")]
    if custom:
        doubtful = True
        reasons.append(f"it holds {', '.join(custom)}, and what that carries is not looked at")
    if inherits:
        doubtful = True
        reasons.append("the project lies in an organization or folder, from which it may inherit the role unseen")
    return Grant(None if doubtful else False, "; ".join(reasons) or "not granted")


def expiry(condition: Condition) -> datetime | None:
    """Read the moment a condition ends at, None for one that says anything else."""
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
