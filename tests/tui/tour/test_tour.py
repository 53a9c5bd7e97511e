"""The tour in the Heartbeat pane."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.tui.conftest import FakeRun

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.replay import Replay
from heartbeat_core.settings import Settings
from heartbeat_core.tour.tour import steps
from heartbeat_tui.commands.tour import without_screen

if TYPE_CHECKING:
    from tests.tui.conftest import Open


def without_xla(backend: str) -> str:
    return "torch_xla is not installed here." if backend == "xla" else ""


def steady(run: FakeRun) -> None:
    run.open().warm_up().beat(45).done()


async def test_a_step_is_run_explained_and_left_for_the_next(open_app: Open) -> None:
    async with open_app(steady) as driver:
        await driver.press("g")
        assert "the tour, 1 of 6" in driver.text()
        assert not driver.fakes.runs
        await driver.press("n")
        assert driver.run.config == steps()[0].config
        assert "One iteration takes 9.6" in driver.text()
        await driver.press("n")
        assert "the tour, 2 of 6" in driver.text()
        await driver.press("b")
        assert "One iteration takes 9.6" in driver.text()  # what was measured stays


async def test_the_tour_can_be_left_at_any_time_and_the_config_is_as_before(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(3)) as driver:
        before = driver.app.heartbeat_pane.config
        await driver.press("g", "n")
        assert "look at" in driver.text()
        await driver.press("escape")
        assert "the tour" not in driver.text()
        assert driver.app.benchmark.session.active  # the run goes on
        assert driver.app.heartbeat_pane.config == before
        await driver.press("s")


async def test_the_tour_opens_after_a_run_and_shows_what_its_steps_point_at(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(50).done(), size=(80, 24)) as driver:
        await driver.press("space", "z")
        assert "◆" not in driver.text()
        await driver.press("g", "n")
        assert "◆" in driver.text()  # the cold iteration
        await driver.press("n")
        await driver.press("n")
        assert "GB/s" in driver.line("it/s")  # of one row


async def test_a_step_is_not_left_while_it_runs(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(3)) as driver:
        await driver.press("g", "n", "n")
        assert "the tour, 1 of 6" in driver.text()
        assert len(driver.fakes.runs) == 1


async def test_where_torch_xla_is_missing_a_recording_stands_in_and_says_so(open_app: Open) -> None:
    async with open_app(steady) as driver:
        driver.app.backend_problem = without_xla
        driver.app.play = lambda path: Replay(path, speed=1e9).start()
        await driver.press("g", "n", "n", "n", "n")
        assert "the tour, 3 of 6" in driver.text()
        assert "torch_xla is not installed here." in driver.text()
        assert "Install torch_xla" in driver.text()
        await driver.press("v")
        replay = driver.app.benchmark.session.run
        assert replay is not None
        replay.wait()
        await driver.settle()
        assert "REPLAY" in driver.text()
        assert "compilation took" in driver.text()


async def test_what_was_done_before_the_tour_is_not_what_is_done_again_in_it(open_app: Open) -> None:
    async with open_app(steady) as driver:
        await driver.press("m")
        await driver.press("c", "g")
        assert driver.app.heartbeat_pane.again == driver.app.heartbeat_pane.begin


async def test_on_a_low_screen_the_keys_stay_and_what_came_out_is_in_sight(open_app: Open) -> None:
    async with open_app(steady, size=(80, 24)) as driver:
        driver.app.backend_problem = without_xla
        await driver.press("g", "n", "n", "n")
        assert "the tour, 2 of 6" in driver.text()
        assert "another row costs almost nothing" in " ".join(driver.text().replace("│", " ").split())
        assert "esc  Leave" in driver.text()
        assert "A CPU reads weights" not in driver.text()
        await driver.press(*["up"] * 9)
        assert "A CPU reads weights" in driver.text()
        await driver.press("n")
        assert "the tour, 3 of 6" in driver.text()
        shown = " ".join(driver.text().replace("│", " ").split())
        for words in ("v Replay i Install torch_xla n Skip b Back esc Leave", "needs 8 GB on disk, and asks first."):
            assert words in shown


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_guide_and_chart_both_have_room_on_a_small_screen(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(steady, size=size) as driver:
        await driver.press("g", "n")
        text = driver.text()
        assert "the tour, 1 of 6" in text
        assert "Next" in text
        assert "latency per iteration" in text
        assert "┬" in text  # the axis of a chart that has room
        foot = f"{text.splitlines()[-1]} "
        assert all(f"{key} " in foot for key in ("n Next", "esc Leave", "r Again", "? Help", "q Quit"))


class Played(Launcher):
    """Its runs on the CPU are made up; torch_xla is missing."""

    def lacks(self, backend: str) -> str:
        return "" if backend == "cpu" else "torch_xla is not installed here."

    def with_peaks(self, config: BenchmarkConfig) -> BenchmarkConfig:
        return config

    def start(self, config: BenchmarkConfig, *_: Any, **__: Any) -> Any:
        run = FakeRun(config)
        steady(run)
        return run


def test_without_a_screen_every_step_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Played(Settings())) as launcher:
        assert without_screen(launcher, as_json=True) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["schema"] == 1
    assert [step["name"] for step in told["steps"]] == [step.name for step in steps()]
    assert told["steps"][0]["report"]["statistics"]["median_ns"] > 0
    assert "A recording is replayed instead." in said.err
