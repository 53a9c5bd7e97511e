from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.waiting import until
from textual.widgets import Input

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Stage
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from tests.tui.conftest import FakeRun, FakeRuns, Open

SIZES = [(80, 24), (120, 40), (160, 50), (80, 40), (120, 24), (60, 18)]


def live(run: FakeRun) -> FakeRun:
    return run.open().warm_up().beat(63)


def over(run: FakeRun) -> FakeRun:
    return run.open().warm_up().beat(100).done()


def both(run: FakeRun) -> FakeRun:
    return run.open().handbook().done() if run.config.method == "handbook" else over(run)


@pytest.mark.parametrize("size", SIZES)
async def test_what_would_run_is_said_and_then_drawn_at_every_size(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(live, size=size) as driver:
        shown = driver.text()
        assert "100 iterations of [128×4096]·[4096×16384]" in shown
        assert "space  Start" in shown
        assert driver.offered() == {"Start", "Config", "Methods", "Sweep", "Tour", "Help", "Quit"}
        assert not driver.fakes.runs
        await driver.press("space")
        shown = driver.text()
        assert "it/s" in shown
        assert "◆" in shown
        assert "┬" in shown
        assert "68/105" in shown
        assert max(map(len, shown.splitlines())) <= size[0]


async def test_a_run_that_is_not_saved_says_so_at_once_and_goes_on(open_app: Open) -> None:
    def unsaved(run: FakeRun) -> None:
        run.notes.append("the run is not saved: No space left on device")
        live(run)

    async with open_app(unsaved) as driver:
        await driver.press("space")
        assert "the run is not saved" in driver.words()
        assert "68/105" in driver.text()
        driver.run.beat(37).done()
        await driver.settle()
        await driver.press("r")
        assert len(driver.fakes.runs) == 2
        assert len(driver.app._notifications) == 1


async def test_a_terminal_too_small_says_what_is_needed_and_a_larger_one_is_filled(open_app: Open) -> None:
    async with open_app(live, size=(59, 17)) as driver:
        assert "heartbeat-tui needs 60 columns and 18 rows; this terminal has 59 and 17." in " ".join(driver.text().split())
        assert "Start" not in driver.text()
        await driver.pilot.resize_terminal(80, 24)
        await driver.press("space")
        assert "◆" in driver.text()
        await driver.pilot.resize_terminal(160, 50)
        await driver.settle()
        shown = driver.text()
        assert "findings" in shown


async def test_the_life_of_a_run_by_keys(open_app: Open) -> None:
    async with open_app(live) as driver:
        await driver.press("space")
        assert {"Pause", "Stop"} <= driver.offered()
        assert not {"Start", "Again", "Config", "Clear"} & driver.offered()
        await driver.press("space")
        assert driver.run.orders == ["pause"]
        assert "paused" in driver.text()
        assert "Resume" in driver.offered()
        await driver.press("space", "s")
        assert driver.run.orders == ["pause", "resume", "stop"]
        driver.run.finish(RunOutcome("stopped"))
        await driver.settle()
        assert "stopped · 68" in driver.text()
        assert {"Again", "Config", "Methods", "Clear"} <= driver.offered()
        await driver.press("r")
        assert len(driver.fakes.runs) == 2
        assert not driver.run.config.calibrate
        driver.run.finish(RunOutcome("stopped"))
        await driver.settle()
        await driver.press("k")
        assert driver.run.config.calibrate
        driver.run.finish(RunOutcome("stopped"))
        await driver.settle()
        await driver.press("c")
        assert "space  Start" in driver.text()


async def test_a_run_that_goes_on_after_a_stop_can_be_ended_at_once(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heartbeat_tui.benchmark.pane.PATIENCE_S", 3600.0)
    async with open_app(live) as driver:
        await driver.press("space", "s", "s")  # twice by mistake: its proof still counts
        assert driver.run.orders == ["stop"]
        assert "stopping" in driver.text()
        assert not {"Stop", "End now", "Pause"} & driver.offered()
    monkeypatch.setattr("heartbeat_tui.benchmark.pane.PATIENCE_S", 0.01)
    async with open_app(live) as driver:
        await driver.press("space", "s")
        await until(lambda: "End now" in driver.offered(), "the offer to end it at once")
        await driver.settle()
        assert "Press s again" in " ".join(driver.text().split())
        await driver.press("s")
        assert driver.run.orders == ["stop", "kill"]
        assert "stopped · 68" in driver.text()
        assert "Again" in driver.offered()


async def test_what_can_be_done_with_a_run_that_is_over(open_app: Open) -> None:
    async with open_app(over) as driver:
        await driver.press("space")
        assert not driver.app.benchmark.timer._active.is_set()  # nothing is to come
        assert "Details" not in driver.offered()
        assert "findings" in driver.text()
        assert "(log)" in driver.text()
        await driver.press("l")
        assert "(linear)" in driver.text()
        await driver.press("l", "z")
        assert "◆" not in driver.text()
        assert "Whole run" in driver.offered()
        await driver.press("z")
        assert "◆" in driver.text()
        await driver.press("y")
        assert "✓ Plausible" in driver.app.clipboard


async def test_details_take_the_place_of_the_chart_on_a_low_screen(open_app: Open) -> None:
    async with open_app(over, size=(80, 24)) as driver:
        await driver.press("space")
        assert "findings" not in driver.text()
        await driver.press("d")
        assert "findings" in driver.text()
        assert "steady state" in driver.text()
        await driver.press("d")
        assert "◆" in driver.text()


async def test_both_clocks_side_by_side(open_app: Open) -> None:
    async with open_app(both) as driver:
        await driver.press("m")
        shown = driver.text()
        assert [run.config.method for run in driver.fakes.runs] == ["handbook", "synchronized"]
        assert "8.40 µs per iteration" in shown
        assert "100 traced · 1 launched · 0 finished at the stop" in shown
        assert "✗ impossible" in shown
        assert "✓ plausible" in shown
        assert "The loop overwrites its result" in shown


async def test_a_plan_is_checked_as_one_types_and_started_with_enter(open_app: Open) -> None:
    async with open_app(live) as driver:
        await driver.press("e", "9", "escape")
        assert "[128×4096]" in driver.text()  # as it was
        await driver.press("e", "0")
        assert "batch is 0" in driver.text()
        await driver.press("enter")
        assert not driver.fakes.runs
        await driver.press("backspace", "6", "4")
        assert "batch is" not in driver.text()
        assert "100 iterations of [64×4096]" in driver.text()
        await driver.press("enter")
        assert driver.run.config.workload.batch == 64
        assert not driver.app.heartbeat_pane.query("ConfigForm")


async def test_letters_in_the_form_are_no_commands(open_app: Open) -> None:
    async with open_app() as driver:
        await driver.press("e", "q", "space", "m")
        assert driver.app.heartbeat_pane.query_one("#field-batch", Input).value == "q m"
        driver.app.heartbeat_pane.query_one("#field-dtype").focus()
        await driver.press("q", "4")  # no keys of the app either
        assert driver.app.heartbeat_pane.query("ConfigForm")
        assert driver.app.current_mode == "heartbeat"
        assert not driver.fakes.runs


async def test_a_config_that_is_refused_leaves_the_old_one_in_force(open_app: Open) -> None:
    def refuse(run: FakeRun) -> None:
        raise HeartbeatError("there is no such backend", "It is not installed.", "Install it.")

    async with open_app(refuse) as driver:
        await driver.press("e", "9", "enter")
        assert driver.app.heartbeat_pane.config == BenchmarkConfig()
        assert "[128×4096]" in driver.text()


async def test_leaving_asks_during_a_run_and_ends_it(open_app: Open) -> None:
    async with open_app(live) as driver:
        await driver.press("space", "q")
        assert "Leave while a run is on its way?" in driver.text()
        await driver.press("n")
        assert driver.run.orders == []
        await driver.press("ctrl+c")
        await driver.pilot.press("enter")
        await until(lambda: driver.app._exit, "the end of the app")
        assert driver.run.orders[0] == "close"


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_does_not_ask_without_a_run(open_app: Open, key: str) -> None:
    async with open_app(over) as driver:
        await driver.press("space")
        await driver.pilot.press(key)
        await until(lambda: driver.app._exit, "the end of the app")


async def test_a_run_that_cannot_start_is_explained(open_app: Open) -> None:
    def refuse(run: FakeRun) -> None:
        raise HeartbeatError("it does not fit", "It needs [17] GiB.", "Make it smaller.")

    async with open_app(refuse) as driver:
        await driver.press("space")
        shown = driver.text()
        assert "it does not fit" in shown
        assert "It needs [17] GiB." in shown
        assert "Start" in driver.offered()


async def test_a_key_that_does_nothing_now_says_why_once(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(9)) as driver:
        await driver.press("s", "s", "space", "e")
        said = [notification.message for notification in driver.app._notifications]
        assert said == ["There is no run: press space to start one.", "A run is on: press s to stop it."]


async def test_an_unexpected_error_is_shown_and_does_not_end_the_app(open_app: Open) -> None:
    def stumble(run: FakeRun) -> None:
        raise ZeroDivisionError("[oh] no")

    async with open_app(stumble) as driver:
        await driver.press("space")
        assert "ZeroDivisionError: [oh] no" in driver.text()
        assert driver.app.is_running


async def test_a_crash_keeps_its_samples_and_its_words(open_app: Open) -> None:
    def crash(run: FakeRun) -> None:
        live(run).finish(RunOutcome("crashed", "the worker crashed (SIGSEGV)", "Its last words: [bold]x[/]", "Run it again."))

    async with open_app(crash) as driver:
        await driver.press("space")
        shown = driver.text()
        assert "✗ The worker crashed (SIGSEGV)." in shown
        assert "[bold]x[/]" in shown
        assert "crashed · 68" in shown
        assert "◆" in shown


async def test_a_stage_without_samples_says_what_is_awaited(open_app: Open) -> None:
    async with open_app(lambda run: run.tell(Stage(0, "import"))) as driver:
        await driver.press("space")
        assert "Loading torch …" in driver.text()


async def test_a_replay_is_labelled_and_paused_by_space(open_app: Open, make_replay: Source) -> None:
    async with open_app(replay=lambda: make_replay) as driver:
        shown = driver.text()
        assert "REPLAY of a run of 2026-11-22" in shown
        assert not {"Config", "Methods"} & driver.offered()
        await driver.press("space")
        assert make_replay.paused
        await driver.press("space")
        assert not make_replay.paused


async def test_start_starts_at_once(open_app: Open) -> None:
    async with open_app(live, start=True) as driver:
        assert len(driver.fakes.runs) == 1
        assert "it/s" in driver.text()


async def test_help_lists_the_live_bindings(open_app: Open) -> None:
    async with open_app(live) as driver:
        await driver.press("space", "question_mark")
        shown = driver.text()
        assert "Pause the run after this iteration." in shown
        assert "Start a run of this config." not in shown
        driver.run.beat(10)  # nothing is drawn for a pane that is not seen
        await driver.settle()
        await driver.press("escape")
        await driver.settle()
        assert "78/105" in driver.text()


async def test_the_palette_offers_what_the_keys_do(open_app: Open) -> None:
    async with open_app(live) as driver:
        await driver.press("space")
        commands = {command.title: command for command in driver.app.get_system_commands(driver.app.screen)}
        assert {"Pause (space)", "Stop (s)", "Theme"} <= set(commands)
        assert not any(title.startswith("Start") for title in commands)
        await commands["Pause (space)"].callback()
        await driver.settle()
        assert driver.run.orders == ["pause"]


@pytest.mark.parametrize("theme", ["ansi-dark", "nord"])
async def test_any_theme_can_be_set(open_app: Open, theme: str) -> None:
    async with open_app(live, theme=theme) as driver:
        await driver.press("space")
        assert driver.app.theme == theme
        assert "◆" in driver.text()


async def test_an_unknown_theme_is_reported(open_app: Open) -> None:
    async with open_app(theme="mauve") as driver:
        assert driver.app.theme == "heartbeat"
        assert "there is no theme 'mauve'" in driver.text()


async def test_no_color_draws_in_greys_alone(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app(live) as driver:
        await driver.press("space")
        assert driver.app.no_color
        assert "✓" in driver.text() or "?" in driver.text()


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 50)])
async def test_a_new_user_sees_the_three_first_steps(fake_runs: type[FakeRuns], size: tuple[int, int]) -> None:
    app = HeartbeatApp(BenchmarkConfig(), fake_runs(), reduced_motion=True)
    app.heartbeat_pane.newcomer = True
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = " ".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())
        for way in (
            "Start a run here, with nothing to set up",
            "Take the tour of the handbook's first part",
            "Get ready for a TPU: what is missing",
        ):
            assert way in shown
        assert "100 iterations" in shown


async def test_a_way_in_can_be_clicked(fake_runs: type[FakeRuns]) -> None:
    fakes = fake_runs(live)
    app = HeartbeatApp(BenchmarkConfig(), fakes, reduced_motion=True)
    app.heartbeat_pane.newcomer = True
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.click("#idle-ways KeyButton")
        await until(lambda: fakes.runs, "a run")


@pytest.mark.parametrize("width", [80, 100, 110])
async def test_the_badge_stands_beside_the_figures_however_narrow_the_screen(open_app: Open, width: int) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(50).done(), size=(width, 40)) as driver:
        await driver.press("space")
        assert "✓ plausible" in driver.line("it/s")
