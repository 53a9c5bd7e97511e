"""Sets a host up, step by step, and looks what device it then has."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from time import monotonic
from typing import IO, Literal, cast

from heartbeat_core.benchmark.config import BackendName, Plan
from heartbeat_core.benchmark.devices import Device, understand
from heartbeat_core.checks.fix_runner import lines_of
from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import LOST, Host
from heartbeat_core.remote.place import PULSE_S
from heartbeat_core.remote.setup_steps import Argv, Step
from heartbeat_core.remote.troubles import cannot_reach

# Runs a command there and ends it with the connection, which a silent one would not notice. What is root's cannot be ended, and
# goes on to its end, its words unheard: half a system package is worse than one too many.
TIED = """
import os, signal, subprocess, sys, threading
try:
    own = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
    child = subprocess.Popen(sys.argv[1:], **own)
except OSError as error:
    print(sys.argv[1] + ": " + str(error.strerror))
    sys.exit(127)
def end():
    while os.read(0, 4096):
        pass
    try:
        os.killpg(child.pid, signal.SIGTERM)
    except OSError:
        pass
threading.Thread(target=end, daemon=True).start()
while True:
    data = child.stdout.read1(65536)
    if not data:
        break
    try:
        os.write(1, data)
    except OSError:
        pass
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
"""
LAST_LINES = 40
PROBE_S = 300.0  # the first import of torch, from a disk that has not been read yet

OnLine = Callable[[str], object]


@dataclass(frozen=True)
class Done:
    """How a step went: it was there already, or has been brought; ``detail`` is what its check said last."""

    step: Step
    how: Literal["there", "brought"]
    seconds: float
    detail: str = ""


def set_up(host: Host, steps: Sequence[Step], on_line: OnLine, on_done: Callable[[Done], object]) -> tuple[Done, ...]:
    """Go through the steps, each only where it is not there; raise HeartbeatError with a diagnosis where one fails.

    Whatever was brought stays, so that the next call goes on from there.
    """
    results = []
    for step in steps:
        done = take(host, step, on_line)
        on_done(done)
        results.append(done)
    return tuple(results)


def take(host: Host, step: Step, on_line: OnLine) -> Done:
    begun = monotonic()
    if step.check is not None:
        code, said = run(host, step.check, lambda _: None)
        if code == 0:
            return Done(step, "there", monotonic() - begun, said[-1] if said else "")
        if not step.commands or code == LOST or code < 0:  # no answer says nothing of what is there
            raise failed(host, step, code, said)
    for command in step.commands:
        code, said = run(host, command, on_line)
        if code:
            raise failed(host, step, code, said)
    if step.check is not None:
        code, said = run(host, step.check, lambda _: None)
        if code:
            raise failed(host, step, code, said)
    return Done(step, "brought", monotonic() - begun)


def run(host: Host, argv: Argv, on_line: OnLine) -> tuple[int, list[str]]:
    """Run a command there, its output line by line; give its exit code and last lines. Whatever ends this early ends it there too.

    Ssh stays in our process group, here as in ``converse``: Ctrl-C reaches it as well, and nobody waits for pip's end.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    process = subprocess.Popen(
        host.command(("python3", "-c", TIED, *argv)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(host.environ),
    )
    try:
        with cast("BufferedReader", process.stdout) as output:
            for line in lines_of(output):
                if line.strip():
                    last.append(line.rstrip())
                    on_line(line.rstrip())
        return process.wait(), list(last)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        cast("IO[bytes]", process.stdin).close()


def failed(host: Host, step: Step, code: int, said: Sequence[str]) -> HeartbeatError:
    """Explain a step that failed: the connection, what is known of its words, or the words alone."""
    text = "\n".join(said)
    if code == LOST or code < 0:  # ssh itself was ended
        return cannot_reach(host.label, text)
    words = " / ".join(said[-3:])[:400] or f"It ended with code {code}."
    found = diagnose_text(text)
    title = f"{host.label}, {step.name}: {step.problem or 'it failed'}"
    if found is None:
        return HeartbeatError(title, words, step.remedy, exit_code=1)
    return HeartbeatError(f"{title}: {found.title}", f"{found.cause} It said: {words}", found.advice, exit_code=1)


def look_at_device(host: Host, backend: BackendName = "xla") -> Device:
    """Have the worker say what device it finds there, without beating; raise HeartbeatError where nothing comes back."""
    order = {"probe": Plan(backend=backend).to_json(), "place": {"tpu_vm": host.name, "tpu_worker": host.worker}}
    code, output, errors = converse(host, json.dumps(order).encode() + b"\n")
    if code == LOST:
        raise cannot_reach(host.label, errors.decode("utf-8", "replace"))
    return understand(backend, host.python, output, errors, code)


def converse(host: Host, order: bytes) -> tuple[int, bytes, bytes]:
    """Give a guarded worker its order and wait for its end; raise HeartbeatError where it does not come.

    Its stdin stays open meanwhile: the end of that is an order to stop.
    """
    process = subprocess.Popen(
        host.guard_command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(host.environ),
    )
    until = monotonic() + PROBE_S
    with process, ThreadPoolExecutor(max_workers=2) as pool:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        output, errors = pool.submit(process.stdout.read), pool.submit(process.stderr.read)
        with contextlib.suppress(BrokenPipeError):  # it has ended; its exit code says why
            process.stdin.write(order)
            while process.poll() is None and monotonic() < until:
                process.stdin.write(b"\n")
                process.stdin.flush()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PULSE_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - monotonic()))
        if process.poll() is None:
            process.kill()
            raise HeartbeatError(
                f"the device of {host.label} does not answer",
                f"Nothing came within {PROBE_S:.0f} s.",
                "See whether another process holds it; restart the VM.",
                exit_code=3,
            )
        return process.returncode, output.result(), errors.result()
