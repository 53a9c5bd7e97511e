"""The devices of this machine: each backend is probed in a child process that is killed when it hangs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import kill_worker, spawn_worker
from heartbeat_core.benchmark.protocol import Environment, Failed, StreamError, decode
from heartbeat_core.benchmark.tpu_chips import PciTpu, hidden_tpus, scan_tpus

LIMIT_S = 60.0


@dataclass(frozen=True)
class Device:
    """One backend on this machine: ``found`` says what is there, or ``problem`` and ``remedy`` why it cannot run."""

    backend: str
    python: str
    found: dict[str, Any]
    problem: str = ""
    cause: str = ""
    remedy: str = ""

    @property
    def usable(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class DeviceInventory:
    """All backends, and the TPU chips that the PCI bus shows; ``hidden`` are the devices of those on a bus that cannot be read."""

    devices: tuple[Device, ...]
    tpus: tuple[PciTpu, ...]
    hidden: tuple[Path, ...] = ()


def take_inventory(interpreter: Callable[[str], str | None], own_python: str, limit_s: float = LIMIT_S) -> DeviceInventory:
    """Probe all backends at the same time; none takes longer than ``limit_s`` seconds, and Ctrl-C ends them all."""
    started: list[Popen[bytes]] = []
    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        probes = [pool.submit(probe_device, name, interpreter(name) or own_python, limit_s, started.append) for name in BACKENDS]
        try:
            return DeviceInventory(tuple(each.result() for each in probes), scan_tpus(), hidden_tpus())
        except KeyboardInterrupt:
            for process in started:
                kill_worker(process)
            raise


def probe_device(backend: str, python: str, limit_s: float, started: Callable[[Popen[bytes]], None] = lambda _: None) -> Device:
    """Ask a child process what the backend finds, and kill it if it does not answer; ``started`` is called with the child."""
    try:
        process = spawn_worker(python)
        started(process)
    except OSError as error:
        return Device(backend, python, {}, f"{python} cannot be started", str(error), f"Check --python and backends.{backend}.python.")
    order = json.dumps({"probe": BenchmarkConfig(backend=backend).to_json(), "parent": os.getpid()}).encode() + b"\n"
    try:
        output, errors = process.communicate(order, timeout=limit_s)
    except TimeoutExpired:
        end(process)
        return Device(
            backend,
            python,
            {},
            f"no answer within {limit_s:.0f} s",
            "The device or its driver hangs.",
            "End what holds it, or reboot.",
        )
    return read_answer(backend, python, output, errors, process.returncode)


def end(process: Popen[bytes]) -> None:
    kill_worker(process)
    process.communicate()


def read_answer(backend: str, python: str, output: bytes, errors: bytes, returncode: int) -> Device:
    """Read the child's answer; one that broke off is a problem of its own."""
    try:
        for line in output.splitlines():
            record = decode(line)
            if isinstance(record, Environment):
                return Device(backend, python, record.values)
            if isinstance(record, Failed):
                return Device(backend, python, {}, record.title, record.cause, record.remedy)
    except StreamError as error:
        return Device(backend, python, {}, error.title, error.cause, error.remedy)
    words = errors.decode("utf-8", "replace").strip().splitlines()
    cause = words[-1] if words else f"exit code {returncode}"
    return Device(backend, python, {}, "the probe of the device broke off", cause, "Run the same Python by hand.")
