"""The commands on the pages under docs/: all parse, and those marked harmless do what they say."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

import pytest
from tests.program import run_program

from heartbeat_tui.cli import COMMANDS, make_parser

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
PROGRAM = "heartbeat-tui"
HARMLESS = "<!-- harmless -->\n"


def commands(*, harmless: bool = False) -> list[tuple[str, list[str], int]]:
    """Return page, words and exit code of each command of ours; a comment may name another code than 0."""
    found = []
    for page in PAGES:
        for block in re.findall(rf"({HARMLESS})?^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block[1].replace("\\\n", " ").splitlines():
                words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
                if words[:1] == [PROGRAM] and (block[0] or not harmless):
                    code = re.search(r"# exit (\d+)", line)
                    found.append((page.name, until_shell(words[1:]), int(code[1]) if code else 0))
    return found


def until_shell(words: list[str]) -> list[str]:
    """Leave out what is the shell's: pipes, redirections, a second command."""
    ends = [at for at, word in enumerate(words) if word in ("|", "<", ">", ">>", "&&", ";", "2>", "&")]
    return words[: ends[0]] if ends else words


def named(command: tuple[str, list[str], int]) -> str:
    return f"{command[0]}: {' '.join(command[1])}"


@pytest.mark.parametrize("command", commands(), ids=named)
def test_a_command_parses(command: tuple[str, list[str], int], capsys: pytest.CaptureFixture[str]) -> None:
    _, words, _ = command
    try:
        parsed = make_parser(words).parse_args(words)
    except SystemExit as left:
        pytest.fail(f"exit {left.code}: {capsys.readouterr().err}")
    assert isinstance(parsed, argparse.Namespace)


@pytest.mark.parametrize("command", commands(harmless=True), ids=named)
def test_a_harmless_command_does_what_it_says(command: tuple[str, list[str], int], tmp_path: Path) -> None:
    _, words, code = command
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HEARTBEAT_")}
    environ |= {name: str(tmp_path) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "CLOUDSDK_CONFIG")}
    done = run_program(*words, env=environ | {"NO_GCE_CHECK": "true"})
    assert done.returncode == code, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_that_the_index_links_to(name: str) -> None:
    assert (DOCS / f"{name}.md").exists()
    assert f"]({name}.md)" in (DOCS / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_here(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (DOCS / target).exists(), target
