"""``heartbeat-tui devices``, as its users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.program import Done, run_program

from heartbeat_core.benchmark.backends import BACKENDS

PROGRAM = [sys.executable, "-m", "heartbeat_tui"]
WORKS = """
if order["probe"]["backend"] != "cpu":
    tell("failed", kind="backend", title="no such device", cause="none is here", remedy="plug one in")
else:
    tell("environment", values={"backend": "cpu", "device": "cpu", "cpu": "EPYC", "threads": 2, "torch": "2.9", "python": "3.12"})
    tell("ended", reason="done")
"""


def devices(*arguments: str) -> Done:
    return run_program("devices", *arguments)


def test_the_json_lists_every_backend_with_what_was_found(fake_worker: Any) -> None:
    python = fake_worker(WORKS)
    done = devices("--json", "--python", python)
    assert done.returncode == 0
    made = json.loads(done.stdout)
    assert made["schema"] == 1
    assert isinstance(made["tpus"], list)
    assert [device["backend"] for device in made["devices"]] == list(BACKENDS)
    cpu, xla, *_ = made["devices"]
    assert (cpu["usable"], cpu["python"], cpu["found"]["threads"], cpu["problem"]) == (True, python, 2, None)
    assert (xla["usable"], xla["problem"], xla["cause"], xla["remedy"]) == (False, "no such device", "none is here", "plug one in")


def test_a_chip_on_a_hidden_bus_is_named_with_what_to_do(fake_worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heartbeat_core.benchmark.devices.hidden_tpus", lambda: (Path("/dev/vfio/0"),))
    first = devices("--python", fake_worker(WORKS)).stdout.splitlines()[0]
    assert first.startswith("TPU chips on the PCI bus: the TPU chip is there, but the PCI bus is hidden. /dev/vfio/0 can be seen")
    assert first.endswith("Run the container with --privileged.")


def test_the_text_says_what_can_run_and_how_to_fix_the_rest(fake_worker: Any) -> None:
    done = devices("--python", fake_worker(WORKS))
    assert done.returncode == 0
    assert "✓ cpu          can run\n  device cpu · cpu EPYC · threads 2 · torch 2.9 · python 3.12" in done.stdout
    assert "✗ xla          cannot run: no such device\n  none is here\n  plug one in" in done.stdout
    assert "TPU chips on the PCI bus:" in done.stdout


def test_where_nothing_can_run_the_exit_code_says_so() -> None:
    done = devices("--python", "/nonexistent/python")
    assert done.returncode == 3
    assert done.stdout.count("cannot be started") == len(BACKENDS)


def test_a_rehearsal_is_called_one(fake_worker: Any) -> None:
    done = devices("--python", fake_worker("tell('environment', values={'rehearsal': True})"))
    assert done.stdout.count("can run, as a rehearsal on the CPU: not a TPU") == len(BACKENDS)


def test_ctrl_c_ends_the_looks_that_hang(fake_worker: Any, watch_process: Callable[[int], Callable[[], bool]], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    python = fake_worker(f"open({str(fifo)!r}, 'w').write(f'{{os.getpid()}} '); signal.pause()")
    program = subprocess.Popen([*PROGRAM, "devices", "--python", python], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    gone = watch_process(int(fifo.read_text().split()[0]))
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=120)
    assert (program.returncode, said) == (130, b"interrupted\n")
    assert gone()
