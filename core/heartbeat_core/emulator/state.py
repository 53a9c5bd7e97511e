"""Everything the emulated Cloud knows at a moment, and the agenda of what will change it."""

from __future__ import annotations

import base64
import heapq
import itertools
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from heartbeat_core.emulator.catalogue import Slice
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json
from heartbeat_core.emulator.scenario import FirewallStart, Scenario, read_roles


class Clock:
    """Seconds since the epoch, ``speed`` times as fast as real time; at speed 0 it moves by ``advance`` alone."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self.began = time.monotonic()
        self.origin = time.time() if start is None else start

    def now(self) -> float:
        return self.origin + (time.monotonic() - self.began) * self.speed

    def advance(self, seconds: float) -> None:
        self.origin += seconds


def timestamp(seconds: float) -> str:
    """Write a moment as Google's APIs do: 2026-11-22T10:00:00.000000Z."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


EXPIRY = re.compile(r'\s*request\.time\s*<\s*timestamp\("([^"]+)"\)\s*')


def binding_of(role: str, members: Iterable[str], condition: Json | None = None) -> Json:
    return {"role": role, "members": list(members), **({"condition": condition} if condition else {})}


def holds(binding: Json, moment: str) -> bool:
    """Return whether the condition of a binding is met; one that is no expiry date is not."""
    if "condition" not in binding:
        return True
    found = EXPIRY.fullmatch(binding["condition"].get("expression", ""))
    return found is not None and moment < found[1]


@dataclass
class EmulatedPolicy:
    """Who holds which role on one resource; the etag changes with every write."""

    bindings: list[Json] = field(default_factory=list)
    generation: int = 1

    @property
    def etag(self) -> str:
        return base64.b64encode(b"BwX%08d" % self.generation).decode()

    def to_json(self) -> Json:
        version = 3 if any("condition" in binding for binding in self.bindings) else 1
        bindings = [{**binding, "members": sorted(binding["members"])} for binding in self.bindings]
        return {"version": version, "etag": self.etag, "bindings": bindings}

    def grant(self, role: str, member: str) -> None:
        for binding in self.bindings:
            if binding["role"] == role and "condition" not in binding:
                if member not in binding["members"]:
                    binding["members"].append(member)
                return
        self.bindings.append(binding_of(role, [member]))

    def replace(self, body: Json) -> None:
        """Take over a policy that was sent; raise ApiError where it is stale or names what does not exist."""
        sent = body.get("policy") or {}
        if sent.get("etag") not in (None, "", self.etag):
            message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
            raise ApiError(409, message, status="ABORTED")
        for binding in sent.get("bindings", []):
            if binding.get("role") not in read_roles() and not str(binding.get("role")).startswith("projects/"):
                raise ApiError(400, f"Role {binding.get('role')} is not supported for this resource.")
        self.bindings = [
            binding_of(binding["role"], binding["members"], binding.get("condition"))
            for binding in sent.get("bindings", [])
            if binding.get("members")
        ]
        self.generation += 1

    def granted(self, member: str, moment: str) -> set[str]:
        """List the permissions the policy gives ``member``."""
        return {
            permission
            for binding in self.bindings
            if member in binding["members"] and holds(binding, moment) and binding["role"] in read_roles()
            for permission in read_roles()[binding["role"]][1]
        }


@dataclass
class Account:
    """A service account: ``body`` is what IAM says of it."""

    body: Json
    policy: EmulatedPolicy = field(default_factory=EmulatedPolicy)

    @property
    def email(self) -> str:
        return str(self.body["email"])


@dataclass
class TpuResource(ABC):
    """What lives in a zone: ``body`` is what its owner set, the rest what the Cloud knows of it."""

    name: str
    slice: Slice
    spot: bool
    body: Json
    state: str
    created: str

    @property
    def zone(self) -> str:
        return self.name.split("/")[3]

    @abstractmethod
    def to_json(self) -> Json: ...


@dataclass
class EmulatedNode(TpuResource):
    """A TPU VM."""

    uid: str
    overlay: Mapping[str, object] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()  # of its hosts, where the scenario knows better than to make some up

    @property
    def external(self) -> bool:
        """Return whether it has external addresses: clients leave out a field that is false."""
        config = self.body.get("networkConfig")
        return True if config is None else bool(config.get("enableExternalIps"))

    def to_json(self) -> Json:
        """Describe it as the TPU API does; gcloud's list drops one without apiVersion."""
        network = {"network": f"projects/{self.name.split('/')[1]}/global/networks/default", **(self.body.get("networkConfig") or {})}
        network.setdefault("enableExternalIps", self.external)
        answer: Json = {
            **self.body,
            "name": self.name,
            "id": self.uid,
            "state": self.state,
            "createTime": self.created,
            "apiVersion": "V2",
            "acceleratorType": self.slice.type,
            "acceleratorConfig": {"type": self.slice.family.config, "topology": self.slice.topology},
            "networkConfig": network,
            "cidrBlock": "10.128.0.0/20",
        }
        if self.state == "READY":
            answer["health"] = "HEALTHY"
            answer["networkEndpoints"] = [self.endpoint(worker) for worker in range(self.slice.hosts)]
        return {**answer, **self.overlay}

    def endpoint(self, worker: int) -> Json:
        """Return one worker's addresses: those of the scenario, or made-up ones, the outer from a net kept for documentation."""
        number = int(self.uid)
        own = self.addresses[worker % len(self.addresses)] if self.addresses else ""
        outer = {"externalIp": own or f"203.0.113.{(number + worker) % 250 + 1}"} if self.external else {}
        return {"ipAddress": own or f"10.128.{number % 200}.{worker + 2}", "port": 8470, "accessConfig": outer}


@dataclass
class Queued(TpuResource):
    """A queued resource and the one node it asks for."""

    error: Json | None = None

    def to_json(self) -> Json:
        state: Json = {"state": self.state, "stateInitiator": "SERVICE"}
        if self.error is not None:
            state["failedData"] = {"error": self.error}
        return {**self.body, "name": self.name, "state": state, "createTime": self.created}


@dataclass
class EmulatedProject:
    """One project with all that lives in it."""

    id: str
    number: str
    name: str
    state: str
    created: str
    billing_account: str = ""
    enabled: set[str] = field(default_factory=set)  # APIs, as Service Usage says
    answering: set[str] = field(default_factory=set)  # those that answer already
    policy: EmulatedPolicy = field(default_factory=EmulatedPolicy)
    inherited: EmulatedPolicy = field(default_factory=EmulatedPolicy)
    accounts: dict[str, Account] = field(default_factory=dict)
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    preferences: dict[str, Json] = field(default_factory=dict)  # requests for quota
    nodes: dict[str, EmulatedNode] = field(default_factory=dict)
    queued: dict[str, Queued] = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    requests: dict[str, Json] = field(default_factory=dict)  # the operations, by the id of the request that began them
    firewalls: dict[str, FirewallStart] = field(default_factory=dict)

    @property
    def default_account(self) -> str:
        return f"{self.number}-compute@developer.gserviceaccount.com"


class Due(NamedTuple):
    """Something that will happen; ``order`` keeps what falls on one moment in the order it was planned."""

    at: float
    order: int
    action: Callable[[], object]


class Cloud:
    """All projects, and time: due changes happen at the next call."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.scenario = scenario
        self.clock = clock
        self.projects: dict[str, EmulatedProject] = {}
        self.billing_accounts: dict[str, bool] = {}  # open?
        self.operations: dict[str, Json] = {}  # by name
        self.agenda: list[Due] = []
        self.numbers = itertools.count(1)
        self.chance = random.Random(scenario.faults.seed)
        self.moment: float | None = None

    def now(self) -> float:
        """Return the time; while something due happens, the time it was due at."""
        return self.clock.now() if self.moment is None else self.moment

    def stamp(self) -> str:
        return timestamp(self.now())

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Let something happen after ``seconds``; at once where there are none."""
        if seconds <= 0:
            action()
            return
        heapq.heappush(self.agenda, Due(self.now() + seconds, next(self.numbers), action))

    def settle(self) -> None:
        """Let everything happen that is due."""
        now = self.clock.now()
        while self.agenda and self.agenda[0].at <= now:
            due = heapq.heappop(self.agenda)
            self.moment = due.at
            try:
                due.action()
            finally:
                self.moment = None

    def find(self, project: str) -> EmulatedProject | None:
        """Find a project by its id or number; one that is being deleted counts."""
        return self.projects.get(project) or next((found for found in self.projects.values() if found.number == project), None)

    def project(self, call: EmulatedCall) -> EmulatedProject:
        """Find the project of a call that was already let through."""
        found = self.find(call.args["project"])
        if found is None:
            raise ApiError(404, f"Requested entity was not found: projects/{call.args['project']}")
        return found

    def granted(self, project: EmulatedProject, account: Account | None = None) -> set[str]:
        """List what the caller may do in a project, or with one of its service accounts."""
        policies = [project.policy, project.inherited, *([account.policy] if account else [])]
        return set[str]().union(*(policy.granted(self.scenario.principal, self.stamp()) for policy in policies))

    def billed(self, project: EmulatedProject) -> bool:
        return self.billing_accounts.get(project.billing_account, False)

    def accounts(self) -> Iterable[tuple[EmulatedProject, Account]]:
        return ((project, account) for project in self.projects.values() for account in project.accounts.values())

    def unique_id(self) -> str:
        """Make the number of an account, 21 digits as Google's."""
        return str(10**20 + next(self.numbers) * 7919)

    def node_id(self) -> str:
        """Make the number of a node: clients read it as an int64."""
        return str(10**18 + next(self.numbers) * 7919)
