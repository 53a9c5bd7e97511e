"""The form for a new TPU VM, completed from what the zone offers and checked at each key."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from textual.content import Content

from heartbeat_core.cloud.accelerators import Provisioning, find_accelerator
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.target import NOT_SET, ZONE, Target
from heartbeat_core.units import some
from heartbeat_core.vms.pricing import Rates, estimate, money, unit_price, why_unpriced
from heartbeat_core.vms.quota_headroom import QuotaHeadroom
from heartbeat_core.vms.request import CreateRequest, by_default, first_request
from heartbeat_tui.vms.dialogs import headroom_line
from heartbeat_tui.vms.text import rated
from heartbeat_tui.widgets.form import Field, Note, TpuForm, form_bindings
from heartbeat_tui.widgets.text import styled, styled_line

if TYPE_CHECKING:
    from heartbeat_tui.vms.model import InventoryView


YES, NO = "yes", "no"
FIELDS = (
    Field("name", "name", "small letters, digits, hyphens"),
    Field("zone", "zone", "such as us-central1-b"),
    Field("accelerator_type", "accelerator", "generation and size: v6e-1"),
    Field("runtime_version", "runtime", "the image it starts from"),
    Field("provisioning", "provisioning", "spot, flex-start: cheaper", get_args(Provisioning)),
    Field("max_run_time", "run at most", "of flex-start: 4h, at most 7d"),
    Field("queued", "queued", "yes: wait until there is capacity", (NO, YES)),
    Field("zones", "fallback zones", "more zones to try in turn"),
    Field("external_ip", "external IP", "no: reached through a tunnel", (YES, NO)),
    Field("service_account", "service account", "empty: Compute Engine's default"),
    Field("network", "network", "empty: default"),
    Field("subnetwork", "subnetwork", "empty: the region's own"),
    Field("labels", "labels", "team=llm,purpose=benchmark"),
    Field("startup_script", "start-up script", "a file; runs as root at every start"),
)


def start_of(target: Target, last: CreateRequest | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of the request to begin with, and where each is from."""
    texts, kept = texts_of(first_request(target, last)), texts_of(last) if last else {}
    sources: dict[str, str] = {}
    for name, text in texts.items():
        part: SourcedValue = getattr(target, "tpu_name" if name == "name" else name, NOT_SET)
        if part.value and not by_default(part):
            texts[name], sources[name] = part.value, f"from {part.source}"
        elif text and text == kept.get(name):
            sources[name] = "as last time"
        elif text and name == "runtime_version":
            sources[name] = f"goes with {texts['accelerator_type']}"
        elif text == part.value and name != "external_ip":  # whose hint says more than that
            sources[name] = "by default"
    return texts, sources


def free_name(name: str, zone: str, taken: frozenset[tuple[str, str]]) -> str:
    """Return the name, or the first of name-2, name-3 … that is free in the zone."""
    stem = name.rstrip("0123456789").rstrip("-") or name
    following = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *following) if (zone, each) not in taken)


def texts_of(request: CreateRequest) -> dict[str, str]:
    return {
        **{field.name: getattr(request, field.name, "") for field in FIELDS},
        "queued": YES if request.queued else NO,
        "external_ip": YES if request.external_ip else NO,
        "labels": ",".join(f"{key}={value}" for key, value in request.labels.items()),
    }


QUIET_S = 0.5  # without a key, before the quota is asked for
Counted = tuple[str, str, str]  # zone, type, provisioning: what a quota is for


class VmForm(TpuForm):
    """Fourteen fields; below them the cost, the quota headroom, and the gcloud command.

    ``find_offers`` and ``find_headroom`` ask Google meanwhile, and call their last argument with the answer.
    """

    DEFAULT_CSS = """
    VmForm .field-name { width: 16; }
    VmForm Input, VmForm Select { width: 28; }
    VmForm #form-sentence { max-height: 9; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Create …", "accept"), ("→", "Complete", "complete"))
    BINDINGS = form_bindings("create", "Create …", "create this one", "cancel")

    def __init__(
        self,
        target: Target,
        last: CreateRequest | None,
        view: InventoryView,
        find_offers: Callable[..., None],
        find_headroom: Callable[..., None],
    ) -> None:
        self.taken = frozenset(
            {(node.zone, node.id) for node in view.nodes.values()} | {(each.zone, each.id) for each in view.queued.values()}
        )
        self.project, self.find_offers, self.find_headroom = target.project.value or "", find_offers, find_headroom
        texts, sources = start_of(target, last)
        name = free_name(texts["name"], texts["zone"], self.taken)
        super().__init__({**texts, "name": name}, sources, f"a new TPU VM in project {self.project}", id="vm-form")
        self.before["name"] = texts["name"]
        self.rates, self.unpriced = view.rates, view.unpriced
        self.counted: Counted = ("", "", "")
        self.rooms: tuple[QuotaHeadroom, ...] | None = None

    def first(self) -> str:
        return "name"

    @property
    def request(self) -> CreateRequest:
        """Return the request that the fields describe, which may have problems."""
        values: dict[str, Any] = {name: text.strip() for name, text in self.texts.items() if name != "zones"}
        pairs = [part.partition("=") for part in values["labels"].split(",") if part.strip()]
        values["labels"] = {key.strip(): value.strip() for key, _, value in pairs}  # one without "=" has no value, which is allowed
        values["queued"], values["external_ip"] = values["queued"] == YES, values["external_ip"] == YES
        return CreateRequest(self.project, **values)

    @property
    def zones(self) -> tuple[str, ...]:
        """Return the zones to try after the request's."""
        texts = self.texts
        return tuple(dict.fromkeys(part for part in texts["zones"].replace(",", " ").split() if part != texts["zone"].strip()))

    # -- what Google is asked meanwhile

    def changed(self, name: str) -> None:
        if name == "provisioning" and self.texts[name] == "flex-start":
            self.put("queued", YES)
        super().changed(name)

    def want(self) -> None:
        request = self.request
        if request.zone != self.asked[1] and ZONE.fullmatch(request.zone):
            self.asked, self.offers = (request.project, request.zone), None
            self.find_offers(*self.asked, self.offer)
        counted: Counted = (request.zone, request.accelerator_type, request.provisioning)
        if counted != self.counted:
            known = bool(ZONE.fullmatch(request.zone) and find_accelerator(request.accelerator_type))
            self.counted, self.rooms = counted, None if known else ()
            if known:
                self.set_timer(QUIET_S, lambda: self.want_room(counted))

    def want_room(self, counted: Counted) -> None:
        if counted == self.counted:
            self.find_headroom(self.request, self.show_room)

    def show_room(self, request: CreateRequest, rooms: tuple[QuotaHeadroom, ...]) -> None:
        if (request.zone, request.accelerator_type, request.provisioning) == self.counted and self.is_attached:
            self.rooms = rooms
            self.check()

    def show_prices(self, rates: Rates | None, unpriced: str) -> None:
        if (rates, unpriced) != (self.rates, self.unpriced):
            self.rates, self.unpriced = rates, unpriced
            if self.is_mounted:  # else it checks once it is
                self.check()

    # -- what is shown

    def problems(self) -> Mapping[str, Note]:
        request, offered = self.request, self.offers.zones if self.offers else ()
        problems = request.problems(self.offers)
        notes = {name: Note(f"{each.title}. {each.remedy or each.cause}".strip(), "failed") for name, each in problems.items()}
        if "zone" not in notes and offered and request.zone not in offered:
            notes["zone"] = Note(f"No TPUs there, but in {some(offered)}.", "attention")
        there = [zone for zone in (request.zone, *self.zones) if (zone, request.name) in self.taken]
        if "name" not in notes and there:
            notes["name"] = Note(f"There is one of that name already, in {some(there)}.", "failed")
        malformed = next((zone for zone in self.zones if not ZONE.fullmatch(zone)), None)
        unknown = [zone for zone in self.zones if offered and zone not in offered]
        if malformed is not None:
            notes["zones"] = Note(f"{malformed!r} is no zone; write them like us-central1-b,us-east5-b", "failed")
        elif self.zones and request.queued:
            notes["zones"] = Note("A queued resource waits in one zone: leave this empty, or set queued to no.", "failed")
        elif unknown:
            notes["zones"] = Note(f"No TPUs in {', '.join(unknown)}.", "attention")
        return notes

    def cost(self) -> str:
        """Return what it costs an hour and by which prices, or why that is not known."""
        request = self.request
        found = estimate(self.rates, request.accelerator_type, request.zone, request.provisioning)
        if found is None:
            why = why_unpriced(request.accelerator_type, request.zone, request.provisioning)
            if self.rates is None and request.provisioning != "reserved":
                why = self.unpriced
            return f"What it costs is not known: {why}." if why else "Asking for prices …"
        day = f"${money(found.per_hour)} an hour, ${money(24 * found.per_hour)} a day"
        chips = f"{found.chips} × ${unit_price(found.per_chip)}"
        return f"Costs about {day} once it runs, in US dollars ({chips}; {rated(found.rates)})."

    def sentences(self) -> Sequence[Content]:
        request = self.request
        lines = [styled(self.cost(), "attention")]
        if self.rooms is None:
            lines.append(styled("Asking for the quota headroom …", "quiet"))
        elif not self.rooms:
            unknown = f"How much quota is left is not known: the quota of {request.accelerator_type} is not known here."
            lines.append(styled(unknown, "quiet"))
        lines += [styled_line(headroom_line(room)) for room in self.rooms or ()]
        if self.offers is None:
            lines.append(styled(f"Asking what {request.zone} offers …", "quiet"))
        elif self.offers.problem:
            lines.append(styled(f"! not all that {request.zone} offers is known: {self.offers.problem}", "attention"))
        if not request.external_ip:
            lines.append(styled(request.reach(), "plain"))
        return [*lines, styled(shlex.join(request.command()), "command")]
