from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Samples, Stage
from heartbeat_core.benchmark.roofline import MeasuredPeaks
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_tui.benchmark.header import pace
from heartbeat_tui.benchmark.text import clock, config_line, config_sentence, figures, figures_text, findings
from heartbeat_tui.widgets.histogram import bar, progress
from heartbeat_tui.widgets.text import sentence

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRun

Make = Callable[[BenchmarkConfig], "FakeRun"]


def test_a_sentence_leaves_the_names_of_programs_as_they_are() -> None:
    assert sentence("no TPU is here") == "No TPU is here."
    assert sentence("torch_xla is not installed.") == "torch_xla is not installed."


def test_a_plan_in_plain_words() -> None:
    assert config_sentence(BenchmarkConfig()) == (
        "100 iterations of [128×4096]·[4096×16384], float32, on this machine's CPU, synchronized, after 5 warm-up iterations."
    )
    short = BenchmarkConfig(
        MatMul(8, 8, 8, "bfloat16"), backend="xla", method="pipelined", warmup=0, iterations=None, duration_s=30, precision="high"
    )
    assert config_sentence(short) == (
        "30 seconds of iterations of [8×8]·[8×8], bfloat16 at high precision, on torch_xla's device, "
        "pipelined, 10 in flight, without warm-up."
    )
    assert config_sentence(BenchmarkConfig(iterations=1, warmup=1, threads=1)).startswith("1 iteration of [")


def test_a_narrow_line_names_the_most_important() -> None:
    assert (
        config_line(BenchmarkConfig(), {"threads": 2}, 90)
        == "cpu, 2 threads · float32 · [128×4096]·[4096×16384] · synchronized · warm-up 5"
    )
    assert config_line(BenchmarkConfig(), {"threads": 1}, 30) == "cpu, 1 thread · float32"
    assert config_line(BenchmarkConfig(), {}, 2) == "cp"


def test_a_run_without_an_interval_says_why(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig()).open().warm_up().beat(9).done()
    assert "Too few independent samples for an interval. Press e for a longer run." in [text for text, _ in findings(run.report())]


def test_a_run_faster_than_the_peak_names_the_key_that_measures_it_again(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig()).open().warm_up().beat(90)
    assert figures(run.report()).badge == "… checking"
    run.done().peaks = MeasuredPeaks(1e9, 1e9, "2026-11-22")
    (worst, style), *_ = findings(run.report())
    assert worst.startswith("! Suspicious")
    assert worst.endswith("faster than the peak measured on this machine on 2026-11-22. Press k to measure the peak again.")
    assert style == "attention"


def test_figures_before_and_after_the_first_samples(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig())
    assert figures(None).median == "–"
    assert figures(run.open().report()).badge == "–"
    few = figures(run.warm_up().beat(10).report())
    assert few.p95 == "–", "10 samples do not allow a p95"
    many = figures(run.beat(90).done().report())
    assert many.median == "9.62 ms"
    assert many.interval == "9.58–9.65"
    assert many.iqr
    assert many.checked == "result verified"
    assert many.p95 != "–"
    assert many.rate == "104 it/s"
    assert many.badge == "✓ plausible"


def test_the_first_iteration_is_compared_with_the_steady_ones(fake_run: Make) -> None:
    said = [text for text, _ in findings(fake_run(BenchmarkConfig()).open().warm_up().beat(100).done().report())]
    assert any("The first iteration took 6.3" in text for text in said), said
    assert said[0].startswith("✓ Plausible")
    assert said[0].endswith("Press m to compare timing methods.")


def test_before_the_first_iteration_it_says_what_it_waits_for(fake_run: Make) -> None:
    def said(run: FakeRun) -> str:
        return " ".join(text for text, _ in findings(run.report()))

    run = fake_run(BenchmarkConfig())
    assert "Starting the worker …" in said(run)
    run.tell(Stage(1, "import"))
    assert "Loading torch …" in said(run)
    run.open()
    assert "The first iteration …" in said(run)
    assert "Press s again" not in said(run)
    run.stop()
    assert "Stopping after this iteration. Press s again to stop now" in said(run)
    run.finish(RunOutcome("stopped"))
    assert "It ended before its first iteration: nothing was measured." in said(run)
    handbook = fake_run(BenchmarkConfig(method="handbook", iterations=100)).open()
    assert "The handbook's loop over 100 iterations, which says nothing before its end …" in said(handbook)
    handbook.stop()
    assert "Stopping after the handbook's loop." in said(handbook)


@pytest.mark.parametrize(("cold_ms", "said"), [(30, "took 3.00× as long"), (10_200, "took 1,020× as long")])
def test_a_cold_window_is_compared_with_the_steady_windows(fake_run: Make, cold_ms: int, said: str) -> None:
    run = fake_run(BenchmarkConfig(method="pipelined", warmup=0)).open()
    run.tell(Samples(1, "cold", 0, {"total": array("q", [cold_ms * 1_000_000])}))
    run.tell(Samples(2, "steady", 1, {"total": array("q", [10_000_000] * 30)}))
    assert any(said in text for text, _ in findings(run.report()))


def test_the_precision_is_shown_with_what_the_result_check_implies(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig()).open(precision="float32 in 1 bfloat16 pass (default)").warm_up().beat(30)
    assert ("Precision: float32 in 1 bfloat16 pass (default).", "plain") in findings(run.report())
    said = "Precision: float32 in 1 bfloat16 pass (default); result verified: error 4.2e-07, which implies float32 products."
    assert (said, "plain") in findings(run.done().report())


def test_an_interval_is_never_rounded_to_nothing(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig()).open()
    run.tell(Samples(1, "steady", 0, {"total": array("q", [2_570, 2_571, 2_572] * 40)}))
    assert figures(run.report()).interval == "2.571"


def test_the_reason_of_an_end_is_shown_first_and_word_for_word(fake_run: Make) -> None:
    run = fake_run(BenchmarkConfig()).open().warm_up().beat(20)
    run.finish(RunOutcome("crashed", "the worker crashed (SIGSEGV)", "its last words: [red]boom[/", "Run it again."))
    said = findings(run.report())
    assert said[0] == ("✗ The worker crashed (SIGSEGV). Its last words: [red]boom[/. Run it again.", "failed")
    assert any("lausible" in text or "nknown" in text for text, _ in said), "what was measured until then is still judged"


def test_figures_are_copied_with_units_and_what_they_mean(fake_run: Make) -> None:
    text = figures_text(fake_run(BenchmarkConfig()).open().warm_up().beat(100).done().report())
    assert "9.6" in text
    assert "it/s" in text
    assert "✓ Plausible" in text
    assert text.endswith("\n")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (4.4, "0:04"), (63, "1:03"), (3723, "1:02:03"), (-1, "0:00")])
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_bars_fill_their_width_and_show_the_least() -> None:
    assert bar(1, 8) == "█" * 8
    assert bar(0.5, 8) == "████"
    assert bar(1e-9, 8) == "▏"
    assert not bar(0, 8)
    for share in (-1.0, 0.0, 0.33, 1.0, 2.0):
        assert len("".join(progress(share, 20))) == 20


def test_the_heart_keeps_the_pace_of_slow_runs_and_is_capped_for_quick_ones() -> None:
    assert pace(0.5) == 0.5
    assert pace(1) == 1
    assert 1 < pace(10) < pace(100) < 2
    assert pace(1e6) == 2  # a frame for each half of a beat
