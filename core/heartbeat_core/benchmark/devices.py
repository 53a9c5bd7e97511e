"""The devices of this machine: each backend is probed in a child process that is killed when it hangs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from threading import Event
from typing import Any, Literal

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.hard_peaks import hard_peak
from heartbeat_core.benchmark.process import kill_worker, spawn_worker
from heartbeat_core.benchmark.protocol import Environment, Failed, StreamError, decode
from heartbeat_core.benchmark.tpu_chips import PciTpu, hidden_tpus, scan_tpus
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.paths import write_whole

LIMIT_S = 60.0
PEAKS_S = 6.0  # of measuring, on all devices; starting their processes takes as long again


@dataclass(frozen=True)
class PeakFigure:
    """A rate or a time measured here, and the published or computed one: ``unit`` is FLOP/s, bytes/s or ns; ``source`` is the latter's."""

    name: str
    measured: float
    unit: Literal["FLOP/s", "bytes/s", "ns"]
    published: float | None = None
    source: str = ""

    @property
    def share(self) -> float | None:
        return self.measured / self.published if self.published else None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "share": self.share}


def peak_figures(environment: Mapping[str, Any], measured: Mapping[str, Any]) -> Iterator[PeakFigure]:
    """Name what a device measured, with the published peaks of its chip or GPU, or those computed for the processor."""
    backend = str(environment.get("backend"))
    roof, unknown = None, (None, "no published figure is known here")
    for dtype, rate in measured["flops_per_s"].items():
        roof = hard_peak(environment, BenchmarkConfig(MatMul(dtype=dtype), backend=backend), boost=1)
        published = (roof.flops_per_s, roof.source) if roof else unknown
        yield PeakFigure(f"products in {dtype}", rate, "FLOP/s", *published)
    memory = (roof.bytes_per_s, roof.source) if roof and math.isfinite(roof.bytes_per_s) else unknown
    yield PeakFigure("memory", measured["bytes_per_s"], "bytes/s", *memory)
    for name, rate in measured.items():
        if name.startswith("to_"):
            words = name.removesuffix("_bytes_per_s").replace("_pinned", ", pinned").replace("_", " ")
            yield PeakFigure(words, rate, "bytes/s", source="depends on the host")
    yield PeakFigure("a call", measured["call_ns"], "ns", source="a 2×2 product that is waited for")


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

    @property
    def peaks(self) -> tuple[PeakFigure, ...]:
        """Return the peaks that were measured, each beside the published figure; none where none were asked for."""
        measured = self.found.get("peaks")
        return tuple(peak_figures(self.found, measured)) if isinstance(measured, dict) else ()


@dataclass(frozen=True)
class DeviceInventory:
    """All backends, and the TPU chips that the PCI bus shows; ``hidden`` are the devices of those on a bus that cannot be read."""

    devices: tuple[Device, ...]
    tpus: tuple[PciTpu, ...]
    hidden: tuple[Path, ...] = ()


def measure_devices(inventory: DeviceInventory) -> DeviceInventory:
    """Measure the peaks of all usable devices, one after the other, so that none disturbs another; it takes less than 20 s in all."""
    usable = [device for device in inventory.devices if device.usable]
    measured = {each.backend: probe_device(each.backend, each.python, LIMIT_S, peaks_s=PEAKS_S / len(usable)) for each in usable}
    return replace(inventory, devices=tuple(measured.get(device.backend, device) for device in inventory.devices))


def take_inventory(interpreter: Callable[[str], str | None], own_python: str) -> DeviceInventory:
    """Probe all backends at the same time; none takes longer than a minute, and Ctrl-C ends them all."""
    started: list[Popen[bytes]] = []
    interrupted = Event()

    def keep(process: Popen[bytes]) -> None:
        started.append(process)
        if interrupted.is_set():  # it was started meanwhile
            kill_worker(process)

    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        try:
            probes = [pool.submit(probe_device, name, interpreter(name) or own_python, LIMIT_S, keep) for name in BACKENDS]
            return DeviceInventory(tuple(each.result() for each in probes), scan_tpus(), hidden_tpus())
        except KeyboardInterrupt:
            interrupted.set()
            for process in tuple(started):
                kill_worker(process)
            raise


def keep_refusals(inventory: DeviceInventory, path: Path) -> None:
    """Keep which dtypes the usable devices cannot multiply, and why; raise OSError where the file cannot be written."""
    write_whole(path, json.dumps({device.backend: device.found.get("dtypes", {}) for device in inventory.devices if device.usable}))


def known_refusals(path: Path) -> dict[tuple[str, str], str]:
    """Return why a backend cannot multiply a dtype, by both, as it was found last; nothing where nothing was kept."""
    try:
        kept = json.loads(path.read_text())
        return {(backend, dtype): str(why) for backend, found in kept.items() for dtype, why in found.items() if why}
    except (OSError, ValueError, AttributeError):
        return {}


def probe_device(
    backend: str, python: str, limit_s: float, started: Callable[[Popen[bytes]], None] = lambda _: None, peaks_s: float | None = None
) -> Device:
    """Ask a child process what the backend finds, and kill it if it does not answer; ``started`` is called with the child.

    With ``peaks_s`` it measures its peaks too, for about so many seconds.
    """
    try:
        process = spawn_worker(python)
        started(process)
    except OSError as error:
        return Device(backend, python, {}, f"{python} cannot be started", str(error), f"Check --python and backends.{backend}.python.")
    asked = {"probe": BenchmarkConfig(backend=backend).to_json(), "parent": os.getpid(), **({"peaks": peaks_s} if peaks_s else {})}
    order = json.dumps(asked).encode() + b"\n"
    try:
        output, errors = process.communicate(order, timeout=limit_s)
    except TimeoutExpired:
        kill_worker(process)
        process.communicate()
        why = f"no answer within {limit_s:.0f} s", "The device or its driver hangs.", "End what holds it, or reboot."
        return Device(backend, python, {}, *why)
    return read_answer(backend, python, output, errors, process.returncode)


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
