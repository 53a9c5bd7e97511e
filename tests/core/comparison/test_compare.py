from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.layer import Layer
from heartbeat_core.benchmark.models import find_model
from heartbeat_core.benchmark.protocol import Ended, Label, PeaksMeasured, Proof, Record, Stage
from heartbeat_core.benchmark.serving import by_measurement
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.comparison.compare import between, change, check, compare
from heartbeat_core.comparison.cost import CostRates
from heartbeat_core.comparison.groups import MeasuredRun, by_plan, costs, group_table, measure, measure_each, price_notes, titles_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.index import Index
from heartbeat_core.units import significant
from heartbeat_core.vms.pricing import Rates

if TYPE_CHECKING:
    from tests.core.conftest import Write

Records = Callable[..., list[Record]]
Make = Callable[..., MeasuredRun]
HANDBOOK = MatMul()


def steady(centre: float, n: int = 100, seed: int = 1, spread: float = 0.03) -> Sequence[int]:
    chance = random.Random(f"{seed} {centre}")
    return [round(centre * (1 + spread * chance.random())) for _ in range(n)]


@pytest.fixture
def make(index: Index, write: Write, records: Records) -> Make:
    """Record a run of these steady times under a name, and read it."""

    def made(
        name: str, times: Sequence[int], *more: Record, group: str = "", turn: str = "", reference: bool = False, **options: Any
    ) -> MeasuredRun:
        path = write([*records(times, **options), *more, Label(9, name, group=group, round=turn, reference=reference)])
        return measure(index.find(str(path)), index.peak_cache)

    return made


def test_a_slower_run_is_said_to_be_slower_by_how_much_and_how_sure(make: Make) -> None:
    found = compare([make("a", steady(1e6))], [make("b", steady(1.6e6))])
    assert found.kind == "slower"
    assert found.ratio.value == pytest.approx(1.6, abs=0.01)
    assert found.sentence.startswith("b takes ")
    assert "more time than a" in found.sentence
    assert "95 % confidence; Mann–Whitney, p < 0.0001" in found.sentence
    assert found.comparable
    assert any("process to process" in warning for warning in found.warnings)
    assert json.dumps(found.to_json(), allow_nan=False)


def test_one_process_on_each_side_claims_no_small_difference_and_shows_it(make: Make) -> None:
    found = compare([make("a", steady(1e6))], [make("b", steady(1.1e6))])
    assert found.kind == "cannot tell"
    assert found.ratio.value == pytest.approx(1.1, abs=0.01)
    assert found.sentence.startswith("one process on each side cannot tell less than 1.5 ×: b takes ")
    assert "10 % more time than a" in found.sentence


def test_devices_far_apart_differ_even_where_a_run_has_no_interval(make: Make) -> None:
    """A run that stays in one of two modes has no interval, and yet it is not as fast as a TPU."""
    modes = [round(1e8 * (1.2 if i // 40 % 2 else 1) * (1 + 0.001 * (i % 7))) for i in range(200)]
    found = compare([make("cpu", modes)], [make("tpu", steady(2e5))])
    assert found.reference.low_ns is None
    assert found.kind == "faster"


def test_the_other_way_round_it_is_faster(make: Make) -> None:
    found = compare([make("a", steady(4e6))], [make("b", steady(1e6))])
    assert found.kind == "faster"
    assert "b is 4.0" in found.sentence.replace("3.9", "4.0")
    assert "× faster than a" in found.sentence


def test_equal_runs_show_no_difference(make: Make) -> None:
    found = compare([make("a", steady(1e6))], [make("b", steady(1e6, seed=2))])
    assert found.kind == "same"
    assert found.sentence.startswith("no difference that these runs can show: b takes ")


def test_runs_that_repeat_one_another_are_compared_by_their_processes(make: Make) -> None:
    before, after = (
        [make("", steady(centre * (1 + 0.01 * i), seed=i), group=name) for i in range(3)] for name, centre in (("a", 1e6), ("b", 2e6))
    )
    found = compare(before, after)
    assert (found.ratio.unit, found.reference.title, found.candidate.title) == ("process", "a", "b")
    assert (found.kind, found.reference.processes, found.reference.n) == ("slower", 3, 300)
    assert "Welch's t" in found.sentence
    assert not any("one process" in warning for warning in found.warnings)


def test_too_few_samples_cannot_tell(make: Make) -> None:
    found = compare([make("a", steady(1e6, n=4))], [make("b", steady(2e6, n=4))])
    assert found.kind == "cannot tell"
    assert "too few" in found.sentence


def test_an_impossible_time_makes_no_ratio(make: Make) -> None:
    found = compare(
        [make("a", steady(1e6), plan=BenchmarkConfig(HANDBOOK, iterations=100))],
        [make("b", steady(5.6e3), chip="v6e", plan=BenchmarkConfig(HANDBOOK))],
    )
    assert found.kind == "cannot tell"
    assert "the time of b is impossible" in found.sentence


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (BenchmarkConfig(MatMul(64)), "shape"),
        (BenchmarkConfig(MatMul(dtype="bfloat16")), "dtype"),
        (BenchmarkConfig(method="pipelined"), "method"),
        (BenchmarkConfig(precision="highest"), "precision asked for"),
    ],
)
def test_other_work_is_said_and_makes_no_regression(make: Make, plan: BenchmarkConfig, what: str) -> None:
    runs = [make("a", steady(1e9))], [make("b", steady(2e9), plan=plan)]
    found = compare(*runs)
    assert not found.comparable
    assert any(warning.startswith(f"{what}: ") and warning.endswith("which is other work") for warning in found.warnings)
    checked = check(*runs, 0.05)
    assert (checked.answer, checked.exit_code) == ("cannot tell", 3)


def test_another_place_is_named_and_does_not_count_as_other_work(make: Make) -> None:
    found = compare([make("a", steady(1e6))], [make("b", steady(1e6), host="other", threads=4, cpu="Z80")])
    assert found.comparable
    assert {difference.what for difference in found.differences} >= {"host", "threads", "processor", "device"}


def test_cpu_against_tpu_says_why(make: Make) -> None:
    cpu = make("cpu", steady(1e8), PeaksMeasured(8, 2.2e11, 2e10), plan=BenchmarkConfig(HANDBOOK))
    tpu = make("tpu", steady(2e5), plan=BenchmarkConfig(HANDBOOK, backend="xla"), chip="v6e", hardware="TPU")
    found = compare([cpu], [tpu], CostRates({"V6E": 2.7}))
    assert found.why.startswith("CPU, 2 threads could do a product in 78.1 ms at best, limited by its arithmetic, and reaches ")
    assert "TPU v6e could do a product in 170 µs at best, limited by its memory, and reaches " in found.why
    assert found.why.endswith("the machines themselves make 459 ×")
    assert found.candidate.usd_per_million == pytest.approx(2.7 * (tpu.report.mean_ns or 0) * 1e6 / 3.6e12)
    assert found.reference.usd_per_million is None


def test_two_models_are_compared_by_their_tokens_and_what_these_cost(make: Make) -> None:
    layer = Layer(find_model("llama-3.1-8b"), batch=8)
    plans = BenchmarkConfig(layer, backend="xla"), BenchmarkConfig(replace(layer, dtype="int8"), backend="xla")
    runs = [
        make(plan.workload.dtype, steady(ns), plan=plan, chip="v6e", hardware="TPU") for plan, ns in zip(plans, (4e5, 2.5e5), strict=True)
    ]
    found = compare([runs[0]], [runs[1]], CostRates({"v6e": 2.7}))
    limit = by_measurement(runs[1].report)
    assert limit is not None
    assert found.candidate.tokens_per_s == pytest.approx(limit.tokens_per_s)
    assert found.candidate.usd_per_million_tokens == pytest.approx(1e6 * 2.7 / 3600 / limit.tokens_per_s)
    assert f"at most {significant(limit.tokens_per_s)} tokens/s against " in found.sentence
    assert "a million tokens against $" in found.sentence
    assert {"tokens/s at most", "a million tokens"} <= {row[0] for row in group_table([found.reference, found.candidate])}


def test_a_rehearsal_is_called_one(make: Make) -> None:
    found = compare([make("a", steady(1e6))], [make("b", steady(2e6), plan=BenchmarkConfig(backend="xla"), hardware="CPU", rehearsal=True)])
    assert "b is a rehearsal on the CPU: not a TPU" in found.warnings
    assert "(a rehearsal)" in found.candidate.where
    assert found.why.startswith("both ran on the same processor: ")
    assert found.why.endswith("no word on a TPU")


def test_a_rehearsal_elsewhere_is_held_against_what_is_known_of_either_machine(make: Make) -> None:
    plan = BenchmarkConfig(backend="xla")
    found = compare([make("a", steady(1e6))], [make("b", steady(2e6), plan=plan, hardware="CPU", rehearsal=True, host="other")])
    assert found.why.startswith("no limit of torch_xla on the CPU (a rehearsal) is known")


def test_what_came_before_the_steady_state_stands_apart(make: Make) -> None:
    found = compare([make("a", steady(1e6), Stage(7, "transfer", 500))], [make("b", steady(1e6, seed=2), Stage(7, "transfer", 1500))])
    assert found.apart("transfer")["ratio"] == 3
    assert (found.apart("cold")["reference_ns"], found.apart("compile")["ratio"]) == (9_000_000, None)


def test_a_run_is_not_compared_with_itself(make: Make) -> None:
    run = make("a", steady(1e6))
    with pytest.raises(HeartbeatError, match="itself"):
        compare([run], [run])
    with pytest.raises(HeartbeatError, match="nothing to compare"):
        compare([run], [])


def test_what_cannot_be_read_cannot_be_compared(index: Index, write: Write, records: Records) -> None:
    for content in (b"rubbish\n", records()[:2]):
        with pytest.raises(HeartbeatError, match="cannot be compared") as refused:
            measure(index.find(str(write(content))), index.peak_cache)
        assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("candidate", "allowed", "answer", "code"),
    [
        (1.10e6, 0.05, "regression", 1),
        (1.10e6, 0.20, "no regression", 0),
        (1.00e6, 0.05, "no regression", 0),
        (0.50e6, 0.00, "no regression", 0),
        (1.00e6, 0.00, "cannot tell", 3),
    ],
)
def test_a_check_answers_with_its_evidence(make: Make, candidate: float, allowed: float, answer: str, code: int) -> None:
    before, after = ([make("", steady(centre, seed=s + i)) for i in range(5)] for s, centre in ((0, 1e6), (9, candidate)))
    checked = check(before, after, allowed)
    assert (checked.answer, checked.exit_code) == (answer, code)
    assert "95 % confidence" in checked.sentence
    assert "allowed" in checked.sentence
    assert checked.to_json()["comparison"]["ratio"]["value"] == checked.comparison.ratio.value


def test_a_check_of_single_processes_is_a_risk_that_somebody_must_take(make: Make) -> None:
    one, other = [make("a", steady(1e6))], [make("b", steady(1.1e6))]
    checked = check(one, other, 0.05)
    assert (checked.answer, checked.exit_code) == ("cannot tell", 3)
    assert "--single-process" in checked.sentence
    risked = check(one, other, 0.05, single_process=True)
    assert risked.answer == "regression"
    assert "At your risk: a is one process" in risked.sentence


def test_a_side_that_is_noisy_drifts_or_has_a_wrong_result_cannot_tell(make: Make) -> None:
    quiet = [make("", steady(1e6, seed=i)) for i in range(5)]
    noisy = [make("", steady(2e6, seed=i, spread=0.5)) for i in range(5)]
    drifting = [make("", [*steady(1e6, n=60, seed=i), *steady(2e6, n=60, seed=i)]) for i in range(5)]
    proof = Proof(8, row=3, error=0.3, implies="no known precision", passed=False, rows=128, results=8)
    wrong = [make("", steady(0.5e6, seed=i), proof) for i in range(5)]
    for side, word in ((noisy, "noisy: IQR"), (drifting, "drifting: from sample"), (wrong, "is wrong, so the ratio")):
        checked = check(quiet, side, 0.05)
        assert checked.answer == "cannot tell"
        assert word in checked.sentence
    assert check(quiet[:1], wrong[:1], 0.05, single_process=True).answer == "cannot tell"


def test_a_process_far_out_is_named_and_left_out(make: Make) -> None:
    before, after = ([make(f"{name}{i}", steady(1e6 * (1 + 0.005 * i), seed=i)) for i in range(5)] for name in "ab")
    after[2] = make("slow", steady(1.5e6))
    found = compare(before, after)
    assert found.kind == "same"
    assert found.candidate.left_out == ("slow",)
    assert any(warning.startswith("slow, a process of") for warning in found.warnings)
    after[3] = make("slow too", steady(1.6e6))
    assert compare(before, after).candidate.left_out == ()  # two of five are no accident


def test_a_check_says_how_many_processes_would_tell(make: Make) -> None:
    before, after = (
        [make("", steady(centre * (1 + 0.02 * (i % 3)), seed=s + i)) for i in range(4)] for s, centre in ((0, 1e6), (9, 1.05e6))
    )
    checked = check(before, after, 0.08)
    assert checked.answer == "cannot tell"
    assert "processes a side" in checked.sentence


def test_a_noisy_check_says_what_would_settle_it(make: Make) -> None:
    sides = [make("a", steady(1e6, n=200, spread=0.5))], [make("b", steady(1e6, n=200, spread=0.5, seed=4))]
    checked = check(*sides, 0.05, single_process=True)
    assert checked.answer == "cannot tell"
    assert "cannot be ruled out" in checked.sentence
    with pytest.raises(HeartbeatError, match="cannot be allowed"):
        check([make("c", steady(1e6))], [make("d", steady(1e6))], -1)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.051, 1.11, "5.1 % to 11 % more"),
        (0.89, 0.949, "5.1 % to 11 % less"),
        (0.991, 1.017, "0.90 % less to 1.7 % more"),
        (1.68, 3.3, "1.68 to 3.30 × slower"),
        (0.25, 0.5, "2.00 to 4.00 × faster"),
        (0.4, 3, "2.50 × faster to 3.00 × slower"),
    ],
)
def test_intervals_read_as_people_say_them(low: float, high: float, words: str) -> None:
    assert between(low, high) == words
    assert change(1) == "0 % more"


def test_a_side_of_different_shapes_names_them_all(make: Make, tmp_path: Path) -> None:
    found = compare([make("a", steady(1e6)), make("b", steady(1e6), plan=BenchmarkConfig(MatMul(64)))], [make("c", steady(1e6))])
    assert "[128×4096]·[4096×16384], [64×4096]·[4096×16384] against" in found.warnings[0]
    mixed, other = ([make("", steady(1e6 * batch), plan=BenchmarkConfig(MatMul(batch))) for batch in order] for order in ((1, 2), (2, 1)))
    refused = compare(mixed, other)
    assert not refused.comparable
    assert refused.kind == "cannot tell"
    assert "did several kinds of work, which differ in shape" in refused.sentence


BF16 = BenchmarkConfig(MatMul(dtype="bfloat16"))


def test_processes_that_took_turns_are_compared_within_their_rounds(make: Make) -> None:
    """The machine drifts by 30 % a round, which says nothing of either."""
    drift = [1.3**number for number in range(4)]
    before = [make("", steady(1e6 * d), group="g", turn=f"x-{n}", reference=True) for n, d in enumerate(drift)]
    after = [make("", steady(1.1e6 * d), group="g", turn=f"x-{n}", plan=BF16) for n, d in enumerate(drift)]
    found = compare(before, after)
    assert (found.kind, found.ratio.test) == ("slower", "paired t over 4 rounds")
    assert found.ratio.low is not None
    assert found.ratio.low > 1.08
    # one that is left out takes its round with it, and what took turns with nobody is compared as processes are
    assert compare(before[1:], after).ratio.test == "paired t over 3 rounds"
    assert compare([*before, make("", steady(1e6), group="g")], after).ratio.test == "Welch's t"
    assert compare([*before, make("", steady(1e6), group="g", turn="x-1")], after).ratio.test == "Welch's t"


def test_the_plan_given_first_is_the_reference_whatever_ran_first(make: Make) -> None:
    runs = [make("", steady(2e6), group="g", turn="x-1", plan=BF16), make("", steady(1e6), group="g", turn="x-1", reference=True)]
    first, second = by_plan(runs)
    assert [run.report.config.workload.dtype for run in (*first, *second)] == ["float32", "bfloat16"]


@pytest.mark.parametrize(
    ("plans", "names"),
    [
        ((BenchmarkConfig(threads=1), BenchmarkConfig()), ("1 thread", "torch's own threads")),
        ((BenchmarkConfig(), BF16, BenchmarkConfig(threads=1)), ("float32, torch's own threads", "bfloat16", "1 thread")),
        ((BenchmarkConfig(), BenchmarkConfig(method="handbook")), ("method synchronized", "method handbook")),
        ((BenchmarkConfig(), BenchmarkConfig(warmup=2)), ("g (1)", "g (2)")),
    ],
)
def test_the_plans_of_a_group_have_the_names_that_bench_gives_them(
    make: Make, plans: Sequence[BenchmarkConfig], names: Sequence[str]
) -> None:
    made = [[make("", steady(1e6), group="g", plan=plan) for _ in range(2)] for plan in plans]
    assert titles_of(made) == tuple(names)


def test_two_folders_of_runs_are_distinguished_by_name(make: Make, tmp_path: Path, index: Index) -> None:
    sides = []
    for name in ("baseline", "candidate"):
        (tmp_path / name).mkdir()
        for number in range(2):
            path = make("", steady(1e6, seed=number)).entry.path
            path.rename(tmp_path / name / path.name)
        sides.append([measure(entry, index.peak_cache) for entry in index.find_all([f"{tmp_path / name}/"])])
    assert titles_of(sides) == ("2 runs, baseline", "2 runs, candidate")


def test_of_several_runs_those_without_figures_are_left_out_and_said(make: Make, write: Write, records: Records, index: Index) -> None:
    whole = make("whole", steady(1e6), group="g", turn="x-1").entry
    cut = write([*records()[:-1], Ended(5, "stopped"), Label(6, "cut", group="g", round="x-2")])
    none = write([*records()[:2], Label(6, "none", group="g")])
    entries = [whole, index.find(str(cut)), index.find(str(none))]
    runs, notes = measure_each(entries, index.peak_cache)
    assert [run.entry.title for run in runs] == ["whole"]
    assert [note.startswith(f"left out: {name} ") for note, name in zip(notes, ("cut", "none"), strict=True)] == [True, True]
    assert len(measure_each([entries[1]], index.peak_cache)[0]) == 1  # asked for by itself it is shown
    with pytest.raises(HeartbeatError, match="cannot be compared"):
        measure_each([entries[2]], index.peak_cache)


@pytest.mark.parametrize(
    ("environment", "usd", "words"),
    [
        ({"tpu_zone": "europe-west4-a", "tpu_provisioning": "spot"}, 1.1, "one chip of v6e, spot in europe-west4, by the list, 2026-11-20"),
        ({}, 2.7, "one chip of v6e, on demand in us-central1, by the list, 2026-11-20"),
        ({"tpu_zone": "europe-west4-a", "tpu_provisioning": "reserved"}, None, ""),
    ],
)
def test_a_recording_that_knows_its_zone_is_priced_there(make: Make, environment: dict[str, str], usd: float | None, words: str) -> None:
    kept = Rates(datetime(2026, 11, 20, tzinfo=timezone.utc), "the list", {"v6e us-central1 on-demand": 2.7, "v6e europe-west4 spot": 1.1})
    tariff = CostRates({}, kept, lambda: "us-central1")
    tpu = make("tpu", steady(2e5), plan=BenchmarkConfig(HANDBOOK, backend="xla"), chip="v6e", hardware="TPU", **environment)
    found = compare([make("cpu", steady(1e8))], [tpu], tariff)
    assert (found.candidate.usd_per_hour, found.candidate.price_source) == (usd, words)
    costs_ = costs((found.reference, found.candidate))
    assert costs_[0] == "unknown rate"
    assert costs_[1] == ("unknown rate" if usd is None else f"${significant(found.candidate.usd_per_million or 0)} at ${usd:.2f}/h")
    assert price_notes((found.candidate,)) == ((f"${usd:.2f}/h is for {words}",) if usd else ())
