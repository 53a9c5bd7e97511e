"""What the TPU VMs pane asks of the app, and what it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.diagnosis.model import Diagnosis
    from heartbeat_core.vms.prices import Rates
    from heartbeat_tui.vm_rows import VmRow

Act = Literal["start", "stop", "delete"]


@dataclass(frozen=True)
class LogLine:
    """Something that happened to a node or a queued resource: when, to which, what; ``kind`` is an ink."""

    at: datetime
    name: str
    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class FleetView:
    """The TPU VMs at one moment; ``rows`` is None before the first answer and old where ``problem`` says why.

    ``seen`` is when Google last answered, ``wait_s`` how long until it is asked again.
    """

    rows: tuple[VmRow, ...] | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    queued: Mapping[str, QueuedResource] = field(default_factory=dict)
    unreachable: tuple[str, ...] = ()
    seen: datetime | None = None
    problem: Diagnosis | None = None
    queued_problem: Diagnosis | None = None
    wait_s: float = 0.0
    looking: bool = False
    project: str = ""
    zone: str = "-"
    log: tuple[LogLine, ...] = ()
    rates: Rates | None = None
    unpriced: str = ""  # why there are no prices
    endpoint: str | None = None


class VmsChanged(Message):
    """Something is known that was not; many of these are as good as the last one."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, VmsChanged)


class LookAtVms(Message):
    """Ask Google now."""


class ShowZone(Message):
    """List one zone, or all of them for "-"."""

    def __init__(self, zone: str) -> None:
        super().__init__()
        self.zone = zone
