"""The emulator on a port of this machine, until it is interrupted."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import replace

from heartbeat_core.emulator.process import require_server
from heartbeat_core.emulator.scenario import Scenario
from heartbeat_core.emulator.seed import start_cloud
from heartbeat_core.emulator.state import Clock, Cloud
from heartbeat_core.errors import HeartbeatError

HOST = "127.0.0.1"
CUT = "ASGI callable returned without completing response."  # what uvicorn says of a connection that was cut on purpose


def bind(port: int) -> socket.socket:
    """Take a port of the loopback interface, any free one for 0; raise HeartbeatError where it or the server cannot be used."""
    require_server()
    # the protocol by name: only then does asyncio send at once, and no answer on a connection in use waits 40 ms for an acknowledgement
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise HeartbeatError(f"port {port} cannot be used", str(error), "Choose another with --port, or 0 for any that is free.") from error
    return listener


def base_url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def make_cloud(scenario: Scenario, speed: float = 1.0, seed: int | None = None) -> Cloud:
    """Build the scenario's state on a clock; raise HeartbeatError where it cannot be built.

    ``seed`` takes the place of the scenario's own, for faults that come by chance.
    """
    if seed is not None:
        scenario = replace(scenario, faults=replace(scenario.faults, seed=seed))
    try:
        return start_cloud(scenario, Clock(speed))
    except ValueError as error:
        raise HeartbeatError(f"the scenario {scenario.name} cannot be used", str(error), "Correct its file.") from error


def serve(cloud: Cloud, listener: socket.socket, latency_s: float, ready: Callable[[str], None]) -> None:
    """Answer on ``listener`` until SIGINT or SIGTERM; ``ready`` is called with the base URL first."""
    import uvicorn  # here, for what only reads scenarios needs no server

    from heartbeat_core.emulator.app import Emulator, make_app

    app = make_app(Emulator(cloud, latency_s))
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg != CUT)  # stderr may be the screen of a demo
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False)
    ready(base_url(listener))  # the port is taken already: connections wait until the server runs
    uvicorn.Server(config).run(sockets=[listener])
