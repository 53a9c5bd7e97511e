"""Inventories, nodes and queued resources as JSON, with Google's words as they came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.columns import json_object
from heartbeat_core.vms.columns import COLUMNS, VmRow
from heartbeat_core.vms.inventory import Inventory, age_s
from heartbeat_core.vms.pricing import Rates, rate_of

SCHEMA = 1


def inventory_json(inventory: Inventory, rates: Rates | None, emulated: str = "", prices_problem: str = "") -> dict[str, Any]:
    """Return an inventory as JSON; costs that are not known are null."""
    return {
        "schema": SCHEMA,
        "emulated": emulated or None,
        "at": inventory.at.isoformat(timespec="milliseconds"),
        "project": inventory.project,
        "zone": inventory.zone,
        "nodes": [node_json(node, rates, inventory.at) for node in inventory.nodes],
        "queued_resources": [queued_json(queued, inventory.at) for queued in inventory.queued],
        "unreachable": list(inventory.unreachable),
        "queued_problem": str(inventory.queued_problem) if inventory.queued_problem else None,
        "compute_engine": inventory.compute_engine,
        "prices": prices_json(rates, prices_problem),
    }


def prices_json(rates: Rates | None, problem: str = "") -> dict[str, Any]:
    if rates is None:
        return {"source": None, "at": None, "emulated": None, "problem": problem or None}
    at = rates.at.isoformat(timespec="seconds")
    return {"source": rates.source, "at": at, "emulated": rates.emulated, "currency": "USD", "problem": None}


def node_json(node: Node, rates: Rates | None, now: datetime) -> dict[str, Any]:
    """Return a node as JSON: the columns of the list, and what is in no column."""
    row = VmRow(node, now, rate_of(rates, node))
    return {
        **json_object(COLUMNS, row),
        "generation": row.accelerator.family.name if row.accelerator else None,
        "health_description": node.health_description,
        "symptoms": [asdict(symptom) for symptom in node.symptoms],
        "charged_now": row.price.charged if row.price else None,
        "created": node.created,
        "queued_resource": node.queued_resource,
        "labels": dict(node.labels),
    }


def queued_json(queued: QueuedResource, now: datetime) -> dict[str, Any]:
    age = age_s(queued.created, now)
    return {
        "name": queued.id,
        "zone": queued.zone,
        "state": queued.state,
        "problem": queued.problem,
        "accelerator_types": list(queued.accelerator_types),
        "runtime_version": queued.runtime_version,
        "nodes": list(queued.nodes),
        "provisioning": queued.provisioning,
        "created": queued.created,
        "age_s": None if age is None else round(age, 1),
    }


def as_yaml(value: Any, indent: int = 0) -> Iterator[str]:
    """Yield a JSON value as lines of YAML: plain keys, and values in JSON's own quotes, which YAML reads."""
    pad = " " * indent
    pairs = [(f"{key_text(key)}:", part) for key, part in value.items()] if isinstance(value, Mapping) else [("-", part) for part in value]
    for lead, part in pairs:
        if isinstance(part, Mapping | list | tuple) and part:
            yield f"{pad}{lead}"
            yield from as_yaml(part, indent + 2)
        else:
            text = json.dumps(part, ensure_ascii=False)
            yield f"{pad}{lead} {text if text.isprintable() else json.dumps(part)}"  # nothing that a terminal would obey


def key_text(key: str) -> str:
    """Return a key, in quotes if it could be taken for anything else."""
    plain = key.replace("_", "").replace("-", "").isalnum() and key.isascii() and key[0].isalpha()
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    return key if plain and key.lower() not in words else json.dumps(key, ensure_ascii=False)
