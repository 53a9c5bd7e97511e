"""Remedies run exactly as shown, and those that are not ours to run do not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heartbeat_core.checks.fix_runner import FixRun, clean, fill_in, fix_mode, run_in_terminal
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.emulator.process import command_environ
from heartbeat_core.errors import HeartbeatError

WORDS = {"project": "llm-dev", "service": "tpu.googleapis.com"}


def run(program: str, *arguments: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    return FixRun((sys.executable, "-c", program, *arguments), lines.append).run(), lines


def test_arguments_reach_the_command_as_they_are() -> None:
    code, lines = run("import sys; print(*sys.argv[1:], sep='|')", "a b", "$(id)", "; rm -rf", "*")
    assert (code, lines) == (0, ["a b|$(id)|; rm -rf|*"])


def test_output_comes_line_by_line_errors_included() -> None:
    code, lines = run("import sys; print('one', flush=True); print('two', file=sys.stderr); print('50%\\rdone', end=''); sys.exit(7)")
    assert code == 7
    assert lines == ["one", "two", "50%", "done"]


def test_nothing_can_be_asked_of_it() -> None:
    assert run("import sys; print(repr(sys.stdin.read()))") == (0, ["''"])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("bell\x07 and \x9bcsi", "bell and csi"),
        ("tab\tstays, äöü too", "tab\tstays, äöü too"),
    ],
)
def test_no_control_reaches_the_screen(line: str, shown: str) -> None:
    assert clean(line) == shown


def test_it_can_be_cancelled_with_all_it_has_started(watch_process: Callable[[int], Callable[[], bool]]) -> None:
    program = "import subprocess, sys, signal; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); signal.pause()"
    watches: list[Callable[[], bool]] = []

    def started(line: str) -> None:
        watches.append(watch_process(int(line)))
        started_run.cancel()

    started_run = FixRun((sys.executable, "-c", program), started)
    assert started_run.run() < 0
    assert started_run.cancelled
    assert watches[0]()


def test_one_cancelled_before_it_starts_never_starts() -> None:
    never = FixRun(("/nowhere/gcloud",), print)
    never.cancel()
    assert never.run() < 0


def test_a_program_that_is_not_there_is_an_error_people_understand() -> None:
    with pytest.raises(HeartbeatError, match="/nowhere/gcloud cannot be started"):
        FixRun(("/nowhere/gcloud", "init"), print).run()
    with pytest.raises(HeartbeatError, match="/nowhere/gcloud cannot be started"):
        run_in_terminal(("/nowhere/gcloud", "init"))


def test_a_command_on_the_terminal_gives_its_code() -> None:
    assert run_in_terminal((sys.executable, "-c", "raise SystemExit(4)")) == 4


@pytest.mark.parametrize(
    ("remedy", "way", "emulated"),
    [
        (do.enable_api(WORDS), "run", "run"),
        (do.login({}), "terminal", "copy"),
        (do.init({}), "terminal", "copy"),
        (do.link_billing(WORDS), "run", "run"),
        (do.create_vm(WORDS), "copy", "copy"),  # two keys must not create what costs money
        (do.list_billing_accounts({}), "run", "run"),
        (do.billing_page(WORDS), "copy", "copy"),
        (do.wait({}), "copy", "copy"),
        (do.install_openblas({}), "terminal", "copy"),
        (do.install_pair({}), "run", "copy"),
        (do.set_project(WORDS), "run", "run"),
    ],
)
def test_each_remedy_has_its_manner(remedy: Remedy, way: str, emulated: str) -> None:
    assert fix_mode(remedy).way == way
    assert fix_mode(remedy, emulated=True).way == emulated


def test_what_is_filled_in_stays_within_its_argument() -> None:
    asked = do.request_quota({"project": "llm-dev", "zone": "us-central1-b", "quota_id": "Q", "value": "1"})
    full = fill_in(asked, {"<EMAIL>": "you@example.com", "<JUSTIFICATION>": "learn --project=other"})
    assert full.command is not None
    assert asked.command is not None
    assert len(full.command) == len(asked.command)
    assert "--justification=learn --project=other" in full.command
    assert not full.missing
    assert fill_in(asked, {"<EMAIL>": ""}).missing == asked.missing


def test_towards_an_emulator_gcloud_leaves_the_users_things_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_CORE_ACCOUNT", "me@example.com")
    environ = command_environ("http://127.0.0.1:8080", tmp_path / "gcloud")
    assert environ["CLOUDSDK_CONFIG"] == str(tmp_path / "gcloud")
    assert environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU"] == "http://127.0.0.1:8080/"
    assert environ["CLOUDSDK_AUTH_DISABLE_CREDENTIALS"] == "True"
    assert "CLOUDSDK_CORE_ACCOUNT" not in environ
    assert command_environ(None) == dict(os.environ)
