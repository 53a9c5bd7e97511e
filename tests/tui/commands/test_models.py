"""Models on the command line: the list, the limits by published peaks, and flags that do not go together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.program import run_program


def test_the_models_are_listed_with_sizes_and_sources() -> None:
    assert "llama-3.1-8b" in run_program("bench", "--list-models").stdout
    models = json.loads(run_program("bench", "--list-models", "--json").stdout)["models"]
    found = next(model for model in models if model["name"] == "gemma-3-1b")
    assert (found["hidden"], found["kv_heads"], found["vocabulary"]) == (1152, 1, 262_144)
    assert found["source"].startswith("https://")
    assert "512 tokens" in found["note"]


def test_the_limits_of_a_model_say_what_they_are() -> None:
    arguments = ("bench", "--model", "llama-3.1-8b", "--limits", "--batch", "1")
    said = run_program(*arguments).stdout
    assert "at most, matrix products alone" in said
    assert next(line for line in said.splitlines() if line.startswith("v5e")).split()[:3] == ["v5e", "2", "107"]
    made = json.loads(run_program(*arguments, "--json").stdout)
    chips = {chip["chip"]: chip for chip in made["chips"]}
    assert chips["v6e"]["devices"] == 1
    assert chips["v6e"]["compute_bound_from"] is None
    assert chips["v6e"]["compute_bound_from_without_attention"] == 561


@pytest.mark.torch
def test_a_run_of_a_layer_says_what_it_means_with_its_price(home: Path) -> None:
    pytest.importorskip("torch")
    flags = ("--model", "qwen2.5-0.5b", "--context", "8", "--iterations", "12", "--warmup", "1", "--threads", "1", "--dtype", "float32")
    done = run_program("bench", "--backend", "cpu", *flags, "--weights", "hot", "--usd-per-hour", "3.6", "--json")
    made = json.loads(done.stdout)
    assert [step["name"] for step in made["steps"]] == ["qkv", "scores", "values", "output", "gate_up", "down"]
    assert made["environment"]["weight_sets"] == 1
    measured = made["serving"]["measured"]
    assert measured["usd_per_million"] == pytest.approx(1e6 * 3.6 / 3600 / measured["tokens_per_s"])
    recording = next(home.rglob("*.jsonl"))
    again = run_program("bench", "--from", str(recording)).stdout
    assert "tokens/s" in again
    assert "gate_up" in again


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "llama-9"), "there is no model 'llama-9'"),
        (("--phase", "decode"), "--phase is given without --model"),
        (("--model", "qwen3-8b", "--hidden", "8"), "--hidden and --model are given"),
        (("--limits",), "--limits is given without --model"),
        (("--vs", "context=8"), "this work has no context"),
        (("--model", "llama-3.1-405b", "--phase", "prefill", "--context", "131072", "--dtype", "float32"), "does not fit into memory"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_runs(flags: tuple[str, ...], said: str) -> None:
    done = run_program("bench", "--backend", "cpu", *flags)
    assert done.returncode != 0
    assert said in done.stderr
