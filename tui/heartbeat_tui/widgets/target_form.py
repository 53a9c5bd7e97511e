"""The target, chosen in place, completed from what Google Cloud offers and checked as one types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.cloud.target import Target
from heartbeat_tui.checks_messages import Offers
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Field, Note
from heartbeat_tui.widgets.readiness_words import came_from
from heartbeat_tui.widgets.target_fields import FIELDS, LISTED, changed, matching, note_of, runtime_for, some, texts_of
from heartbeat_tui.widgets.text import ink


class TargetForm(Form):
    """Six fields."""

    DEFAULT_CSS = """
    TargetForm .field { margin-bottom: 1; }
    .-low TargetForm .field { margin-bottom: 0; }
    TargetForm .field-name { width: 15; }
    TargetForm Input, TargetForm Select { width: 32; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Check this", "accept"), ("→", "Complete", "complete"))
    COMPLETES = True
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("target", "Check", "ask for this target", "leave the target as it was")]

    class Accepted(Message):
        """This is the target; ``choices`` holds the fields that were changed."""

        def __init__(self, choices: dict[str, str]) -> None:
            super().__init__()
            self.choices = choices

    class Wanted(Message):
        """What there is to choose from, for this project and zone, is wanted."""

        def __init__(self, project: str, zone: str) -> None:
            super().__init__()
            self.project, self.zone = project, zone

    def __init__(self, target: Target) -> None:
        self.target = target
        self.before = texts_of(target)
        super().__init__(self.before, "the TPU VM to be ready for", id="target-form")
        self.offers: Offers | None = None
        self.asked = ("", "")
        self.follows = self.texts["runtime_version"] == runtime_for(self.texts["accelerator_type"])  # as the type changes

    def on_mount(self) -> None:
        self.want()

    def first(self) -> str:
        return "zone" if self.texts["project"] else "project"

    def changed(self, name: str) -> None:
        """Where the runtime goes with the type, it changes with it."""
        goes_with = runtime_for(self.texts["accelerator_type"])
        if name == "runtime_version":
            self.follows = self.texts[name] == goes_with
        if name == "accelerator_type" and self.follows and goes_with:
            self.put("runtime_version", goes_with)
        if name in ("project", "zone"):
            self.want()

    def want(self) -> None:
        """Ask what there is to choose from, where project and zone make sense."""
        project, zone = (self.texts[name].strip() for name in ("project", "zone"))
        sound = [name for name in ("project", "zone") if self.texts[name] and not self.malformed(name)]
        wanted = (project if "project" in sound else "", zone if "zone" in sound else "")
        if wanted != self.asked:
            self.asked = wanted
            self.post_message(self.Wanted(*wanted))

    def malformed(self, name: str) -> bool:
        note = note_of(name, self.texts, None)
        return note is not None and note.wrong

    def offer(self, project: str, zone: str, offers: Offers) -> None:
        """Take what there is to choose from, unless it was asked for another place."""
        if (project, zone) == self.asked:
            self.offers = offers
            self.check()

    def notes(self) -> Mapping[str, Note]:
        return {field.name: self.note(field) for field in self.FIELDS}

    def note(self, field: Field) -> Note:
        """Say what is wrong with a field, where it came from, or what there is."""
        note, options = note_of(field.name, self.texts, self.offers), self.options(field.name)
        if options and (note is None or note.wrong):  # half a name is no mistake yet
            return Note(some(options), "unfinished" if note else "quiet")
        return note or Note(self.hint(field))

    def completions(self, name: str, text: str) -> Sequence[str]:
        return matching(name, text, self.offers)

    def options(self, name: str) -> tuple[str, ...]:
        """List what the text may become, once it was changed."""
        text = self.texts[name].strip()
        if not text or text == self.before[name] or name not in LISTED:
            return ()
        return tuple(option for option in matching(name, text, self.offers) if option != text)

    def hint(self, field: Field) -> str:
        """Say where the text came from, else what the field is."""
        text = self.texts[field.name].strip()
        return came_from(getattr(self.target, field.name).source) if text and text == self.before[field.name] else field.hint

    def sentences(self) -> Sequence[Content]:
        if self.offers is None:
            return [ink("Asking what there is to choose from …", "quiet")]
        if self.offers.problem:
            return [ink(f"Not all there is to choose from could be asked: {self.offers.problem}.", "attention")]
        count = f"{len(self.offers.zones)} zones with TPUs, {len(self.offers.accelerator_types)} types and "
        return [ink(f"{count}{len(self.offers.runtime_versions)} runtimes in {self.asked[1] or 'this zone'}.", "quiet")]

    def accepted(self) -> Message:
        return self.Accepted(changed(self.texts, self.before))
