"""The last TPU VM that was asked for, kept so that the next one need not be described again."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from heartbeat_core.vms.request import CreateRequest

SCHEMA = 1


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
    path = path or state_file()
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"schema": SCHEMA, "create": asdict(request)}, indent=1), encoding="utf-8")
        draft.replace(path)


def state_file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("heartbeat-tui") / "last-vm.json"


KINDS = {field.name: {"bool": bool, "Mapping[str, str]": dict}.get(str(field.type), str) for field in fields(CreateRequest)}


def fits(value: object, kind: type) -> bool:
    if isinstance(value, dict):
        return kind is dict and all(isinstance(part, str) for pair in value.items() for part in pair)
    return type(value) is kind
