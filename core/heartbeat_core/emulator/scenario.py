"""The states an emulator can start from, read from files of TOML; one may extend another and say only what differs."""

from __future__ import annotations

import configparser
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from heartbeat_core.errors import HeartbeatError, nearest
from heartbeat_core.paths import expanded

FOLDER = Path(__file__).with_name("scenarios")
DEFAULT = "ready"


@dataclass(frozen=True)
class ProjectStart:
    """The project there is; ``id`` is empty for none."""

    id: str = "demo-project"
    number: str = "123456789012"
    name: str = "Demo"
    state: str = "ACTIVE"
    billing_account: str = ""
    billing_open: bool = True


@dataclass(frozen=True)
class AccountStart:
    """A service account: who may act as it, and whether it is disabled; ``present`` false takes an extended scenario's away."""

    present: bool = True

    display_name: str = ""
    disabled: bool = False
    act_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirewallStart:
    """A firewall rule for incoming traffic; ``allow`` and ``deny`` are such as "tcp:22", "tcp" or "all"."""

    network: str = "default"
    ranges: tuple[str, ...] = ("0.0.0.0/0",)
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    priority: int = 65534
    target_tags: tuple[str, ...] = ()
    disabled: bool = False


DEFAULT_FIREWALLS = {
    "default-allow-ssh": FirewallStart(allow=("tcp:22",)),
    "default-allow-internal": FirewallStart(ranges=("10.128.0.0/9",), allow=("tcp:0-65535", "udp:0-65535", "icmp")),
}


@dataclass(frozen=True)
class ConditionalStart:
    """A binding that holds under a condition, in IAM's expression language."""

    role: str
    member: str
    title: str
    expression: str


@dataclass(frozen=True)
class NodeStart:
    """A TPU VM that exists already, since ``age_s``; ``fields`` are laid over the answer as they are.

    More than one of ``copies`` are numbered: id-0001, id-0002, …
    """

    id: str
    zone: str
    accelerator_type: str
    runtime_version: str
    state: str = "READY"
    spot: bool = False
    service_account: str = ""
    queued_resource: str = ""
    age_s: float = 0.0
    copies: int = 1
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class QueuedStart:
    """A queued resource that exists already."""

    id: str
    zone: str
    accelerator_type: str
    runtime_version: str
    state: str
    spot: bool = False
    flex_start: bool = False


@dataclass(frozen=True)
class Timings:
    """How long things take, in seconds of the emulator's clock: shorter than Google's, so that they can be watched."""

    enable_s: float = 6.0  # until Service Usage says ENABLED
    propagate_s: float = 6.0  # more, until the API answers
    create_s: float = 20.0
    start_s: float = 10.0
    stop_s: float = 8.0
    delete_s: float = 8.0
    update_s: float = 2.0
    accept_s: float = 4.0  # of a queued resource
    quota_s: float = 60.0  # until a request for quota is granted: Google takes a day or two


@dataclass(frozen=True)
class Edit:
    """A change to answers whose path matches: names dropped and values replaced, wherever in the answer they stand."""

    path: str
    remove: tuple[str, ...] = ()
    replace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mishap:
    """What befalls the first ``times`` requests whose method and path match.

    The connection is cut, and the request was carried out ("cut"), was not ("drop"), or is ``seconds`` later ("late"); or it is refused
    as if its zone were not there ("forbid"), which zones were seen to do for a while.
    """

    method: str
    path: str
    what: Literal["cut", "drop", "late", "forbid"]
    times: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong on the way; the shares are of all requests, drawn by chance from ``seed``."""

    seed: int = 0
    too_many: float = 0.0  # 429
    unavailable: float = 0.0  # 503
    cut: float = 0.0  # the connection, in the middle of the answer
    truncated: float = 0.0  # JSON that ends too early, in an answer that claims to be whole
    broken: tuple[str, ...] = ()  # APIs that answer 500
    latency_s: Mapping[str, float] = field(default_factory=dict)  # by API; "default" for the rest
    mishaps: tuple[Mishap, ...] = ()  # not by chance


@dataclass(frozen=True)
class Scenario:
    """Everything an emulator starts from."""

    name: str = ""
    description: str = ""
    principal: str = "user:ada@example.com"
    credentials: Literal["valid", "expired"] = "valid"
    # The project whose APIs calls without a quota project are counted to, where it is not the caller's own.
    foreign_consumer: str = ""
    project: ProjectStart = ProjectStart()
    services: tuple[str, ...] = ()
    policy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inherited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # from the organisation: counts, is not shown
    conditional: tuple[ConditionalStart, ...] = ()
    accounts: Mapping[str, AccountStart] = field(default_factory=dict)
    instances: Mapping[str, str] = field(default_factory=dict)  # of Compute Engine: name -> "zone/machine type"
    networks: tuple[str, ...] = ("default",)  # with a subnet in every region
    firewalls: Mapping[str, FirewallStart] = field(default_factory=lambda: DEFAULT_FIREWALLS)
    nat: tuple[str, ...] = ()  # regions with Cloud NAT
    # Of the organization the project is in, if any: constraint -> values that are allowed; empty: enforced, or nothing is allowed.
    constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)  # API, or "*" for all -> the reason with which Google refuses
    default_account: bool = True  # Compute Engine's own service account, where its API is on
    agents: tuple[str, ...] = ()  # "gcp-sa-tpu", "cloud-tpu"
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # id -> zone, region or "default" -> limit
    unset: tuple[str, ...] = ()  # "quota id/location" rows that leave their value out
    ineligible: tuple[str, ...] = ()  # quotas for which no increase can be asked
    stockout: tuple[str, ...] = ()  # zones without capacity
    unreachable: tuple[str, ...] = ()  # zones that lists over all zones leave out, and say so
    # Where the hosts of every node really are, worker by worker: loopback addresses behind which something answers ssh.
    addresses: tuple[str, ...] = ()
    nodes: tuple[NodeStart, ...] = ()
    queued: tuple[QueuedStart, ...] = ()
    timings: Timings = Timings()
    faults: Faults = Faults()
    edits: tuple[Edit, ...] = ()


def scenario_names() -> list[str]:
    """List the scenarios that come along, in the order of the alphabet."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_scenario(name: str) -> Scenario:
    """Read a scenario by its name or, where it ends in .toml, by its path; raise HeartbeatError where it is none."""
    path = expanded(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in scenario_names():
        near = nearest(name, scenario_names())
        raise HeartbeatError(
            f"there is no scenario {name!r}",
            f"Did you mean {near}?" if near else f"None of the {len(scenario_names())} has this name.",
            "heartbeat-tui emulator --list says what each is.",
        )
    table = read_table(path, seen=())
    try:
        scenario: Scenario = build(Scenario, {**table, "name": path.stem}, "")
    except (TypeError, ValueError) as error:
        raise HeartbeatError(f"the scenario {path} cannot be used", str(error), "Correct it.") from error
    return scenario


def read_table(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and what it extends, the nearer over the farther; raise HeartbeatError."""
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if path in seen:
        raise HeartbeatError(
            f"the scenario {path} extends itself", "Its extends lines form a cycle.", "Remove the extends line from one of the files."
        )
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HeartbeatError(f"the scenario {path} cannot be read", str(error), "Name a file of TOML, or one of --list.") from error
    base = table.pop("extends", None)
    if base is None:
        return table
    beside = path.with_name(f"{base}.toml")
    return merge(read_table(beside if beside.exists() else FOLDER / f"{base}.toml", (*seen, path)), table)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; tables are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def build(kind: Any, value: Any, where: str) -> Any:
    """Make a dataclass, tuple or mapping of ``kind`` from TOML; raise TypeError or ValueError naming the place."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        return build_table(kind, table_at(value, where), where)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{where} is no list")
        return tuple(build(arguments[0], part, f"{where}[{index}]") for index, part in enumerate(value))
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where} is {value!r}, not one of {', '.join(arguments)}")
        return value
    if origin is not None:
        return {key: build(arguments[1], part, f"{where}.{key}") for key, part in table_at(value, where).items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind is not Any and type(value) is not kind:
        raise ValueError(f"{where} is {value!r}, not of the kind {kind.__name__}")
    return value


def build_table(kind: type[Any], table: dict[str, Any], where: str) -> Any:
    known = {entry.name: f"{where}.{entry.name}".lstrip(".") for entry in fields(kind)}
    if unknown := sorted(set(table) - set(known)):
        raise ValueError(f"there is no {where}{'.' * bool(where)}{unknown[0]}; there are {', '.join(sorted(known))}")
    needed = {entry.name for entry in fields(kind) if entry.default is MISSING and entry.default_factory is MISSING}
    if missing := sorted(needed - set(table)):
        raise ValueError(f"{where} lacks {missing[0]}")
    hints = get_type_hints(kind)
    return kind(**{key: build(hints[key], part, known[key]) for key, part in table.items()})


def table_at(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{where} is no table")
    return value


@functools.cache
def read_roles() -> Mapping[str, tuple[str, frozenset[str]]]:
    """Return the title and the permissions of each role."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]  # as its documentation says
    parser.read_string(FOLDER.with_name("roles.ini").read_text(encoding="utf-8"))
    sets = parser["sets"]

    def expand(words: str) -> Iterator[str]:
        for word in words.split():
            if choice := re.search(r"\{(.+?)\}", word):
                yield from expand(" ".join(word.replace(choice[0], each, 1) for each in choice[1].split(",")))
            elif word in sets:
                yield from expand(sets[word])
            else:
                yield word

    titled = {name: words.partition(":") for name, words in parser["roles"].items()}
    return {f"roles/{name}": (title, frozenset(expand(words))) for name, (title, _, words) in titled.items()}
