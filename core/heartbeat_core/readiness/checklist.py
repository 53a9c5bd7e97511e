"""Every check, in the order in which a person would go through them."""

from __future__ import annotations

from heartbeat_core.readiness import account, host, iam, project, quota, zone
from heartbeat_core.readiness.check import Check

CHECKS: tuple[Check, ...] = (*host.CHECKS, *account.CHECKS, *project.CHECKS, *iam.CHECKS, *quota.CHECKS, *zone.CHECKS)
