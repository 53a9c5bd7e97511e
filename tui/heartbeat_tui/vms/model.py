"""The TPU VMs, and what is being done to them, at one moment, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from heartbeat_core.cloud.tpu import Node, QueuedResource
    from heartbeat_core.diagnosis.model import Diagnosis, Remedy
    from heartbeat_core.vms.operation import OperationStep
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_tui.vms.rows import VmRow

What = Literal["create", "start", "stop", "delete"]


@dataclass(frozen=True)
class LogLine:
    """Something that happened to a node or a queued resource: when, to which, what; ``kind`` is an ink."""

    at: datetime
    name: str
    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended: well, where there is no ``title``; ``commands`` look at what there may be and delete it.

    ``interrupted`` was ordered here; ``goes_on`` says that Google may go on without us.
    """

    title: str = ""
    cause: str = ""
    remedy: str = ""
    remedies: tuple[Remedy, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    interrupted: bool = False
    goes_on: bool = False
    explained: bool = True

    @property
    def well(self) -> bool:
        return not self.title


@dataclass(frozen=True)
class Job:
    """Something that is being done to a TPU VM from here; ``key`` is that of its row, ``zones`` those that are gone round."""

    id: int
    what: What
    key: str
    name: str
    gist: str
    command: tuple[str, ...]
    begun: datetime
    zones: tuple[str, ...] = ()
    steps: tuple[OperationStep, ...] = ()
    stopping: bool = False
    ended: datetime | None = None
    ending: JobOutcome = JobOutcome()
    made: Node | QueuedResource | None = None


@dataclass(frozen=True)
class InventoryView:
    """The TPU VMs at one moment; ``rows`` is None before the first answer and old where ``problem`` says why.

    ``seen`` is when Google last answered, ``wait_s`` how long until it is asked again. ``elsewhere`` is what was known of other
    zones when one alone came to be listed.
    """

    rows: tuple[VmRow, ...] | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    queued: Mapping[str, QueuedResource] = field(default_factory=dict)
    unreachable: tuple[str, ...] = ()
    seen: datetime | None = None
    problem: Diagnosis | None = None
    queued_problem: Diagnosis | None = None
    wait_s: float = 0.0
    project: str = ""
    zone: str = "-"
    log: tuple[LogLine, ...] = ()
    rates: Rates | None = None
    unpriced: str = ""  # why there are no prices
    endpoint: str | None = None
    jobs: tuple[Job, ...] = ()
    elsewhere: tuple[VmRow, ...] = ()
