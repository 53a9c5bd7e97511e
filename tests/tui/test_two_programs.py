"""Two programs at once, as real processes: on one folder of recordings, on one TPU, on one project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.emulation import start_emulator
from tests.program import run_program
from tests.waiting import wait_until

from heartbeat_core.benchmark.tpu_chips import users_of

# A run that begins when the other program has begun too.
TOGETHER = """
start(); open({own!r}, "w").close()
import time
while len(os.listdir({folder!r})) < 2:
    time.sleep(0.01)
beat(0, *range(1, 40)); tell('ended', reason='done')
"""
# A run on a chip: libtpu's words where another process has it.
ON_THE_CHIP = """
import fcntl
start(); chip = open({chip!r}, "r+")
try:
    fcntl.flock(chip, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    tell("failed", kind="crash", title="the worker failed", remedy="",
         cause="RuntimeError: The TPU is already in use by process with pid " + open({chip!r}).read())
else:
    open({chip!r}, "w").write(str(os.getpid()))
    sys.stdin.readline()
    beat(0, *range(1, 40)); tell('ended', reason='done')
"""


def begin(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "heartbeat_tui", *arguments]
    env = {**os.environ, **environ}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def ends(programs: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    said = [program.communicate() for program in programs]
    return [(program.returncode, *each) for program, each in zip(programs, said, strict=True)]


def test_two_runs_and_two_lists_share_a_folder(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    meeting = tmp_path / "begun"
    meeting.mkdir()
    workers = {name: fake_worker(TOGETHER.format(own=str(meeting / name), folder=str(meeting))) for name in ("one", "other")}
    for code, _, errors in ends([begin("bench", "--name", name, "--python", worker) for name, worker in workers.items()]):
        assert (code, errors) == (0, "")
    for code, listed, errors in ends([begin("runs", "list", "--json") for _ in range(2)]):
        assert (code, errors) == (0, "")
        assert [run["status"] for run in json.loads(listed)["runs"]] == ["done", "done"]
    for code, _, errors in ends([begin("runs", "delete", *workers, "--yes") for _ in range(2)]):
        assert code == 0 or "there is no run" in errors, errors
    assert json.loads(run_program("runs", "list", "--json").stdout)["runs"] == []


def test_a_project_creates_a_tpu_vm_of_one_name_once() -> None:
    with start_emulator("ready") as emulator:
        where = ("--endpoint", emulator.url, "--project", "demo-project")
        environ = {"CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true"}
        both = ends([begin("vms", "create", "tpu-a", "--yes", "--no-wait", *where, **environ) for _ in range(2)])
        assert sorted(code for code, _, _ in both) == [0, 1]
        (refused,) = (errors for code, _, errors in both if code == 1)
        assert "already" in refused
        assert len(run_program("vms", "list", "--json", *where, env={**os.environ, **environ}).stdout.split('"tpu-a"')) == 2


def test_the_second_program_on_a_chip_says_which_process_holds_it(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    chip = tmp_path / "chip"
    chip.touch()
    words = ("bench", "--json", "--no-save", "--python", fake_worker(ON_THE_CHIP.format(chip=str(chip))))
    first = begin(*words, "--until-stopped")
    try:
        wait_until(chip.read_text, "the first run has the chip")
        (holder,) = users_of(Path("/"), [chip])
        ((code, _, errors),) = ends([begin(*words)])
    finally:
        first.send_signal(signal.SIGINT)
        ended = ends([first])
    assert ended[0][0] == 130
    assert str(holder.pid) == chip.read_text()
    assert code == 1
    _, why, what_to_do = errors.splitlines()
    assert f"already in use by process with pid {holder.pid}" in why
    assert what_to_do == f"  ps -o pid,user,lstart,args -p {holder.pid}"
