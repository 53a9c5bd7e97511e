"""What the README names exists: commands, flags, make's targets, links and settings."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.program import Done, run_program

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.settings import load_settings

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
PROGRAM = "heartbeat-tui"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def lines() -> list[list[str]]:
    """Return each line of the shell blocks as words, without its comment and the variables before the command."""
    words = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    return [[word for at, word in enumerate(line) if "=" not in word or at > 0] for line in words if line]


def made() -> list[list[str]]:
    return [line for line in lines() if line[0] == "make"]


def commands() -> list[list[str]]:
    """Return the arguments of each command of ours, those passed through make too."""
    own = [line[1:] for line in lines() if Path(line[0]).name == PROGRAM]
    through_make = [shlex.split(word.removeprefix("ARGS=")) for line in made() for word in line if word.startswith("ARGS=")]
    inline = [shlex.split(text.removeprefix(PROGRAM)) for text in re.findall(rf"`{PROGRAM}( [^`]+)`", README)]
    return own + through_make + inline


def call(*arguments: str, **environ: str) -> Done:
    return run_program(*arguments, env={**os.environ, **environ})


def test_the_readme_has_commands_to_check() -> None:
    assert all(Path(line[0]).name in (PROGRAM, "make") for line in lines()), "a line that no test here checks"
    assert len(commands()) >= 8
    assert {"bench", "devices", "replay", "backend"} <= {command[0] for command in commands()}


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_and_its_flags_exist(command: list[str]) -> None:
    """A word before the first flag is a command where the help of the words so far lists it."""
    path: list[str] = []
    shown = call("--help").stdout
    for word in command:
        if word.startswith("-") or not re.search(rf"^\s+{re.escape(word)}\s", shown, re.MULTILINE):
            break
        path.append(word)
        answer = call(*path, "--help")
        assert answer.returncode == 0, answer.stderr
        shown = answer.stdout
    assert path or command[0].startswith("--"), f"{command[0]} is no command"
    for flag in (word for word in command if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", shown), f"{' '.join(path)} does not know {flag}"


@pytest.mark.torch
@pytest.mark.parametrize("command", [command for command in commands() if command[0] == "bench" and "--hidden" in command], ids=" ".join)
def test_a_small_run_of_the_readme_works(command: list[str], tmp_path: Path) -> None:
    answer = call(*command, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "Average time per iteration" in answer.stdout


@pytest.mark.parametrize("command", [command for command in commands() if command[0] == "check" and "--demo" in command], ids=" ".join)
def test_a_check_of_the_readme_finds_what_the_scenario_lacks(command: list[str], tmp_path: Path) -> None:
    answer = call(*command, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    assert answer.returncode == 1, answer.stderr
    assert "DEMO no-billing" in answer.stdout
    assert "✗ fail     project.billing" in answer.stdout


def test_the_text_that_the_readme_explains_is_known() -> None:
    asked = next(command for command in commands() if command[0] == "explain")
    assert call(*asked).returncode == 0


def test_backends_are_listed_as_json() -> None:
    answer = call("backend", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    assert [row["backend"] for row in json.loads(answer.stdout)["backends"]] == list(BACKENDS)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("line", made(), ids=" ".join)
def test_make_knows_its_targets(line: list[str]) -> None:
    answer = subprocess.run([line[0], "-n", *line[1:]], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_shown_are_settings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    assert load_settings(environ={}, file=file).source("beat.warmup") == str(file)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_what_the_readme_links_to_is_here(target: str) -> None:
    assert (PROJECT / target).exists()
