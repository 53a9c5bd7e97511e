"""The TPU VMs, and what is being done to them, at one moment, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from heartbeat_core.cloud.tpu import EVERYWHERE, Node, QueuedResource
from heartbeat_core.diagnosis.model import Diagnosis, Remedy
from heartbeat_core.vms.inventory import Inventory, Transition
from heartbeat_core.vms.operation import OperationStep
from heartbeat_core.vms.pricing import Rates
from heartbeat_core.vms.vocabulary import Resource, key_of


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended: well, if there is no ``title``; ``commands`` show what there may be, and delete it.

    ``interrupted``: it was stopped from here. ``goes_on``: Google may go on with it. ``expected`` is false for an error of our own.
    """

    title: str = ""
    cause: str = ""
    remedy: str = ""
    remedies: tuple[Remedy, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    interrupted: bool = False
    goes_on: bool = False
    expected: bool = True

    @property
    def ok(self) -> bool:
        return not self.title


@dataclass(frozen=True)
class Job:
    """An operation on a TPU VM that was begun here; ``key`` is that of its row, ``zones`` are the fallback zones."""

    id: int
    what: Literal["create", "start", "stop", "delete"]
    key: str
    name: str
    summary: str
    command: tuple[str, ...]
    begun: datetime
    zones: tuple[str, ...] = ()
    steps: tuple[OperationStep, ...] = ()
    stopping: bool = False
    ended: datetime | None = None
    outcome: JobOutcome = JobOutcome()


@dataclass(frozen=True)
class InventoryView:
    """What is known at one moment; ``inventory`` is None before the first answer, and old if ``problem`` says why.

    ``events`` are what happened so far, jobs as they stood then. ``wait_s`` is the time until Google is asked again, ``unpriced``
    why there are no prices. ``other_zones`` are the resources last seen in zones that are not listed now.
    """

    inventory: Inventory | None = None
    problem: Diagnosis | None = None
    wait_s: float = 0.0
    project: str = ""
    zone: str = EVERYWHERE
    events: tuple[Transition | Job, ...] = ()
    rates: Rates | None = None
    unpriced: str = ""
    endpoint: str | None = None
    jobs: tuple[Job, ...] = ()
    other_zones: tuple[Resource, ...] = ()

    @property
    def seen(self) -> datetime | None:
        return self.inventory.at if self.inventory else None

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Return the nodes by the keys of their rows."""
        return {key_of("node", node.zone, node.id): node for node in (self.inventory.nodes if self.inventory else ())}

    @cached_property
    def queued(self) -> Mapping[str, QueuedResource]:
        """Return the queued resources by the keys of their rows."""
        return {key_of("queued", each.zone, each.id): each for each in (self.inventory.queued if self.inventory else ())}

    def find(self, key: str) -> Resource | None:
        """Return the resource of a row, None if it is gone."""
        return self.nodes.get(key) or self.queued.get(key)
