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
    from tests.tui.conftest import FakeRun, Open, Stand

SIZES = [(80, 24), (120, 40), (160, 50), (80, 40), (120, 24), (60, 18)]


def live(run: FakeRun) -> FakeRun:
    return run.open().warm_up().beat(63)


def over(run: FakeRun) -> FakeRun:
    return run.open().warm_up().beat(100).done()


def both(run: FakeRun) -> FakeRun:
    return run.open().handbook().done() if run.config.method == "handbook" else over(run)


@pytest.mark.parametrize("size", SIZES)
async def test_what_would_run_is_said_and_then_drawn_at_every_size(theatre: Open, size: tuple[int, int]) -> None:
    async with theatre(live, size=size) as stage:
        shown = stage.text()
        assert "100 iterations of [128×4096]·[4096×16384]" in shown
        assert "space  Start" in shown
        assert stage.offered() == {"Start", "Config", "Methods", "Sweep", "Tour", "Help", "Quit"}
        assert not stage.stand.runs
        await stage.press("space")
        shown = stage.text()
        assert "it/s" in shown
        assert "◆" in shown
        assert "┬" in shown
        assert "68/105" in shown
        assert max(map(len, shown.splitlines())) <= size[0]


async def test_a_run_that_is_not_saved_says_so_at_once_and_goes_on(theatre: Open) -> None:
    def unsaved(run: FakeRun) -> None:
        run.notes.append("the run is not saved: No space left on device")
        live(run)

    async with theatre(unsaved) as stage:
        await stage.press("space")
        assert "the run is not saved" in stage.words()
        assert "68/105" in stage.text()
        stage.run.beat(37).done()
        await stage.settle()
        await stage.press("r")
        assert len(stage.stand.runs) == 2
        assert len(stage.app._notifications) == 1


async def test_a_terminal_too_small_says_what_is_needed_and_a_larger_one_is_filled(theatre: Open) -> None:
    async with theatre(live, size=(59, 17)) as stage:
        assert "heartbeat-tui needs 60 columns and 18 rows; this terminal has 59 and 17." in " ".join(stage.text().split())
        assert "Start" not in stage.text()
        await stage.pilot.resize_terminal(80, 24)
        await stage.press("space")
        assert "◆" in stage.text()
        await stage.pilot.resize_terminal(160, 50)
        await stage.settle()
        shown = stage.text()
        assert "findings" in shown


async def test_the_life_of_a_run_by_keys(theatre: Open) -> None:
    async with theatre(live) as stage:
        await stage.press("space")
        assert {"Pause", "Stop"} <= stage.offered()
        assert not {"Start", "Again", "Config", "Clear"} & stage.offered()
        await stage.press("space")
        assert stage.run.orders == ["pause"]
        assert "paused" in stage.text()
        assert "Resume" in stage.offered()
        await stage.press("space", "s")
        assert stage.run.orders == ["pause", "resume", "stop"]
        stage.run.finish(RunOutcome("stopped"))
        await stage.settle()
        assert "stopped · 68" in stage.text()
        assert {"Again", "Config", "Methods", "Clear"} <= stage.offered()
        await stage.press("r")
        assert len(stage.stand.runs) == 2
        assert not stage.run.config.calibrate
        stage.run.finish(RunOutcome("stopped"))
        await stage.settle()
        await stage.press("k")
        assert stage.run.config.calibrate
        stage.run.finish(RunOutcome("stopped"))
        await stage.settle()
        await stage.press("c")
        assert "space  Start" in stage.text()


async def test_a_run_that_goes_on_after_a_stop_can_be_ended_at_once(theatre: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heartbeat_tui.benchmark.pane.PATIENCE_S", 3600.0)
    async with theatre(live) as stage:
        await stage.press("space", "s", "s")  # twice by mistake: its proof still counts
        assert stage.run.orders == ["stop"]
        assert "stopping" in stage.text()
        assert not {"Stop", "End now", "Pause"} & stage.offered()
    monkeypatch.setattr("heartbeat_tui.benchmark.pane.PATIENCE_S", 0.01)
    async with theatre(live) as stage:
        await stage.press("space", "s")
        await until(lambda: "End now" in stage.offered(), "the offer to end it at once")
        await stage.settle()
        assert "Press s again" in " ".join(stage.text().split())
        await stage.press("s")
        assert stage.run.orders == ["stop", "kill"]
        assert "stopped · 68" in stage.text()
        assert "Again" in stage.offered()


async def test_what_can_be_done_with_a_run_that_is_over(theatre: Open) -> None:
    async with theatre(over) as stage:
        await stage.press("space")
        assert not stage.app.benchmark.timer._active.is_set()  # nothing is to come
        assert "Details" not in stage.offered()
        assert "findings" in stage.text()
        assert "(log)" in stage.text()
        await stage.press("l")
        assert "(linear)" in stage.text()
        await stage.press("l", "z")
        assert "◆" not in stage.text()
        assert "Whole run" in stage.offered()
        await stage.press("z")
        assert "◆" in stage.text()
        await stage.press("y")
        assert "✓ Plausible" in stage.app.clipboard


async def test_details_take_the_place_of_the_chart_on_a_low_screen(theatre: Open) -> None:
    async with theatre(over, size=(80, 24)) as stage:
        await stage.press("space")
        assert "findings" not in stage.text()
        await stage.press("d")
        assert "findings" in stage.text()
        assert "steady state" in stage.text()
        await stage.press("d")
        assert "◆" in stage.text()


async def test_both_clocks_side_by_side(theatre: Open) -> None:
    async with theatre(both) as stage:
        await stage.press("m")
        shown = stage.text()
        assert [run.config.method for run in stage.stand.runs] == ["handbook", "synchronized"]
        assert "8.40 µs per iteration" in shown
        assert "100 traced · 1 launched · 0 finished at the stop" in shown
        assert "✗ impossible" in shown
        assert "✓ plausible" in shown
        assert "The loop overwrites its result" in shown


async def test_a_plan_is_checked_as_one_types_and_started_with_enter(theatre: Open) -> None:
    async with theatre(live) as stage:
        await stage.press("e", "9", "escape")
        assert "[128×4096]" in stage.text()  # as it was
        await stage.press("e", "0")
        assert "batch is 0" in stage.text()
        await stage.press("enter")
        assert not stage.stand.runs
        await stage.press("backspace", "6", "4")
        assert "batch is" not in stage.text()
        assert "100 iterations of [64×4096]" in stage.text()
        await stage.press("enter")
        assert stage.run.config.workload.batch == 64
        assert not stage.app.heartbeat_pane.query("ConfigForm")


async def test_letters_in_the_form_are_no_commands(theatre: Open) -> None:
    async with theatre() as stage:
        await stage.press("e", "q", "space", "m")
        assert stage.app.heartbeat_pane.query_one("#field-batch", Input).value == "q m"
        stage.app.heartbeat_pane.query_one("#field-dtype").focus()
        await stage.press("q", "4")  # no keys of the app either
        assert stage.app.heartbeat_pane.query("ConfigForm")
        assert stage.app.current_mode == "heartbeat"
        assert not stage.stand.runs


async def test_a_config_that_is_refused_leaves_the_old_one_in_force(theatre: Open) -> None:
    def refuse(run: FakeRun) -> None:
        raise HeartbeatError("there is no such backend", "It is not installed.", "Install it.")

    async with theatre(refuse) as stage:
        await stage.press("e", "9", "enter")
        assert stage.app.heartbeat_pane.config == BenchmarkConfig()
        assert "[128×4096]" in stage.text()


async def test_leaving_asks_during_a_run_and_ends_it(theatre: Open) -> None:
    async with theatre(live) as stage:
        await stage.press("space", "q")
        assert "Leave while a run is on its way?" in stage.text()
        await stage.press("n")
        assert stage.run.orders == []
        await stage.press("ctrl+c")
        await stage.pilot.press("enter")
        await until(lambda: stage.app._exit, "the end of the app")
        assert stage.run.orders[0] == "close"


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_does_not_ask_without_a_run(theatre: Open, key: str) -> None:
    async with theatre(over) as stage:
        await stage.press("space")
        await stage.pilot.press(key)
        await until(lambda: stage.app._exit, "the end of the app")


async def test_a_run_that_cannot_start_is_explained(theatre: Open) -> None:
    def refuse(run: FakeRun) -> None:
        raise HeartbeatError("it does not fit", "It needs [17] GiB.", "Make it smaller.")

    async with theatre(refuse) as stage:
        await stage.press("space")
        shown = stage.text()
        assert "it does not fit" in shown
        assert "It needs [17] GiB." in shown
        assert "Start" in stage.offered()


async def test_a_key_that_does_nothing_now_says_why_once(theatre: Open) -> None:
    async with theatre(lambda run: run.open().warm_up().beat(9)) as stage:
        await stage.press("s", "s", "space", "e")
        said = [notification.message for notification in stage.app._notifications]
        assert said == ["There is no run: press space to start one.", "A run is on: press s to stop it."]


async def test_an_unexpected_error_is_shown_and_does_not_end_the_app(theatre: Open) -> None:
    def stumble(run: FakeRun) -> None:
        raise ZeroDivisionError("[oh] no")

    async with theatre(stumble) as stage:
        await stage.press("space")
        assert "ZeroDivisionError: [oh] no" in stage.text()
        assert stage.app.is_running


async def test_a_crash_keeps_its_samples_and_its_words(theatre: Open) -> None:
    def crash(run: FakeRun) -> None:
        live(run).finish(RunOutcome("crashed", "the worker crashed (SIGSEGV)", "Its last words: [bold]x[/]", "Run it again."))

    async with theatre(crash) as stage:
        await stage.press("space")
        shown = stage.text()
        assert "✗ The worker crashed (SIGSEGV)." in shown
        assert "[bold]x[/]" in shown
        assert "crashed · 68" in shown
        assert "◆" in shown


async def test_a_stage_without_samples_says_what_is_awaited(theatre: Open) -> None:
    async with theatre(lambda run: run.tell(Stage(0, "import"))) as stage:
        await stage.press("space")
        assert "Loading torch …" in stage.text()


async def test_a_replay_is_labelled_and_paused_by_space(theatre: Open, make_replay: Source) -> None:
    async with theatre(replay=lambda: make_replay) as stage:
        shown = stage.text()
        assert "REPLAY of a run of 2026-11-22" in shown
        assert not {"Config", "Methods"} & stage.offered()
        await stage.press("space")
        assert make_replay.paused
        await stage.press("space")
        assert not make_replay.paused


async def test_start_starts_at_once(theatre: Open) -> None:
    async with theatre(live, start=True) as stage:
        assert len(stage.stand.runs) == 1
        assert "it/s" in stage.text()


async def test_help_lists_the_live_bindings(theatre: Open) -> None:
    async with theatre(live) as stage:
        await stage.press("space", "question_mark")
        shown = stage.text()
        assert "Pause the run after this iteration." in shown
        assert "Start a run of this config." not in shown
        stage.run.beat(10)  # nothing is drawn for a pane that is not seen
        await stage.settle()
        await stage.press("escape")
        await stage.settle()
        assert "78/105" in stage.text()


async def test_the_palette_offers_what_the_keys_do(theatre: Open) -> None:
    async with theatre(live) as stage:
        await stage.press("space")
        commands = {command.title: command for command in stage.app.get_system_commands(stage.app.screen)}
        assert {"Pause (space)", "Stop (s)", "Theme"} <= set(commands)
        assert not any(title.startswith("Start") for title in commands)
        await commands["Pause (space)"].callback()
        await stage.settle()
        assert stage.run.orders == ["pause"]


@pytest.mark.parametrize("theme", ["ansi-dark", "nord"])
async def test_any_theme_can_be_set(theatre: Open, theme: str) -> None:
    async with theatre(live, theme=theme) as stage:
        await stage.press("space")
        assert stage.app.theme == theme
        assert "◆" in stage.text()


async def test_an_unknown_theme_is_reported(theatre: Open) -> None:
    async with theatre(theme="mauve") as stage:
        assert stage.app.theme == "heartbeat"
        assert "there is no theme 'mauve'" in stage.text()


async def test_no_color_draws_in_greys_alone(theatre: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with theatre(live) as stage:
        await stage.press("space")
        assert stage.app.no_color
        assert "✓" in stage.text() or "?" in stage.text()


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 50)])
async def test_a_new_user_sees_the_three_first_steps(make_stand: type[Stand], size: tuple[int, int]) -> None:
    app = HeartbeatApp(BenchmarkConfig(), make_stand(), reduced_motion=True)
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


async def test_a_way_in_can_be_clicked(make_stand: type[Stand]) -> None:
    stand = make_stand(live)
    app = HeartbeatApp(BenchmarkConfig(), stand, reduced_motion=True)
    app.heartbeat_pane.newcomer = True
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.click("#idle-ways KeyButton")
        await until(lambda: stand.runs, "a run")


@pytest.mark.parametrize("width", [80, 100, 110])
async def test_the_badge_stands_beside_the_figures_however_narrow_the_screen(theatre: Open, width: int) -> None:
    async with theatre(lambda run: run.open().warm_up().beat(50).done(), size=(width, 40)) as stage:
        await stage.press("space")
        assert "✓ plausible" in stage.line("it/s")
