"""The driver of a Ray cluster without Ray: an actor of the test's own."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from heartbeat_core.fleet.model import HostSummary, summary_from_json
from heartbeat_core.fleet.ray_cluster import RayNode
from heartbeat_core.fleet.ray_driver import DrivenHost, Driver

NODE = RayNode("n1", "host-1", "10.0.0.1", 4)
ENDED = replace(NODE.summary(), state="ended", ending="done", count=100, n=100, median_ns=1e6)


class Gone(Exception):
    """What Ray raises where an actor is gone."""


class NodeThatDies:
    """An actor that ends its run; its node dies before the samples are fetched."""

    def __init__(self) -> None:
        self.news = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self.tell))
        self.fetch = SimpleNamespace(remote=self.die)

    async def tell(self) -> AsyncIterator[Any]:
        reported: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reported.set_result(ENDED.to_json())
        yield reported

    async def die(self, _offset: int) -> bytes:
        raise Gone


class DriverWithoutRay(Driver):
    def start_actor(self, *_: Any, **__: Any) -> Any:
        return NodeThatDies()

    async def reach(self, host: DrivenHost) -> None:
        pass

    async def wait_for_device(self, host: DrivenHost) -> None:
        pass


@pytest.fixture
def driver() -> DriverWithoutRay:
    ray = SimpleNamespace(kill=lambda _actor: None, exceptions=SimpleNamespace(RayError=Gone, ActorUnavailableError=Gone))
    return DriverWithoutRay(ray, "10.0.0.9:6379", {"plan": {"backend": "xla"}, "serial": False, "keep": True}, io.BytesIO())


def sent(driver: Driver) -> list[HostSummary]:
    assert isinstance(driver.output, io.BytesIO)
    messages = [json.loads(line) for line in driver.output.getvalue().splitlines()]
    return [summary_from_json(each["host"]) for each in messages if each["type"] == "summary"]


def test_a_finished_host_whose_samples_cannot_be_fetched_keeps_its_figures(driver: DriverWithoutRay) -> None:
    host = DrivenHost(NODE, NODE.summary())
    driver.hosts = {NODE.id: host}
    asyncio.run(driver.measure(host, None, None))  # type: ignore[arg-type]
    assert sent(driver) == [ENDED]
    driver.obey({"word": "kill"})
    assert host.summary == ENDED
