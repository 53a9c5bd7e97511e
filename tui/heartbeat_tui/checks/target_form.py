"""The form of the target: the TPU VM to check for, with completion and validation while typing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from textual.content import Content

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits
from heartbeat_core.cloud.target import PROVISIONING, ZONE, Target, TargetOffers
from heartbeat_core.units import some
from heartbeat_tui.checks.text import came_from
from heartbeat_tui.widgets.form import Field, Note, TpuForm, form_bindings
from heartbeat_tui.widgets.text import styled

FIELDS = (
    Field("project", "project", "the id of the project"),
    Field("zone", "zone", "the zone of the TPU VM"),
    Field("accelerator_type", "accelerator", "generation and size: v6e-1"),
    Field("runtime_version", "runtime", "the image of the TPU VM"),
    Field("provisioning", "provisioning", "on demand, spot (preemptible), reserved or flex-start (queued)", PROVISIONING),
    Field("service_account", "service account", "empty: Compute Engine's default"),
    Field("external_ip", "external IP", "no: reached through a tunnel", ("yes", "no")),
    Field("network", "network", "the network that the TPU VM joins"),
)
OPTIONAL = ("service_account", "network")
MALFORMED = {  # what the text of a field must match, and how it is written
    "project": (
        re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
        "6 to 30 small letters, digits and hyphens, a letter first: llm-dev-42.",
    ),
    "zone": (ZONE, "A zone is written like us-central1-b or us-south1-ai1b."),
    "runtime_version": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), "A runtime is written like v2-alpha-tpuv6e."),
    "service_account": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "It is an e-mail address."),
}
UNLISTED = {
    "project": "You cannot see this project. Available: {}.",
    "zone": "No TPUs there. Available: {}.",
    "runtime_version": "Not offered in the zone.",
}


class TargetForm(TpuForm):
    """Edits the target in eight fields; ``find_offers`` looks for the options of a project and zone, and calls its third argument."""

    DEFAULT_CSS = """
    TargetForm .field-name { width: 15; }
    TargetForm Input, TargetForm Select { width: 32; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Check this", "accept"), ("→", "Complete", "complete"))
    BINDINGS = form_bindings("target", "Check", "check for this target", "keep the old target")

    def __init__(self, target: Target, find_offers: Callable[[str, str, Callable[[str, str, TargetOffers], None]], None]) -> None:
        texts = {field.name: getattr(target, field.name).value or next(iter(field.choices), "") for field in FIELDS}
        sources = {field.name: came_from(getattr(target, field.name).source) for field in FIELDS}
        super().__init__(texts, sources, "target: the TPU VM to check for", id="target-form")
        self.find_offers = find_offers

    def first(self) -> str:
        return "zone" if self.texts["project"] else "project"

    def want(self) -> None:
        project, zone = (text if MALFORMED[name][0].fullmatch(text := self.texts[name].strip()) else "" for name in ("project", "zone"))
        if (project, zone) != self.asked:
            self.asked = project, zone
            self.find_offers(project, zone, self.offer)

    def problems(self) -> Mapping[str, Note]:
        return {name: note for name in self.texts if (note := self.problem(name))}

    def problem(self, name: str) -> Note | None:
        text, listed = self.texts[name].strip(), self.listed(name)
        if not text:
            return None if name in OPTIONAL else Note("Required.", "failed")
        if name in MALFORMED and not MALFORMED[name][0].fullmatch(text):
            return Note(MALFORMED[name][1], "failed")
        if name == "accelerator_type":
            if listed and text not in listed:
                alike = sorted(listed, key=lambda option: not option.startswith(text.partition("-")[0]))
                return Note(f"Not offered in {self.texts['zone']}. Available: {some(alike)}.", "attention")
            unknown = not listed and find_accelerator(text) is None
            return Note("Unknown type; it is written like v6e-1 or v5litepod-4.", "attention") if unknown else None
        accelerator = find_accelerator(self.texts["accelerator_type"])
        if name == "runtime_version" and accelerator and runtime_fits(accelerator, text) is False:
            return Note(f"It has no driver for {accelerator.type}; {accelerator.family.runtime} has.", "attention")
        if listed and text not in listed:
            return Note(UNLISTED[name].format(some(listed)), "attention")
        return None

    def sentences(self) -> Sequence[Content]:
        if self.offers is None:
            return [styled("Loading the options …", "quiet")]
        if self.offers.problem:
            return [styled(f"Not all options could be loaded: {self.offers.problem}.", "attention")]
        count = f"{len(self.offers.zones)} zones with TPUs, {len(self.offers.accelerator_types)} types and "
        return [styled(f"{count}{len(self.offers.runtime_versions)} runtimes in {self.asked[1] or 'this zone'}.", "quiet")]

    @property
    def choices(self) -> dict[str, str]:
        return {name: text.strip() for name, text in self.texts.items() if text.strip() != self.before[name]}
