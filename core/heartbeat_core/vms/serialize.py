"""Looks, nodes and queued resources as JSON, with every word of Google's as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.inventory import Inventory, age_s
from heartbeat_core.vms.pricing import Rates, cost_so_far, rate_of

SCHEMA = 1


def look_json(look: Inventory, rates: Rates | None, emulated: str = "", prices_problem: str = "") -> dict[str, Any]:
    """Describe a look; costs are null where they are not known."""
    return {
        "schema": SCHEMA,
        "emulated": emulated or None,
        "at": look.at.isoformat(timespec="milliseconds"),
        "project": look.project,
        "zone": look.zone,
        "nodes": [node_json(node, rates, look.at) for node in look.nodes],
        "queued_resources": [queued_json(queued, look.at) for queued in look.queued],
        "unreachable": list(look.unreachable),
        "queued_problem": str(look.queued_problem) if look.queued_problem else None,
        "prices": prices_json(rates, prices_problem),
    }


def prices_json(rates: Rates | None, problem: str = "") -> dict[str, Any]:
    if rates is None:
        return {"source": None, "at": None, "emulated": None, "problem": problem or None}
    at = rates.at.isoformat(timespec="seconds")
    return {"source": rates.source, "at": at, "emulated": rates.emulated, "currency": "USD", "problem": None}


def node_json(node: Node, rates: Rates | None, now: datetime) -> dict[str, Any]:
    kind, price, age = find_accelerator(node.accelerator_type), rate_of(rates, node), age_s(node.created, now)
    so_far = cost_so_far(rates, node, now)
    return {
        "name": node.id,
        "zone": node.zone,
        "state": node.state,
        "health": node.health,
        "health_description": node.health_description,
        "symptoms": [
            {"kind": symptom.kind, "details": symptom.details, "worker": symptom.worker, "at": symptom.at} for symptom in node.symptoms
        ],
        "accelerator_type": node.accelerator_type,
        "generation": kind.family.name if kind else None,
        "chips": kind.chips if kind else None,
        "topology": node.topology,
        "runtime_version": node.runtime_version,
        "provisioning": node.provisioning,
        "created": node.created,
        "age_s": None if age is None else round(age, 1),
        "internal_ips": [endpoint.address for endpoint in node.endpoints],
        "external_ips": [endpoint.external for endpoint in node.endpoints],
        "service_account": node.service_account,
        "queued_resource": node.queued_resource,
        "labels": dict(node.labels),
        "per_hour_usd": round(price.per_hour, 6) if price else None,
        "charged_now": price.running if price else None,
        "cost_at_most_usd": None if so_far is None else round(so_far, 4),
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
    """Write a JSON value as lines of YAML: plain keys, and values in JSON's own quotes, which YAML reads."""
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
    """Write a key bare where it cannot be taken for anything else."""
    plain = key.replace("_", "").replace("-", "").isalnum() and key.isascii() and key[0].isalpha()
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    return key if plain and key.lower() not in words else json.dumps(key, ensure_ascii=False)
