"""The models that ``--model`` names, read from ``models.json`` beside this file.

Each row names its config.json. The sizes were compared with config.py of Lightning-AI/litgpt (2685705, 2026-11-30), the vocabulary
of Gemma 3 with transformers' conversion script, and each sum of parameters with the published one. Mixtures of experts are left
out: which experts a batch reads depends on its tokens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from heartbeat_core.benchmark.layer import ModelShape
from heartbeat_core.errors import HeartbeatError, nearest

FILE = Path(__file__).with_name("models.json")


@dataclass(frozen=True)
class NamedModel:
    """A model with the address of its config; ``note`` says what the products of one layer do not show."""

    shape: ModelShape
    source: str
    note: str = ""


@cache
def named_models() -> dict[str, NamedModel]:
    """Return the models by name."""
    found = {}
    for row in json.loads(FILE.read_text()):
        source, note = row.pop("source"), row.pop("note", "")
        found[row["name"]] = NamedModel(ModelShape(**row), source, note)
    return found


def find_model(name: str) -> ModelShape:
    """Return the model of this name; raise HeartbeatError where there is none."""
    models = named_models()
    if name not in models:
        like = nearest(name, models)
        remedy = f"Did you mean {like}? " if like else ""
        raise HeartbeatError(f"there is no model {name!r}", f"There are {', '.join(models)}.", f"{remedy}See bench --list-models.")
    return models[name].shape
