"""Every command on every kind of stream and disk: other encodings, readers that have gone, no terminal, nowhere to write."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.program import run_program

from heartbeat_core.benchmark import devices
from heartbeat_core.benchmark.devices import Device, DeviceInventory
from heartbeat_tui.cli import COMMANDS

RECORDING = "core/heartbeat_core/tour/recordings/cold.jsonl"
LINES = (
    *("--help", "--version", f"bench --from {RECORDING} --plot", "bench --help", "tour --help", "devices", "chips", "runs list"),
    *(f"runs show {RECORDING}", "replay --help", "backend list", "emulator --list", "explain RESOURCE_EXHAUSTED", "check --demo"),
    *("vms list --demo", "settings", "report", "completion bash", "fleet --help"),
)


def test_every_command_is_among_these() -> None:
    assert set(COMMANDS) <= {line.split()[0] for line in LINES}


@pytest.fixture(autouse=True)
def _probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """FakeRuns in for the devices of this machine: to probe them takes seconds."""
    found = DeviceInventory((Device("cpu", sys.executable, {"device": "CPU"}), Device("xla", sys.executable, {}, "not here")), ())
    monkeypatch.setattr(devices, "take_inventory", lambda *_: found)


@pytest.mark.parametrize("line", LINES)
def test_no_command_fails_for_a_character(line: str) -> None:
    plain = run_program(*line.split())
    for encoding in ("latin-1", "ascii"):
        replaced = run_program(*line.split(), encoding=encoding)
        assert replaced.returncode == plain.returncode
        assert "Traceback" not in replaced.stderr
        assert replaced.stdout.count("?") == plain.stdout.count("?"), "every character of ours has a similar one"
        assert len(replaced.stdout.splitlines()) == len(plain.stdout.splitlines())


def test_a_locale_without_utf_8_fails_nothing(fake_worker: Any) -> None:
    worker = fake_worker("start(); beat(0, *range(1, 40)); tell('ended', reason='done')")
    ascii_only = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    line = [sys.executable, "-m", "heartbeat_tui", "bench", "--python", worker]
    done = subprocess.run(line, capture_output=True, text=True, env=ascii_only, check=False)
    assert done.returncode == 0, done.stderr
    assert "[128x4096]" in done.stdout


@pytest.mark.parametrize("line", LINES)
def test_a_reader_that_has_gone_ends_every_command_silently(line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
        done = run_program(*line.split(), stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_stream_fails_nothing() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$0" -m heartbeat_tui --help <&- >&-', sys.executable], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("", "heartbeat-tui bench"),
        ("--start", "heartbeat-tui bench"),
        ("--demo ready", "heartbeat-tui check --demo ready"),
        ("--project llm-dev", "heartbeat-tui check --project llm-dev"),
        ("tour", "heartbeat-tui tour --text"),
        (f"replay {RECORDING}", f"heartbeat-tui bench --from {RECORDING}"),
    ],
)
def test_without_a_terminal_the_screen_names_the_command_that_does_the_same(line: str, instead: str) -> None:
    with Path(os.devnull).open("rb") as nothing:
        done = subprocess.run(
            [sys.executable, "-m", "heartbeat_tui", *line.split()], stdin=nothing, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "heartbeat-tui: the screen needs a terminal",
        "  stdin and stderr are not a terminal.",
        f"  Without a screen: {instead}",
    ]


def test_a_dumb_terminal_gets_no_escape_codes() -> None:
    terminal, inner = os.openpty()
    command, environ = [sys.executable, "-m", "heartbeat_tui"], {**os.environ, "TERM": "dumb"}
    done = subprocess.run(command, stdin=inner, stderr=inner, env=environ, timeout=30, check=False)
    said = os.read(terminal, 4096).decode().splitlines()
    os.close(terminal)
    os.close(inner)
    assert done.returncode == 2
    assert said == ["heartbeat-tui: the screen needs a terminal", "  TERM is dumb.", "  Without a screen: heartbeat-tui bench"]


@pytest.mark.parametrize("full", [False, True])
def test_a_run_that_cannot_be_saved_runs_with_a_warning(fake_worker: Any, home: Path, full: bool) -> None:
    """On a disk that takes no byte, and in a folder that cannot be made."""
    worker = fake_worker("start(); beat(0, *range(1, 40)); tell('ended', reason='done')")
    if not full:
        (home / "xdg_data_home").write_text("a file stands where the folder should")
    done = subprocess.run(
        [sys.executable, "-m", "heartbeat_tui", "bench", "--json", "--name", "kept", "--python", worker],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (0, 0)) if full else None,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statistics"]
    (note,) = done.stderr.splitlines()
    assert note.startswith("note: the run is not saved: ")
    assert "--no-save" in note
    assert not list(home.rglob("*.jsonl"))
