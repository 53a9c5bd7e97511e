"""What a model could get at most: against ceilings computed by hand, weights over bandwidth, on three chips."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.layer import Layer, ModelShape
from heartbeat_core.benchmark.models import find_model, named_models
from heartbeat_core.benchmark.roofline import Roof
from heartbeat_core.benchmark.serving import (
    AT_MOST,
    UNFUSED,
    ServingLimit,
    by_measurement,
    by_peaks,
    by_published_peaks,
    compute_bound_from,
    least_work,
    priced,
)
from heartbeat_core.errors import HeartbeatError

# By hand, as in docs/models.md: Llama 3.1 8B in bfloat16 reads 32 layers of 218,103,808 weights and a head of 525,336,576, so
# 15.01 GB, and at batch 1 with 2,048 tokens 268 MB of KV cache: 15.28 GB for a token. Then chips × GB/s ÷ 15.28 GB.
BY_HAND = {"v5e": 2 * 819 / 15.278, "v6e": 1638 / 15.278, "H100": 3940 / 15.278}
LLAMA = Layer(find_model("llama-3.1-8b"), batch=1, context=2048)


@pytest.mark.parametrize("chip", BY_HAND)
def test_the_limit_of_a_decode_is_the_one_computed_by_hand(chip: str) -> None:
    found = next(limit for limit in by_published_peaks(LLAMA) if limit.chip == chip)
    assert found.decode.tokens_per_s == pytest.approx(BY_HAND[chip], rel=1e-3)


def test_a_prompt_is_bound_by_arithmetic_without_what_the_mask_hides() -> None:
    found = next(limit for limit in by_published_peaks(LLAMA) if limit.chip == "v6e")
    weights = 2 * 2048 * 32 * 218_103_808 + 2 * 525_336_576  # FLOP; the head is that of the last token
    attention = 4 * 2048 * 2048 * 4096 * 32 / 2
    assert found.prefill.pass_ns == pytest.approx(1e9 * (weights + attention) / 918e12, rel=1e-3)


# published: the model cards of each family
@pytest.mark.parametrize(
    ("name", "billions"),
    [("llama-3.1-8b", 8.03), ("llama-3.1-405b", 405.9), ("llama-3.2-1b", 1.24), ("gemma-3-27b", 27.0), ("qwen2.5-7b", 7.61),
     ("qwen3-32b", 32.8), ("mistral-7b", 7.25)],
)  # fmt: skip
def test_the_sizes_of_a_model_make_its_parameters(name: str, billions: float) -> None:
    assert find_model(name).parameters / 1e9 == pytest.approx(billions, rel=5e-3)


def test_every_model_names_its_config_and_an_unknown_one_is_refused() -> None:
    assert all(model.source.endswith("/config.json") for model in named_models().values())
    with pytest.raises(HeartbeatError, match=r"no model 'llama-3.1-8B'") as refused:
        find_model("llama-3.1-8B")
    assert "llama-3.1-8b" in refused.value.remedy


@pytest.mark.parametrize(("context", "attention"), [(256, True), (2048, False), (16, True)])
def test_the_turning_batch_is_the_least_whose_arithmetic_takes_longer(context: int, attention: Any) -> None:
    roof = Roof(197e12, 819e9, None, "", hard=True)
    batch = compute_bound_from(replace(LLAMA, context=context), roof, attention=attention)
    assert batch is not None
    layer = replace(LLAMA, context=context if attention else 1)
    for size, by_arithmetic in ((batch, True), (batch - 1, False)):
        flops, moved = least_work(replace(layer, batch=size))
        kept = 0 if attention else moved - least_work(replace(layer, batch=1))[1]
        assert (flops / roof.flops_per_s >= (moved - kept) / roof.bytes_per_s) is by_arithmetic


def test_where_each_sequence_reads_more_than_it_computes_no_batch_turns() -> None:
    assert compute_bound_from(LLAMA, Roof(197e12, 819e9, None, "", hard=True)) is None


@pytest.mark.parametrize("context", [2048, 16384])
def test_the_head_takes_what_its_own_bytes_take_however_long_the_context_is(context: int) -> None:
    layer, bandwidth = Layer(find_model("qwen2.5-0.5b"), batch=64, context=context), 1638.0  # bytes/ns, which bounds every step
    steps = {step.name: step.bytes / bandwidth for step in layer.steps}
    found = by_measurement(SimpleNamespace(config=BenchmarkConfig(layer), iteration_ns=sum(steps.values()), steps=steps, proof=None))  # type: ignore[arg-type]
    assert found is not None
    assert found.pass_ns == pytest.approx(layer.model.layers * sum(steps.values()) + layer.head.bytes / bandwidth)


def test_a_prefill_that_was_measured_is_no_bound() -> None:
    for phase, label in (("prefill", UNFUSED), ("decode", AT_MOST)):
        layer = replace(LLAMA, phase=phase)  # type: ignore[arg-type]
        assert ServingLimit(layer, 1, 1.0, "", measured=True).to_json()["label"] == label
        assert ServingLimit(layer, 1, 1.0, "").to_json()["label"] == AT_MOST


def test_a_million_tokens_cost_what_the_time_for_them_costs() -> None:
    layer = Layer(ModelShape("any", 8, 8, 1, 1, 8, 1, 8), batch=10)
    limit = ServingLimit(layer, devices=2, pass_ns=1e9, source="")  # 10 tokens a second
    assert priced(limit, 3.6).usd_per_million == pytest.approx(1e5 * 2 * 3.6 / 3600)
    assert by_peaks(layer, Roof(1e3, 1e3, None, "", hard=True), devices=2).usd_per_million is None
