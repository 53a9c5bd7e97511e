"""Only rows that differ are drawn while a run beats: what is seen must not depend on what was seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from heartbeat_tui.benchmark.header import Heart

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRun, Open


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (80, 40)])
async def test_a_run_seen_step_by_step_looks_as_if_seen_at_once(open_app: Open, size: tuple[int, int]) -> None:
    def steps(run: FakeRun) -> None:
        run.open()

    async with open_app(steps, size=size) as driver:
        await driver.press("space")
        run = driver.run.warm_up()
        for count, ns in ((1, 9_600_000), (20, 9_600_000), (30, 14_000_000), (49, 9_100_000)):
            run.beat(count, ns)
            await driver.settle()
        run.done()
        await driver.settle()
        step_by_step = driver.text()
        await driver.pilot.resize_terminal(size[0] + 30, size[1])
        await driver.pilot.resize_terminal(*size)
        await driver.settle()
        assert driver.text() == step_by_step


async def test_what_was_hidden_shows_the_present_once_it_is_seen(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(10), size=(80, 24)) as driver:
        await driver.press("space")
        driver.run.beat(53)
        await driver.settle()
        await driver.pilot.resize_terminal(120, 40)
        await driver.settle()
        assert "68/105" in driver.text()
        assert "dispatch" in driver.text()
        driver.run.beat(1, 99_000_000)
        await driver.settle()
        await driver.pilot.resize_terminal(80, 24)
        await driver.settle()
        assert "69/105" in driver.text()
        await driver.press("d")
        await driver.pilot.resize_terminal(120, 40)
        await driver.settle()
        assert "d Chart" not in driver.text()
        driver.run.beat(36, 14_000_000).done()
        await driver.settle()
        assert "105 in" in driver.text()


@pytest.mark.frames
async def test_the_text_of_what_it_means_can_still_be_selected(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(50)) as driver:
        await driver.press("space")
        await driver.pilot.mouse_down("#findings Findings", offset=(2, 0))
        await driver.pilot.hover("#findings Findings", offset=(14, 0))
        await driver.pilot.mouse_up("#findings Findings", offset=(14, 0))
        selected = driver.app.screen.get_selected_text()
        assert selected
        assert selected.startswith("The result is")


async def test_the_heart_turns_once_it_is_time_and_stops_with_the_run(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(50)) as driver:
        driver.app.animation_level = "full"
        await driver.press("space")
        heart = driver.app.screen.query_one(Heart)
        heart.show(beating=False, iterations_per_s=None)  # the app may have turned it already
        heart.show(beating=True, iterations_per_s=1.0)
        seen = []
        for tick in range(8):  # two seconds of frames, one beat a second
            heart.turn(100.0 + tick / 4)
            seen.append("♥" if heart.full else "♡")
        assert "".join(seen) == "♥♥♡♡♥♥♡♡"
        driver.run.done()
        await driver.settle()
        heart.turn(200.0)
        assert heart.full
