"""The registry of all checks, in the order of setting up a TPU."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from heartbeat_core.checks import host
from heartbeat_core.checks.check import Check
from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.checks.result import CheckReport, group_of


def checks_for(names: Iterable[str] = ()) -> tuple[Check, ...]:
    """Return the checks that ``names``, of checks or groups, may need, all for none: those of this machine need no others.

    Those of a Ray cluster are among them if RAY_ADDRESS or a name asks for them.
    """
    names = tuple(names)
    on_ray = bool(os.environ.get("RAY_ADDRESS")) or any(group_of(name) == "ray" for name in names)
    if names and all(group_of(name) == "host" for name in names):
        return host.CHECKS
    from heartbeat_core.checks import account, iam, network, project, quota, ray, zone

    of_ray = ray.CHECKS if on_ray else ()
    return (*host.CHECKS, *account.CHECKS, *project.CHECKS, *iam.CHECKS, *network.CHECKS, *quota.CHECKS, *zone.CHECKS, *of_ray)


def check_create(environment: CheckEnvironment, parts: Mapping[str, str], source: str) -> CheckReport:
    """Run the checks of all that creating a TPU VM uses; ``parts`` are those of its target, set by ``source``."""
    from heartbeat_core.checks.runner import Runner
    from heartbeat_core.cloud.gcloud_config import SourcedValue

    target = replace(environment.target, **{name: SourcedValue(value or None, source) for name, value in parts.items()})
    chosen = tuple(
        check for check in checks_for() if check.group not in ("host", "ray") and check.id not in ("account.gcloud", "account.match")
    )
    return Runner(chosen, replace(environment, target=target)).run()
