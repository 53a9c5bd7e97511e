from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import Precision
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.layer import Layer, ModelShape
from heartbeat_core.benchmark.protocol import HandbookClock, Proof
from heartbeat_core.benchmark.roofline import Floor, MeasuredPeaks, floor, roof_of_chip, roof_of_peaks
from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.statistics import Statistics, summarize
from heartbeat_core.benchmark.steady_state import SteadyState
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.verdict import Quality, Verdict, judge, quality_of
from heartbeat_core.benchmark.workload import MatMul

HANDBOOK = MatMul()
SMALL = MatMul(128, 1024, 1024)
HELD = Proof(0, row=17, error=4e-7, implies="float32", passed=True, executed=100, expected=100)
MS = 1e6


def under(name: str, work: MatMul = HANDBOOK, dtype: Dtype = "float32", precision: Precision = "default") -> Floor:
    chip = chip_by_name(name)
    assert chip is not None
    return floor(work, roof_of_chip(chip, dtype, precision))


def peaks(work: MatMul = HANDBOOK) -> Floor:
    return floor(work, roof_of_peaks(MeasuredPeaks(2e12, 30e9, "2026-11-22")))


def clock(launched: int, *, fence_ns: int = 121_000_000) -> HandbookClock:
    return HandbookClock(0, products=100, total_ns=880_000, launched=launched, fence_ns=fence_ns, idle_fence_ns=10_000)


def verdict(
    median_ns: float | None,
    least: Floor | None = None,
    *,
    work: MatMul = HANDBOOK,
    proof: Proof | None = None,
    handbook: HandbookClock | None = None,
    hard: Floor | None = None,
) -> Verdict:
    return judge(workload=work, median_ns=median_ns, floor=least, proof=proof, handbook=handbook, hard=hard)


def test_the_handbooks_number_on_a_v6e_is_impossible() -> None:
    assert verdict(0.0056 * MS, under("v6e")) == Verdict("impossible", "would need 3,067 TFLOP/s, a v6e peaks at 918")


def test_the_peak_of_more_passes_says_so() -> None:
    found = verdict(0.1 * MS, under("v6e", precision="highest"))
    assert found == Verdict("impossible", "would need 171.7 TFLOP/s, a v6e at 6 passes peaks at 153")


@pytest.mark.parametrize(
    ("launched", "fence_ns", "said"),
    [
        (1, 121_000_000, "1 of 100 products was ever launched, and it had not finished when the clock stopped"),
        (3, 121_000_000, "3 of 100 products were ever launched, and they had not finished when the clock stopped"),
        (1, 0, "1 of 100 products was ever launched"),
        (0, 121_000_000, "none of 100 products was ever launched"),
    ],
)
def test_products_never_launched_are_impossible_whatever_the_proof(launched: int, fence_ns: int, said: str) -> None:
    found = verdict(8800, peaks(), handbook=clock(launched, fence_ns=fence_ns), proof=HELD)
    assert found == Verdict("impossible", said)


def test_products_the_device_did_not_execute_are_impossible() -> None:
    found = verdict(100 * MS, peaks(), proof=replace(HELD, executed=37, passed=False))
    assert found == Verdict("impossible", "the device launched 37 of 100 products by its own count")


@pytest.mark.parametrize(("fence_us", "finished"), [(38, True), (170, False)])
def test_a_v6es_170_microseconds_are_seen_behind_the_clock(fence_us: int, finished: bool) -> None:
    assert HandbookClock(0, 100, 560_000, 1, 1000 * fence_us, 20_000).finished == finished


def test_a_clock_that_stopped_early_is_suspicious() -> None:
    assert verdict(100 * MS, peaks(), handbook=clock(100)) == Verdict("suspicious", "the clock stopped 121 ms before the work did")


def test_a_clock_that_waited_is_judged_by_its_time() -> None:
    assert verdict(100 * MS, peaks(), handbook=clock(100, fence_ns=0)).kind == "plausible"


def test_under_the_floor_of_memory_only_the_bytes_beyond_the_chip_refute() -> None:
    """A v6e holds back 128 of 266 MiB at most: the other 138 take 0.0883 ms."""
    reason = "would need 1,663 GB/s even if 128 MiB stayed on the chip, the memory of a v6e gives 1,638"
    assert verdict(0.087 * MS, under("v6e")) == Verdict("impossible", reason)
    assert verdict(0.15 * MS, under("v6e")).kind == "suspicious"


@pytest.mark.parametrize(("name", "work"), [("v6e", SMALL), ("v5p", HANDBOOK)])
def test_under_the_floor_of_memory_is_suspicious_where_it_might_fit(name: str, work: MatMul) -> None:
    """It fits into the 128 MiB of a v6e; how much fits on a v5p is not known here."""
    least = under(name, work)
    assert least.bound == "memory"
    found = verdict((least.compute_ns + least.memory_ns) / 2, least, work=work, proof=HELD)
    assert found.kind == "suspicious"
    assert "only data kept on the chip" in found.reason


def test_published_figures_are_rounded_so_nothing_hangs_on_their_last_digit() -> None:
    least = under("v6e")
    assert verdict(least.ns * 0.995, least).kind == "plausible"
    assert verdict(least.ns * 0.985, least).kind == "suspicious"
    assert "TFLOP/s" not in verdict(least.compute_ns * 0.995, least).reason
    assert verdict(least.compute_ns * 0.985, least).reason.endswith("TFLOP/s, a v6e peaks at 918")


@given(st.floats(1e-3, 1e12))
def test_a_measured_peak_never_makes_a_number_impossible(median_ns: float) -> None:
    found = verdict(median_ns, peaks(), proof=HELD)
    assert found.kind == ("suspicious" if peaks().ns / median_ns > 1.05 else "plausible")


@given(st.floats(1e-3, 1e12), st.sampled_from(["v2", "v3", "v4", "v5e", "v5p", "v6e", "7x"]))
def test_nothing_above_its_hard_floor_is_called_impossible(median_ns: float, name: str) -> None:
    least = under(name)
    found = verdict(median_ns, least, proof=HELD)
    assert (found.kind == "plausible") == (median_ns >= 0.99 * least.ns)
    assert not math.isnan(median_ns)
    assert "\n" not in found.reason


def test_data_that_stays_in_the_caches_is_not_held_against_the_memory() -> None:
    work = MatMul(1, 512, 512)
    least = floor(work, roof_of_peaks(MeasuredPeaks(2e12, 30e9, "2026-11-22"), cache_bytes=32 * 2**20))
    reason = "147 % of the peak measured on this machine on 2026-11-22; that was of its memory, and the caches hold this product's data"
    assert verdict(least.ns / 1.47, least, work=work, proof=HELD) == Verdict("plausible", reason)
    assert verdict(least.compute_ns / 1.47, least, work=work, proof=HELD).kind == "suspicious"
    large = floor(HANDBOOK, roof_of_peaks(MeasuredPeaks(2e12, 30e9, "2026-11-22"), cache_bytes=32 * 2**20))
    assert verdict(large.ns / 1.47, large, proof=HELD).kind == "suspicious"


def test_no_cache_excuses_weights_that_are_cold() -> None:
    for weights, kind in (("hot", "plausible"), ("cold", "suspicious")):
        layer = Layer(ModelShape("any", 512, 1024, 8, 8, 64, layers=1, vocabulary=512), context=64, weights=weights)  # type: ignore[arg-type]
        least = floor(layer, roof_of_peaks(MeasuredPeaks(2e12, 30e9, "2026-11-22"), cache_bytes=256 * 2**20))
        assert judge(workload=layer, median_ns=least.ns / 2, floor=least, proof=HELD, handbook=None).kind == kind


def test_a_rate_above_the_peak_is_suspicious() -> None:
    found = verdict(peaks().ns / 1.12, peaks(), proof=HELD)
    reason = "12 % faster than the peak measured on this machine on 2026-11-22"
    assert found == Verdict("suspicious", reason)


@pytest.mark.parametrize(
    ("error", "said"),
    [(None, "row 17 holds NaN or infinity"), (0.32, "row 17 is off by 32.0 % of its largest value")],
)
def test_a_failed_proof_is_suspicious_and_says_why(error: float | None, said: str) -> None:
    found = verdict(100 * MS, peaks(), proof=replace(HELD, error=error, passed=False))
    assert found.kind == "suspicious"
    assert said in found.reason


def test_a_share_of_the_peak_is_plausible() -> None:
    found = verdict(peaks().ns / 0.71, peaks(), proof=HELD)
    assert found == Verdict("plausible", "71 % of the peak measured on this machine on 2026-11-22; its memory sets the limit")


def test_a_share_of_a_chip_of_two_devices_says_so() -> None:
    assert verdict(under("7x").ns / 0.48, under("7x")).reason == (
        "48 % of the best a 7x could do, of which a device is one of 2; its memory sets the limit"
    )


def test_without_a_peak_the_proof_speaks() -> None:
    reason = "every product was waited for, row 17 of the last result was checked; no peak measured here yet"
    assert verdict(100 * MS, proof=HELD) == Verdict("plausible", reason)


def statistics_of(relative_iqr: float = 0.01, *, modes_apart: float = 0.0) -> Statistics:
    values = (100_000_000, *(round(100_000_000 * (1 + relative_iqr * side)) for side in (-0.5, 0.5) for _ in range(30)))
    store = SampleStore()
    store.extend(array("q", values))
    found = replace(summarize(store), relative_iqr=relative_iqr, modes=modes_apart > 0, modes_apart=modes_apart)
    return replace(found, median_low_ns=None, median_high_ns=None) if modes_apart else found


SLOWDOWN = SteadyState("slowdown", 0, 0.1, "from sample 41 on the run is 10 % slower than before")
WRONG = Proof(0, 7, 0.2, "no known precision", passed=False, rows=128, results=2)


def test_the_quality_is_the_worst_of_what_was_found_with_all_reasons() -> None:
    plausible = Verdict("plausible", "67 % of the peak")
    suspicious = Verdict("suspicious", "faster than the peak")
    noisy = statistics_of(0.31)
    assert quality_of(plausible, statistics=statistics_of()) == Quality("plausible", ("67 % of the peak",))
    assert quality_of(plausible, statistics=noisy) == Quality("noisy", ("IQR 31 % of the median",))
    assert quality_of(plausible, statistics=noisy, disturbances=["busy"]).kind == "disturbed"
    assert quality_of(plausible, statistics=noisy, disturbances=["busy"], steady=SLOWDOWN).kind == "drifting"
    assert quality_of(suspicious, statistics=noisy, steady=SLOWDOWN).kind == "suspicious"
    assert quality_of(suspicious, proof=WRONG, statistics=noisy).kind == "wrong result"
    worst = quality_of(Verdict("impossible", "too fast"), proof=WRONG, statistics=noisy, steady=SLOWDOWN, disturbances=["busy"])
    assert worst.kind == "impossible"
    assert worst.reasons[0] == "too fast"
    assert worst.reasons[2:] == (SLOWDOWN.sentence, "busy", "IQR 31 % of the median")
    assert worst.to_json() == {"kind": "impossible", "reasons": list(worst.reasons)}


@pytest.mark.parametrize(
    ("apart", "reasons"),
    [
        (0.02, ("67 % of the peak",)),
        (0.08, ("the times go to and fro between two modes, 8.0 % apart",)),
        (30.2, ("the times go to and fro between two modes, 31 × apart",)),
    ],
)
def test_two_modes_are_noise_where_they_lie_far_enough_apart_to_matter(apart: float, reasons: tuple[str, ...]) -> None:
    assert quality_of(Verdict("plausible", "67 % of the peak"), statistics=statistics_of(modes_apart=apart)).reasons == reasons


def test_a_noisy_run_that_is_not_judged_yet_is_noisy_and_one_that_is_quiet_is_unknown() -> None:
    unknown = Verdict("unknown", "nothing has been measured yet")
    assert quality_of(unknown, statistics=statistics_of(0.31)).kind == "noisy"
    assert quality_of(unknown).kind == "unknown"


@pytest.mark.parametrize(("left_ns", "kind"), [(None, "plausible"), (20 * MS, "plausible"), (1407 * MS, "impossible")])
def test_work_that_the_fence_left_behind_refutes(left_ns: int | None, kind: str) -> None:
    found = verdict(100 * MS, peaks(), proof=replace(HELD, rows=128, results=3, left_ns=left_ns))
    assert found.kind == kind
    if kind == "impossible":
        assert found.reason == "1.41 s of work, 14 × an iteration, was left when the fence returned"


def test_a_hard_peak_of_the_machine_refutes_where_its_measured_one_only_casts_doubt() -> None:
    hard = floor(HANDBOOK, replace(roof_of_peaks(MeasuredPeaks(4e12, 60e9, "2026-11-22")), hard=True, name="2-core CPU"))
    assert verdict(5 * MS, peaks()).kind == "suspicious"
    assert verdict(2 * MS, peaks(), hard=hard).kind == "impossible"
    assert verdict(100 * MS, peaks(), hard=hard).kind == "plausible"


def test_an_older_recording_is_judged_by_the_row_it_holds() -> None:
    assert "row 17 of the last result" in verdict(100 * MS, proof=HELD).reason
    assert "all 128 rows of 3 results" in verdict(100 * MS, proof=replace(HELD, rows=128, results=3)).reason


def test_what_is_not_known_is_unknown() -> None:
    assert verdict(None, under("v6e")) == Verdict("unknown", "nothing has been measured yet")
    assert verdict(100 * MS).kind == "unknown"


def test_no_time_at_all_is_suspicious() -> None:
    assert verdict(0, under("v6e"), proof=HELD).kind == "suspicious"
