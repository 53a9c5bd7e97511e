"""The form of the target: the TPU VM to check for, with completion and validation while typing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.cloud.accelerators import FAMILIES, find_accelerator, runtime_fits, runtime_for
from heartbeat_core.cloud.target import PROVISIONING, ZONE, Target, TargetOffers
from heartbeat_tui.checks.text import came_from
from heartbeat_tui.widgets.form import Field, Form, Note, form_bindings, some
from heartbeat_tui.widgets.text import styled

FIELDS = (
    Field("project", "project", "the id of the project"),
    Field("zone", "zone", "the zone of the TPU VM"),
    Field("accelerator_type", "accelerator", "generation and size: v6e-1"),
    Field("runtime_version", "runtime", "the image of the TPU VM"),
    Field("provisioning", "provisioning", "on demand, spot (preemptible) or reserved", PROVISIONING),
    Field("service_account", "service account", "empty: Compute Engine's default"),
    Field("external_ip", "external IP", "no: reached through a tunnel", ("yes", "no")),
    Field("network", "network", "the network that the TPU VM joins"),
)
OPTIONAL = ("service_account", "network")
PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LISTED = {"project": "projects", "zone": "zones", "accelerator_type": "accelerator_types", "runtime_version": "runtime_versions"}


def texts_of(target: Target) -> dict[str, str]:
    """Return the texts of the fields for a target."""
    return {field.name: getattr(target, field.name).value or next(iter(field.choices), "") for field in FIELDS}


def options(name: str, offers: TargetOffers | None) -> tuple[str, ...]:
    """Return the completions of a field."""
    listed: tuple[str, ...] = getattr(offers, LISTED[name]) if offers and name in LISTED else ()
    if name == "runtime_version":
        known = tuple(dict.fromkeys(family.runtime for family in FAMILIES))
        return listed or known
    return listed


def note_of(name: str, texts: Mapping[str, str], offers: TargetOffers | None) -> Note | None:
    """Return what is wrong or doubtful in a field, None for nothing."""
    text = texts[name].strip()
    if not text:
        return None if name in OPTIONAL else Note("Required.", "failed")
    malformed = {
        "project": (PROJECT, "6 to 30 small letters, digits and hyphens, a letter first: llm-dev-42."),
        "zone": (ZONE, "A zone is written like us-central1-b or us-south1-ai1b."),
        "runtime_version": (RUNTIME, "A runtime is written like v2-alpha-tpuv6e."),
        "service_account": (ADDRESS, "It is an e-mail address."),
    }
    if name in malformed and not malformed[name][0].fullmatch(text):
        return Note(malformed[name][1], "failed")
    listed = options(name, offers) if name in LISTED and offers and getattr(offers, LISTED[name]) else ()
    if name == "accelerator_type":
        return accelerator_note(text, texts["zone"], listed)
    if name == "runtime_version":
        return runtime_note(text, texts["accelerator_type"], listed)
    if listed and text not in listed:
        what = {"project": "You cannot see this project.", "zone": "No TPUs there."}[name]
        return Note(f"{what} Available: {some(listed)}.", "attention")
    return None


def accelerator_note(text: str, zone: str, listed: tuple[str, ...]) -> Note | None:
    if listed and text not in listed:
        return Note(f"Not offered in {zone}. Available: {some(closest(text, listed))}.", "attention")
    if not listed and find_accelerator(text) is None:
        return Note("Unknown type; it is written like v6e-1 or v5litepod-4.", "attention")
    return None


def runtime_note(text: str, accelerator_type: str, listed: tuple[str, ...]) -> Note | None:
    accelerator = find_accelerator(accelerator_type)
    if accelerator and runtime_fits(accelerator, text) is False:
        return Note(f"It has no driver for {accelerator.type}; {accelerator.family.runtime} has.", "attention")
    if listed and text not in listed:
        return Note("Not offered in the zone.", "attention")
    return None


def closest(text: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types sorted, those of the same generation first."""
    prefix = text.partition("-")[0]
    return tuple(sorted(listed, key=lambda name: not name.startswith(prefix)))


def matching(name: str, text: str, offers: TargetOffers | None) -> tuple[str, ...]:
    """Return the completions of a text."""
    return tuple(option for option in options(name, offers) if option.casefold().startswith(text.strip().casefold()))


def changed(texts: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that differ from before."""
    return {name: texts[name].strip() for name in (field.name for field in FIELDS) if texts[name].strip() != before[name]}


class TargetForm(Form):
    """Edits the target in eight fields."""

    DEFAULT_CSS = """
    TargetForm .field { margin-bottom: 1; }
    .-low TargetForm .field { margin-bottom: 0; }
    TargetForm .field-name { width: 15; }
    TargetForm Input, TargetForm Select { width: 32; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Check this", "accept"), ("→", "Complete", "complete"))
    COMPLETES = True
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("target", "Check", "check for this target", "keep the old target")]

    class ChoicesRequested(Message):
        """The form needs the choices for this project and zone."""

        def __init__(self, project: str, zone: str) -> None:
            super().__init__()
            self.project, self.zone = project, zone

    def __init__(self, target: Target) -> None:
        self.target = target
        self.before = texts_of(target)
        super().__init__(self.before, "target: the TPU VM to check for", id="target-form")
        self.offers: TargetOffers | None = None
        self.asked = ("", "")
        self.follows = self.texts["runtime_version"] == runtime_for(self.texts["accelerator_type"])  # as the type changes

    def on_mount(self) -> None:
        self.want()

    def first(self) -> str:
        return "zone" if self.texts["project"] else "project"

    def changed(self, name: str) -> None:
        """Change the runtime with the type, where it is the one of the type."""
        goes_with = runtime_for(self.texts["accelerator_type"])
        if name == "runtime_version":
            self.follows = self.texts[name] == goes_with
        if name == "accelerator_type" and self.follows and goes_with:
            self.put("runtime_version", goes_with)
        if name in ("project", "zone"):
            self.want()

    def want(self) -> None:
        """Request the options, where project and zone are well-formed."""
        project, zone = (self.texts[name].strip() for name in ("project", "zone"))
        sound = [name for name in ("project", "zone") if self.texts[name] and not self.malformed(name)]
        wanted = (project if "project" in sound else "", zone if "zone" in sound else "")
        if wanted != self.asked:
            self.asked = wanted
            self.post_message(self.ChoicesRequested(*wanted))

    def malformed(self, name: str) -> bool:
        note = note_of(name, self.texts, None)
        return note is not None and note.wrong

    def offer(self, project: str, zone: str, offers: TargetOffers) -> None:
        """Take the options, unless they are for another project or zone."""
        if (project, zone) == self.asked:
            self.offers = offers
            self.check()

    def notes(self) -> Mapping[str, Note]:
        return {field.name: self.note(field) for field in self.FIELDS}

    def note(self, field: Field) -> Note:
        """Return what is wrong with a field, its source, or its options."""
        note, options = note_of(field.name, self.texts, self.offers), self.options(field.name)
        if options and (note is None or note.wrong):  # half a name is no mistake yet
            return Note(some(options), "unfinished" if note else "quiet")
        return note or Note(self.hint(field))

    def completions(self, name: str, text: str) -> Sequence[str]:
        return matching(name, text, self.offers)

    def options(self, name: str) -> tuple[str, ...]:
        """Return the completions of a field that was changed."""
        text = self.texts[name].strip()
        if not text or text == self.before[name] or name not in LISTED:
            return ()
        return tuple(option for option in matching(name, text, self.offers) if option != text)

    def hint(self, field: Field) -> str:
        """Return the source of an unchanged text, else what the field is."""
        text = self.texts[field.name].strip()
        return came_from(getattr(self.target, field.name).source) if text and text == self.before[field.name] else field.hint

    def sentences(self) -> Sequence[Content]:
        if self.offers is None:
            return [styled("Loading the options …", "quiet")]
        if self.offers.problem:
            return [styled(f"Not all options could be loaded: {self.offers.problem}.", "attention")]
        count = f"{len(self.offers.zones)} zones with TPUs, {len(self.offers.accelerator_types)} types and "
        return [styled(f"{count}{len(self.offers.runtime_versions)} runtimes in {self.asked[1] or 'this zone'}.", "quiet")]

    @property
    def choices(self) -> dict[str, str]:
        """Return the fields that were changed."""
        return changed(self.texts, self.before)
