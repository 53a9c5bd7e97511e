from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import PeaksMeasured
from heartbeat_core.benchmark.roofline import MeasuredPeaks, PeakCache, peaks_key, peaks_of, roof_of_peaks
from heartbeat_core.benchmark.workload import MatMul

ENVIRONMENT = {"host": "h", "cpu": "EPYC", "device": "cpu", "precision": "float32 as it is", "threads": 2}
MEASURED = MeasuredPeaks(1e12, 5e10, "2026-11-22")


@pytest.fixture
def cache(tmp_path: Path) -> PeakCache:
    return PeakCache(tmp_path / "deep" / "ceilings.json")


def test_a_peak_is_kept_with_its_day(cache: PeakCache) -> None:
    key = peaks_key(BenchmarkConfig(), ENVIRONMENT)
    cache.store(key, MEASURED)
    cache.store("another", MeasuredPeaks(1.0, 1.0, "2026-11-22"))
    assert PeakCache(cache.path).load(key) == MEASURED
    assert [path.name for path in cache.path.parent.iterdir()] == ["ceilings.json"]  # nothing half written is left


@pytest.mark.parametrize(
    ("plan", "environment"),
    [
        (BenchmarkConfig(MatMul(dtype="bfloat16")), ENVIRONMENT),
        (BenchmarkConfig(backend="xla"), ENVIRONMENT),
        (BenchmarkConfig(), {**ENVIRONMENT, "threads": 1}),
        (BenchmarkConfig(), {**ENVIRONMENT, "cpu": "Xeon"}),
        (BenchmarkConfig(), {**ENVIRONMENT, "cores": 1}),
        (BenchmarkConfig(), {**ENVIRONMENT, "cpu_quota": 0.5}),
        (BenchmarkConfig(), {**ENVIRONMENT, "precision": "float32 in TF32 (high)"}),
        (BenchmarkConfig(), {**ENVIRONMENT, "hardware": "TPU"}),
    ],
)
def test_a_peak_holds_for_what_it_was_measured_on_alone(cache: PeakCache, plan: BenchmarkConfig, environment: dict[str, Any]) -> None:
    cache.store(peaks_key(BenchmarkConfig(), ENVIRONMENT), MEASURED)
    assert cache.load(peaks_key(plan, environment)) is None


def test_it_knows_for_which_plans_something_was_measured(cache: PeakCache) -> None:
    assert not cache.knows(BenchmarkConfig())
    cache.store(peaks_key(BenchmarkConfig(), ENVIRONMENT), MEASURED)
    assert cache.knows(BenchmarkConfig())
    assert cache.knows(BenchmarkConfig(MatMul(8, 8, 8)))  # the shape does not matter
    assert cache.knows(BenchmarkConfig(threads=2))
    assert not cache.knows(BenchmarkConfig(threads=1))
    assert not cache.knows(BenchmarkConfig(backend="xla"))
    assert not cache.knows(BenchmarkConfig(MatMul(dtype="bfloat16")))


def test_a_peak_measured_while_disturbed_is_kept_as_such_and_measured_again(cache: PeakCache) -> None:
    key = peaks_key(BenchmarkConfig(), ENVIRONMENT)
    low = PeaksMeasured(0, 1e11, 1e10, disturbed="260 involuntary context switches/s")
    cache.store(key, peaks_of(low, "2026-11-22"))
    busy = cache.load(key)
    assert busy is not None
    assert not cache.knows(BenchmarkConfig())
    assert "while it was disturbed" in roof_of_peaks(busy).source
    cache.store(key, peaks_of(PeaksMeasured(0, 1e12, 9e9), "2026-11-23", busy))
    assert cache.load(key) == MeasuredPeaks(1e12, 1e10, "2026-11-23")  # the greater of each
    assert cache.knows(BenchmarkConfig())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "[]",
        '{"key": 5}',
        '{"key": []}',
        '{"key": {"flops_per_s": 1}}',
        '{"key": {"flops_per_s": "many", "bytes_per_s": 1, "measured_on": ""}}',
        '{"key": {"flops_per_s": 0, "bytes_per_s": 1, "measured_on": ""}}',
        '{"key": {"flops_per_s": NaN, "bytes_per_s": 1, "measured_on": ""}}',
        '{"key": {"flops_per_s": Infinity, "bytes_per_s": 1, "measured_on": ""}}',
    ],
)
def test_what_cannot_be_read_counts_as_not_measured_and_is_written_over(cache: PeakCache, text: str) -> None:
    cache.path.parent.mkdir()
    cache.path.write_text(text)
    assert cache.load("key") is None
    cache.store("key", MEASURED)
    assert cache.load("key") == MEASURED


def test_bytes_that_are_no_text_count_as_not_measured(cache: PeakCache) -> None:
    cache.path.parent.mkdir()
    cache.path.write_bytes(b"\xff\xfe{")
    assert cache.load("key") is None
