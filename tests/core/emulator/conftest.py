from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from heartbeat_core.emulator.app import Emulator, make_app
from heartbeat_core.emulator.http import EmulatedCall
from heartbeat_core.emulator.scenario import Scenario, load_scenario
from heartbeat_core.emulator.seed import start_cloud
from heartbeat_core.emulator.state import Clock

PROJECT = "demo-project"
ZONE = f"/v2/projects/{PROJECT}/locations/us-central1-b"


@dataclass
class Client:
    """Asks an emulator without a network, on a clock that stands still until it is moved on."""

    emulator: Emulator

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Make one call; path may carry a query. Headers are named with underscores."""
        parts = urlsplit(path)
        many = parse_qs(parts.query)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.emulator.answer(
            EmulatedCall(method, parts.path, {name: values[-1] for name, values in many.items()}, many, named, body or {})
        )

    def get(self, path: str, **headers: str) -> dict[str, Any]:
        """Get what must be there."""
        status, answer = self.ask("GET", path, None, **headers)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Post what must be accepted."""
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Ask what must be refused; return the error."""
        status, answer = self.ask(method, path, body, **headers)
        assert status == answer["error"]["code"] >= 400
        error: dict[str, Any] = answer["error"]
        return error

    def wait(self, seconds: float) -> None:
        self.emulator.cloud.clock.advance(seconds)

    def held(self, *permissions: str) -> list[str]:
        """List which permissions the caller has in the project."""
        answer = self.post(f"/v3/projects/{PROJECT}:testIamPermissions", {"permissions": list(permissions)})
        return list(answer.get("permissions", []))

    def create(self, name: str, accelerator_type: str = "v6e-1", runtime: str = "v2-alpha-tpuv6e", **more: Any) -> dict[str, Any]:
        return self.post(f"{ZONE}/nodes?nodeId={name}", {"acceleratorType": accelerator_type, "runtimeVersion": runtime, **more})

    def http(self, method: str, path: str, body: bytes = b"", host: str = "127.0.0.1:1") -> Wire:
        """Ask over ASGI, as a server would."""
        return asyncio.run(over_the_wire(self.emulator, method, path, body, host))


@dataclass
class Wire:
    """What came over the wire; ``whole`` is false where the connection was cut."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    whole: bool

    def json(self) -> Any:
        return json.loads(self.body)


async def over_the_wire(emulator: Emulator, method: str, path: str, body: bytes, host: str) -> Wire:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    parts = urlsplit(path)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": parts.path,
        "raw_path": parts.path.encode(), "query_string": parts.query.encode(), "root_path": "", "headers": [(b"host", host.encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    await make_app(emulator)(scope, receive, send)
    chunks = [message for message in sent if message["type"] == "http.response.body"]
    whole = not chunks[-1].get("more_body", False)
    return Wire(sent[0]["status"], dict(sent[0]["headers"]), b"".join(chunk["body"] for chunk in chunks), whole)


Opener = Callable[..., Client]


@pytest.fixture
def opened() -> Opener:
    """Open a scenario by name, with some of it changed."""

    def open_(name: str = "ready", latency_s: float = 0.0, sleep: Any = asyncio.sleep, **changes: Any) -> Client:
        scenario: Scenario = replace(load_scenario(name), **changes)
        return Client(Emulator(start_cloud(scenario, Clock(speed=0.0, start=1_790_000_000.0)), latency_s, sleep))

    return open_


@pytest.fixture
def ready(opened: Opener) -> Client:
    return opened("ready")
