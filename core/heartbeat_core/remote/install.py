"""Sets up a host, step by step, and probes its device."""

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

from heartbeat_core.benchmark.backends import tpu_backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.devices import Device, read_answer
from heartbeat_core.benchmark.process import spawn_piped
from heartbeat_core.benchmark.xla_environment import NEEDED_BYTES, XLA_REQUIREMENTS, xla_packages
from heartbeat_core.checks.fix_runner import lines_of
from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import LOST, PULSE_S, Host
from heartbeat_core.remote.ssh import cannot_reach

Argv = tuple[str, ...]

PYTHON_FITS = "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))"
# argv: the folder, the bytes that are needed, those that an environment in it takes already
HAS_ROOM = """
import os, shutil, sys
folder, needed = sys.argv[1], int(sys.argv[2])
os.makedirs(folder, exist_ok=True)
held = sum(os.lstat(os.path.join(at, name)).st_blocks * 512 for at, _, names in os.walk(folder) for name in names)
free = shutil.disk_usage(folder).free
print(f"{free / 1e9:.1f} GB free, {held / 1e9:.1f} GB here already, {needed / 1e9:.1f} GB needed in all")
sys.exit(free + held < needed)
"""
HAS_OPENBLAS = "import ctypes.util, sys; sys.exit(not ctypes.util.find_library('openblas'))"
MAKES_VENVS = "import ensurepip, venv"
# argv: pins, name==version
HAS_PINS = """
import sys
from importlib.metadata import PackageNotFoundError, version
for pin in sys.argv[1:]:
    name, _, wanted = pin.partition("==")
    try:
        found = version(name).partition("+")[0]
    except PackageNotFoundError:
        found = "none"
    if found != wanted:
        sys.exit(f"{name}: {found}, not {wanted}")
"""
APT = ("sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
PAIR = ("torch", "torch-xla", "libtpu")


@dataclass(frozen=True)
class InstallStep:
    """One thing to install; ``check`` exits 0 if it is there.

    A step without commands is a condition that only people can meet. ``problem`` and ``remedy`` are for a failure that is not known.
    """

    name: str
    title: str
    check: Argv
    commands: tuple[Argv, ...] = ()
    problem: str = "it failed"
    remedy: str = ""


def tpu_steps(folder: str) -> tuple[InstallStep, ...]:
    """Return the steps for a TPU VM: system packages, then torch and torch_xla in an environment below ``folder``."""
    python, pins = f"{folder}/venv/bin/python", xla_packages()
    return (
        InstallStep(
            "python",
            "Python 3.10 to 3.12, which torch_xla 2.9 needs on a TPU",
            check=("python3", "-c", PYTHON_FITS),
            problem="the Python of the TPU VM does not fit",
            remedy="Create the VM with the runtime for its accelerator: the images of v2-alpha-tpuv6e and its like have Python 3.10.",
        ),
        InstallStep(
            "space",
            "space on the disk",
            check=("python3", "-c", HAS_ROOM, folder, str(NEEDED_BYTES)),
            problem="the disk of the TPU VM is too full",
            remedy="Free some space (df -h shows where), or set remote.folder to a larger disk.",
        ),
        InstallStep(
            "openblas",
            "OpenBLAS, which torch_xla needs and the image lacks",
            check=("python3", "-c", HAS_OPENBLAS),
            commands=((*APT, "update"), (*APT, "install", "-y", "--no-install-recommends", "libopenblas0")),
            problem="OpenBLAS could not be installed",
            remedy="Install it by hand in a shell there: sudo apt-get install libopenblas0",
        ),
        InstallStep(
            "venv",
            "Python's module venv",
            check=("python3", "-c", MAKES_VENVS),
            commands=((*APT, "update"), (*APT, "install", "-y", "--no-install-recommends", "python3-venv")),
            problem="Python's module venv could not be installed",
            remedy="Install it by hand in a shell there: sudo apt-get install python3-venv",
        ),
        InstallStep(
            "environment",
            "an environment of its own",
            check=(python, "-c", MAKES_VENVS),
            commands=(("python3", "-I", "-m", "venv", "--clear", f"{folder}/venv"),),
            problem="the environment could not be made",
            remedy=f"Remove {folder}/venv there, and run it again.",
        ),
        InstallStep(
            "torch",
            "torch and torch_xla for the TPU, 4.3 GB to download",
            check=(python, "-c", HAS_PINS, *(pin for pin in pins if pin.partition("==")[0] in PAIR)),
            commands=(
                (python, "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", "--disable-pip-version-check",
                 "--cache-dir", f"{folder}/downloads", *XLA_REQUIREMENTS, *pins),
                ("rm", "-rf", f"{folder}/downloads"),  # kept until then, in case pip is interrupted
            ),
            problem="pip could not install torch_xla",
            remedy="Fix that, then run the same command again: what is installed is kept.",
        ),
    )  # fmt: skip


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
class InstallResult:
    """The result of a step: there already, or installed ("brought"); ``detail`` is the last line of its check."""

    step: InstallStep
    how: Literal["there", "brought"]
    seconds: float
    detail: str = ""


def install(host: Host, step: InstallStep, on_line: OnLine) -> InstallResult:
    """Run a step if its check fails; raise HeartbeatError with a diagnosis if it cannot be done."""
    begun = monotonic()
    code, said = run(host, step.check, lambda _: None)
    if code == 0:
        return InstallResult(step, "there", monotonic() - begun, said[-1] if said else "")
    if not step.commands or code == LOST or code < 0:  # no answer does not mean that it is missing
        raise failed(host, step, code, said)
    for command, hear in (*((each, on_line) for each in step.commands), (step.check, lambda _: None)):
        code, said = run(host, command, hear)
        if code:
            raise failed(host, step, code, said)
    return InstallResult(step, "brought", monotonic() - begun)


def run(host: Host, argv: Argv, on_line: OnLine) -> tuple[int, list[str]]:
    """Run a command there, with its output line by line; return its exit code and last lines. What ends this early ends it there too.

    Ssh stays in our process group, here as in ``converse``: Ctrl-C reaches it as well, so that pip ends.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    command, pipe = host.command(("python3", "-c", TIED, *argv)), subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=host.environ)
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


def failed(host: Host, step: InstallStep, code: int, said: Sequence[str]) -> HeartbeatError:
    """Return the error of a step that failed: the connection, a diagnosis of its output, or the output alone."""
    text = "\n".join(said)
    if code == LOST or code < 0:  # ssh itself was ended
        return cannot_reach(host.label, text)
    words = " / ".join(said[-3:])[:400] or f"It ended with code {code}."
    found = diagnose_text(text)
    title = f"{host.label}, {step.name}: {step.problem}"
    if found is None:
        return HeartbeatError(title, words, step.remedy, exit_code=1)
    return HeartbeatError(f"{title}: {found.title}", f"{found.cause} It said: {words}", found.advice, exit_code=1)


def probe_device(host: Host, backend: str = "") -> Device:
    """Return the device that the worker finds there, without a run; raise HeartbeatError if it does not answer."""
    backend = backend or tpu_backend().name
    order = {"probe": BenchmarkConfig(backend=backend).to_json(), "place": {"tpu_vm": host.name, "tpu_worker": host.worker}}
    code, output, errors = converse(host, json.dumps(order).encode() + b"\n")
    if code == LOST:
        raise cannot_reach(host.label, errors.decode("utf-8", "replace"))
    return read_answer(backend, host.python, output, errors, code)


def converse(host: Host, order: bytes) -> tuple[int, bytes, bytes]:
    """Return the exit code and output of a supervised worker with this order; raise HeartbeatError if it does not end.

    Its stdin stays open meanwhile: the end of stdin is an order to stop.
    """
    process = spawn_piped(host.worker_command(), host.environ, own_session=False)
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
                "Check whether another process holds it; restart the VM.",
                exit_code=3,
            )
        return process.returncode, output.result(), errors.result()
