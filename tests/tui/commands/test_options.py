"""The parser knows every command, and imports only those that are named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from heartbeat_tui.cli import COMMANDS, make_parser

LIST_MODULES = """
import sys
from heartbeat_tui.cli import make_parser
make_parser(["--help"]).format_help()
print(*sys.modules, sep="\\n")
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_listed_alike_whether_imported_or_not(command: str) -> None:
    assert make_parser([command]).format_help() == make_parser([]).format_help()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_named_command_can_be_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        make_parser([command, "--help"]).parse_args([command, "--help"])
    assert left.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_help_imports_no_command_no_screen_and_no_number_cruncher() -> None:
    listed, always = (
        set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())
        for code in (LIST_MODULES, 'import sys; print(*sys.modules, sep="\\n")')
    )  # an editable installation imports pathlib for every program
    commands = {f"heartbeat_tui.commands.{name}" for name in COMMANDS}
    assert not {*commands, "json", "numpy", "pathlib", "platformdirs", "textual", "torch"} & (listed - always)
