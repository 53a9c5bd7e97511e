"""Starts runs by the settings: the backend, its Python, the place, and the recording.

What only a run needs is imported when one starts, so that the first frame of the screen is 35 ms earlier.
"""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.backends import BACKENDS, host_backend, load, tpu_backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.tpu_chips import hidden_tpus, scan_tpus
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.paths import cache_folder, data_folder, expanded
from heartbeat_core.settings import Settings

if TYPE_CHECKING:
    from heartbeat_core.benchmark.protocol import Label
    from heartbeat_core.benchmark.roofline import PeakCache
    from heartbeat_core.benchmark.run import ChipMonitor, Run, Sink, Source
    from heartbeat_core.fleet.multi_host import FleetRun
    from heartbeat_core.fleet.ray_run import RayCluster
    from heartbeat_core.recordings.index import Index
    from heartbeat_core.recordings.recording import Recording
    from heartbeat_core.recordings.replay import Replay
    from heartbeat_core.remote.hosts import Destination, Host
    from heartbeat_core.telemetry.monitor import Reader

MIB = 2**20
SETUP_S = 2.0  # of a run on a CPU: the import of torch, the operands, the result check


@dataclass(frozen=True)
class MachineLimits:
    """What a config is checked against before it starts: by backend its memory and what it lacks here.

    ``rates`` are the greatest FLOP/s and bytes/s of the runs recorded on this machine, by backend and dtype; ``refused`` is why
    a backend cannot multiply a dtype, as ``heartbeat-tui devices`` found last.
    """

    available: Mapping[str, int | None] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    caches: Mapping[str, int] = field(default_factory=dict)  # bytes that cold weights are to exceed, by backend

    def needed(self, config: BenchmarkConfig) -> int:
        """Return the bytes of memory that a run takes at its peak."""
        from heartbeat_core.benchmark.host import needed_bytes

        return needed_bytes(config, sets=config.workload.weight_sets(self.caches.get(config.backend, 0)))

    def seconds(self, config: BenchmarkConfig) -> float | None:
        """Return about how long a run takes, its setup included; None where nothing like it was measured, or it has no end."""
        flops_per_s, bytes_per_s = self.rates.get((config.backend, config.workload.dtype), (0.0, 0.0))
        each = max(config.workload.flops / flops_per_s, config.workload.bytes / bytes_per_s) if flops_per_s and bytes_per_s else None
        if each and config.workload.parts and config.method == "synchronized":
            each *= 2  # each step is timed by itself as well
        if config.duration_s is not None:
            return SETUP_S + config.duration_s + config.warmup * (each or 0.0)
        return SETUP_S + (config.warmup + config.iterations) * each if config.iterations and each else None


class Launcher:
    """What all runs of one program share. Make it before the program lowers its priority: see ``ProcessLauncher``."""

    def __init__(self, settings: Settings, *, python: str = "") -> None:
        self.settings = settings
        self.python = python
        self.process_launcher = ProcessLauncher()
        self.destination: Destination | RayCluster | None = None  # where runs go, None for this machine

    def backend(self) -> str:
        """Return the backend: the one that is set, else the TPU's on a TPU VM or with a TPU here, else the CPU.

        Where a container hides the PCI bus it is the TPU's as well, which then says so.
        """
        chosen = self.settings.beat.backend
        if chosen != "auto":
            return chosen
        return (tpu_backend() if self.destination is not None or scan_tpus() or hidden_tpus() else host_backend()).name

    def config(self) -> BenchmarkConfig:
        """Return the config of the settings; raise HeartbeatError if it is not valid."""
        beat = self.settings.beat
        return BenchmarkConfig(
            workload=MatMul(beat.batch, beat.hidden, beat.intermediate, beat.dtype),
            backend=self.backend(),
            method=beat.method,
            warmup=beat.warmup,
            iterations=beat.iterations,
            precision=beat.precision,
            threads=beat.threads,
        )

    def interpreter(self, backend: str) -> str | None:
        """Return the Python that a backend runs under, None for our own."""
        configured: str = self.python or self.settings[f"backends.{backend}.python"]
        if configured:
            return str(expanded(configured))
        if environment := BACKENDS[backend].environment:
            managed = load(environment)().find()
            return str(managed) if managed else None
        return None

    def lacks(self, backend: str) -> str:
        """Return what a backend lacks here, empty if nothing is known; no device is opened."""
        from importlib.util import find_spec

        info = BACKENDS[backend]
        if not info.environment or self.interpreter(backend) or find_spec(info.package):
            return ""
        return f"{info.package} is not installed here."

    def start(
        self,
        config: BenchmarkConfig,
        *,
        save: bool | None = None,
        sinks: tuple[Sink, ...] = (),
        label: Label | None = None,
        host: Host | None = None,
        profile: Path | None = None,
    ) -> Run:
        """Start a run, recorded under ``label``, on ``host``, the first of the destination, or here; ``profile`` is a folder here.

        Raise HeartbeatError if it cannot start.
        """
        if host is None and self.destination is not None:
            host = self.hosts()[0]
        from heartbeat_core.benchmark.run import Run
        from heartbeat_core.benchmark.target import LocalTarget
        from heartbeat_core.recordings.recording import UNSAVED

        recording, unsaved = None, ""
        if self.settings.recordings.save if save is None else save:
            try:
                recording = self.record(config, label)
                sinks = (*sinks, recording)
            except OSError as error:  # the figures are worth more than their recording
                unsaved = f"the run is not saved: {error.strerror}: {self.recordings()}. {UNSAVED}"
        place, monitor = host or LocalTarget(self.interpreter(config.backend)), self.chip_monitor(config, host)
        run = Run(
            config, self.process_launcher, place=place, sinks=sinks, peak_cache=self.peak_cache(), chip_monitor=monitor, profile=profile
        )
        run.path = recording.path if recording else None
        run.notes += [unsaved] if unsaved else []
        return run

    def record(self, config: BenchmarkConfig, label: Label | None) -> Recording:
        """Open the recording of a run; raise OSError."""
        from heartbeat_core.recordings.recording import Recording

        return Recording.create(self.recordings(), config, self.settings.recordings.limit_mib * MIB, label)

    def hosts(self) -> tuple[Host, ...]:
        """Return the hosts of the TPU VM that runs go to; raise HeartbeatError."""
        from heartbeat_core.remote.hosts import Destination

        if not isinstance(self.destination, Destination):
            raise HeartbeatError(
                "one host of a Ray cluster is wanted", "Runs go to all of its hosts at once.", "Leave out what is for one host."
            )
        return self.destination.hosts()

    def start_together(
        self, config: BenchmarkConfig, *, save: bool | None = None, label: Label | None = None, watched: bool = False
    ) -> FleetRun:
        """Start a run on every host of the destination; raise HeartbeatError if one cannot start.

        ``watched``: the samples of one host are looked at meanwhile.
        """
        from heartbeat_core.benchmark.protocol import Label
        from heartbeat_core.fleet.multi_host import MultiHostRun
        from heartbeat_core.fleet.ray_run import RayCluster, RayRun
        from heartbeat_core.recordings.labels import check_label

        label = label or Label(0)
        label = check_label(replace(label, group=label.group or f"hosts-{secrets.token_hex(4)}"))  # a recording opens after its run
        if isinstance(self.destination, RayCluster):
            keep = self.settings.recordings.save if save is None else save
            return RayRun(config, self.destination, partial(self.record, config, label) if keep else None, watched=watched)
        return MultiHostRun(self.hosts(), lambda host: self.start(config, save=save, label=label, host=host))

    def begin(self, config: BenchmarkConfig, label: Label | None = None) -> Source:
        """Start what the screen shows: a run here or on one host, or on all of a slice; raise HeartbeatError."""
        if self.destination is not None and self.destination.several:
            return self.start_together(config, label=label, watched=True)
        return self.start(self.with_peaks(config), label=label)

    def reader(self, ports: tuple[int, ...] = (), host: Host | None = None) -> Reader:
        """Return the means to read the chips of ``host`` or of this machine: under the Python of torch_xla, which brings tpu-info."""
        from heartbeat_core.telemetry.monitor import REMOTE_READING_S, Reader

        port = self.settings.telemetry.port
        ports = ports or ((port,) if port else ())
        if host is None:
            return Reader(self.interpreter(tpu_backend().name) or sys.executable, ports)
        return Reader(host.python, ports, on_host=host.command, environ=host.environ, limit_s=REMOTE_READING_S)

    def chip_monitor(self, config: BenchmarkConfig, host: Host | None = None) -> ChipMonitor | None:
        """Return the monitor of the chips during this run, None without chips; on a host the worker reports them."""
        telemetry = self.settings.telemetry
        info = BACKENDS[config.backend]
        asked = telemetry.port is not None and info.needs_tpu
        if info.host_only or not telemetry.watch or not (asked or host or scan_tpus()):
            return None
        from heartbeat_core.telemetry.monitor import TpuChipMonitor

        return TpuChipMonitor(replace(self.reader(host=host), holders=False), always=asked)

    def replay(self, path: Path, speed: float = 1.0) -> Replay:
        """Replay a recording; raise HeartbeatError if it cannot be read."""
        from heartbeat_core.recordings.replay import Replay

        return Replay(path, speed=speed, peak_cache=self.peak_cache())

    def with_peaks(self, config: BenchmarkConfig) -> BenchmarkConfig:
        """Return a config that also measures the peaks of this machine, if they are not known yet.

        A TPU needs none: its peaks are published.
        """
        if self.destination is not None:
            return config
        on_tpu = BACKENDS[config.backend].needs_tpu and any(tpu.chip for tpu in scan_tpus())
        return config if on_tpu or self.peak_cache().knows(config) else replace(config, calibrate=True)

    def limits(self) -> MachineLimits:
        """Return what is known of this machine; nothing where runs go to another one. Reads the list of recordings."""
        from heartbeat_core.benchmark.devices import known_refusals
        from heartbeat_core.benchmark.host import available_bytes, cache_bytes

        if self.destination is not None:
            return MachineLimits()
        free, chips = available_bytes(), [tpu.chip for tpu in scan_tpus() if tpu.chip]
        hbm = min((chip.hbm_bytes // chip.devices_per_chip for chip in chips), default=free)
        rates: dict[tuple[str, str], tuple[float, float]] = {}
        for entry in self.index().entries():
            work, here = entry.workload, entry.host == socket.gethostname()
            if work and work.on_device and entry.median_ns and here and entry.verdict != "impossible":
                key = entry.backend, work.dtype
                before = rates.get(key, (0.0, 0.0))
                rates[key] = max(before[0], 1e9 * work.flops / entry.median_ns), max(before[1], 1e9 * work.bytes / entry.median_ns)
        memory = {name: hbm if info.needs_tpu else free if info.host_only else None for name, info in BACKENDS.items()}
        cache, on_chip = cache_bytes() or 0, max((chip.on_chip_bytes for chip in chips), default=0)
        caches = {name: on_chip or cache if info.needs_tpu else cache for name, info in BACKENDS.items()}
        return MachineLimits(memory, {name: self.lacks(name) for name in BACKENDS}, rates, known_refusals(self.refusals()), caches)

    def refusals(self) -> Path:
        """Return the file that keeps which dtypes the devices here cannot multiply."""
        return cache_folder() / "dtypes.json"

    def index(self) -> Index:
        from heartbeat_core.recordings.index import Index

        return Index(self.recordings(), cache_folder() / "runs", self.peak_cache())

    def recordings(self) -> Path:
        folder = self.settings.recordings.folder
        if folder:
            return expanded(folder)
        return data_folder() / "recordings"

    def peak_cache(self) -> PeakCache:
        from heartbeat_core.benchmark.roofline import PeakCache

        return PeakCache(cache_folder() / "ceilings.json")

    def give_up(self) -> None:
        """Cancel a run that still waits for its hosts: its start raises GivenUp."""
        if self.destination is not None:
            self.destination.give_up()

    def close(self) -> None:
        self.process_launcher.shutdown()
