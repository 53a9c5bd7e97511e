"""The child process that reads the chips: an order on stdin, a line of JSON for each reading on stdout.

It runs where the chips are, under a Python that has the package tpu-info: of ours it needs what ``monitor.MODULES`` lists,
sent along with the order, and beyond that the standard library. It only ever asks the metrics server that libtpu opens in
the process that uses the chip: libtpu is not loaded here and no device is opened, so a job is not disturbed.
"""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from heartbeat_core.benchmark.control import end_with_stdin, exit_with_parent
from heartbeat_core.benchmark.tpu_chips import (
    PciTpu,
    driver_files,
    hidden_tpus,
    metrics_ports,
    scan_tpus,
    sees_all_processes,
    unreadable,
    users_of,
)

PORT = 8431  # libtpu's own
NICE = 10  # the benchmark comes first
CONNECT_S = 1.0

Values = dict[int, float]  # by device
Ask = Callable[[int, float, int], dict[str, Any]]  # port, seconds, devices on a chip -> what it said


def main(order: Mapping[str, Any]) -> None:
    """Print one reading, or one every ``every_s`` seconds until stdin ends."""
    exit_with_parent(order.get("parent"))
    os.nice(NICE)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would log every server that is not there
    threading.Thread(target=end_with_stdin, daemon=True).start()
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no reading
    root, every_s = Path(order["root"]), order["every_s"]
    ask: Ask | None = None
    library: dict[str, Any] = {}
    while True:
        start = monotonic()
        tpus = scan_tpus(root / "sys/bus/pci/devices")
        if ask is None and (tpus or order["ports"]):
            ask, library = load_library()
        line = json.dumps({**reading(order, root, tpus, ask), **library}, allow_nan=False).encode() + b"\n"
        stdout.write(line)
        stdout.flush()
        if not every_s:
            os._exit(0)  # not by way of gRPC's own end, which may wait for its threads
        sleep(max(0.0, every_s - (monotonic() - start)))


def reading(order: Mapping[str, Any], root: Path, tpus: tuple[PciTpu, ...], ask: Ask | None) -> dict[str, Any]:
    """Return one reading: the chips on the bus, who holds them, what each port answered."""
    found: dict[str, Any] = {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "tpus": [{"address": tpu.address, "chip": tpu.chip.name if tpu.chip else None} for tpu in tpus],
        "answers": [],
    }
    ports = tuple(order["ports"])
    if order["holders"]:
        files = driver_files(root)
        holders = users_of(root, files)
        found["files"] = [f"/{file.relative_to(root)}" for file in files]
        found["holders"] = [asdict(holder) for holder in holders]
        found["unreadable"] = unreadable(root)
        found["bus_hidden"], found["contained"] = bool(hidden_tpus(root)), not sees_all_processes(root)
        ports = ports or tuple(dict.fromkeys(port for holder in holders for port in metrics_ports(root, holder.pid)))
    if ask is not None:
        # 7x, v3 and v2 show two devices a chip, each with its memory, and one duty cycle for both
        per_chip = max((tpu.chip.devices_per_chip for tpu in tpus if tpu.chip), default=1)
        found["answers"] = [{"port": port, **ask(port, order["limit_s"], per_chip)} for port in ports or (PORT,)]
    return found


def load_library() -> tuple[Ask | None, dict[str, Any]]:
    """Import the client of tpu-info; return it with its release, or why there is none."""
    try:
        from tpu_info import metrics
    except ImportError as error:
        return None, {"library": None, "library_problem": str(error)}
    try:
        release = version("tpu-info")
    except PackageNotFoundError:
        release = "of an unknown release"
    return lambda port, limit_s, per_chip: ask_port(metrics, port, limit_s, per_chip), {"library": release}


def ask_port(metrics: Any, port: int, limit_s: float, per_chip: int) -> dict[str, Any]:
    """Ask one metrics server for all it has; ``outcome`` is "told", "nobody", "timeout" or "refused".

    tpu_info's own ``get_chip_usage`` waits for ever for a server that hangs, and returns nothing at all if one value is missing.
    """
    try:
        socket.create_connection(("localhost", port), CONNECT_S).close()
    except ConnectionRefusedError:
        return {"outcome": "nobody", "detail": "connection refused", "chips": []}
    except OSError as error:
        return {"outcome": "timeout" if isinstance(error, TimeoutError) else "nobody", "detail": str(error), "chips": []}
    names = (metrics.MetricName.TOTAL_MEMORY, metrics.MetricName.MEMORY_USAGE, metrics.MetricName.DUTY_CYCLE_PCT)
    # a new channel each time: a kept one would wait longer and longer for a server that was restarted
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    with metrics.grpc.secure_channel(f"localhost:{port}", metrics.grpc.local_channel_credentials(), options=options) as channel:
        client = metrics.tpu_metrics_grpc.RuntimeMetricServiceStub(channel)
        asked = [
            client.GetRuntimeMetric.future(metrics.tpu_metrics.MetricRequest(metric_name=each.value), timeout=limit_s) for each in names
        ]
        values: list[Values] = []
        problems: dict[str, tuple[str, str]] = {}
        for name, call in zip(names, asked, strict=True):
            try:
                values.append(read_values(call.result()))
            except metrics.grpc.RpcError as error:
                values.append({})
                problems[name.value] = (error.code().name, (error.details() or "").strip())
    total, used, duty = values
    if len(problems) == len(names):
        code, said = problems[names[0].value]
        return {"outcome": "timeout" if code == "DEADLINE_EXCEEDED" else "refused", "detail": f"{code}: {said}", "chips": []}
    lacking = [f"{name}: {code}{f', {said}' if said else ''}" for name, (code, said) in problems.items()]
    chips = pair(total, used, duty, per_chip)
    if not chips:
        lacking.append("it reports no device")
    return {"outcome": "told", "detail": "; ".join(lacking), "chips": chips}


def read_values(response: Any) -> Values:
    """Return a metric for each device; a gauge without a value is left out: unset, it would read as 0."""
    values: Values = {}
    for metric in response.metric.metrics:
        kind = metric.gauge.WhichOneof("value")
        value = getattr(metric.gauge, kind) if kind in ("as_int", "as_double") else None
        if value is not None and math.isfinite(value):
            values[metric.attribute.value.int_attr] = value
    return values


def pair(total: Values, used: Values, duty: Values, per_chip: int) -> list[dict[str, Any]]:
    """Return the values by device, None for those that are missing."""
    devices = sorted({*total, *used}) or sorted(duty)
    if per_chip > 1 and len(devices) == per_chip * len(duty):  # the values are of chips: each of their devices shares it
        shared = [duty[chip] for chip in sorted(duty) for _ in range(per_chip)]
        duty = dict(zip(devices, shared, strict=True))
    return [
        {"device": device, "used_bytes": whole(used.get(device)), "total_bytes": whole(total.get(device)), "duty_percent": duty.get(device)}
        for device in devices
    ]


def whole(value: float | None) -> int | None:
    return None if value is None else int(value)
