"""A TPU VM to be created, described in place, completed from what the zone offers and checked as one types."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.vms.pricing import estimate, why_unpriced
from heartbeat_core.vms.request import ZONE, CreateRequest
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Note
from heartbeat_tui.widgets.target_fields import runtime_for, some
from heartbeat_tui.widgets.text import ink, inked
from heartbeat_tui.widgets.vm_columns import money, unit_price
from heartbeat_tui.widgets.vm_fields import FIELDS, LISTED, Start, free_name, matching, notes_of, request_of, zones_of
from heartbeat_tui.widgets.vm_questions import room_line
from heartbeat_tui.widgets.vm_words import rated

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_core.vms.quota_headroom import Room
    from heartbeat_tui.checks_messages import Offers
    from heartbeat_tui.vms_messages import FleetView

QUIET_S = 0.5  # of typing, before the quota is asked for
Counted = tuple[str, str, str]  # zone, type, provisioning: what decides which quota holds


class VmForm(Form):
    """Thirteen fields; below them what it costs, the quota left for it, and gcloud's command."""

    DEFAULT_CSS = """
    VmForm .field-name { width: 16; }
    VmForm Input, VmForm Select { width: 28; }
    VmForm #form-sentence { max-height: 9; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Create …", "accept"), ("→", "Complete", "complete"))
    COMPLETES = True
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("create", "Create …", "ask for this one", "create none")]

    class Accepted(Message):
        """This is the one; it is asked once more before it is created."""

        def __init__(self, request: CreateRequest, zones: tuple[str, ...], rooms: tuple[Room, ...] | None, cost: str) -> None:
            super().__init__()
            self.request, self.zones, self.rooms, self.cost = request, zones, rooms, cost

    class Wanted(Message):
        """What there is to choose from in this zone is wanted."""

        def __init__(self, project: str, zone: str) -> None:
            super().__init__()
            self.project, self.zone = project, zone

    class RoomWanted(Message):
        """How much quota is left for this is wanted."""

        def __init__(self, request: CreateRequest) -> None:
            super().__init__()
            self.request = request

    def __init__(self, start: Start, view: FleetView) -> None:
        self.taken = frozenset((row.zone, row.id) for row in view.rows or ())
        self.start, self.before = start, dict(start.texts)
        name = free_name(self.before["name"], self.before["zone"], self.taken)
        super().__init__({**self.before, "name": name}, f"a new TPU VM in project {start.project}", id="vm-form")
        self.offers: Offers | None = None
        self.rates, self.unpriced = view.rates, view.unpriced
        self.asked_zone = ""
        self.counted: Counted = ("", "", "")
        self.rooms: tuple[Room, ...] | None = None
        self.follows = self.texts["runtime_version"] == runtime_for(self.texts["accelerator_type"])

    def on_mount(self) -> None:
        self.want()

    def first(self) -> str:
        return "name"

    @property
    def request(self) -> CreateRequest:
        return request_of(self.texts, self.start.project)

    # -- what is asked meanwhile

    def changed(self, name: str) -> None:
        """Let the runtime go with the type, and ask anew where another zone is named."""
        goes_with = runtime_for(self.texts["accelerator_type"])
        if name == "runtime_version":
            self.follows = self.texts[name] == goes_with
        if name == "accelerator_type" and self.follows and goes_with:
            self.put("runtime_version", goes_with)
        self.want()

    def want(self) -> None:
        request = self.request
        if request.zone != self.asked_zone and ZONE.fullmatch(request.zone):
            self.asked_zone, self.offers = request.zone, None
            self.post_message(self.Wanted(request.project, request.zone))
        counted: Counted = (request.zone, request.accelerator_type, request.provisioning)
        if counted != self.counted:
            known = bool(ZONE.fullmatch(request.zone) and find_accelerator(request.accelerator_type))
            self.counted, self.rooms = counted, None if known else ()
            if known:
                self.set_timer(QUIET_S, lambda: self.want_room(counted))

    def want_room(self, counted: Counted) -> None:
        if counted == self.counted:
            self.post_message(self.RoomWanted(self.request))

    def offer(self, zone: str, offers: Offers) -> None:
        """Take what there is to choose from, unless it was asked for another zone."""
        if zone == self.asked_zone:
            self.offers = offers
            self.check()

    def show_room(self, request: CreateRequest, rooms: tuple[Room, ...]) -> None:
        if (request.zone, request.accelerator_type, request.provisioning) == self.counted:
            self.rooms = rooms
            self.check()

    def show_prices(self, rates: Rates | None, unpriced: str) -> None:
        """Take what TPUs cost, or why that is not known."""
        if (rates, unpriced) != (self.rates, self.unpriced):
            self.rates, self.unpriced = rates, unpriced
            self.check()

    # -- what is said

    def notes(self) -> Mapping[str, Note]:
        notes = notes_of(self.texts, self.start.project, self.offers, self.taken)
        for field in self.FIELDS:
            name, text = field.name, self.texts[field.name].strip()
            found = matching(name, text, self.offers) if name in LISTED and text != self.before[name] else ()
            if found:  # half a name is no mistake yet
                notes[name] = Note(some(found), "unfinished" if name in notes and notes[name].wrong else "quiet")
            elif name not in notes and text and text == self.before[name] and name in self.start.sources:
                notes[name] = Note(self.start.sources[name])
        return notes

    def completions(self, name: str, text: str) -> Sequence[str]:
        return matching(name, text, self.offers)

    def cost(self) -> str:
        """Say what it costs an hour, with where that is from, or why that is not known."""
        request = self.request
        found = estimate(self.rates, request.accelerator_type, request.zone, request.provisioning)
        if found is None:
            why = why_unpriced(request.accelerator_type, request.zone, request.provisioning)
            if self.rates is None and request.provisioning != "reserved":
                why = self.unpriced
            return f"What it costs is not known: {why}." if why else "Asking what it costs …"
        return f"About ${money(found.per_hour)}/h once it runs ({found.chips} × ${unit_price(found.per_chip)}; {rated(found.rates)})."

    def sentences(self) -> Sequence[Content]:
        request = self.request
        lines = [ink(self.cost(), "attention")]
        if self.rooms is None:
            lines.append(ink("Asking how much quota is left for it …", "quiet"))
        elif not self.rooms:
            lines.append(ink(f"How much quota is left is not known: the quota of {request.accelerator_type} is not known here.", "quiet"))
        lines += [inked(room_line(room)) for room in self.rooms or ()]
        if self.offers is None:
            lines.append(ink(f"Asking what {request.zone} offers …", "quiet"))
        elif self.offers.problem:
            lines.append(ink(f"! not all that {request.zone} offers could be asked: {self.offers.problem}", "attention"))
        if not request.external_ip:
            lines.append(ink(request.reach(), "plain"))
        return [*lines, ink(shlex.join(request.command()), "command")]

    def accepted(self) -> Message:
        return self.Accepted(self.request, zones_of(self.texts["zones"], self.request.zone), self.rooms, self.cost())
