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
    from tests.tui.conftest import AppDriver, FakeRun, FakeRuns, Open

MS = 1_000_000
SIZES = [(80, 24), (120, 40)]


def knee_at_90(run: FakeRun) -> None:
    """Beat as a machine with 9 ms of memory and 0.1 ms of arithmetic a row; each run is over at once."""
    run.open()
    run.warm_up()
    run.beat(20, max(9 * MS, round(0.1 * MS * run.config.workload.batch)))
    run.done()


async def sweep(driver: AppDriver, values: str = "1..512") -> None:
    """Ask for a sweep of the batch, and see it to its end."""
    await driver.press("w")
    driver.app.screen.query_one("#field-values", Input).value = values
    await driver.settle()
    await driver.press("enter")


@pytest.mark.parametrize("size", SIZES)
async def test_a_sweep_ends_with_its_knee_on_both_charts_and_in_words(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(knee_at_90, size=size) as driver:
        await sweep(driver)
        assert [run.config.workload.batch for run in driver.fakes.runs] == [2**power for power in range(10)]
        assert len({run.label.group for run in driver.fakes.runs}) == 1
        text = driver.text()
        assert "TFLOP/s at FLOP/byte" in text
        assert text.count("●") == 20  # each point on either chart
        assert text.count("┊") > 6  # the knee, on both charts
        assert "The knee is at a batch of about" in " ".join(text.split())
        assert {"Sweep", "Clear", "Config"} <= driver.offered()
        await driver.press("y")
        assert driver.app.clipboard.startswith("| batch | median |")
        if size[1] < 34:
            await driver.press("d")
        lines = [line for line in driver.text().splitlines() if re.search(r" 8 +9\.\d+ ms", line)]
        assert lines
        assert all(re.search(r"[✓!✗] ?\w* +[▁-█]? *│", line) for line in lines)  # its badge is whole


async def test_the_points_come_one_by_one_and_stop_keeps_them(open_app: Open) -> None:
    def play(run: FakeRun) -> None:
        if run.config.workload.batch < 4:
            knee_at_90(run)
        else:
            run.open().warm_up().beat(3)

    async with open_app(play) as driver:
        await sweep(driver)
        assert "2 of 10 points so far" in " ".join(driver.text().split())
        assert "sweep: point 3 of 10" in driver.text().splitlines()[0]
        assert driver.text().count("●") == 4
        assert "Stop" in driver.offered()
        await driver.press("s")
        assert driver.run.orders[-1] == "stop"
        driver.run.close()
        await driver.settle()
        assert driver.app.benchmark.session.active is False
        assert driver.text().count("●") == 4  # the one cut short does not count
        assert len(driver.fakes.runs) == 3


async def test_again_means_what_was_done_last(open_app: Open) -> None:
    async with open_app(knee_at_90) as driver:
        await sweep(driver, "1,2")
        await driver.press("r")
        assert [run.config.workload.batch for run in driver.fakes.runs] == [1, 2, 1, 2]
        assert "roofline, " in driver.text()
        await driver.press("c", "space", "r")
        assert [run.config for run in driver.fakes.runs[4:]] == [BenchmarkConfig(), BenchmarkConfig()]


async def test_on_a_low_screen_the_arrows_scroll_the_points(open_app: Open) -> None:
    async with open_app(knee_at_90, size=(80, 24)) as driver:
        await sweep(driver, "1,2,3,…,20")
        await driver.press("d", "home")
        assert re.search(r" 1 +9\.\d+ ms", driver.text())
        assert not re.search(r" 20 +9\.\d+ ms", driver.text())
        await driver.press("end")
        assert re.search(r" 20 +9\.\d+ ms", driver.text())


async def test_a_run_after_a_sweep_has_the_pane_to_itself(open_app: Open) -> None:
    async with open_app(knee_at_90) as driver:
        await sweep(driver, "1,2")
        await driver.press("c", "space")
        await driver.settle()
        assert "roofline, " not in driver.text()
        assert "latency per iteration" in driver.text()


async def test_the_form_says_what_is_wrong_and_remembers_what_was_asked(open_app: Open) -> None:
    async with open_app(knee_at_90) as driver:
        await driver.press("w")
        assert "10 points on this machine's CPU" in driver.text()
        box = driver.app.screen.query_one("#field-values", Input)
        for wrong, says in (("1,2,…,9", "does not meet 9"), ("", "empty value"), ("1,2000000", "batch is 2000000")):
            box.value = wrong
            await driver.settle()
            assert says in " ".join(driver.text().split())
        await driver.press("enter")
        assert not driver.fakes.runs
        box.value = "1,3"
        await driver.settle()
        await driver.press("enter")
        assert [run.config.workload.batch for run in driver.fakes.runs] == [1, 3]
        await driver.press("w")
        assert driver.app.screen.query_one("#field-values", Input).value == "1,3"


async def test_a_plan_without_an_end_is_not_swept(open_app: Open) -> None:
    async with open_app(knee_at_90, plan=BenchmarkConfig(iterations=None)) as driver:
        await driver.press("w")
        assert "the config has no end" in " ".join(driver.text().split())


async def test_two_axes_make_two_curves_distinct_without_colour(open_app: Open) -> None:
    async with open_app(knee_at_90) as driver:
        await driver.press("w")
        form = driver.app.screen.query_one("#sweep-form")
        form.put("values", "1,16,256")  # type: ignore[attr-defined]
        form.put("second", "dtype")  # type: ignore[attr-defined]
        await driver.settle()
        await driver.press("enter")
        text = driver.text()
        assert len(driver.fakes.runs) == 6
        assert "● float32  ▲ bfloat16" in text
        assert "Too few batches" in " ".join(text.split())


def test_what_cannot_begin_is_skipped_and_the_last_refusal_shown(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs(knee_at_90)

    def begin(plan: BenchmarkConfig, *label: object) -> FakeRun:
        if plan.workload.batch > 2:
            raise HeartbeatError(f"{plan.workload.batch} does not fit", "It is too large.", "")
        return fakes(plan)

    session = BenchmarkSession(begin)
    session.sweep(BenchmarkConfig(), parse_axes(["batch=1,4,2,8"]))
    session.follow()
    with pytest.raises(HeartbeatError, match="8 does not fit"):
        session.follow()
    snapshot = session.snapshot()
    assert snapshot is not None
    assert snapshot.swept is not None
    assert [point.values["batch"] for point in snapshot.swept.points] == [1, 4, 2, 8]
    assert [point.ns is None for point in snapshot.swept.points] == [False, True, False, True]
    assert session.settled
    assert not session.active


def test_a_sweep_that_makes_no_sense_starts_nothing(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs()
    session = BenchmarkSession(fakes)
    with pytest.raises(HeartbeatError):
        session.sweep(BenchmarkConfig(MatMul(1, 1, 1)), parse_axes(["batch=2000000"]))
    assert not fakes.runs
