"""Remedies: shown first, run only when confirmed, exactly as shown; then the check is watched until it turns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.emulation import start_emulator
from tests.waiting import until
from textual.app import App
from textual.widgets import Input

from heartbeat_core.checks.result import Result
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.emulator import process
from heartbeat_core.settings import Settings
from heartbeat_tui.checks.monitor import RunnerFactory

if TYPE_CHECKING:
    from tests.tui.checks.conftest import FakeRunner, FakeRunnerFactory, Open

Survey = Callable[..., "FakeRunnerFactory"]
SIZES = [(80, 24), (160, 50)]
OWN = "import sys; print('argument:', sys.argv[1]); print('[red]no markup[/]'); sys.exit(int(sys.argv[2]))"


def mended_by(answers: tuple[Result, ...], *remedies: Remedy) -> tuple[Result, ...]:
    """Replace the fixes of the Cloud Quotas API."""
    return tuple(replace(answer, remedies=remedies) if answer.id == "api.cloudquotas" else answer for answer in answers)


def own(*arguments: str, program: str = OWN) -> Remedy:
    return Remedy("Do it.", (sys.executable, "-c", program, *arguments), changes="nothing of yours")


def turns(runner: FakeRunner) -> None:
    """Let the check pass when it is asked for the third time."""
    found = runner.answers["api.cloudquotas"][0]
    runner.answers["api.cloudquotas"] = [found, found, replace(found, status="pass", summary="Cloud Quotas API is on", remedies=())]


@pytest.mark.parametrize("size", SIZES)
async def test_the_exact_command_is_shown_before_anything_runs(readiness: Open, size: tuple[int, int]) -> None:
    async with readiness(size=size) as driver:
        await driver.press("down", "f")
        words = driver.words()
        assert "gcloud services enable cloudquotas.googleapis.com --project=llm-dev" in words
        assert "changes enables cloudquotas.googleapis.com in the project" in words
        assert "costs nothing" in words
        assert "exactly as shown, with your own gcloud" in words
        assert "Run it" in words
        await driver.press("escape")
        assert "checks" in driver.text()


async def test_it_runs_as_shown_and_the_check_is_watched_until_it_turns(
    readiness: Open, survey: Survey, answers: tuple[Result, ...]
) -> None:
    fake = survey(mended_by(answers, own("a b; $(c)", "0")), turns)
    async with readiness(fake, delays=(0.0, 0.0, 0.0)) as driver:
        await driver.press("down", "f", "enter")
        words = driver.words()
        assert "argument: a b; $(c)" in words  # no shell has read it
        assert "[red]no markup[/]" in words
        assert "✓ done. The check passes: Cloud Quotas API is on" in words
        assert fake.runner.rounds == [None, ("api.cloudquotas",), ("api.cloudquotas",)]
        await driver.press("escape")
        assert "● at least 2 steps left" in driver.text()


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        (own("x", "3"), "✗ it ended with code 3"),
        (Remedy("Do it.", ("/nowhere/gcloud", "init")), "/nowhere/gcloud cannot be started"),
    ],
)
async def test_a_fix_that_fails_says_so_and_nothing_is_watched(
    readiness: Open, survey: Survey, answers: tuple[Result, ...], fix: Remedy, said: str
) -> None:
    fake = survey(mended_by(answers, fix))
    async with readiness(fake) as driver:
        await driver.press("down", "f", "enter")
        assert said in driver.text()
        assert fake.runner.rounds == [None]


async def test_its_keys_are_in_view_on_the_smallest_screen(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    many = own(*(f"word {number} of a long command" for number in range(30)))
    async with readiness(survey(mended_by(answers, many)), size=(60, 18)) as driver:
        await driver.press("down", "f")
        assert "Run it" in driver.text()


async def test_it_can_be_cancelled(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    waits = "import signal; print('waiting', flush=True); signal.pause()"
    async with readiness(survey(mended_by(answers, own(program=waits)))) as driver:
        await driver.pilot.press("down", "f", "enter")
        await until(lambda: "waiting" in driver.text(), "what the command says")
        assert "Cancel" in driver.text()
        await driver.press("escape")
        assert "cancelled" in driver.text()
        await driver.press("escape")
        assert "checks" in driver.text()


async def test_one_step_leads_to_the_next_with_what_was_found(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    listing = (
        "print('ACCOUNT_ID            NAME  OPEN'); print('0X0X0X-0X0X0X-0X0X0X  Old   False'); print('0123AB-4567CD-89EF01  Mine  True')"
    )
    listed = Remedy("List them.", (sys.executable, "-c", listing))
    link = Remedy("Link one.", (sys.executable, "-c", OWN, "<BILLING_ACCOUNT>", "0"), changes="who pays for the project", costs=None)
    async with readiness(survey(mended_by(answers, listed, link))) as driver:
        await driver.press("down", "f", "enter")
        words = driver.words()
        assert "2 of 2 Link one." in words
        assert "0123AB-4567CD-89EF01 Mine True" in words  # what was listed stays, to choose from
        assert "✓ done. This is the next step:" in words
        assert "Run it" in words
        assert driver.app.screen.query_one(Input).value == "0123AB-4567CD-89EF01"
        await driver.press("enter")
        assert "argument: 0123AB-4567CD-89EF01" in driver.words()


async def test_quota_is_asked_for_with_an_address_and_a_reason(readiness: Open) -> None:
    async with readiness() as driver:
        await driver.press(*["down"] * 7, "f")
        assert "1 of 2 Request the quota" in driver.words()
        assert len(driver.app.screen.query(Input)) == 2
        await driver.press("enter")
        assert "Fill in email and justification first." in driver.text()
        await driver.type("you@example.com")
        await driver.press("tab")
        await driver.type("learn; rm -rf")
        words = driver.words()
        assert "--email=you@example.com" in words
        assert "'--justification=learn; rm -rf'" in words
        await driver.press("tab")
        assert "2 of 2" in driver.text()


async def test_what_talks_to_people_gets_the_terminal(
    readiness: Open, survey: Survey, answers: tuple[Result, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from heartbeat_core.checks import fix_runner as remedy_runner

    ran: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], environ: object) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(remedy_runner, "run_in_terminal", run)
    login = Remedy("Log in.", ("gcloud", "auth", "login"), interactive=True)
    async with readiness(survey(mended_by(answers, login))) as driver:
        monkeypatch.setattr(App, "suspend", lambda app: closing(_Nothing()))
        await driver.press("down", "f")
        assert "it runs in the terminal" in driver.words()
        await driver.press("enter")
        assert ran == [("gcloud", "auth", "login")]
        assert "checks" in driver.text()


async def test_a_terminal_that_cannot_be_lent_is_reported(readiness: Open, survey: Survey, answers: tuple[Result, ...]) -> None:
    login = Remedy("Log in.", ("gcloud", "auth", "login"), interactive=True)
    async with readiness(survey(mended_by(answers, login))) as driver:
        await driver.press("down", "f", "enter")
        assert "Run it" in driver.text()
        assert driver.app._notifications


class _Nothing:
    def close(self) -> None:
        pass


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunnerFactory]]:
    """Make what checks an emulated project, which is served from this process."""
    monkeypatch.setattr(process, "start_emulator", start_emulator)
    with ExitStack() as stack:
        yield lambda scenario, **options: stack.enter_context(closing(RunnerFactory(Settings(), {}, demo=scenario, **options)))


async def test_a_demo_of_a_ready_project_is_ready(readiness: Open) -> None:
    with closing(RunnerFactory(Settings(), {}, demo="ready")) as make_runner:  # in a process of its own, as users have it
        async with readiness(make_runner, banner=("DEMO: emulated, scenario ready",)) as driver:
            assert "✓ ready for v6e-1" in driver.text()
            assert "DEMO" in driver.text().splitlines()[0]
            assert "as ada@example.com (emulated)" in driver.text()


async def test_a_demo_of_a_fresh_project_says_where_to_begin(readiness: Open, demo: Callable[..., RunnerFactory]) -> None:
    async with readiness(demo("fresh")) as driver:
        assert "steps left" in driver.text()
        assert "gcloud services enable iam.googleapis.com" in driver.details()


async def test_a_demo_completes_the_target_from_what_there_is(readiness: Open, demo: Callable[..., RunnerFactory]) -> None:
    async with readiness(demo("ready")) as driver:
        await driver.press("t")
        await driver.type("us-east5-")
        assert "us-east5-b" in driver.words()
        await driver.press("right")
        form = driver.pane.form
        assert form is not None
        assert form.query_one("#field-zone", Input).value.startswith("us-east5-")
        await driver.press("tab")
        await driver.type("v9x-1")
        assert "Not offered in" in driver.words()


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
async def test_in_a_demo_gcloud_really_turns_a_check(
    readiness: Open, demo: Callable[..., RunnerFactory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    async with readiness(demo("no-tpu-api", speed=20.0), delays=(0.2,) * 50) as driver:
        assert "● at least 1 step left" in driver.text()
        assert "gcloud services enable tpu.googleapis.com" in driver.details()
        await driver.press("f")
        assert "against the emulator" in driver.words()
        assert "DEMO" in driver.text()
        await driver.press("enter")
        assert "finished successfully" in driver.text()
        assert "✓ done. The check passes" in driver.text()
        await driver.press("escape")
        assert "✓ ready for v6e-1" in driver.text()
