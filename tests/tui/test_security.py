"""What others write cannot command the terminal, and what is secret stays where it is."""

from __future__ import annotations

import json
import re
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.program import run_program
from tests.tui.conftest import Driven
from tests.waiting import until

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, Failed, Label, Record, Samples, Started, encode
from heartbeat_core.benchmark.tpu_chips import users_of
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.cloud.connection import read_object
from heartbeat_core.cloud.errors import refusal
from heartbeat_core.emulator.server import bind
from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import load_settings
from heartbeat_tui.bootstrap import make_app

CLIPBOARD, TITLE, LINK, C1 = "\x1b]52;c;cm0gLXJm\x07", "\x1b]0;owned\x07", "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "\x9b2J"
HOSTILE = f"x{CLIPBOARD}{TITLE}{LINK}{C1}\x1b[2J\r\x08\u202ey"
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile_recordings(folder: Path) -> Iterator[Path]:
    """Write recordings that hold commands for the terminal wherever they hold a text, in their names too."""
    folder.mkdir(parents=True)
    facts = dict.fromkeys(("host", "device", "cpu", "torch", "hardware", "precision", "chip", "backend", "os", "python"), HOSTILE)
    ends: tuple[Record, ...] = (Ended(5, "done"), Failed(5, "crash", HOSTILE, HOSTILE, HOSTILE), Ended(5, HOSTILE))
    for number, end in enumerate(ends):
        plan = BenchmarkConfig(MatMul(8 + number, 64, 64), warmup=1).to_json()
        lines: list[Record] = [
            Started(0, SCHEMA, HOSTILE, 1, f"2026-11-0{number + 1}T12:00:00+00:00", plan),
            Label(0, HOSTILE, HOSTILE, (HOSTILE,), group=f"g{HOSTILE}"),
            Environment(1, {**facts, "threads": 2, "variables": {HOSTILE: HOSTILE}}),
            Samples(2, "cold", 0, {"total": array("q", [9_000_000])}),
            Samples(3, "steady", 1, {"total": array("q", [1_000_000 + 997 * each % 9973 for each in range(100)])}),
            end,
        ]
        path = folder / f"run{number}{HOSTILE.replace('/', '')}.jsonl"
        path.write_bytes(b"".join(map(encode, lines)))
        yield path


@pytest.fixture
def recordings(home: Path) -> tuple[Path, ...]:
    return tuple(hostile_recordings(home / "xdg_data_home" / "heartbeat-tui" / "recordings"))


def test_a_hostile_recording_writes_no_control_sequence(recordings: tuple[Path, ...]) -> None:
    one, failed, other = map(str, recordings)
    said = ""
    for words in (
        ("runs", "list", "--wide"), ("runs", "show", one, "--plot"), ("runs", "show", failed), ("bench", "--from", other), ("runs",),
        ("runs", "compare", one, other, "--plot"), ("runs", "check", one, failed), ("runs", "trend", "--config-of", one),
        ("runs", "show", "x"), ("runs", "export", one, other, "--format", "md"), ("runs", "export", one, "--format", "csv"),
        ("runs", "tag", failed, "fine"),
        ("runs", "show", f"{one}.missing"),
        ("replay", failed), ("runs", "delete", "run1", "--yes"),
    ):  # fmt: skip
        done = run_program(*words)
        assert not CONTROLS.search(done.stdout + done.stderr), (words, CONTROLS.findall(done.stdout + done.stderr))
        said += done.stdout + done.stderr
    assert "]52;c;" in said, "what cannot be shown is left out, the rest is"


async def test_a_hostile_recording_draws_no_control_sequence(recordings: tuple[Path, ...]) -> None:
    launcher = Launcher(load_settings())
    with make_app(launcher, launcher.config()) as app:
        async with app.run_test(size=(160, 50)) as pilot:
            driven = Driven(app, pilot)
            await driven.press("4")
            await until(lambda: "looking for recordings" not in driven.text(), "the list of runs")
            await driven.press("enter")
            await until(lambda: "]52;c;" in driven.text(), "what the recording says")
            for line in driven.text().splitlines():
                assert not CONTROLS.search(line), line
    launcher.close()


@pytest.mark.torch
def test_no_token_comes_into_recordings_reports_and_arguments(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, started = "ya29.a0AfB-the-token-of-this-test", []
    popen = subprocess.Popen.__init__

    def spy(self: Any, args: Any, *rest: Any, **more: Any) -> None:
        started.append(str(args))
        popen(self, args, *rest, **more)

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    for name in ("CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, token)
    shape = ("--batch", "8", "--hidden", "64", "--intermediate", "64", "--iterations", "5")
    said = [
        run_program("bench", "--json", *shape),
        run_program("report", "--no-devices", "--demo"),
        run_program("check", "--demo", "--json"),
    ]
    assert json.loads(said[0].stdout)["samples_ns"]
    assert started
    kept = [path.read_bytes().decode("utf-8", "replace") for path in home.rglob("*") if path.is_file()]
    assert kept
    assert token not in "\n".join([*started, *kept, *(part for done in said for part in (done.stdout, done.stderr))])


def test_an_answer_of_google_and_a_process_hold_no_control_sequence(tmp_path: Path) -> None:
    body = json.dumps({"nodes": [{"name": HOSTILE, "labels": {HOSTILE: HOSTILE}}], "error": {"message": HOSTILE}}).encode()
    process = tmp_path / "proc/7/fd"
    process.mkdir(parents=True)
    (process / "3").symlink_to("/dev/vfio/0")
    (process.parent / "cmdline").write_bytes(HOSTILE.encode())
    (holder,) = users_of(tmp_path, [tmp_path / "dev/vfio/0"])
    said = [str(read_object(body, "tpu")), refusal("tpu", 403, body).message, refusal("tpu", 403, HOSTILE.encode()).message, str(holder)]
    for text in said:
        assert "]52;c;" in text
        assert not CONTROLS.search(text), text


def test_the_only_server_listens_on_this_machine_alone() -> None:
    with bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
