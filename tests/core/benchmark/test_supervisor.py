"""The guard, with real processes: what it hands on, and that nothing outlives it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from heartbeat_core.benchmark.process import SUPERVISOR, module_command
from heartbeat_core.benchmark.supervisor import OUT_OF_MEMORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard works on TPU VMs, and those are Linux")

LIMIT_S = 60.0
# What stands in the worker's place: it tells who it is and what it was told, then does what its body says.
WORKER = """
import ctypes, json, os, signal, subprocess, sys, time
sys.modules["heartbeat_core.benchmark.worker"] = sys.modules[__name__]
def main():
    order = json.loads(sys.stdin.readline())
    libc = ctypes.CDLL(None)
    libc.prctl(1, signal.SIGKILL)
    print(json.dumps({"pid": os.getpid(), "order": order, "chips": os.environ.get("TPU_VISIBLE_CHIPS")}), flush=True)
    BODY
"""
Watch = Callable[[int], Callable[[], bool]]
Guarded = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def guarded(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """Start a guard over a stand-in for the worker: a copy of the few modules it needs, with that one replaced."""
    from pathlib import Path

    import heartbeat_core

    with ExitStack() as stack:

        def start(body: str, *arguments: str, silence_s: float = LIMIT_S) -> subprocess.Popen[bytes]:
            package = tmp_path / "heartbeat_core"
            own = Path(heartbeat_core.__file__).parent
            (package / "benchmark" / "backends").mkdir(parents=True, exist_ok=True)
            for path in (own / "__init__.py", own / "errors.py", *(own / "benchmark").rglob("*.py")):
                (package / path.relative_to(own)).write_bytes(path.read_bytes())
            (package / "benchmark" / "worker.py").write_text(WORKER.replace("BODY", body))
            command = [*module_command(sys.executable, SUPERVISOR, str(package)), str(silence_s), "0.2", *arguments]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdin is not None
            process.stdin.write(b'\n{"plan": {}}\n')
            process.stdin.flush()
            return process

        yield start


def first(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def say(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def test_orders_are_handed_on_and_signs_of_life_are_not(guarded: Guarded) -> None:
    process = guarded("print(json.dumps([sys.stdin.readline(), sys.stdin.readline()]), flush=True); os._exit(7)")
    told = first(process)
    assert told["order"] == {"plan": {}, "parent": process.pid}
    assert told["chips"] is None
    say(process, b"\n\npause\n\n")
    say(process, b"resume\n")
    assert first(process) == ["pause\n", "resume\n"]
    assert process.wait(LIMIT_S) == 7


def test_one_host_of_many_is_content_with_a_chip_of_its_own(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first(guarded("os._exit(0)", "alone"))["chips"] == "0"
    monkeypatch.setenv("TPU_VISIBLE_CHIPS", "3")
    assert first(guarded("os._exit(0)", "alone"))["chips"] == "3"


@pytest.mark.parametrize(("body", "code"), [("os.kill(os.getpid(), 9); signal.pause()", 137), ("os.abort()", 134), ("os._exit(3)", 3)])
def test_how_the_worker_ended_is_passed_on(guarded: Guarded, body: str, code: int) -> None:
    process = guarded(body)
    first(process)
    assert process.wait(LIMIT_S) == code != OUT_OF_MEMORY


DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
HOLDS_THE_LOCK = "ctypes.PyDLL(None).sleep(3600)"


@pytest.mark.parametrize("body", [DEAF, HOLDS_THE_LOCK], ids=["deaf", "holds-the-lock"])
@pytest.mark.parametrize("end", ["connection", "silence", "hang-up", "kill"])
def test_no_worker_is_left_behind(guarded: Guarded, watch_process: Watch, body: str, end: str) -> None:
    process = guarded(body, silence_s=0.2 if end == "silence" else LIMIT_S)
    gone = watch_process(first(process)["pid"])
    assert process.stdin is not None
    if end == "connection":
        process.stdin.close()
    elif end == "hang-up":
        process.send_signal(signal.SIGHUP)
    elif end == "kill":
        process.kill()
    assert gone()
    assert process.wait(LIMIT_S) in (137, -signal.SIGKILL)


def test_what_the_worker_has_started_ends_with_it(guarded: Guarded, watch_process: Watch) -> None:
    process = guarded("child = subprocess.Popen(['sleep', '3600']); print(child.pid, flush=True); sys.stdin.readline(); os._exit(0)")
    first(process)
    gone = watch_process(first(process))
    say(process, b"stop\n")
    assert process.wait(LIMIT_S) == 0
    assert gone()
