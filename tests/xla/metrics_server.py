"""A metrics server that speaks libtpu's protocol, for tests: it stands in for a program that has the chip.

Runs under the Python of the torch_xla environment, which has gRPC and the messages of tpu-info. Its argument is JSON:
``total``, ``used`` and ``duty`` map devices to values (null: a gauge that holds none), ``refuse`` maps metrics to a gRPC
status, ``hang`` makes it take calls and never answer. It prints its port, and ends when its stdin does.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tpu_info.proto import tpu_metric_service_pb2 as messages
from tpu_info.proto import tpu_metric_service_pb2_grpc as services

METRICS = {
    "tpu.runtime.hbm.memory.total.bytes": "total",
    "tpu.runtime.hbm.memory.usage.bytes": "used",
    "tpu.runtime.tensorcore.dutycycle.percent": "duty",
}


class Chips(services.RuntimeMetricServiceServicer):  # type: ignore[misc]
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def GetRuntimeMetric(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        name = METRICS.get(request.metric_name, "")
        if self.told.get("hang"):
            threading.Event().wait()
        if not name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no metric {request.metric_name}")
        if name in self.told.get("refuse", {}):
            context.abort(grpc.StatusCode[self.told["refuse"][name]], "by order of the test")
        metrics = [measured(int(device), value) for device, value in self.told[name].items()]
        return messages.MetricResponse(metric=messages.TPUMetric(name=request.metric_name, metrics=metrics))


def measured(device: int, value: float | None) -> Any:
    gauge = messages.Gauge()
    if isinstance(value, int):
        gauge.as_int = value
    elif value is not None:
        gauge.as_double = value
    attribute = messages.Attribute(key="device-id", value=messages.AttrValue(int_attr=device))
    return messages.Metric(attribute=attribute, gauge=gauge)


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(8))
    services.add_RuntimeMetricServiceServicer_to_server(Chips(json.loads(sys.argv[1])), server)
    port = server.add_secure_port("localhost:0", grpc.local_server_credentials())
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
