"""TPU VMs against real emulators over HTTP, with patience scaled down to milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.emulation import start_emulator

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession, Limits, open_session
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.vms.create import create
from heartbeat_core.vms.inventory import Inventory, fetch_inventory
from heartbeat_core.vms.operation import OperationStep, PollPolicy
from heartbeat_core.vms.request import CreateRequest

PROJECT, ZONE, ELSEWHERE = "demo-project", "us-central1-b", "us-east5-b"
SPEED = 500.0  # a creation of 20 s takes 40 ms
REQUEST = CreateRequest(PROJECT, ZONE, "llm-tpu-vm", "v6e-1", "v2-alpha-tpuv6e")
QUICK = PollPolicy(
    poll_s=0.005, growth=1.2, longest_poll_s=0.05, total_s=30.0, absent_s=0.25, settle_s=10.0, round_s=0.02, longest_round_s=0.1
)
LIMITS = Limits(connect_s=2.0, read_s=5.0, total_s=5.0, tries=2, backoff_s=0.001)


@dataclass
class Cloud:
    """One emulated Cloud and a session at it; ``steps`` are all that were told."""

    session: CloudSession
    url: str
    request: CreateRequest = REQUEST
    patience: PollPolicy = QUICK
    steps: list[OperationStep] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        return [step.what for step in self.steps]

    def look(self) -> Inventory:
        return fetch_inventory(self.session, PROJECT)

    def names(self) -> list[tuple[str, str]]:
        """List the zone and the name of every node there is, be the network as it may."""
        while True:
            with suppress(CloudError):
                return sorted((node.zone, node.id) for node in self.look().nodes)

    def create(self, **changes: Any) -> Any:
        return create(self.session, replace(self.request, **changes), self.steps.append, self.patience)

    def node(self, name: str = REQUEST.name) -> Node:
        (found,) = self.look().named(name)
        return found

    def advance_at(self, **moments: float) -> Callable[[OperationStep], None]:
        """Return a listener that moves the emulator's clock by so many seconds at the first step of each kind."""

        def hear(step: OperationStep) -> None:
            self.steps.append(step)
            if seconds := moments.pop(step.what, None):
                self.session.ask("tpu", "/emulator:advance", {"seconds": seconds})

        return hear

    def stop_at(self, what: str, detail: str = "") -> Callable[[OperationStep], None]:
        """Return a listener that cancels at the first such step."""

        def hear(step: OperationStep) -> None:
            self.steps.append(step)
            if step.what == what and detail in step.detail:
                self.session.cancel()

        return hear


Open = Callable[..., Cloud]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Start an emulator from a scenario, or from one that extends it by the TOML given."""
    with ExitStack() as stack:

        def open_(scenario: str = "ready", toml: str = "", *, speed: float = SPEED, seed: int | None = None) -> Cloud:
            if toml:
                file = tmp_path / f"scenario{len(list(tmp_path.iterdir()))}.toml"
                file.write_text(f'description = "a test"\nextends = "{scenario}"\n{toml}', encoding="utf-8")
                scenario = str(file)
            emulator = stack.enter_context(start_emulator(scenario, speed=speed, seed=seed))
            session = open_session(endpoint=emulator.url, environ={}, limits=LIMITS)
            stack.callback(session.close)
            return Cloud(session, emulator.url)

        yield open_


def mishap(method: str, path: str, what: str, times: int = 1, seconds: float = 0.0) -> str:
    """Write what befalls requests as TOML."""
    return f'[[faults.mishaps]]\nmethod = "{method}"\npath = ".*{path}"\nwhat = "{what}"\ntimes = {times}\nseconds = {seconds}\n'


@pytest.fixture
def befall() -> Callable[..., str]:
    """Return the function that writes mishaps: test files cannot import one another."""
    return mishap
