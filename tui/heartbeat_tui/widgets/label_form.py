"""What people call a run: its name, a note and tags, edited in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.labels import Relabel, check_label
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Field, Note
from heartbeat_tui.widgets.text import ink

if TYPE_CHECKING:
    from heartbeat_core.recordings.entry import Entry

FIELDS = (
    Field("name", "name", "what to call it, here and on the command line"),
    Field("note", "note", "whatever you want to remember"),
    Field("tags", "tags", "words between spaces, to find it by"),
)


def tags_of(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def label_of(texts: Mapping[str, str]) -> Label:
    """Make the label that the fields say."""
    return Label(0, texts["name"].strip(), texts["note"].strip(), tags_of(texts["tags"]))


class LabelForm(Form):
    """Three fields; an empty one takes away what was there."""

    DEFAULT_CSS = """
    LabelForm { height: auto; }
    LabelForm Input { width: 2fr; max-width: 60; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Keep", "accept"),)
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("label", "Keep", "write this into the recording", "leave it as it was")]

    class Accepted(Message):
        """The run is to be called so."""

        def __init__(self, entry: Entry, change: Relabel) -> None:
            super().__init__()
            self.entry, self.change = entry, change

    def __init__(self, entry: Entry) -> None:
        super().__init__(
            {"name": entry.name, "note": entry.note, "tags": " ".join(entry.tags)}, f"what to call {entry.title}", id="label-form"
        )
        self.entry = entry

    def notes(self) -> Mapping[str, Note]:
        whole = label_of(self.texts)
        found: dict[str, Note] = {}
        for name, label in (("name", Label(0, whole.name)), ("note", Label(0, note=whole.note)), ("tags", Label(0, tags=whole.tags))):
            try:
                check_label(label)
            except HeartbeatError as error:
                found[name] = Note(f"{error.title}. {error.cause} {error.remedy}", "failed")
        return found

    def sentences(self) -> Sequence[Content]:
        return [ink("It is kept in the recording itself, and goes where the file goes.", "quiet")]

    def accepted(self) -> Message:
        label, before = label_of(self.texts), self.entry
        gone = tuple(tag for tag in before.tags if tag not in label.tags)
        new = tuple(tag for tag in label.tags if tag not in before.tags)
        return self.Accepted(before, Relabel(name=label.name, note=label.note, add_tags=new, remove_tags=gone))
