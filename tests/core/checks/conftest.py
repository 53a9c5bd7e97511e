from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

from heartbeat_core.checks.check import Check
from heartbeat_core.checks.context import CheckEnvironment, demo_environ, detect_environment
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.auth import anonymous
from heartbeat_core.cloud.connection import HttpConnection
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.session import CloudSession, Limits
from heartbeat_core.emulator.app import Emulator
from heartbeat_core.emulator.http import EmulatedCall
from heartbeat_core.emulator.scenario import load_scenario
from heartbeat_core.emulator.seed import start_cloud
from heartbeat_core.emulator.state import Clock

Http = TypeVar("Http", bound=requests.Session)
NOWHERE = "http://127.0.0.1:1"
IN_THE_CLOUD = tuple(check for check in checks_for() if check.group != "host")


class Wire(requests.adapters.BaseAdapter):
    """Stands where the network does, and asks an emulator of the same process."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self.emulator = emulator
        self.asked: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        url = urlsplit(str(request.url))
        self.asked.append(f"{request.method} {url.path}")
        many = parse_qs(url.query)
        query = {name: values[-1] for name, values in many.items()}
        body = json.loads(request.body or "{}")
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        call = EmulatedCall(str(request.method), unquote(url.path), query, many, {}, body)
        response.status_code, answer = self.emulator.answer(call)
        response._content = json.dumps(answer).encode()
        return response

    def close(self) -> None:
        pass


class Direct(HttpConnection):
    """A connection with an emulator of the same process."""

    def __init__(self, emulator: Emulator) -> None:
        self.wire = Wire(emulator)
        super().__init__(anonymous(), NOWHERE)

    @property
    def asked(self) -> list[str]:
        return self.wire.asked

    def prepare(self, http: Http) -> Http:
        prepared = super().prepare(http)
        prepared.mount("http://", self.wire)
        return prepared


def open_direct(name: str, **changes: Any) -> Direct:
    cloud = start_cloud(replace(load_scenario(name), **changes), Clock(speed=0.0, start=1_790_000_000.0))
    return Direct(Emulator(cloud))


def session_over(direct: Direct, limits: Limits | None = None) -> CloudSession:
    return CloudSession(direct, limits or Limits(backoff_s=0.001))


@pytest.fixture
def direct() -> Callable[..., Direct]:
    """Open a scenario by name, with some of it changed."""
    return open_direct


@pytest.fixture
def world() -> Callable[..., CheckEnvironment]:
    """Look around in an emulated Cloud; the flags are the parts of the target."""

    def make(direct: Direct | None = None, **flags: str | None) -> CheckEnvironment:
        direct = direct or open_direct("ready")
        named: Mapping[str, str | None] = {"project": "demo-project", **flags}
        found = detect_environment(named, endpoint=NOWHERE, environ=demo_environ(), project=SourcedValue(None, "nobody"))
        return replace(found, open_session=lambda: session_over(direct))

    return make


@pytest.fixture
def asked(world: Callable[..., CheckEnvironment]) -> Callable[..., CheckReport]:
    """Ask all checks but this machine's, or some, of a scenario."""

    def ask(
        scenario: str | Direct = "ready",
        names: tuple[str, ...] | None = None,
        checks: tuple[Check, ...] = IN_THE_CLOUD,
        **flags: str | None,
    ) -> CheckReport:
        direct = open_direct(scenario) if isinstance(scenario, str) else scenario
        return Runner(checks, world(direct, **flags)).run(names)

    return ask


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str | bytes | os.PathLike[str]]], Path]:
    """Make a machine of files: text, bytes, or a path that a link leads to."""

    def make(files: Mapping[str, str | bytes | os.PathLike[str]]) -> Path:
        root = tmp_path / f"root{len(list(tmp_path.iterdir()))}"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.symlink_to(content)
        return root

    return make
