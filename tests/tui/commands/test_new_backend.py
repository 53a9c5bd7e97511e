"""One row in the table of backends is enough for a new backend: `devices`, `--backend` and a run know it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python imports this module at its start, in the program and in the worker that it starts.
ROW = """
from heartbeat_core.benchmark.backends import BACKENDS, BackendInfo
BACKENDS["torchtpu"] = BackendInfo("torchtpu", "fake_torchtpu:FakeBackend", label="TorchTPU's device")
del BACKENDS["accelerator"], BACKENDS["xla"]  # to probe them takes seconds
"""
BACKEND = """
from heartbeat_core.benchmark.backends.cpu import CpuBackend

class FakeBackend(CpuBackend):
    def open(self, config):
        return {**super().open(config), "device": "tpu:0", "hardware": "TPU"}
"""


@pytest.fixture
def one_row_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(ROW)
    (tmp_path / "fake_torchtpu.py").write_text(BACKEND)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))


def heartbeat_tui(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "heartbeat_tui", *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.torch
@pytest.mark.usefixtures("one_row_more")
def test_a_row_in_the_table_is_a_backend_everywhere() -> None:
    assert "torchtpu" in heartbeat_tui("bench", "--help").stdout

    devices = json.loads(heartbeat_tui("devices", "--json").stdout)["devices"]
    (found,) = [device for device in devices if device["backend"] == "torchtpu"]
    assert found["usable"], found
    assert found["found"]["device"] == "tpu:0"

    shape = ("--batch=4", "--hidden=64", "--intermediate=64", "--iterations=20", "--threads=1")
    done = heartbeat_tui("bench", "--backend", "torchtpu", *shape, "--json", "--no-save")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environment"]["hardware"] == "TPU"
