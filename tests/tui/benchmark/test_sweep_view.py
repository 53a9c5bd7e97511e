"""The sweep in the Heartbeat pane: asked for, growing point by point, stopped, and what it says at its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import parse_axes
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.session import BenchmarkSession

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRun, Open, Stand, Theatre

MS = 1_000_000
SIZES = [(80, 24), (120, 40)]


def knee_at_90(run: FakeRun) -> None:
    """Beat as a machine with 9 ms of memory and 0.1 ms of arithmetic a row; each run is over at once."""
    run.open()
    run.warm_up()
    run.beat(20, max(9 * MS, round(0.1 * MS * run.config.workload.batch)))
    run.done()


async def sweep(stage: Theatre, values: str = "1..512") -> None:
    """Ask for a sweep of the batch, and see it to its end."""
    await stage.press("w")
    stage.app.screen.query_one("#field-values", Input).value = values
    await stage.settle()
    await stage.press("enter")


@pytest.mark.parametrize("size", SIZES)
async def test_a_sweep_ends_with_its_knee_on_both_charts_and_in_words(theatre: Open, size: tuple[int, int]) -> None:
    async with theatre(knee_at_90, size=size) as stage:
        await sweep(stage)
        assert [run.config.workload.batch for run in stage.stand.runs] == [2**power for power in range(10)]
        assert len({run.label.group for run in stage.stand.runs}) == 1
        text = stage.text()
        assert "TFLOP/s at FLOP/byte" in text
        assert text.count("●") == 20  # each point on either chart
        assert text.count("┊") > 6  # the knee, on both charts
        assert "The knee is at a batch of about" in " ".join(text.split())
        assert {"Sweep", "Clear", "Config"} <= stage.offered()
        await stage.press("y")
        assert stage.app.clipboard.startswith("| batch | median |")
        if size[1] < 34:
            await stage.press("d")
        lines = [line for line in stage.text().splitlines() if re.search(r" 8 +9\.\d+ ms", line)]
        assert lines
        assert all(re.search(r"[✓!✗] ?\w* +[▁-█]? *│", line) for line in lines)  # its badge is whole


async def test_the_points_come_one_by_one_and_stop_keeps_them(theatre: Open) -> None:
    def play(run: FakeRun) -> None:
        if run.config.workload.batch < 4:
            knee_at_90(run)
        else:
            run.open().warm_up().beat(3)

    async with theatre(play) as stage:
        await sweep(stage)
        assert "2 of 10 points so far" in " ".join(stage.text().split())
        assert "sweep: point 3 of 10" in stage.text().splitlines()[0]
        assert stage.text().count("●") == 4
        assert "Stop" in stage.offered()
        await stage.press("s")
        assert stage.run.orders[-1] == "stop"
        stage.run.close()
        await stage.settle()
        assert stage.app.benchmark.session.active is False
        assert stage.text().count("●") == 4  # the one cut short does not count
        assert len(stage.stand.runs) == 3


async def test_again_means_what_was_done_last(theatre: Open) -> None:
    async with theatre(knee_at_90) as stage:
        await sweep(stage, "1,2")
        await stage.press("r")
        assert [run.config.workload.batch for run in stage.stand.runs] == [1, 2, 1, 2]
        assert "roofline, " in stage.text()
        await stage.press("c", "space", "r")
        assert [run.config for run in stage.stand.runs[4:]] == [BenchmarkConfig(), BenchmarkConfig()]


async def test_on_a_low_screen_the_arrows_scroll_the_points(theatre: Open) -> None:
    async with theatre(knee_at_90, size=(80, 24)) as stage:
        await sweep(stage, "1,2,3,…,20")
        await stage.press("d", "home")
        assert re.search(r" 1 +9\.\d+ ms", stage.text())
        assert not re.search(r" 20 +9\.\d+ ms", stage.text())
        await stage.press("end")
        assert re.search(r" 20 +9\.\d+ ms", stage.text())


async def test_a_run_after_a_sweep_has_the_pane_to_itself(theatre: Open) -> None:
    async with theatre(knee_at_90) as stage:
        await sweep(stage, "1,2")
        await stage.press("c", "space")
        await stage.settle()
        assert "roofline, " not in stage.text()
        assert "latency per iteration" in stage.text()


async def test_the_form_says_what_is_wrong_and_remembers_what_was_asked(theatre: Open) -> None:
    async with theatre(knee_at_90) as stage:
        await stage.press("w")
        assert "10 points on this machine's CPU" in stage.text()
        box = stage.app.screen.query_one("#field-values", Input)
        for wrong, says in (("1,2,…,9", "does not meet 9"), ("", "empty value"), ("1,2000000", "batch is 2000000")):
            box.value = wrong
            await stage.settle()
            assert says in " ".join(stage.text().split())
        await stage.press("enter")
        assert not stage.stand.runs
        box.value = "1,3"
        await stage.settle()
        await stage.press("enter")
        assert [run.config.workload.batch for run in stage.stand.runs] == [1, 3]
        await stage.press("w")
        assert stage.app.screen.query_one("#field-values", Input).value == "1,3"


async def test_a_plan_without_an_end_is_not_swept(theatre: Open) -> None:
    async with theatre(knee_at_90, plan=BenchmarkConfig(iterations=None)) as stage:
        await stage.press("w")
        assert "the config has no end" in " ".join(stage.text().split())


async def test_two_axes_make_two_curves_distinct_without_colour(theatre: Open) -> None:
    async with theatre(knee_at_90) as stage:
        await stage.press("w")
        form = stage.app.screen.query_one("#sweep-form")
        form.put("values", "1,16,256")  # type: ignore[attr-defined]
        form.put("second", "dtype")  # type: ignore[attr-defined]
        await stage.settle()
        await stage.press("enter")
        text = stage.text()
        assert len(stage.stand.runs) == 6
        assert "● float32  ▲ bfloat16" in text
        assert "Too few batches" in " ".join(text.split())


def test_what_cannot_begin_is_skipped_and_the_last_refusal_shown(make_stand: type[Stand]) -> None:
    stand = make_stand(knee_at_90)

    def begin(plan: BenchmarkConfig, *label: object) -> FakeRun:
        if plan.workload.batch > 2:
            raise HeartbeatError(f"{plan.workload.batch} does not fit", "It is too large.", "")
        return stand(plan)

    conductor = BenchmarkSession(begin)
    conductor.sweep(BenchmarkConfig(), parse_axes(["batch=1,4,2,8"]))
    conductor.follow()
    with pytest.raises(HeartbeatError, match="8 does not fit"):
        conductor.follow()
    snapshot = conductor.snapshot()
    assert snapshot is not None
    assert snapshot.swept is not None
    assert [point.values["batch"] for point in snapshot.swept.points] == [1, 4, 2, 8]
    assert [point.ns is None for point in snapshot.swept.points] == [False, True, False, True]
    assert conductor.settled
    assert not conductor.active


def test_a_sweep_that_makes_no_sense_starts_nothing(make_stand: type[Stand]) -> None:
    stand = make_stand()
    conductor = BenchmarkSession(stand)
    with pytest.raises(HeartbeatError):
        conductor.sweep(BenchmarkConfig(MatMul(1, 1, 1)), parse_axes(["batch=2000000"]))
    assert not stand.runs
