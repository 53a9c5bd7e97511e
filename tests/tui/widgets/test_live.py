"""Only rows that differ are drawn while a run beats: what is seen must not depend on what was seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from heartbeat_tui.benchmark.header import Heart

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRun, Open


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (80, 40)])
async def test_a_run_seen_step_by_step_looks_as_if_seen_at_once(theatre: Open, size: tuple[int, int]) -> None:
    def steps(run: FakeRun) -> None:
        run.open()

    async with theatre(steps, size=size) as stage:
        await stage.press("space")
        run = stage.run.warm_up()
        for count, ns in ((1, 9_600_000), (20, 9_600_000), (30, 14_000_000), (49, 9_100_000)):
            run.beat(count, ns)
            await stage.settle()
        run.done()
        await stage.settle()
        step_by_step = stage.text()
        await stage.pilot.resize_terminal(size[0] + 30, size[1])
        await stage.pilot.resize_terminal(*size)
        await stage.settle()
        assert stage.text() == step_by_step


async def test_what_was_hidden_shows_the_present_once_it_is_seen(theatre: Open) -> None:
    async with theatre(lambda run: run.open().warm_up().beat(10), size=(80, 24)) as stage:
        await stage.press("space")
        stage.run.beat(53)
        await stage.settle()
        await stage.pilot.resize_terminal(120, 40)
        await stage.settle()
        assert "68/105" in stage.text()
        assert "dispatch" in stage.text()
        stage.run.beat(1, 99_000_000)
        await stage.settle()
        await stage.pilot.resize_terminal(80, 24)
        await stage.settle()
        assert "69/105" in stage.text()
        await stage.press("d")
        await stage.pilot.resize_terminal(120, 40)
        await stage.settle()
        assert "d Chart" not in stage.text()
        stage.run.beat(36, 14_000_000).done()
        await stage.settle()
        assert "105 in" in stage.text()


@pytest.mark.frames
async def test_the_text_of_what_it_means_can_still_be_selected(theatre: Open) -> None:
    async with theatre(lambda run: run.open().warm_up().beat(50)) as stage:
        await stage.press("space")
        await stage.pilot.mouse_down("#findings Findings", offset=(2, 0))
        await stage.pilot.hover("#findings Findings", offset=(14, 0))
        await stage.pilot.mouse_up("#findings Findings", offset=(14, 0))
        selected = stage.app.screen.get_selected_text()
        assert selected
        assert selected.startswith("The result is")


async def test_the_heart_turns_once_it_is_time_and_stops_with_the_run(theatre: Open) -> None:
    async with theatre(lambda run: run.open().warm_up().beat(50)) as stage:
        stage.app.animation_level = "full"
        await stage.press("space")
        heart = stage.app.screen.query_one(Heart)
        heart.show(beating=False, iterations_per_s=None)  # the app may have turned it already
        heart.show(beating=True, iterations_per_s=1.0)
        seen = []
        for tick in range(8):  # two seconds of frames, one beat a second
            heart.turn(100.0 + tick / 4)
            seen.append("♥" if heart.full else "♡")
        assert "".join(seen) == "♥♥♡♡♥♥♡♡"
        stage.run.done()
        await stage.settle()
        heart.turn(200.0)
        assert heart.full
