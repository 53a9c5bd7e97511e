"""The fields of a TPU VM to be created: what they begin with, what is wrong with one, and what it may be completed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from heartbeat_core.cloud.accelerators import FAMILIES, Provisioning, find_accelerator
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.request import ZONE, CreateRequest, ZoneOffers
from heartbeat_tui.widgets.form_fields import Field, Note
from heartbeat_tui.widgets.target_fields import some

if TYPE_CHECKING:
    from heartbeat_core.cloud.target import Target
    from heartbeat_tui.checks_messages import Offers as Offered

YES, NO = "yes", "no"
FIELDS = (
    Field("name", "name", "small letters, digits, hyphens"),
    Field("zone", "zone", "where it is to be"),
    Field("accelerator_type", "accelerator", "generation and size: v6e-1"),
    Field("runtime_version", "runtime", "the image it starts from"),
    Field("provisioning", "provisioning", "spot: cheaper, may be taken back", get_args(Provisioning)),
    Field("queued", "queued", "yes: wait until there is capacity", (NO, YES)),
    Field("zones", "else in", "more zones to try, in turn"),
    Field("external_ip", "external IP", "no: reached through a tunnel", (YES, NO)),
    Field("service_account", "account of VM", "empty: Compute Engine's default"),
    Field("network", "network", "empty: default"),
    Field("subnetwork", "subnetwork", "empty: the region's own"),
    Field("labels", "labels", "team=llm,purpose=beat"),
    Field("startup_script", "start-up script", "a file; runs as root at every start"),
)
LISTED = {"zone": "zones", "accelerator_type": "accelerator_types", "runtime_version": "runtime_versions"}
TARGETED = {"tpu_name": "name", "zone": "zone", "accelerator_type": "accelerator_type", "runtime_version": "runtime_version",
            "provisioning": "provisioning", "service_account": "service_account"}  # fmt: skip
OF_ITSELF = ("default", "goes with", "not set")  # sources of the target that nobody chose


@dataclass(frozen=True)
class Start:
    """What the fields begin with, and where each of these came from."""

    project: str
    texts: Mapping[str, str]
    sources: Mapping[str, str]


def start_of(target: Target, last: CreateRequest | None) -> Start:
    """Begin with what was chosen for the target, else with what was asked for last, else with what is usual."""
    texts = texts_of(last) if last else texts_of(CreateRequest("", "", "", "", ""))
    sources = dict.fromkeys((field.name for field in FIELDS if texts[field.name]), "as last time") if last else {}
    for part, name in TARGETED.items():
        chosen = getattr(target, part)
        if chosen.value and (not texts[name] or not chosen.source.startswith(OF_ITSELF) or (name == "provisioning" and last is None)):
            texts[name] = chosen.value
            sources[name] = "by default" if chosen.source == "default" else f"from {chosen.source}"
    kind = find_accelerator(texts["accelerator_type"])
    if kind and not texts["runtime_version"]:
        texts["runtime_version"], sources["runtime_version"] = kind.family.runtime, f"goes with {kind.type}"
    sources = {name: source.replace("from goes with", "goes with") for name, source in sources.items()}
    return Start(target.project.value or "", texts, sources)


def free_name(name: str, zone: str, taken: frozenset[tuple[str, str]]) -> str:
    """Give the name, or the first of name-2, name-3 … that is free in the zone."""
    stem = name.rstrip("0123456789").rstrip("-") or name
    following = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *following) if (zone, each) not in taken)


def texts_of(request: CreateRequest) -> dict[str, str]:
    """Write a request into its fields."""
    return {
        "name": request.name,
        "zone": request.zone,
        "accelerator_type": request.accelerator_type,
        "runtime_version": request.runtime_version,
        "provisioning": request.provisioning,
        "queued": YES if request.queued else NO,
        "zones": "",
        "external_ip": YES if request.external_ip else NO,
        "service_account": request.service_account,
        "network": request.network,
        "subnetwork": request.subnetwork,
        "labels": ",".join(f"{key}={value}" for key, value in request.labels.items()),
        "startup_script": request.startup_script,
    }


def request_of(texts: Mapping[str, str], project: str) -> CreateRequest:
    """Read the fields into a request, which may have problems."""
    text = {name: value.strip() for name, value in texts.items()}
    rest: dict[str, Any] = {name: text[name] for name in ("service_account", "network", "subnetwork", "startup_script")}
    return CreateRequest(
        project,
        text["zone"],
        text["name"],
        text["accelerator_type"],
        text["runtime_version"],
        cast("Provisioning", text["provisioning"]),
        queued=text["queued"] == YES,
        external_ip=text["external_ip"] == YES,
        labels=labels_of(text["labels"]),
        **rest,
    )


def labels_of(text: str) -> dict[str, str]:
    """Read labels; one without "=" has no value, which is allowed."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    return {key.strip(): value.strip() for key, _, value in pairs}


def zones_of(text: str, zone: str) -> tuple[str, ...]:
    """Read the further zones."""
    return tuple(dict.fromkeys(part for part in text.replace(",", " ").split() if part != zone))


def zones_problem(texts: Mapping[str, str], offered: Offered | None) -> Note | None:
    zones = zones_of(texts["zones"], texts["zone"].strip())
    wrong = next((zone for zone in zones if not ZONE.fullmatch(zone)), None)
    if wrong is not None:
        return Note(f"{wrong!r} is no zone; write them like us-central1-b,us-east5-b", "failed")
    if zones and texts["queued"] == YES:
        return Note("A queued resource waits in one zone: leave this empty, or say no to queued.", "failed")
    unknown = [zone for zone in zones if offered and offered.zones and zone not in offered.zones]
    return Note(f"No TPUs in {', '.join(unknown)}.", "attention") if unknown else None


def notes_of(texts: Mapping[str, str], project: str, offered: Offered | None, taken: frozenset[tuple[str, str]]) -> dict[str, Note]:
    """Say what is wrong or in doubt, by the name of the field."""
    request = request_of(texts, project)
    offers = ZoneOffers(request.zone, offered.accelerator_types, offered.runtime_versions) if offered else None
    notes = {name: Note(in_a_line(problem), "failed") for name, problem in request.problems(offers).items()}
    if "zone" not in notes and offered and offered.zones and request.zone not in offered.zones:
        notes["zone"] = Note(f"No TPUs there, but in {some(offered.zones)}.", "attention")
    if "name" not in notes:
        zones = (request.zone, *zones_of(texts["zones"], request.zone))
        if there := tuple(zone for zone in zones if (zone, request.name) in taken):
            notes["name"] = Note(f"There is one of that name already, in {some(there)}.", "failed")
    if problem := zones_problem(texts, offered):
        notes["zones"] = problem
    return notes


def in_a_line(problem: HeartbeatError) -> str:
    """Write a problem into one line: what, and what to do; why, where that is all there is."""
    return f"{problem.title}. {problem.remedy or problem.cause}".strip()


def options(name: str, offered: Offered | None) -> tuple[str, ...]:
    """List what a field may be completed to."""
    listed: tuple[str, ...] = getattr(offered, LISTED[name]) if offered and name in LISTED else ()
    if name == "runtime_version" and not listed:
        return tuple(dict.fromkeys(family.runtime for family in FAMILIES))
    return listed


def matching(name: str, text: str, offered: Offered | None) -> tuple[str, ...]:
    found = tuple(option for option in options(name, offered) if option.casefold().startswith(text.strip().casefold()))
    return found if text.strip() not in found else ()
