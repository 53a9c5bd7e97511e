from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
import requests

from heartbeat_core.emulator.scenario import load_scenario, scenario_names
from heartbeat_tui.cli import dispatch

LIMIT_S = 30
RUN = "import sys; from heartbeat_tui.cli import dispatch; sys.exit(dispatch(sys.argv[1:]))"


def test_the_list_names_every_scenario_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["emulator", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[name, load_scenario(name).description] for name in scenario_names()]


def test_it_prints_where_it_is_and_how_to_ask_it_and_ends_with_an_interrupt() -> None:
    command = [sys.executable, "-c", RUN, "emulator", "--scenario", "fresh", "--latency", "1ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert requests.get(f"{url}/emulator", timeout=LIMIT_S).json()["scenario"] == "fresh"
        process.send_signal(signal.SIGINT)
        said, errors = process.stdout.read(), process.stderr.read()  # communicate() would forget what readline() read ahead
        assert (process.wait(LIMIT_S), errors) == (0, "")
    assert f"export HEARTBEAT_CLOUD_ENDPOINT={url}\n" in said
    assert f"export CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU={url}/\n" in said
    assert f"export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE={url}/compute/v1/\n" in said
    assert "export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=True\n" in said


def test_what_cannot_be_used_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["emulator", "--scenario", "stokout"]) == 2
    assert "Did you mean stockout?" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert dispatch(["emulator", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot be used" in capsys.readouterr().err
    for speed in ("0", "-1", "nan"):
        assert dispatch(["emulator", f"--speed={speed}"]) == 2


@pytest.mark.parametrize("arguments", [["emulator"], ["check", "--demo"], ["--demo"]])
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert dispatch(arguments) == 2
    title, cause, remedy = capsys.readouterr().err.splitlines()
    assert "not installed" in title
    assert "uvicorn" in cause
    assert "pip install 'heartbeat-tui[demo]'" in remedy
