"""The command line as a whole: what it imports, what it says, how it ends."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.program import imported, run_program

from heartbeat_core import __version__
from heartbeat_core.benchmark.bandwidth import HOST_MEMORIES
from heartbeat_core.benchmark.config import METHODS, PRECISIONS
from heartbeat_core.benchmark.layer import MODEL_PHASES, WEIGHTS
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui import cli
from heartbeat_tui.commands import options as plan_flags
from heartbeat_tui.commands.examples import EXAMPLES

PROGRAM = [sys.executable, "-m", "heartbeat_tui"]
LIST_MODULES = """
import sys
from heartbeat_tui.cli import make_parser
make_parser(["--help"]).format_help()
print(*sys.modules, sep="\\n")
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["bench", "--help"], ["devices", "--help"], ["replay", "--help"]])
def test_help_costs_next_to_nothing(arguments: list[str]) -> None:
    assert not imported(*arguments)[1] & {"textual", "rich", "torch", "numpy", "platformdirs", "asyncio", "google"}


def test_help_imports_no_command_no_screen_and_no_number_cruncher() -> None:
    listed, always = (
        set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())
        for code in (LIST_MODULES, 'import sys; print(*sys.modules, sep="\\n")')
    )  # an editable installation imports pathlib for every program
    commands = {f"heartbeat_tui.commands.{name}" for name in cli.COMMANDS}
    assert not {*commands, "json", "numpy", "pathlib", "platformdirs", "textual", "torch"} & (listed - always)


def test_a_headless_run_has_neither_screen_nor_torch(fake_worker: Any) -> None:
    body = "start(); beat(0, *range(1, 40)); tell('ended', reason='done')"
    _, loaded = imported("bench", "--json", "--no-save", "--python", fake_worker(body))
    assert "numpy" in loaded  # it did come as far as the statistics
    assert not loaded & {"textual", "torch", "rich", "google"}


def test_help_names_every_command_and_the_exit_codes() -> None:
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, check=True)
    for word in ("bench", "devices", "replay", "backend", "130"):
        assert word in done.stdout


def test_the_version_is_the_packages() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"heartbeat-tui {__version__}\n"


def test_the_flags_offer_what_the_engine_has() -> None:
    offered = plan_flags.METHODS, plan_flags.PRECISIONS, plan_flags.PHASES, plan_flags.WEIGHTS, plan_flags.HOST_MEMORIES
    assert offered == (METHODS, PRECISIONS, MODEL_PHASES, WEIGHTS, HOST_MEMORIES)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("2m", 120.0), ("1.5m", 90.0), ("250ms", 0.25), ("1h", 3600.0), ("7", 7.0), (" 7 s ", 7.0)]
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert plan_flags.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-3s", "3 days", "1e3", "0", "0.0s", "nan", "inf", "9" * 400, "999999999h"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="try 30s"):
        plan_flags.duration(text)


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Carry out a command that raises ``error``; return the exit code and what was said."""

    def run(_args: argparse.Namespace) -> int:
        if error:
            raise error
        return 1

    parser = argparse.ArgumentParser()
    parser.set_defaults(run=run)
    monkeypatch.setattr(cli, "make_parser", lambda *_: parser)
    code = cli.dispatch([])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 1, ""),
        (HeartbeatError("no", "because", "do this"), 2, "heartbeat-tui: no\n  because\n  do this\n"),
        (HeartbeatError("no", "", "", exit_code=3), 3, "heartbeat-tui: no\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_every_end_has_its_code_and_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException | None, code: int, said: str
) -> None:
    assert ends_with(monkeypatch, error, capsys) == (code, said)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of each command and of each action."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in set(action.choices.values()):
                yield from parsers(below)


def test_the_help_of_every_command_shows_two_examples_that_parse() -> None:
    shown: set[str] = set()
    for parser in parsers(cli.make_parser([*cli.COMMANDS])):
        _, _, examples = parser.format_help().partition("examples:\n")
        lines = examples.splitlines()
        assert len(lines) == 2, parser.prog
        for line in lines:
            words = shlex.split(line)
            words = words[: next((at for at, word in enumerate(words) if word in (">", "|")), len(words))]
            assert f"{' '.join(words)} ".startswith(f"{parser.prog} ")
            assert cli.make_parser(words[1:]).parse_args(words[1:]).run
        shown.add(parser.prog.partition(" ")[2])
    assert shown == set(EXAMPLES)


def test_runs_alone_lists_them() -> None:
    assert run_program("runs").stdout == run_program("runs", "list").stdout != ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_flags_and_files(shell: str) -> None:
    made = run_program("completion", shell)
    assert made.returncode == 0
    for word in (*cli.COMMANDS, "compare", "until-stopped"):
        assert word in made.stdout, word
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=made.stdout, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "title", "remedy"),
    [
        (["benhc"], "there is no command benhc", "Did you mean bench? See heartbeat-tui --help."),
        (["bench", "--iteratons", "3"], "unrecognized: --iteratons 3", "Did you mean --iterations? See heartbeat-tui bench --help."),
        (["--bacth", "5", "bench"], "unrecognized: --bacth 5", "Did you mean --batch? See heartbeat-tui --help."),
        (["--data-dir=/tmp/x", "bench"], "unrecognized: --data-dir=/tmp/x", "See heartbeat-tui --help."),
        (
            ["runs", "--sort", "median", "list"],
            "unrecognized: --sort median",
            "heartbeat-tui runs list takes it: give it after that name. See heartbeat-tui runs --help.",
        ),
        (["vms", "create", "--no\nme"], "unrecognized: --no me", "See heartbeat-tui vms create --help."),
        (["bench", "--ba", "5"], "--ba is ambiguous", "See heartbeat-tui bench --help."),
        (
            ["runs", "show", "~nobody-here/a.jsonl"],
            "there is no run '~nobody-here/a.jsonl'",
            "Run `heartbeat-tui runs list` to see what there is.",
        ),
        (["vms", "watch", "a b"], "'a b' is no name of a TPU VM", "List them: heartbeat-tui vms list."),
        ([""], "there is no command ''", "See heartbeat-tui --help."),
        (["bench", "--backend", "cuda"], "--backend is cuda", "See heartbeat-tui bench --help."),
        (["bench", "--iterations", "x"], "--iterations is x", "See heartbeat-tui bench --help."),
        (["bench", "--duration", "soon"], "--duration: soon is no duration", "See heartbeat-tui bench --help."),
        (["check", "--json", "--fix-plan"], "--fix-plan and --json exclude one another", "See heartbeat-tui check --help."),
        (["check", "--only"], "--only has no value", "See heartbeat-tui check --help."),
        (["backend"], "missing: ACTION", "See heartbeat-tui backend --help."),
        (["settings", "set", "beat.iterations"], "missing: VALUE", "See heartbeat-tui settings set --help."),
    ],
)
def test_a_wrong_command_line_is_answered_in_three_lines(
    capsys: pytest.CaptureFixture[str], arguments: list[str], title: str, remedy: str
) -> None:
    assert cli.dispatch(arguments) == 2
    happened, why, what_to_do = capsys.readouterr().err.splitlines()
    assert happened == f"heartbeat-tui: {title}"
    assert why.startswith("  ")
    assert what_to_do == f"  {remedy}"


def test_a_refusal_of_google_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = CloudError("refused", "Permission denied on resource project llm-dev.", service="tpu", status=403, code="PERMISSION_DENIED")
    code, said = ends_with(monkeypatch, error, capsys)
    assert code == 3
    assert said.splitlines()[2] == "  gcloud auth list"


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PermissionError):
        ends_with(monkeypatch, PermissionError(13, "Permission denied"), capsys)


@pytest.mark.parametrize("name", ["missing.jsonl", "other.toml", "x" * 3000])
def test_a_replay_of_what_is_no_recording_never_opens_the_screen(name: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[project]\n")
    done = run_program("replay", str(tmp_path / name))
    assert done.returncode == 2
    assert "heartbeat-tui:" in done.stderr
    assert done.stdout == ""
