"""What the chips told beside a run: figures that can be trusted, a band that fits, in bounded memory."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.protocol import ChipReading, Chips
from heartbeat_core.benchmark.series import MOST_STRETCHES, DutyColumn, Gauges

GIB = 2**30
percent = st.none() | st.floats(0, 100)


def told(*readings: ChipReading, problem: str | None = None) -> Chips:
    return Chips(0, "tpu-info", readings, problem)


def reading(duty: float | None, used: int | None = GIB, device: int = 0) -> ChipReading:
    return ChipReading(device, used, 32 * GIB, duty)


def test_figures_are_the_last_reading_the_most_memory_and_the_median_duty_cycle() -> None:
    gauges = Gauges()
    for samples, (duty, used) in enumerate(((50.0, 2 * GIB), (90.04, 8 * GIB), (80.0, 4 * GIB)), 1):
        gauges.take(told(reading(duty, used)), samples, beating=True)
    figures = gauges.figures()
    assert figures is not None
    (device,) = figures.devices
    assert (device.used_bytes, device.peak_bytes, figures.peak_bytes) == (4 * GIB, 8 * GIB, 8 * GIB)
    assert (device.duty_percent, device.median_duty_percent) == (80.0, 80.0)


def test_a_chip_at_rest_before_and_after_the_iterations_lowers_no_median() -> None:
    gauges = Gauges()
    gauges.take(told(reading(0.0, 30 * GIB)), 0, beating=False)
    gauges.take(told(reading(90.0)), 10, beating=True)
    gauges.take(told(reading(1.0)), 20, beating=False)
    figures = gauges.figures()
    assert figures is not None
    assert figures.devices[0].median_duty_percent == 90.0
    assert figures.devices[0].peak_bytes == 30 * GIB
    assert gauges.columns() == (DutyColumn(0, 9, 90.0),)


def test_a_missing_reading_is_a_gap_and_no_zero() -> None:
    gauges = Gauges()
    for samples, duty in ((10, 50.0), (20, None), (30, 60.0)):
        gauges.take(told(reading(duty, None)), samples, beating=True)
    assert [column.percent for column in gauges.columns()] == [50.0, None, 60.0]
    figures = gauges.figures()
    assert figures is not None
    assert figures.peak_bytes is None


def test_of_several_devices_the_band_shows_the_busiest_at_each_moment() -> None:
    gauges = Gauges()
    gauges.take(told(reading(10.0), reading(70.0, device=1)), 10, beating=True)
    gauges.take(told(reading(0.0, 9 * GIB), reading(60.0, device=1)), 20, beating=True)
    assert [column.percent for column in gauges.columns()] == [70.0, 60.0]
    figures = gauges.figures()
    assert figures is not None
    assert figures.busiest is not None
    assert figures.busiest.device == 1
    assert figures.peak_bytes == 9 * GIB


def test_readings_within_one_long_sample_share_its_place() -> None:
    gauges = Gauges()
    for duty in (20.0, 40.0):
        gauges.take(told(reading(duty)), 1, beating=True)
    assert gauges.columns() == (DutyColumn(0, 0, 30.0),)


def test_without_telemetry_there_is_nothing() -> None:
    assert Gauges().columns() == ()
    assert Gauges().figures() is None


def test_a_problem_alone_is_kept_and_draws_no_band() -> None:
    gauges = Gauges()
    gauges.take(told(problem="no workload yet"), 5, beating=True)
    figures = gauges.figures()
    assert figures is not None
    assert (figures.devices, figures.readings, figures.problem) == ((), 0, "no workload yet")
    assert gauges.columns() == ()


@given(st.lists(st.tuples(st.integers(0, 40), percent), max_size=3 * MOST_STRETCHES))
def test_any_run_fits_the_band_and_keeps_its_mean_and_order(steps: list[tuple[int, float | None]]) -> None:
    gauges, samples = Gauges(), 1
    for step, duty in steps:
        samples += step
        gauges.take(told(reading(duty)), samples, beating=True)
    columns = gauges.columns()
    assert len(columns) <= MOST_STRETCHES
    assert all(before.last < after.first for before, after in pairwise(columns))
    assert all(column.percent is None or 0 <= column.percent <= 100.000001 for column in columns)
    if columns:
        assert columns[0].first == 0
        assert columns[-1].last == samples - 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_the_median_is_one_of_the_values_however_odd_they_are(duties: list[float]) -> None:
    gauges = Gauges()
    for duty in duties:
        gauges.take(told(reading(duty)), 1, beating=True)
    figures = gauges.figures()
    assert figures is not None
    median = figures.devices[0].median_duty_percent
    assert median in {round(10 * min(100.0, max(0.0, duty))) / 10 for duty in duties}
