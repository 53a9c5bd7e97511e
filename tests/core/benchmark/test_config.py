from __future__ import annotations

import json
from typing import Any

import pytest

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import METHODS, BenchmarkConfig, config_from_json
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_plan_comes_back_from_its_json(backend: Any, method: Any) -> None:
    plan = BenchmarkConfig(MatMul(8, 64, 32, "bfloat16"), backend, method, warmup=0, threads=2, window=3, seed=7, calibrate=True)
    assert config_from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("nothing", [None, {}, [], "plan", 3])
def test_an_empty_plan_is_refused(nothing: object) -> None:
    with pytest.raises(HeartbeatError, match="the config is empty"):
        config_from_json(nothing)


@pytest.mark.parametrize(
    ("values", "title", "remedy"),
    [
        ({"backend": "gpu"}, "backend is 'gpu'", "--backend cpu"),
        ({"method": "guess"}, "method is 'guess'", "--method synchronized"),
        ({"precision": "low"}, "precision is 'low'", "--precision default"),
        ({"warmup": -1}, "warmup is -1", "--warmup 0"),
        ({"iterations": 0}, "iterations is 0", "--iterations 1"),
        ({"iterations": 2.0}, "iterations is 2.0", "--iterations 1"),
        ({"iterations": True}, "iterations is True", "--iterations 1"),
        ({"threads": 0}, "threads is 0", "--threads 1"),
        ({"window": 17}, "window is 17", "--window 1"),
        ({"repeats": 0}, "repeats is 0", "--repeats 1"),
        ({"seed": -1}, "seed is -1", "--seed 0"),
        ({"iterations": None, "duration_s": 0}, "duration is 0", "--duration 30s"),
        ({"iterations": None, "duration_s": float("nan")}, "duration is nan", "--duration 30s"),
        ({"iterations": None, "duration_s": float("inf")}, "duration is inf", "--duration 30s"),
        ({"iterations": 5, "duration_s": 1.0}, "both iterations and duration", "not both"),
        ({"iterations": None, "duration_s": 1.0, "method": "handbook"}, "needs a number of iterations", "--iterations 100"),
        ({"iterations": 200_000, "method": "handbook"}, "200,000 products are too many", "--method pipelined"),
        ({"speed": 3}, "the config names speed", "one version"),
        ({"workload": {"depth": 3}}, "not well formed", "one version"),
        ({"workload": []}, "not well formed", "one version"),
        ({"iterations": None, "duration_s": "soon"}, "not well formed", "one version"),
        ({"iterations": None, "duration_s": 10**400}, "not well formed", "one version"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_says_what_is_wrong(values: dict[str, Any], title: str, remedy: str) -> None:
    with pytest.raises(HeartbeatError) as refused:
        config_from_json(values)
    assert title in refused.value.title
    assert remedy in refused.value.remedy
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("plan", "products", "samples"),
    [
        (BenchmarkConfig(), 1, 100),
        (BenchmarkConfig(method="pipelined", iterations=15, window=10), 10, 2),
        (BenchmarkConfig(method="handbook", iterations=100, repeats=3), 100, 3),
        (BenchmarkConfig(iterations=None), 1, None),
        (BenchmarkConfig(method="pipelined", iterations=None, duration_s=1.0), 10, None),
    ],
)
def test_samples_hold_all_products_asked_for(plan: BenchmarkConfig, products: int, samples: int | None) -> None:
    assert (plan.products_per_sample, plan.samples_wanted) == (products, samples)


def test_a_number_of_iterations_replaces_a_duration() -> None:
    assert BenchmarkConfig(iterations=None, duration_s=3.0).with_iterations(7) == BenchmarkConfig(iterations=7)
