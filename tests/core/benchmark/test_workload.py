from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.benchmark.workload import LARGEST_DIMENSION, MatMul
from heartbeat_core.errors import HeartbeatError


def test_the_handbooks_product_counts_its_work() -> None:
    work = MatMul()
    assert work.flops == 17_179_869_184
    assert work.weight_bytes == 256 * 2**20
    assert work.bytes == (128 * 4096 + 4096 * 16384 + 128 * 16384) * 4
    assert work.intensity == pytest.approx(61.6, abs=0.1)
    assert work.shape == "[128×4096]·[4096×16384]"


def test_bfloat16_halves_the_bytes_and_keeps_the_arithmetic() -> None:
    assert 2 * MatMul(dtype="bfloat16").bytes == MatMul().bytes
    assert MatMul(dtype="bfloat16").flops == MatMul().flops


def test_a_product_of_8_bits_writes_more_than_it_reads() -> None:
    work = MatMul(dtype="int8")
    assert work.weight_bytes == 4096 * 16384
    assert work.bytes == 128 * 4096 + 4096 * 16384 + 4 * 128 * 16384
    assert work.bytes - MatMul(dtype="float8_e4m3").bytes == 2 * 128 * 16384


@pytest.mark.parametrize(
    ("dimension", "value"), [("batch", 0), ("hidden", -1), ("intermediate", LARGEST_DIMENSION + 1), ("batch", 1.5), ("hidden", True)]
)
def test_an_absurd_dimension_is_refused_by_name(dimension: str, value: Any) -> None:
    with pytest.raises(HeartbeatError, match=dimension) as refused:
        MatMul(**{dimension: value})
    assert f"--{dimension}" in refused.value.remedy


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(HeartbeatError, match="float64"):
        MatMul(dtype="float64")  # type: ignore[arg-type]


def test_the_peak_counts_copies_results_and_the_drawing() -> None:
    work = MatMul(dtype="bfloat16")
    one = work.peak_bytes(operand_copies=1, results=1, inputs=2)
    assert work.peak_bytes(operand_copies=2, results=1, inputs=2) == one + 2 * work.input_bytes + work.weight_bytes
    # the randoms are drawn in float32: twice the size of what they become
    assert one >= 3 * work.weight_bytes
    tall = MatMul(2**14, 16, 2**14)
    few, many = (tall.peak_bytes(operand_copies=1, results=results, inputs=2) for results in (1, 10))
    assert many - few == 9 * tall.batch * tall.intermediate * 4
