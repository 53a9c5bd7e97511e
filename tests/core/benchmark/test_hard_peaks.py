"""The hard peaks: which device has which, and that none is too low."""

from __future__ import annotations

import math
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig, Precision
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.hard_peaks import BOOST, gpu_peak, gpus, hard_peak
from heartbeat_core.benchmark.tpu_chips import CHIPS
from heartbeat_core.benchmark.workload import MatMul

CPU: dict[str, Any] = {"device": "cpu", "cores": 2, "cpu_flags": ["avx", "avx2"], "clock_max_mhz": 3000.0, "variables": {}}


def peak_of(environment: dict[str, Any], dtype: Dtype = "float32", backend: str = "cpu", precision: Precision = "default") -> float:
    found = hard_peak(environment, BenchmarkConfig(MatMul(dtype=dtype), backend=backend, precision=precision))
    assert found is not None
    assert found.hard
    assert found.source
    return found.flops_per_s


@pytest.mark.parametrize(
    ("flags", "dtype", "per_cycle"),
    [
        (["avx", "avx2"], "float32", 32),
        (["avx2", "avx512f"], "float32", 64),
        (["avx2", "avx512f", "amx_tile", "amx_bf16"], "float32", 64),
        (["avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"], "bfloat16", 2048),
        (["avx512f", "avx512_bf16"], "bfloat16", 256),
        ([], "float32", 2048),
        (None, "float32", 2048),
    ],
)
def test_a_processor_peaks_at_cores_by_clock_by_instruction_set(flags: list[str] | None, dtype: Dtype, per_cycle: int) -> None:
    assert peak_of({**CPU, "cpu_flags": flags}, dtype) == 2 * 3e9 * per_cycle


def test_an_unknown_clock_is_assumed_to_be_fast() -> None:
    assert peak_of({**CPU, "clock_max_mhz": None}) == 2 * 6e9 * 32


def test_float32_that_may_be_computed_in_bfloat16_has_the_peak_of_that() -> None:
    amx = {**CPU, "cpu_flags": ["avx512f", "amx_bf16"], "variables": {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}}
    assert peak_of(amx) == 2 * 3e9 * 2048


def test_a_quota_does_not_lower_a_hard_peak() -> None:
    assert peak_of({**CPU, "cpu_quota": 0.5}) == peak_of(CPU)


def test_the_memory_of_a_processor_refutes_nothing() -> None:
    found = hard_peak(CPU, BenchmarkConfig())
    assert found is not None
    assert math.isinf(found.bytes_per_s)


def test_a_rehearsal_has_the_peak_of_the_processor() -> None:
    assert peak_of({**CPU, "hardware": "CPU", "chip": None}, backend="xla") == peak_of(CPU)


@pytest.mark.parametrize(
    ("name", "dtype", "precision", "tflops"),
    [
        ("NVIDIA H200", "bfloat16", "default", 989),
        ("NVIDIA H200", "float32", "default", 67),
        ("NVIDIA H200", "float32", "high", 495),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", "default", 312),
        ("NVIDIA GeForce RTX 4090", "float32", "default", 82.6),
        ("Tesla T4", "float32", "high", 8.1),
        ("AMD Instinct MI300X", "bfloat16", "default", 1307),
    ],
)
def test_a_gpu_peaks_at_its_data_sheet_and_a_little(name: str, dtype: Dtype, precision: Precision, tflops: float) -> None:
    assert peak_of({"hardware": name}, dtype, "accelerator", precision) == pytest.approx(BOOST * tflops * 1e12, rel=0.01)


def test_every_row_is_found_by_its_own_name() -> None:
    for row in gpus():
        found = gpu_peak(f"NVIDIA {row.name}", {}, BenchmarkConfig(backend="accelerator"))
        assert found is not None
        assert found.name == row.name


def test_a_tpu_has_the_peak_of_its_chip() -> None:
    for chip in CHIPS:
        assert peak_of({"chip": chip.name, "hardware": "TPU"}, "bfloat16", "xla") == chip.bf16_flops / chip.devices_per_chip


def test_what_is_unknown_has_none() -> None:
    for environment in ({"hardware": "MPS"}, {"hardware": "TPU", "chip": None}, {}):
        assert hard_peak(environment, BenchmarkConfig(backend="accelerator")) is None
