"""The Readiness pane, driven by keys and mouse on answers prepared beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input

from heartbeat_core.checks.result import Result
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from tests.tui.checks.conftest import FakeRunner, FakeRunnerFactory, Open

Survey = Callable[..., "FakeRunnerFactory"]
SIZES = [(80, 24), (160, 50)]


def all_pass(answers: tuple[Result, ...]) -> tuple[Result, ...]:
    return tuple(replace(answer, status="pass", remedies=(), blocked_by=()) for answer in answers)


@pytest.mark.parametrize("size", SIZES)
async def test_one_glance_says_what_is_missing_and_what_is_next(readiness: Open, size: tuple[int, int]) -> None:
    async with readiness(size=size) as driver:
        shown = driver.text()
        assert "● at least 3 steps left for v6e-1 in us-central1-b, on demand · 1 check waits" in shown
        assert "as you@example.com" in shown
        assert "project llm-dev (from gcloud configuration default)" in shown
        line = next(line for line in shown.splitlines() if "✗ billing" in line)
        assert "➤ ✗ billing" in line
        assert "next" in line
        assert max(map(len, shown.splitlines())) <= size[0]


async def test_groups_are_open_as_far_as_they_fit_the_worst_first(readiness: Open) -> None:
    async with readiness(size=(120, 40)) as driver:
        assert "▸" not in driver.text()  # there is room for all
    async with readiness(size=(120, 22)) as driver:
        shown = driver.text()
        assert "▾ ✗ project and APIs" in shown
        assert "✓ exists" in shown  # the group with failures is open as a whole
        assert "▸ ✓ this machine" in shown


async def test_a_resized_terminal_folds_groups_and_shows_the_details_of_the_row_pointed_at(readiness: Open) -> None:
    async with readiness(size=(120, 40)) as driver:
        await driver.press("home", "down", "down")
        assert "Are there TPU chips?" in driver.text()
        await driver.pilot.resize_terminal(120, 18)
        await driver.settle()
        assert "▸ ✓ this machine" in driver.text()
        assert "Are there TPU chips?" not in driver.text()
        assert "Re-check" not in driver.offered()


async def test_the_details_of_a_narrow_screen_stay_those_of_the_check_that_is_asked_again(readiness: Open) -> None:
    async with readiness(size=(80, 50)) as driver:
        await driver.press("home", "down", "enter", "r")
        assert "Is this Python" in driver.text()


async def test_a_group_can_be_folded_and_unfolded(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press("home")
        assert driver.text().count("Python 3.11.7") == 2  # in the list, and in the details of the section
        assert "– chips" in driver.text()
        await driver.press("left")
        assert "▸ ✓ this machine" in driver.text()
        await driver.press("right")
        assert "▾ ✓ this machine" in driver.text()
        await driver.press("enter", "enter")
        assert "▾ ✓ this machine" in driver.text()


async def test_ready_says_so_and_leads_to_the_creation(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    async with readiness(survey(all_pass(answers))) as driver:
        assert "✓ ready for v6e-1 in us-central1-b, on demand · n creates the TPU VM" in driver.text()
        assert "Next" in driver.offered()


async def test_an_unknown_check_is_no_yes(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    unsure = (*all_pass(answers)[:-1], replace(answers[-1], status="unknown"))
    async with readiness(survey(unsure)) as driver:
        assert "? could not tell for v6e-1" in driver.text()


async def test_answers_stream_in_as_they_come(readiness: Open, survey: Survey) -> None:
    def hold(runner: FakeRunner) -> None:
        runner.hold = "iam.tpu-admin"

    fake = survey(prepare=hold)
    async with readiness(fake, settle=False) as driver:
        await driver.held(fake)
        shown = driver.text()
        assert "◌ checking 7 of 12 for v6e-1" in shown
        assert "2 steps so far" in shown
        assert "checking 1 …" in shown
        assert "✗ cloudquotas" in shown
        assert "2 pending" in shown
        await driver.pilot.press("3")  # another pane does not stop the checks
        assert driver.app.current_mode == "heartbeat"
        fake.runner.gate.set()
        await driver.settle()
        assert not fake.runner.cancelled
        await driver.press("1")
        assert "● at least 3 steps left" in driver.text()


async def test_details_say_what_was_asked_as_which_account_when_and_how_to_fix_it(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press("down")
        words = driver.details()
        assert "Is the Cloud Quotas API on?" in words
        assert "A project may use an API only after it was enabled" in words
        assert "gcloud services enable cloudquotas.googleapis.com" in words
        assert "costs nothing" in words
        assert "GET api /v1/projects/llm-dev → 200" in words
        assert "12:04:07, 143 ms, as you@example.com" in words
        assert "after account.adc" in words
        assert {"Fix …", "Copy", "Re-check", "Group", "All", "Target …", "Filter", "Help", "Quit"} <= driver.offered()
        await driver.press("y")
        assert driver.app.clipboard == "gcloud services enable cloudquotas.googleapis.com --project=llm-dev"
        await driver.press("home")
        assert not {"Fix …", "Copy", "Re-check"} & driver.offered()


async def test_a_narrow_screen_shows_one_thing_at_a_time(readiness: Open) -> None:
    async with readiness(size=(80, 24)) as driver:
        assert "Does somebody pay" not in driver.text()
        assert "Details" in driver.offered()
        await driver.press("enter")
        assert "Does somebody pay for the project?" in driver.text()
        assert "this machine" not in driver.text()
        assert {"Back", "Fix …", "Copy"} <= driver.offered()
        await driver.press("escape")
        assert "this machine" in driver.text()
        assert "Back" not in driver.offered()


async def test_one_a_group_or_all_are_asked_again(readiness: Open, survey: Survey) -> None:
    fake = survey()
    async with readiness(fake) as driver:
        await driver.press("down", "r", "ctrl+r", "R")
        assert fake.runner.rounds == [None, ("api.cloudquotas",), ("project", "api"), None]


async def test_the_row_pointed_at_stays_while_others_come_and_go(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    def improve(runner: FakeRunner) -> None:
        billing = next(answer for answer in answers if answer.id == "project.billing")
        runner.answers["project.billing"] = [billing, replace(billing, status="pass", remedies=())]

    async with readiness(survey(prepare=improve)) as driver:
        await driver.press("end", "up", "up")
        before = driver.pane.row
        assert before is not None
        await driver.press("R")
        assert "✗ billing" not in driver.text()
        assert driver.pane.row is not None
        assert driver.pane.row.key == before.key
        assert "● at least 2 steps left" in driver.text()


async def test_all_fixes_are_gone_through_in_an_order_that_works(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press("F")
        assert "1 of 4 Link a billing account" in driver.words()
        await driver.press("tab")
        assert "2 of 4" in driver.words()
        assert "gcloud services enable cloudquotas.googleapis.com" in driver.words()


async def test_the_filter_finds_words_of_checks_and_statuses(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press("slash")
        await driver.type("chip")
        shown = driver.text()
        assert "– chips" in shown
        assert "tpu-zone" in shown  # "1 v6e chip needed"
        assert "permissions" not in shown
        await driver.press("enter", "down", "escape")
        assert "permissions" in driver.text()


async def test_the_mouse_opens_sections_points_and_changes_panes(readiness: Open) -> None:
    async with readiness() as driver:
        rows = driver.text().splitlines()
        await driver.pilot.click(offset=(10, next(y for y, row in enumerate(rows) if "this machine" in row)))
        await driver.settle()
        assert "Python 3.11.7" in driver.text()
        rows = driver.text().splitlines()
        await driver.pilot.click(offset=(10, next(y for y, row in enumerate(rows) if "tpu-zone" in row)))
        await driver.settle()
        assert "Does the TPU quota of the zone cover one v6e-1?" in driver.text()
        await driver.pilot.click(offset=(30, 0))
        await driver.settle()
        assert driver.app.current_mode == "heartbeat"


async def test_leaving_ends_the_checks_under_way(readiness: Open, survey: Survey) -> None:
    def hold(runner: FakeRunner) -> None:
        runner.hold = "iam.tpu-admin"

    fake = survey(prepare=hold)
    async with readiness(fake, settle=False) as driver:
        await driver.held(fake)
        await driver.pilot.press("q")
    assert fake.runner.cancelled


async def test_an_error_before_the_checks_is_shown(readiness: Open, survey: Survey) -> None:
    whole = survey()
    broken = True

    def around(choices: Any, **callbacks: Any) -> Any:
        if broken:
            raise HeartbeatError("'x' is no endpoint", "It is one base URL.", "Give one such as http://127.0.0.1:8080.")
        return whole(choices, **callbacks)

    async with readiness(around) as driver:
        assert "nothing could be checked" in driver.text()
        assert "'x' is no endpoint" in driver.text()
        assert "Give one such as http://127.0.0.1:8080." in driver.text()
        assert "All" in driver.offered()
        broken = False
        await driver.press("R")
        assert "could be checked" not in driver.text()
        assert "no endpoint" not in driver.text()
        assert whole.runners


async def test_the_banner_is_shown_in_every_pane(readiness: Open) -> None:
    async with readiness(banner=("DEMO: emulated, scenario fresh",)) as driver:
        assert "DEMO: emulated" in driver.text().splitlines()[0]
        await driver.press("3")
        assert driver.app.current_mode == "heartbeat"
        assert "DEMO: emulated" in driver.text().splitlines()[0]


async def test_help_knows_the_keys_of_this_pane(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press("question_mark")
        assert "Run all checks again." in driver.text()
        assert "which is not a pass" in driver.text()


async def test_without_a_checkup_there_is_no_such_pane() -> None:
    from heartbeat_core.benchmark.config import BenchmarkConfig

    app = HeartbeatApp(BenchmarkConfig(), lambda plan: None)  # type: ignore[arg-type, return-value]
    async with app.run_test() as pilot:
        await pilot.press("1")
        await pilot.pause()
        assert app.current_mode == "heartbeat"


async def test_the_target_is_chosen_in_place(readiness: Open, survey: Survey) -> None:
    fake = survey()
    async with readiness(fake) as driver:
        await driver.press("t")
        await driver.type("nowhere")
        assert "A zone is written like us-central1-b or us-south1-ai1b." in driver.words()
        assert "Correct 1 field first." in driver.text()
        await driver.press("enter")
        assert len(fake.runners) == 1
        await driver.press("escape")
        assert "in us-central1-b" in driver.text()
        await driver.press("t")
        assert "by default" in driver.text()
        assert "goes with v6e-1" in driver.text()
        assert "Not all options could be loaded:" in driver.words()
        await driver.press("tab")
        await driver.type("v5litepod-4")
        assert driver.pane.form is not None
        assert driver.pane.form.query_one("#field-runtime_version", Input).value == "v2-alpha-tpuv5-lite"
        await driver.press("enter")
        assert len(fake.runners) == 2
        assert "for v5litepod-4 in us-central1-b" in driver.text()
        target = fake.runner.environment.target
        assert target.accelerator_type.source == "chosen here"
        assert target.project.value == "llm-dev"
