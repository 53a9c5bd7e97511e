"""The last TPU VM that was asked for, kept so that the next one need not be described again."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.cloud.gcloud_config import Chosen
from heartbeat_core.cloud.target import Target
from heartbeat_core.folders import state_folder, write_whole
from heartbeat_core.vms.request import CreateRequest

SCHEMA = 1


def first_request(target: Target, last: CreateRequest | None = None) -> CreateRequest:
    """Make the request that somebody sees first: what flags, environment and settings name, else the last one, else the defaults."""

    def pick(name: str, kept: str) -> str:
        chosen: Chosen = getattr(target, name)
        return (chosen.value if chosen and not by_default(chosen) else kept or chosen.value) or ""

    kind = pick("accelerator_type", last.accelerator_type if last else "")
    runtime = target.runtime_version
    if by_default(runtime):  # it goes with the default type, which need not be the one that was picked
        found = find_accelerator(kind)
        kept = last.runtime_version if last and last.accelerator_type == kind else None
        runtime = Chosen(kept or (found.family.runtime if found else None), "goes with the type")
    request = CreateRequest(
        project=target.project.value or (last.project if last else ""),
        zone=pick("zone", last.zone if last else ""),
        name=pick("tpu_name", last.name if last else ""),
        accelerator_type=kind,
        runtime_version=runtime.value or "",
        provisioning=target.model if last is None or not by_default(target.provisioning) else last.provisioning,
        service_account=pick("service_account", last.service_account if last else ""),
    )
    if last is None:
        return request
    return replace(
        request, queued=last.queued, external_ip=last.external_ip, network=last.network, subnetwork=last.subnetwork,
        labels=last.labels, startup_script=last.startup_script,
    )  # fmt: skip


def by_default(chosen: Chosen) -> bool:
    """Say whether nobody chose it."""
    return chosen.source == "default" or chosen.source.startswith(("goes with", "not set"))


def last_request(path: Path | None = None) -> CreateRequest | None:
    """Give the last request that was kept, None where there is none that can be read."""
    try:
        table: Any = json.loads((path or state_file()).read_bytes())
        if table["schema"] != SCHEMA:
            return None
        kept = table["create"]
        known = {field.name: kept[field.name] for field in fields(CreateRequest) if field.name in kept}
        request = CreateRequest(**known)
        return request if all(fits(getattr(request, name), kind) for name, kind in KINDS.items()) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(request: CreateRequest, path: Path | None = None) -> None:
    """Keep a request; where that cannot be done the next one is described again."""
    with contextlib.suppress(OSError):
        write_whole(path or state_file(), json.dumps({"schema": SCHEMA, "create": asdict(request)}, indent=1))


def state_file() -> Path:
    return state_folder() / "last-vm.json"


KINDS = {field.name: {"bool": bool, "Mapping[str, str]": dict}.get(str(field.type), str) for field in fields(CreateRequest)}


def fits(value: object, kind: type) -> bool:
    if isinstance(value, dict):
        return kind is dict and all(isinstance(part, str) for pair in value.items() for part in pair)
    return type(value) is kind
