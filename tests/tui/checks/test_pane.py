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
    from tests.tui.checks.conftest import FakeRunner, FakeSurveyor, Open

Survey = Callable[..., "FakeSurveyor"]
SIZES = [(80, 24), (160, 50)]


def all_pass(answers: tuple[Result, ...]) -> tuple[Result, ...]:
    return tuple(replace(answer, status="pass", remedies=(), blocked_by=()) for answer in answers)


@pytest.mark.parametrize("size", SIZES)
async def test_one_glance_says_what_is_missing_and_what_is_next(readiness: Open, size: tuple[int, int]) -> None:
    async with readiness(size=size) as stage:
        shown = stage.text()
        assert "● at least 3 steps left for v6e-1 in us-central1-b, on demand · 1 check waits" in shown
        assert "as you@example.com" in shown
        assert "project llm-dev (from gcloud configuration default)" in shown
        line = next(line for line in shown.splitlines() if "✗ billing" in line)
        assert "➤ ✗ billing" in line
        assert "next" in line
        assert max(map(len, shown.splitlines())) <= size[0]


async def test_groups_are_open_as_far_as_they_fit_the_worst_first(readiness: Open) -> None:
    async with readiness(size=(120, 40)) as stage:
        assert "▸" not in stage.text()  # there is room for all
    async with readiness(size=(120, 22)) as stage:
        shown = stage.text()
        assert "▾ ✗ project and APIs" in shown
        assert "✓ exists" in shown  # the group with failures is open as a whole
        assert "▸ ✓ this machine" in shown


async def test_a_resized_terminal_folds_groups_and_shows_the_details_of_the_row_pointed_at(readiness: Open) -> None:
    async with readiness(size=(120, 40)) as stage:
        await stage.press("home", "down", "down")
        assert "Are there TPU chips?" in stage.text()
        await stage.pilot.resize_terminal(120, 18)
        await stage.settle()
        assert "▸ ✓ this machine" in stage.text()
        assert "Are there TPU chips?" not in stage.text()
        assert "Re-check" not in stage.offered()


async def test_the_details_of_a_narrow_screen_stay_those_of_the_check_that_is_asked_again(readiness: Open) -> None:
    async with readiness(size=(80, 50)) as stage:
        await stage.press("home", "down", "enter", "r")
        assert "Is this Python" in stage.text()


async def test_a_group_can_be_folded_and_unfolded(readiness: Open) -> None:
    async with readiness() as stage:
        await stage.press("home")
        assert stage.text().count("Python 3.11.7") == 2  # in the list, and in the details of the section
        assert "– chips" in stage.text()
        await stage.press("left")
        assert "▸ ✓ this machine" in stage.text()
        await stage.press("right")
        assert "▾ ✓ this machine" in stage.text()
        await stage.press("enter", "enter")
        assert "▾ ✓ this machine" in stage.text()


async def test_ready_says_so_and_leads_to_the_creation(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    async with readiness(survey(all_pass(answers))) as stage:
        assert "✓ ready for v6e-1 in us-central1-b, on demand · n creates the TPU VM" in stage.text()
        assert "Next" in stage.offered()


async def test_an_unknown_check_is_no_yes(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    unsure = (*all_pass(answers)[:-1], replace(answers[-1], status="unknown"))
    async with readiness(survey(unsure)) as stage:
        assert "? could not tell for v6e-1" in stage.text()


async def test_answers_stream_in_as_they_come(readiness: Open, survey: Survey) -> None:
    def hold(runner: FakeRunner) -> None:
        runner.hold = "iam.tpu-admin"

    fake = survey(prepare=hold)
    async with readiness(fake, settle=False) as stage:
        await stage.held(fake)
        shown = stage.text()
        assert "◌ checking 7 of 12 for v6e-1" in shown
        assert "2 steps so far" in shown
        assert "checking 1 …" in shown
        assert "✗ cloudquotas" in shown
        assert "2 pending" in shown
        await stage.pilot.press("3")  # another pane does not stop the checks
        assert stage.app.current_mode == "heartbeat"
        fake.runner.gate.set()
        await stage.settle()
        assert not fake.runner.cancelled
        await stage.press("1")
        assert "● at least 3 steps left" in stage.text()


async def test_details_say_what_was_asked_as_which_account_when_and_how_to_fix_it(readiness: Open) -> None:
    async with readiness() as stage:
        await stage.press("down")
        words = stage.details()
        assert "Is the Cloud Quotas API on?" in words
        assert "A project may use an API only after it was enabled" in words
        assert "gcloud services enable cloudquotas.googleapis.com" in words
        assert "costs nothing" in words
        assert "GET api /v1/projects/llm-dev → 200" in words
        assert "12:04:07, 143 ms, as you@example.com" in words
        assert "after account.adc" in words
        assert {"Fix …", "Copy", "Re-check", "Group", "All", "Target …", "Filter", "Help", "Quit"} <= stage.offered()
        await stage.press("y")
        assert stage.app.clipboard == "gcloud services enable cloudquotas.googleapis.com --project=llm-dev"
        await stage.press("home")
        assert not {"Fix …", "Copy", "Re-check"} & stage.offered()


async def test_a_narrow_screen_shows_one_thing_at_a_time(readiness: Open) -> None:
    async with readiness(size=(80, 24)) as stage:
        assert "Does somebody pay" not in stage.text()
        assert "Details" in stage.offered()
        await stage.press("enter")
        assert "Does somebody pay for the project?" in stage.text()
        assert "this machine" not in stage.text()
        assert {"Back", "Fix …", "Copy"} <= stage.offered()
        await stage.press("escape")
        assert "this machine" in stage.text()
        assert "Back" not in stage.offered()


async def test_one_a_group_or_all_are_asked_again(readiness: Open, survey: Survey) -> None:
    fake = survey()
    async with readiness(fake) as stage:
        await stage.press("down", "r", "ctrl+r", "R")
        assert fake.runner.rounds == [None, ("api.cloudquotas",), ("project", "api"), None]


async def test_the_row_pointed_at_stays_while_others_come_and_go(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    def improve(runner: FakeRunner) -> None:
        billing = next(answer for answer in answers if answer.id == "project.billing")
        runner.answers["project.billing"] = [billing, replace(billing, status="pass", remedies=())]

    async with readiness(survey(prepare=improve)) as stage:
        await stage.press("end", "up", "up")
        before = stage.pane.row
        assert before is not None
        await stage.press("R")
        assert "✗ billing" not in stage.text()
        assert stage.pane.row is not None
        assert stage.pane.row.key == before.key
        assert "● at least 2 steps left" in stage.text()


async def test_all_fixes_are_gone_through_in_an_order_that_works(readiness: Open) -> None:
    async with readiness() as stage:
        await stage.press("F")
        assert "1 of 4 Link a billing account" in stage.words()
        await stage.press("tab")
        assert "2 of 4" in stage.words()
        assert "gcloud services enable cloudquotas.googleapis.com" in stage.words()


async def test_the_filter_finds_words_of_checks_and_statuses(readiness: Open) -> None:
    async with readiness() as stage:
        await stage.press("slash")
        await stage.type("chip")
        shown = stage.text()
        assert "– chips" in shown
        assert "tpu-zone" in shown  # "1 v6e chip needed"
        assert "permissions" not in shown
        await stage.press("enter", "down", "escape")
        assert "permissions" in stage.text()


async def test_the_mouse_opens_sections_points_and_changes_panes(readiness: Open) -> None:
    async with readiness() as stage:
        rows = stage.text().splitlines()
        await stage.pilot.click(offset=(10, next(y for y, row in enumerate(rows) if "this machine" in row)))
        await stage.settle()
        assert "Python 3.11.7" in stage.text()
        rows = stage.text().splitlines()
        await stage.pilot.click(offset=(10, next(y for y, row in enumerate(rows) if "tpu-zone" in row)))
        await stage.settle()
        assert "Does the TPU quota of the zone cover one v6e-1?" in stage.text()
        await stage.pilot.click(offset=(30, 0))
        await stage.settle()
        assert stage.app.current_mode == "heartbeat"


async def test_leaving_ends_the_checks_under_way(readiness: Open, survey: Survey) -> None:
    def hold(runner: FakeRunner) -> None:
        runner.hold = "iam.tpu-admin"

    fake = survey(prepare=hold)
    async with readiness(fake, settle=False) as stage:
        await stage.held(fake)
        await stage.pilot.press("q")
    assert fake.runner.cancelled


async def test_an_error_before_the_checks_is_shown(readiness: Open, survey: Survey) -> None:
    whole = survey()
    broken = True

    def around(choices: Any, **callbacks: Any) -> Any:
        if broken:
            raise HeartbeatError("'x' is no endpoint", "It is one base URL.", "Give one such as http://127.0.0.1:8080.")
        return whole(choices, **callbacks)

    async with readiness(around) as stage:
        assert "nothing could be checked" in stage.text()
        assert "'x' is no endpoint" in stage.text()
        assert "Give one such as http://127.0.0.1:8080." in stage.text()
        assert "All" in stage.offered()
        broken = False
        await stage.press("R")
        assert "could be checked" not in stage.text()
        assert "no endpoint" not in stage.text()
        assert whole.runners


async def test_the_banner_is_shown_in_every_pane(readiness: Open) -> None:
    async with readiness(banner=("DEMO: emulated, scenario fresh",)) as stage:
        assert "DEMO: emulated" in stage.text().splitlines()[0]
        await stage.press("3")
        assert stage.app.current_mode == "heartbeat"
        assert "DEMO: emulated" in stage.text().splitlines()[0]


async def test_help_knows_the_keys_of_this_pane(readiness: Open) -> None:
    async with readiness() as stage:
        await stage.press("question_mark")
        assert "Run all checks again." in stage.text()
        assert "which is not a pass" in stage.text()


async def test_without_a_checkup_there_is_no_such_pane() -> None:
    from heartbeat_core.benchmark.config import BenchmarkConfig

    app = HeartbeatApp(BenchmarkConfig(), lambda plan: None)  # type: ignore[arg-type, return-value]
    async with app.run_test() as pilot:
        await pilot.press("1")
        await pilot.pause()
        assert app.current_mode == "heartbeat"


async def test_the_target_is_chosen_in_place(readiness: Open, survey: Survey) -> None:
    fake = survey()
    async with readiness(fake) as stage:
        await stage.press("t")
        await stage.type("nowhere")
        assert "A zone is written like us-central1-b or us-south1-ai1b." in stage.words()
        assert "Correct 1 field first." in stage.text()
        await stage.press("enter")
        assert len(fake.runners) == 1
        await stage.press("escape")
        assert "in us-central1-b" in stage.text()
        await stage.press("t")
        assert "by default" in stage.text()
        assert "goes with v6e-1" in stage.text()
        assert "Not all options could be loaded:" in stage.words()
        await stage.press("tab")
        await stage.type("v5litepod-4")
        assert stage.pane.form is not None
        assert stage.pane.form.query_one("#field-runtime_version", Input).value == "v2-alpha-tpuv5-lite"
        await stage.press("enter")
        assert len(fake.runners) == 2
        assert "for v5litepod-4 in us-central1-b" in stage.text()
        target = fake.runner.environment.target
        assert target.accelerator_type.source == "chosen here"
        assert target.project.value == "llm-dev"
