from __future__ import annotations

import json
from array import array
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Environment, HandbookClock, Health, Pause, Phase, Proof, Record, Samples, Stage
from heartbeat_core.benchmark.report import SAMPLES_SHOWN, Report, hard_floor, report_json, report_of
from heartbeat_core.benchmark.roofline import MeasuredPeaks
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import RunOutcome

MS, S = 10**6, 10**9
PEAKS = MeasuredPeaks(1e12, 2e10, "2026-11-22")
PROVED = Proof(0, 3, 1e-7, "float32", passed=True)


def samples(at_ns: int, phase: Phase, start: int, *total: int, **parts: list[int]) -> Samples:
    return Samples(at_ns, phase, start, {"total": array("q", total), **{name: array("q", part) for name, part in parts.items()}})


def of(plan: BenchmarkConfig, *records: Record, **more: Any) -> Report:
    series = Series(config=plan)
    for record in records:
        series.apply(record)
    return report_of(series, **more)


COLD = samples(900 * MS, "cold", 0, 900 * MS)
STEADY = samples(3900 * MS, "steady", 1, *[100 * MS] * 30)


def test_the_state_follows_the_run() -> None:
    begun, done = Stage(0, "proof"), Stage(0, "proof", 1)
    plan = BenchmarkConfig(iterations=None)
    assert of(plan, Stage(0, "import")).state == "starting"
    assert of(plan, Stage(0, "import")).stage == "import"
    assert of(plan, COLD).state == "beating"
    assert of(plan, COLD, paused=True).state == "paused"
    assert of(plan, COLD, begun).state == "finishing"
    assert of(plan, COLD, begun, done, ending=RunOutcome("done")).state == "ended"


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (BenchmarkConfig(), 105),
        (BenchmarkConfig(warmup=0), 100),  # the cold one is among them
        (BenchmarkConfig(method="pipelined", window=10, warmup=5, iterations=100), 11),
        (BenchmarkConfig(method="pipelined", window=10, warmup=11, iterations=95), 12),
        (BenchmarkConfig(method="handbook", repeats=3), 3),
        (BenchmarkConfig(iterations=None), None),
        (BenchmarkConfig(iterations=None, duration_s=3), None),
    ],
)
def test_the_samples_wanted_are_those_that_will_come(plan: BenchmarkConfig, wanted: int | None) -> None:
    assert of(plan).wanted == wanted


def test_what_remains_is_what_is_missing_at_this_pace() -> None:
    report = of(BenchmarkConfig(warmup=1, iterations=100), COLD, STEADY)
    assert report.elapsed_s == pytest.approx(3.9)
    assert report.remaining_s == pytest.approx(7.0)
    assert of(BenchmarkConfig(iterations=None), COLD, STEADY).remaining_s is None
    assert of(BenchmarkConfig(), COLD, STEADY, ending=RunOutcome("done")).remaining_s == 0.0


def test_a_pause_is_no_part_of_what_has_passed() -> None:
    plan = BenchmarkConfig(iterations=None, duration_s=10)
    later = samples(63_900 * MS, "steady", 31, *[100 * MS] * 10)
    report = of(plan, COLD, STEADY, Pause(62_900 * MS, 31, 59 * S), later)
    assert report.elapsed_s == pytest.approx(4.9)


def test_a_duration_counts_from_the_end_of_the_warm_up() -> None:
    plan = BenchmarkConfig(iterations=None, duration_s=10)
    assert of(plan, COLD).remaining_s == 10
    report = of(plan, COLD, STEADY)
    assert report.remaining_s == pytest.approx(10 - sum(STEADY.columns["total"]) / S)


def test_a_run_whose_result_is_not_checked_is_not_called_plausible() -> None:
    peaks = MeasuredPeaks(1e12, 1e12, "2026-11-22")
    live = of(BenchmarkConfig(), COLD, STEADY, peaks=peaks).verdict
    assert live.kind == "unknown"
    assert live.reason.startswith("the result is not checked yet; ")
    cut = of(BenchmarkConfig(), COLD, STEADY, peaks=peaks, ending=RunOutcome("crashed", "the worker crashed"))
    assert (cut.verdict.kind, cut.verdict.reason) == ("unknown", "the run ended before its result was checked")


def test_the_unknown_memory_of_a_processor_never_reaches_json() -> None:
    environment = Environment(S, {"backend": "cpu", "cores": 2, "cpu_flags": ["avx2"], "clock_max_mhz": 3e3})
    series = Series(config=BenchmarkConfig())
    for record in (environment, COLD, STEADY):
        series.apply(record)
    report = report_of(series)
    assert hard_floor(series) is not None
    assert report.floor is None
    json.dumps(report_json(report, series), allow_nan=False)


def test_times_are_per_product() -> None:
    plan = BenchmarkConfig(method="pipelined", window=10, warmup=10)
    report = of(plan, samples(S, "cold", 0, 9 * MS), samples(S, "steady", 1, *[10 * MS] * 30, wait=[8 * MS] * 30))
    assert report.statistics is not None
    assert (report.cold_ns, report.last_ns, report.statistics.median_ns, report.split) == (0.9 * MS, MS, MS, {"wait": 0.8 * MS})
    assert report.iterations_per_s == pytest.approx(1000)
    assert report.flops_per_s == pytest.approx(plan.workload.flops * 1000)
    assert report.bytes_per_s == pytest.approx(plan.workload.bytes * 1000)


def test_the_handbooks_number_is_its_first_reading() -> None:
    clocks = [HandbookClock(0, 100, total, 1, 121 * MS, 1000) for total in (880_000, 560_000)]
    report = of(BenchmarkConfig(method="handbook"), samples(0, "steady", 0, 880_000, 560_000), *clocks)
    assert report.iteration_ns == 8_800
    assert report.verdict.kind == "impossible"
    assert report.verdict.reason == "1 of 100 products was ever launched, and it had not finished when the clock stopped"


def test_a_known_chip_sets_the_floor_before_any_peak() -> None:
    on_v6e = Environment(0, {"chip": "v6e"})
    report = of(BenchmarkConfig(), on_v6e, COLD, STEADY, PROVED, peaks=PEAKS)
    assert report.floor is not None
    assert report.floor.roof.name == "v6e"
    assert report.floor.ns == pytest.approx(170_000, rel=0.01)
    assert report.share == pytest.approx(report.floor.ns / (100 * MS))


def test_a_product_faster_than_the_chip_is_impossible() -> None:
    report = of(BenchmarkConfig(), Environment(0, {"chip": "v6e"}), samples(0, "steady", 0, *[5_600] * 30), PROVED)
    assert report.verdict.kind == "impossible"
    assert "TFLOP/s" in report.verdict.reason


def test_a_measured_peak_serves_where_the_chip_is_unknown() -> None:
    report = of(BenchmarkConfig(), Environment(0, {"chip": "v99"}), COLD, STEADY, PROVED, peaks=PEAKS)
    assert report.floor is not None
    assert not report.floor.roof.hard
    quick = of(BenchmarkConfig(), samples(0, "steady", 0, *[1000] * 30), PROVED, peaks=PEAKS)
    assert quick.verdict.kind == "suspicious"  # and never impossible


def test_without_a_peak_there_is_no_floor() -> None:
    report = of(BenchmarkConfig(), COLD, STEADY, PROVED)
    assert (report.floor, report.share, report.verdict.kind) == (None, None, "plausible")
    assert of(BenchmarkConfig()).verdict.kind == "unknown"


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (Health(3900 * MS, 10_000, 1.0, 0.0, None), "involuntary context switches/s"),
        (Health(3900 * MS, 60, 9.0, 0.0, None, waited_ns=3000 * MS), "it waited 77 % of the time for a processor"),
        (Health(3900 * MS, 0, 1.0, 0.0, None, throttles=9, throttled_ns=400 * MS), "held it off the processors 10 % of the time"),
        (Health(3900 * MS, 0, 1.0, 0.0, None, stops=1, stopped_ns=6 * S), "the process was stopped for 6.00 s"),
        (Health(3900 * MS, 0, 1.0, 0.0, None, suspended_ns=60 * S), "the machine was suspended for 60"),
        (Health(3900 * MS, 0, 1.0, 12.5, None), "hypervisor took 12.5 %"),
        (Health(3900 * MS, 5, 1.0, 0.5, None), None),
        (Health(3900 * MS, 5, None, None, None), None),
    ],
)
def test_a_disturbed_run_is_flagged(health: Health, says: str | None) -> None:
    report = of(BenchmarkConfig(), COLD, STEADY, health)
    if says is None:
        assert report.disturbed == ()
        assert report.quality.kind != "disturbed"
    else:
        assert says in report.disturbed[0]
        assert f"disturbed: {report.disturbed[0]}" in report.warnings
        assert report.quality.kind == "disturbed"
        assert report.verdict.kind != "impossible"


def test_a_short_run_that_others_interrupt_is_disturbed() -> None:
    quick = Samples(400 * MS, "steady", 0, {"total": array("q", [4 * MS] * 50)})
    assert "300 involuntary context switches/s" in of(BenchmarkConfig(), quick, Health(400 * MS, 60, 1.0, 0.0, None)).disturbed[0]
    assert of(BenchmarkConfig(), quick, Health(400 * MS, 5, 1.0, 0.0, None)).disturbed == ()


def test_a_gap_is_named_even_where_the_system_does_not_tell() -> None:
    stopped = samples(9900 * MS, "steady", 31, 6 * S)
    report = of(BenchmarkConfig(), COLD, STEADY, stopped)
    assert report.disturbed == ("one iteration took 6.00 s, 60 × the median: the process was held up",)


def test_rates_are_iterations_over_time_and_a_rate_at_the_median_says_so() -> None:
    """A few iterations that take long lower the rate, not the median."""
    some = samples(3900 * MS, "steady", 1, *[100 * MS] * 20, *[900 * MS] * 5)
    report = of(BenchmarkConfig(), some)
    assert report.iteration_ns == 100 * MS
    assert report.iterations_per_s == pytest.approx(25 / 6.5)
    assert report.flops_per_s == pytest.approx(25 * report.config.workload.flops / 6.5)
    series = Series()
    series.apply(some)
    found = report_json(report, series)
    assert found["iterations_per_s"] == report.iterations_per_s
    assert found["at_the_median"]["iterations_per_s"] == pytest.approx(10)
    assert found["at_the_median"]["flops_per_s"] > found["flops_per_s"]
    assert found["quality"] == report.quality.to_json()


def test_a_variable_that_turns_float32_into_bfloat16_is_warned_of() -> None:
    report = of(BenchmarkConfig(), Environment(0, {"XLA_USE_BF16": "1", "chip": "v6e"}), COLD, STEADY)
    assert any("XLA_USE_BF16" in warning for warning in report.warnings)


def test_a_rehearsal_is_labelled_so() -> None:
    assert of(BenchmarkConfig(), Environment(0, {"rehearsal": True}), labels=("REPLAY",)).labels == (
        "rehearsal on the CPU: not a TPU",
        "REPLAY",
    )
    assert of(BenchmarkConfig(), Environment(0, {"rehearsal": False})).labels == ()


def json_of(plan: BenchmarkConfig, *records: Record, **more: Any) -> dict[str, Any]:
    series = Series(config=plan)
    for record in records:
        series.apply(record)
    made: dict[str, Any] = json.loads(json.dumps(report_json(report_of(series, **more), series), allow_nan=False))
    return made


def test_the_json_of_a_run_without_iterations_is_complete() -> None:
    made = json_of(BenchmarkConfig(), ending=RunOutcome("unavailable", "no device", "because", "buy one"))
    assert made["schema"] == 1
    assert made["samples_ns"] == {"cold": [], "warmup": [], "steady": []}
    assert made["statistics"] is None
    assert made["verdict"]["kind"] == "unknown"
    assert made["ending"] == {"kind": "unavailable", "title": "no device", "cause": "because", "remedy": "buy one"}


def test_samples_are_whole_nanoseconds_of_each_phase() -> None:
    made = json_of(BenchmarkConfig(warmup=3), COLD, samples(S, "warm-up", 1, 7, 8), samples(S, "steady", 3, 5, 6))
    assert made["samples_ns"] == {"cold": [900 * MS], "warmup": [7, 8], "steady": [5, 6]}


def test_too_many_samples_are_left_out_with_a_note() -> None:
    made = json_of(BenchmarkConfig(warmup=0), COLD, samples(S, "steady", 1, *range(1, SAMPLES_SHOWN + 1)))
    assert len(made["samples_ns"]["steady"]) == SAMPLES_SHOWN
    assert "note" not in made["samples_ns"]
    made = json_of(BenchmarkConfig(warmup=0), COLD, samples(S, "steady", 1, *range(1, SAMPLES_SHOWN + 2)))
    assert made["samples_ns"]["steady"] is None
    assert "--stream" in made["samples_ns"]["note"]
    assert made["statistics"]["n"] == SAMPLES_SHOWN + 1
