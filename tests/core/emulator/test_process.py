"""The emulator as a process: it answers, refuses what it cannot serve, and never outlives whoever started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from tests.waiting import wait_until

from heartbeat_core.emulator.process import gcloud_environment, start_emulator
from heartbeat_core.emulator.server import bind
from heartbeat_core.errors import HeartbeatError

LIMIT_S = 30


def test_it_answers_on_loopback_until_it_is_closed() -> None:
    with start_emulator("fresh", speed=100.0, seed=3) as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")
        assert requests.get(f"{emulator.url}/emulator", timeout=LIMIT_S).json()["scenario"] == "fresh"
        assert requests.get(f"{emulator.url}/emulator", headers={"Host": "example.com"}, timeout=LIMIT_S).status_code == 400
        process = emulator.process
    assert process.returncode == 0
    emulator.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{emulator.url}/emulator", timeout=LIMIT_S)


def test_a_scenario_that_cannot_be_used_is_said() -> None:
    with pytest.raises(HeartbeatError, match="there is no scenario 'nothing'"):
        start_emulator("nothing")


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(HeartbeatError, match="port 70000 cannot be used"):
        bind(70000)


def test_it_ends_with_the_process_that_started_it() -> None:
    script = (
        "import os, signal\nfrom heartbeat_core.emulator.process import start_emulator\n"
        "emulator = start_emulator()\nprint(emulator.url, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        url, errors = parent.communicate(timeout=LIMIT_S)
    assert errors == ""
    wait_until(lambda: not answers(url.strip()), "the end of the emulator")


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/emulator", timeout=LIMIT_S).ok
    except requests.ConnectionError:
        return False


def test_its_log_stays_off_the_terminal_and_its_last_lines_are_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first words >&2\necho there is no such module >&2\nexit 4\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(HeartbeatError, match="did not start") as refused:
        start_emulator()
    assert refused.value.cause == "Its process ended with code 4."
    assert refused.value.remedy == "Its last words: there is no such module"
    assert capfd.readouterr().err == ""


def test_cut_connections_and_truncated_json_reach_a_real_client(capfd: pytest.CaptureFixture[str]) -> None:
    seen = set()
    with start_emulator("flaky") as emulator:
        for _ in range(120):
            try:
                answer = requests.get(f"{emulator.url}/v3/projects/demo-project", timeout=LIMIT_S)
                answer.json()
                seen.add(str(answer.status_code))
            except requests.exceptions.JSONDecodeError:
                seen.add("truncated")
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                seen.add("cut")
    assert seen == {"200", "429", "503", "cut", "truncated"}
    assert capfd.readouterr().err == ""  # what the emulator wrote there would stand on the screen of a demo


def test_gcloud_is_pointed_at_it_by_variables(tmp_path: Path) -> None:
    environment = gcloud_environment("http://127.0.0.1:1", tmp_path)
    assert environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU"] == "http://127.0.0.1:1/"
    assert environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] == "http://127.0.0.1:1/compute/v1/"
    assert environment["CLOUDSDK_CONFIG"] == str(tmp_path)
