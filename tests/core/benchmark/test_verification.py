"""The result check, with real tensors: which results it accepts, and that no element escapes it."""

from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.benchmark.dtypes import COARSEST, FLOAT32, IMPLIES
from heartbeat_core.benchmark.verification import ResultCheck
from heartbeat_core.benchmark.workload import MatMul

pytestmark = pytest.mark.torch

WORK = MatMul(8, 128, 40_000)  # the weights fill two chunks


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def operands(torch: Any) -> tuple[Any, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    return torch.randn(WORK.batch, WORK.hidden), torch.randn(WORK.hidden, WORK.intermediate)


@pytest.fixture(scope="module")
def check(torch: Any, operands: tuple[Any, Any]) -> ResultCheck:
    return ResultCheck(torch, operands[1], seed=5)


def implied(error: float) -> str:
    return next(name for most, name in IMPLIES if error <= most)


def test_a_right_result_shows_its_precision(check: ResultCheck, operands: tuple[Any, Any]) -> None:
    inputs, weights = operands
    error, row = check.error(inputs, inputs @ weights)
    assert implied(error) == "float32"
    assert 0 <= row < WORK.batch


def test_operands_rounded_to_bfloat16_show_and_are_no_float32(torch: Any, check: ResultCheck, operands: tuple[Any, Any]) -> None:
    first, second = (operand.to(torch.bfloat16).float() for operand in operands)
    error, _ = check.error(operands[0], first @ second)
    assert implied(error) == "bfloat16"
    assert FLOAT32 < error <= COARSEST


def test_a_product_in_bfloat16_is_held_against_its_own_operands(torch: Any, operands: tuple[Any, Any]) -> None:
    first, second = (operand.to(torch.bfloat16) for operand in operands)
    error, _ = ResultCheck(torch, second, seed=7).error(first, first @ second)
    assert error <= COARSEST


@pytest.mark.parametrize("column", [0, 33_000, -1])
@pytest.mark.parametrize("row", [0, 3, -1])
def test_one_wrong_element_fails_wherever_it_stands(check: ResultCheck, operands: tuple[Any, Any], row: int, column: int) -> None:
    inputs, weights = operands
    result = inputs @ weights
    result[row, column] += WORK.hidden**0.5  # by the size of an element
    error, found = check.error(inputs, result)
    assert error > FLOAT32
    assert found == row % WORK.batch


def test_a_row_that_belongs_to_the_input_before_fails(torch: Any, check: ResultCheck, operands: tuple[Any, Any]) -> None:
    inputs, weights = operands
    stale = inputs @ weights
    rewritten = inputs.clone()
    rewritten[-1] = torch.randn(WORK.hidden)
    error, row = check.error(rewritten, stale)
    assert error > COARSEST
    assert row == WORK.batch - 1


def test_a_result_never_computed_fails(torch: Any, check: ResultCheck, operands: tuple[Any, Any]) -> None:
    assert check.error(operands[0], torch.zeros(WORK.batch, WORK.intermediate))[0] > COARSEST


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_no_number_fails(check: ResultCheck, operands: tuple[Any, Any], value: float) -> None:
    inputs, weights = operands
    result = inputs @ weights
    result[4, -1] = value
    assert check.error(inputs, result) == (float("inf"), 4)


def test_a_result_of_zeros_is_right_for_an_input_of_zeros(torch: Any, check: ResultCheck) -> None:
    assert check.error(torch.zeros(2, WORK.hidden), torch.zeros(2, WORK.intermediate)) == (0.0, 0)
