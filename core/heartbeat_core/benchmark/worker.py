"""The worker: the child process that runs a benchmark, an order on stdin, records on stdout.

The first line of stdin is the order, ``{"plan": {…}, "parent": PID}``, or ``{"probe": {…}}`` to open the device
alone; ``place`` in it goes into the record of the environment. Needs the standard library and torch, so it may run under
another Python than the dashboard, or on another host.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter_ns
from typing import Any, BinaryIO

from heartbeat_core import __version__
from heartbeat_core.benchmark.backends.base import Backend, BackendUnavailable, load_backend
from heartbeat_core.benchmark.config import BenchmarkConfig, config_from_json
from heartbeat_core.benchmark.control import ControlChannel, exit_with_parent
from heartbeat_core.benchmark.host import HealthWatch, available_bytes, describe_host, ensure_fits, interruptions
from heartbeat_core.benchmark.peaks import calibrate, measure_peaks
from heartbeat_core.benchmark.profiling import take_profile
from heartbeat_core.benchmark.protocol import SCHEMA, Chips, Ended, Environment, Failed, Pause, Record, Samples, Stage, Started, encode
from heartbeat_core.benchmark.timing import Measurement, Recorder, parts_of
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.verification import Checks, Inspector, checks_of, draw_seed
from heartbeat_core.errors import HeartbeatError

DRIVER = "the driver"
HEALTH_NS = 1_000_000_000
UNKNOWN_CACHE_BYTES = 256 * 2**20  # where a device does not tell: more than the caches of today but a few


class Output:
    """The stream of records, and the clock that dates them."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.origin = perf_counter_ns()
        self.send_health: Callable[[], None] | None = None
        self.health_due = 0

    def now(self) -> int:
        return perf_counter_ns() - self.origin

    def send(self, record: Record) -> None:
        self.file.write(encode(record))
        self.file.flush()

    def send_samples(self, record: Samples | Pause) -> None:
        """Send samples, and about once a second what else the machine is doing."""
        self.send(record)
        if self.send_health and record.at_ns >= self.health_due:
            self.health_due = record.at_ns + HEALTH_NS
            self.send_health()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.send(Stage(self.now(), name))
        start = perf_counter_ns()
        yield
        self.send(Stage(self.now(), name, perf_counter_ns() - start))


def main() -> None:
    """Run one order; exit 0 where the stream ends with a record of how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it sends the order to stop
    output = Output(private_stdout())
    try:
        run_order(output)
    except BrokenPipeError:
        os._exit(1)  # the reader has gone
    # Not by the interpreter's own end: it would abort on the thread that waits for orders, and torch_xla may take seconds.
    os._exit(0)


def run_order(output: Output) -> None:
    """Run the order, and send any failure in the stream."""
    try:
        order = read_order(sys.stdin.buffer.readline())
        exit_with_parent(order.get("parent"))
        place = order.get("place", {})  # what the sender knows of this machine and it does not: the name of the TPU VM
        if "probe" in order:
            probe(config_from_json(order["probe"]), output, place, order.get("peaks"))
        else:
            run(config_from_json(order.get("plan")), output, place, order.get("profile"))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - every failure reaches the parent as a record
        output.send(failure(error, output.now()))


def private_stdout() -> BinaryIO:
    """Keep stdout for the stream alone; what libraries print goes to stderr."""
    private = os.fdopen(os.dup(1), "wb")  # buffered, for it writes a line to its end whatever interrupts it
    os.dup2(2, 1)
    return private


def read_order(line: bytes) -> dict[str, Any]:
    try:
        order = json.loads(line or b"{}")
    except ValueError as error:
        raise HeartbeatError("the order is not JSON", str(error), "Start runs with `heartbeat-tui bench`.") from error
    return order if isinstance(order, dict) else {}


def probe(config: BenchmarkConfig, output: Output, place: dict[str, Any], peaks_s: float | None) -> None:
    """Send what the device is and which dtypes it multiplies, and its peaks where that may take so many seconds."""
    host = describe_host()
    backend = load_backend(config.backend)
    found = backend.open(config)
    found["dtypes"] = backend.dtypes()
    if peaks_s:
        watch, start = HealthWatch(), output.now()
        peaks = measure_peaks(backend, config, found.get("cache_bytes"), float(peaks_s))
        found["peaks"] = {**peaks, "disturbed": busy_since(watch, start, output)}
    output.send(Environment(output.now(), {"backend": config.backend, **host, **place, **found}))
    output.send(Ended(output.now(), "done"))


def run(config: BenchmarkConfig, output: Output, place: dict[str, Any], profile: str | None = None) -> None:
    """Run the benchmark, check its results, and at last take a profile into the folder named."""
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    output.send(Started(output.now(), SCHEMA, __version__, os.getpid(), started, config.to_json()))
    control = ControlChannel(sys.stdin.buffer)
    host = describe_host()  # now: libraries set variables of their own
    with output.stage("import"):
        backend = load_backend(config.backend)
    with output.stage("device"):
        found = backend.open(config)
        backend.ensure_products(config)
    sets = sets_of_weights(config, found)
    output.send(Environment(output.now(), {"backend": config.backend, **host, **place, **found, **sets}))
    seed = draw_seed()
    checks = allocate(backend, config, output, seed, sets.get("weight_sets", 1))
    recorder = Recorder(parts_of(backend, config), output.send_samples, output.now)
    before = backend.launched()
    gc.collect()
    gc.freeze()  # a full collection with torch imported takes 40 ms, after this 2 µs
    watch = HealthWatch(lambda: recorder.seen_ns)
    output.send_health = lambda: send_health(backend, watch, output)
    inspector = Inspector(backend, config, checks, seed)
    complete = Measurement(backend, config, recorder, control, inspector, output.send).take()
    recorder.flush()
    output.send_health()
    with output.stage("proof"):
        proof = inspector.end()
        if inspector.launched is not None and before is not None and config.workload.on_device:
            proof = replace(proof, executed=inspector.launched - before, expected=expected_products(config, recorder.taken))
    output.send(replace(proof, at_ns=output.now()))
    if complete and proof.passed and config.workload.on_device and (config.calibrate or control.calibrate):
        with output.stage("calibrate"):
            watch, start = HealthWatch(), output.now()
            peaks = calibrate(backend, config, found.get("cache_bytes"))
        output.send(replace(peaks, at_ns=output.now(), disturbed=busy_since(watch, start, output)))
    if profile and complete:
        with output.stage("profile"):
            profiled = take_profile(backend, Path(profile), output.now())
        output.send(replace(profiled, at_ns=output.now()))
    control.finished.set()
    output.send(Ended(output.now(), "done" if complete else "stopped"))


def busy_since(watch: HealthWatch, start_ns: int, output: Output) -> str:
    """Return what else the machine did since then, empty where nothing disturbed."""
    now = output.now()
    return "; ".join(interruptions(watch.read(now), (now - start_ns) / 1e9))


def send_health(backend: Backend, watch: HealthWatch, output: Output) -> None:
    """Send what else the machine is doing, and the device's memory where its driver tells."""
    output.send(watch.read(output.now()))
    reading = backend.chip_reading()
    if reading is not None:
        output.send(Chips(output.now(), DRIVER, (reading,)))


def allocate(backend: Backend, config: BenchmarkConfig, output: Output, seed: int, sets: int = 1) -> Checks:
    """Draw the operands as the handbook does and bring them to the device, each a stage of its own; prepare the result check."""
    work, torch = config.workload, backend.torch
    device_memory = backend.device_memory()
    if device_memory is not None:
        ensure_fits(config, device_memory, where="the device", sets=sets)
    ensure_fits(config, available_bytes(), operand_copies=backend.host_copies(), sets=sets)
    with output.stage("allocate"):
        torch.manual_seed(config.seed)
        inputs, weights = work.draw(torch, config.inputs, sets)
    with output.stage("transfer"):
        backend.place(inputs, weights, work.functions(backend), config.seed)
    with output.stage("reference"):
        return [checks_of(work, backend, one, seed) for one in weights]


def sets_of_weights(config: BenchmarkConfig, found: dict[str, Any]) -> dict[str, Any]:
    """Return for the environment how many sets of weights take turns, and the cache that they are to exceed; nothing for one product."""
    if not config.workload.parts or config.workload.one_by_one:
        return {}
    chip, cache = chip_by_name(found.get("chip")), found.get("cache_bytes")
    cache = cache or (chip and chip.on_chip_bytes) or UNKNOWN_CACHE_BYTES
    return {"weight_sets": config.workload.weight_sets(cache), "cold_beyond_bytes": cache}


def expected_products(config: BenchmarkConfig, samples: int) -> int:
    """Count the launches that were asked of the device; a lazy one launches all steps of an iteration at once."""
    warmup = config.warmup if config.method == "handbook" else 0
    apart = len(config.workload.parts) if config.method == "synchronized" else 0
    return samples * (config.products_per_sample + apart) + warmup


def failure(error: Exception, at_ns: int) -> Failed:
    """Make the record of a failure: what happened, why, what to do."""
    if isinstance(error, HeartbeatError):
        kind = "backend" if isinstance(error, BackendUnavailable) else "plan"
        return Failed(at_ns, kind, error.title, error.cause, error.remedy)
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return Failed(at_ns, "memory", "the run needs more memory than there is", text, "Make the product smaller, or free memory.")
    return Failed(at_ns, "error", "the run failed on its device", text, "Run `heartbeat-tui devices` to see what works here.")


if __name__ == "__main__":
    main()
