from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig, Precision
from heartbeat_core.benchmark.roofline import MeasuredPeaks, PeakCache, floor, peaks_key, roof_of_chip, roof_of_peaks
from heartbeat_core.benchmark.tpu_chips import CHIPS, Chip, chip_by_name
from heartbeat_core.benchmark.workload import MatMul

HANDBOOK = MatMul()
# ms of a device, by Google's figures shared equally among the devices of a chip
FLOORS = {
    "v2": 0.779,
    "v3": 0.620,
    "v4": 0.227,
    "v4i": 0.454,
    "v5e": 0.341,
    "v5p": 0.101,
    "v6e": 0.170,
    "7x": 0.076,
    "8i": 0.032,
    "8t": 0.044,
}


def chip(name: str) -> Chip:
    found = chip_by_name(name)
    assert found is not None
    return found


def test_every_chip_has_its_known_floor_for_the_handbooks_shape() -> None:
    assert {chip.name for chip in CHIPS} == set(FLOORS)
    for one in CHIPS:
        least = floor(HANDBOOK, roof_of_chip(one, "float32"))
        assert round(least.memory_ns * one.devices_per_chip / 1e6, 3) == FLOORS[one.name]


def test_a_device_has_the_arithmetic_of_its_core_and_may_use_the_chips_memory() -> None:
    roof = roof_of_chip(chip("7x"), "bfloat16")
    assert (roof.flops_per_s, roof.bytes_per_s, roof.devices) == (2307e12 / 2, 7380e9, 2)


@pytest.mark.parametrize(("precision", "passes"), [("default", 1), ("high", 3), ("highest", 6)])
def test_precision_costs_passes_in_float32_alone(precision: Precision, passes: int) -> None:
    assert roof_of_chip(chip("v6e"), "float32", precision).flops_per_s == pytest.approx(918e12 / passes)
    assert roof_of_chip(chip("v6e"), "bfloat16", precision).flops_per_s == 918e12


def test_the_handbooks_shape_in_six_passes_is_bound_by_arithmetic_on_v5e() -> None:
    least = floor(HANDBOOK, roof_of_chip(chip("v5e"), "float32", "highest"))
    assert least.bound == "compute"
    assert least.ns == least.compute_ns == pytest.approx(1e9 * HANDBOOK.flops * 6 / 197e12)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000), st.floats(1, 1e16), st.floats(1, 1e13))
def test_a_floor_is_the_longer_of_its_two_times(batch: int, hidden: int, wide: int, flops: float, bandwidth: float) -> None:
    work = MatMul(batch, hidden, wide)
    least = floor(work, roof_of_peaks(MeasuredPeaks(flops, bandwidth, "2026-11-22")))
    assert least.ns == max(least.compute_ns, least.memory_ns)
    assert (least.bound == "compute") == (work.intensity >= flops / bandwidth) or least.compute_ns == pytest.approx(least.memory_ns)


def test_a_measured_peak_is_soft_and_says_when() -> None:
    roof = roof_of_peaks(MeasuredPeaks(2e12, 3e10, "2026-11-22"))
    assert not roof.hard
    assert roof.source == "measured on this machine on 2026-11-22"
    assert roof.measured_on == "2026-11-22"


@pytest.mark.parametrize(("flops", "bandwidth"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (float("nan"), 1.0)])
def test_an_empty_peak_is_refused(flops: float, bandwidth: float) -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        roof_of_peaks(MeasuredPeaks(flops, bandwidth, "2026-11-22"))


def test_a_peak_kept_by_an_earlier_version_is_measured_again(tmp_path: Path) -> None:
    cache, config = PeakCache(tmp_path / "ceilings.json"), BenchmarkConfig(threads=1)
    kept = {"flops_per_s": 1, "bytes_per_s": 1, "measured_on": "2026-11-30"}
    cache.path.write_text(json.dumps({"vm|AMD EPYC|cpu|cpu|float32|full float32|1": kept}))
    assert not cache.knows(config)
    cache.store(peaks_key(config, {"host": "vm", "threads": 1}), MeasuredPeaks(1e9, 1e9, "2026-11-30"))
    assert cache.knows(config)
