"""The proof of execution, with real tensors."""

from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig, MatMul
from heartbeat_core.benchmark.protocol import Proof
from heartbeat_core.benchmark.verification import FLOAT32, choose_row, prove

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def plan() -> BenchmarkConfig:
    return BenchmarkConfig(MatMul(8, 128, 3 * 32768))  # three chunks of columns


@pytest.fixture(scope="module")
def operands(torch: Any, plan: BenchmarkConfig) -> tuple[Any, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    work = plan.workload
    return torch.randn(work.batch, work.hidden), torch.randn(work.hidden, work.intermediate)


def proof_of(plan: BenchmarkConfig, operands: tuple[Any, Any], row_of_result: Any) -> Proof:
    return prove(plan, *operands, row_of_result.double(), 2, at_ns=5)


def test_a_right_row_holds_and_shows_its_precision(plan: BenchmarkConfig, operands: tuple[Any, Any]) -> None:
    assert plan.workload.proof_columns < plan.workload.intermediate
    inputs, weights = operands
    proof = proof_of(plan, operands, (inputs @ weights)[2])
    assert proof.passed
    assert proof.implies == "float32"
    assert proof.error is not None
    assert proof.error < 5e-6


def test_inputs_rounded_to_bfloat16_show(torch: Any, plan: BenchmarkConfig, operands: tuple[Any, Any]) -> None:
    rounded = [operand.to(torch.bfloat16).float() for operand in operands]
    proof = proof_of(plan, operands, (rounded[0] @ rounded[1])[2])
    assert proof.passed
    assert proof.implies == "bfloat16"


def test_another_row_fails(plan: BenchmarkConfig, operands: tuple[Any, Any]) -> None:
    inputs, weights = operands
    proof = proof_of(plan, operands, (inputs @ weights)[3])
    assert not proof.passed
    assert proof.implies == "no known precision"


def test_a_result_never_computed_fails(torch: Any, plan: BenchmarkConfig, operands: tuple[Any, Any]) -> None:
    assert not proof_of(plan, operands, torch.zeros(plan.workload.intermediate)).passed


@pytest.mark.parametrize("column", [0, 40_000, -1])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_no_number_fails_wherever_it_stands(
    plan: BenchmarkConfig, operands: tuple[Any, Any], column: int, value: float
) -> None:
    inputs, weights = operands
    row = (inputs @ weights)[2]
    row[column] = value
    proof = proof_of(plan, operands, row)
    assert (proof.passed, proof.error, proof.implies) == (False, None, "no number")


@pytest.mark.parametrize("column", [0, -1])
def test_one_wrong_value_fails_wherever_it_stands(plan: BenchmarkConfig, operands: tuple[Any, Any], column: int) -> None:
    inputs, weights = operands
    row = (inputs @ weights)[2]
    row[column] += 10
    assert not proof_of(plan, operands, row).passed


def test_the_row_is_within_the_batch_and_the_seeds_own() -> None:
    rows = {choose_row(BenchmarkConfig(MatMul(8, 4, 4), seed=seed)) for seed in range(50)}
    assert rows <= set(range(8))
    assert len(rows) > 1
    assert choose_row(BenchmarkConfig(seed=3)) == choose_row(BenchmarkConfig(seed=3))


def test_float32_that_was_computed_coarser_than_claimed_fails(torch: Any, plan: BenchmarkConfig, operands: tuple[Any, Any]) -> None:
    first, second = (operand.bfloat16().float() for operand in operands)
    row = torch.matmul(first, second)[2].double()
    assert prove(plan, *operands, row, 2, at_ns=0).passed
    assert not prove(plan, *operands, row, 2, at_ns=0, most=FLOAT32).passed
