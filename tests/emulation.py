"""Emulated Clouds in this process: as many as a test wants, in milliseconds, where their process is not what is tested."""

from __future__ import annotations

import asyncio
import functools
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import uvicorn

from heartbeat_core.emulator.app import Emulator, make_app
from heartbeat_core.emulator.scenario import load_scenario
from heartbeat_core.emulator.server import base_url, bind, make_cloud

if TYPE_CHECKING:
    from typing_extensions import Self


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Start the thread that all of them answer from; it ends with this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="emulators", daemon=True).start()
    return loop


class EmulatorThread:
    """A running emulator, with the attributes of an EmulatorProcess that its users ask for."""

    def __init__(self, server: uvicorn.Server, url: str) -> None:
        self.server, self.url = server, url

    def close(self) -> None:
        """Order it to end; its port is free a moment later."""
        self.server.should_exit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def start_emulator(scenario: str = "ready", latency_s: float = 0.0, *, speed: float = 1.0, seed: int | None = None) -> EmulatorThread:
    """Start an emulator as ``heartbeat_core.emulator.process.start_emulator`` does, without a process."""
    cloud = make_cloud(load_scenario(scenario), speed, seed)
    listener = bind(0)
    app = make_app(Emulator(cloud, latency_s))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False)
    server = uvicorn.Server(config)
    url = base_url(listener)  # the port is taken already: connections wait until the server runs
    asyncio.run_coroutine_threadsafe(server.serve([listener]), _loop())
    return EmulatorThread(server, url)
