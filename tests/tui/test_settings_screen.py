from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, Select

from heartbeat_core.settings import FILE_VARIABLE, load_settings
from heartbeat_tui.cli import dispatch

if TYPE_CHECKING:
    from tests.tui.conftest import Open


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text("[beat]\niterations = 50  # few\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    return file


def text_in(file: Path) -> str:
    return file.read_text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_settings_are_seen_changed_and_written(open_app: Open, file: Path, size: tuple[int, int]) -> None:
    async with open_app(size=size) as driver:
        driver.app.settings = load_settings()
        await driver.press("comma")
        shown = " ".join(driver.text().split())
        assert "beat.iterations 50 from the file" in shown
        assert "Nothing is changed" in shown
        box = driver.app.screen.query_one("#field-beat-warmup", Input)
        box.value = "-1"
        await driver.settle()
        assert "Correct 1 field first." in driver.text()
        await driver.press("ctrl+s")
        assert driver.app.screen.query("SettingsForm")
        box.value = "9"
        driver.app.screen.query_one("#field-screen-reduced_motion", Select).value = "true"
        await driver.settle()
        assert "2 settings to write" in driver.text()
        await driver.press("ctrl+s")
        assert not driver.app.screen.query("SettingsForm")
        (told,) = driver.app._notifications  # on the screen it is broken into lines, depending on the path
        assert "It takes effect at the next start" in told.message
    assert text_in(file).startswith("[beat]\niterations = 50  # few\nwarmup = 9\n")
    assert load_settings().screen.reduced_motion


async def test_leaving_changes_nothing_and_without_a_file_there_is_no_such_key(open_app: Open, file: Path) -> None:
    before = text_in(file)
    async with open_app() as driver:
        await driver.press("comma")
        assert not driver.app.screen.query("SettingsForm")
        driver.app.settings = load_settings()
        await driver.press("comma")
        driver.app.screen.query_one("#field-beat-warmup", Input).value = "9"
        await driver.press("escape")
        assert not driver.app.screen.query("SettingsForm")
    assert text_in(file) == before


async def test_what_the_environment_sets_says_that_the_file_will_not_hold(
    open_app: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT_BEAT_BATCH", "7")
    async with open_app() as driver:
        driver.app.settings = load_settings()
        await driver.press("comma")
        assert "by HEARTBEAT_BEAT_BATCH · rows of the input · 1 to" in driver.text()
        driver.app.screen.query_one("#field-beat-batch", Input).value = "9"
        await driver.settle()
        assert "! HEARTBEAT_BEAT_BATCH overrides the file" in driver.text()


def test_the_command_lists_sets_and_unsets(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["settings", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["schema"], listed["file"], listed["exists"]) == (1, str(file), True)
    assert {"key": "beat.iterations", "value": 50, "default": 100, "source": str(file)}.items() <= listed["settings"][2].items()
    assert dispatch(["settings", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert dispatch(["settings", "set", "beat.warmup", "9"]) == 0
    assert load_settings().beat.warmup == 9
    assert dispatch(["settings", "unset", "beat.warmup"]) == 0
    assert load_settings().source("beat.warmup") == "default"
    assert dispatch(["settings", "set", "beat.wormup", "9"]) == 2
    assert "Did you mean beat.warmup?" in capsys.readouterr().err
    assert dispatch(["settings"]) == 0
    assert "beat.iterations" in capsys.readouterr().out


def test_an_unknown_key_in_the_file_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[beat]\nitterations = 5\n")
    assert dispatch(["settings"]) == 2
    said = capsys.readouterr().err
    assert "there is no setting beat.itterations" in said
    assert "Did you mean beat.iterations?" in said
