"""A layer of a model as work: what its products count, that they run and are checked, and cold weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig, config_from_json, config_of_recording
from heartbeat_core.benchmark.layer import COLD_CACHES, Layer, ModelShape
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.serving import step_figures
from heartbeat_core.errors import HeartbeatError

TINY = ModelShape("tiny", 64, 128, 4, 2, 16, 3, 500)
sizes = st.integers(1, 64)


def layers(**values: Any) -> st.SearchStrategy[Layer]:
    shapes = st.builds(
        lambda hidden, intermediate, kv_heads, shared, head_size: ModelShape(
            "any", hidden, intermediate, kv_heads * shared, kv_heads, head_size, 2, 100
        ),
        sizes, sizes, st.integers(1, 8), st.integers(1, 4), sizes,
    )  # fmt: skip
    return st.builds(
        Layer, shapes, st.sampled_from(["decode", "prefill"]), sizes, sizes, st.sampled_from(["cold", "hot"]),
        st.sampled_from(["float32", "bfloat16"]), **values,
    )  # fmt: skip


@given(layers())
def test_a_layer_survives_json_and_the_recording_of_a_newer_version(layer: Layer) -> None:
    config = BenchmarkConfig(layer)
    assert config_from_json(config.to_json()) == config
    newer = config.to_json()
    newer["workload"]["experts"] = newer["workload"]["model"]["window"] = 8
    assert config_of_recording(newer) == (config, ("workload.experts", "workload.model.window"))


@given(layers())
def test_the_products_are_those_of_the_weights_and_of_attention(layer: Layer) -> None:
    model = layer.model
    weights = sum(step.flops for step in layer.steps if not step.per_sequence)
    assert weights == 2 * layer.tokens * model.layer_parameters
    attention = sum(step.flops for step in layer.steps if step.per_sequence)
    assert attention == 4 * layer.tokens * layer.context * model.heads * model.head_size
    kept = sum(step.right_bytes for step in layer.steps if step.per_sequence)
    item = 4 if layer.dtype == "float32" else 2
    assert kept == 2 * layer.batch * layer.context * model.kv_heads * model.head_size * item


@given(layers(), st.integers(1, 2**28))
def test_between_two_uses_of_a_cold_matrix_pass_several_caches(layer: Layer, cache: int) -> None:
    cold = replace(layer, weights="cold")
    sets, sizes = cold.weight_sets(cache), [step.right_bytes for step in cold.steps]
    assert sets * sum(sizes) - max(sizes) >= COLD_CACHES * cache
    assert sets == 1 or (sets - 1) * sum(sizes) - max(sizes) < COLD_CACHES * cache
    assert replace(layer, weights="hot").weight_sets(cache) == 1


def test_the_handbooks_method_and_odd_values_are_refused() -> None:
    with pytest.raises(HeartbeatError, match="one product"):
        BenchmarkConfig(Layer(TINY), method="handbook")
    with pytest.raises(HeartbeatError, match="phase is 'train'"):
        Layer(TINY, "train")  # type: ignore[arg-type]
    with pytest.raises(HeartbeatError, match="heads"):
        replace(TINY, heads=3)


@pytest.mark.torch
@pytest.mark.parametrize("method", ["synchronized", "pipelined"])
@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_a_layer_runs_and_every_product_is_checked(begin: Callable[..., Run], phase: Any, method: Any) -> None:
    layer = Layer(TINY, phase, batch=3, context=20, dtype="float32")
    run = begin(BenchmarkConfig(layer, iterations=20, warmup=2, threads=1, method=method))
    assert run.wait(60)
    report = run.report()
    assert report.proof is not None
    assert report.proof.passed
    assert report.proof.rows == layer.rows
    assert report.environment["weight_sets"] > 1
    assert [step.name for step in step_figures(report)] == (list(layer.parts) if method == "synchronized" else [])
