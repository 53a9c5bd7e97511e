"""The forms of the Runs pane: export, label, and cost rates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.content import Content

from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.export.export import FORMATS
from heartbeat_core.paths import expanded
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.labels import Relabel, check_label
from heartbeat_core.units import plural
from heartbeat_tui.widgets.form import Field, Form, Note, form_bindings
from heartbeat_tui.widgets.text import styled

FORMAT_HINTS = {
    "csv": "for spreadsheets",
    "json": "for programs",
    "md": "Markdown, for a report",
    "png": "charts, for chats and slides",
    "svg": "charts, for a web page",
    "pdf": "charts, for a paper",
}
UNSAFE = re.compile(r"[^\w.-]+")


def file_name(entries: Sequence[RunEntry], form: str) -> str:
    """Return a name for a file in the folder from which the program was started."""
    groups = {entry.group for entry in entries}
    name = entries[0].title if len(entries) == 1 else groups.pop() if len(groups) == 1 and entries[0].group else "comparison"
    return f"{UNSAFE.sub('-', name).strip('-') or 'runs'}.{form}"


class ExportForm(Form):
    """The format and the name of a new file."""

    DEFAULT_CSS = """
    ExportForm { height: auto; }
    ExportForm Input, ExportForm Select { width: 2fr; max-width: 60; }
    """
    FIELDS = (Field("form", "format", "", FORMATS), Field("file", "file", ""))
    BUTTONS = (("enter", "Write", "accept"),)
    BINDINGS = form_bindings("export", "Write", "write the file", "write nothing")

    def __init__(self, entries: tuple[RunEntry, ...]) -> None:
        what = entries[0].title if len(entries) == 1 else f"{len(entries)} runs"
        super().__init__({"form": "md", "file": file_name(entries, "md")}, f"write {what} to a file", id="export-form")
        self.entries = entries

    @property
    def path(self) -> Path:
        return expanded(self.texts["file"].strip())

    def first(self) -> str:
        return "file"

    def changed(self, name: str) -> None:
        if name == "form" and self.path.suffix.removeprefix(".") in FORMATS:
            self.put("file", str(Path(self.texts["file"]).with_suffix(f".{self.texts['form']}")))

    def notes(self) -> Mapping[str, Note]:
        path, found = self.path, {"form": Note(FORMAT_HINTS[self.texts["form"]])}
        if not self.texts["file"].strip():
            found["file"] = Note("a file name is needed", "failed")
        elif path.is_dir() or path.exists():
            found["file"] = Note("the file exists already: choose another name", "failed")
        elif not path.absolute().parent.is_dir():
            found["file"] = Note(f"no such folder: {path.absolute().parent}", "failed")
        return found

    def sentences(self) -> Sequence[Content]:
        return [styled(f"{plural(len(self.entries), 'run')} to {self.path.absolute()}", "quiet")]


def label_of(texts: Mapping[str, str]) -> Label:
    tags = tuple(dict.fromkeys(texts["tags"].replace(",", " ").split()))
    return Label(0, texts["name"].strip(), texts["note"].strip(), tags)


class LabelForm(Form):
    """Name, note and tags of a run; an empty field removes what was there."""

    DEFAULT_CSS = """
    LabelForm { height: auto; }
    LabelForm Input { width: 2fr; max-width: 60; }
    """
    FIELDS = (
        Field("name", "name", "for the list and the command line"),
        Field("note", "note", "free text"),
        Field("tags", "tags", "words separated by spaces, to filter by"),
    )
    BUTTONS = (("enter", "Save", "accept"),)
    BINDINGS = form_bindings("label", "Save", "write the label into the recording", "change nothing")

    def __init__(self, entry: RunEntry) -> None:
        super().__init__({"name": entry.name, "note": entry.note, "tags": " ".join(entry.tags)}, f"label of {entry.title}", id="label-form")
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
        return [styled("The label is written into the recording file.", "quiet")]

    @property
    def change(self) -> Relabel:
        label, before = label_of(self.texts), self.entry
        gone = tuple(tag for tag in before.tags if tag not in label.tags)
        new = tuple(tag for tag in label.tags if tag not in before.tags)
        return Relabel(name=label.name, note=label.note, add_tags=new, remove_tags=gone)


HINT = "US dollars an hour; empty if not known"
MOST = 1e6


def rate(text: str) -> float | None:
    """Return a rate, None for an empty text; raise ValueError if it is not a rate."""
    if not text.strip():
        return None
    value = float(text.strip().removeprefix("$"))
    if not 0 <= value < MOST:
        raise ValueError(text)
    return value


class RateForm(Form):
    """What an hour of each device costs."""

    DEFAULT_CSS = """
    RateForm { height: auto; }
    """
    BUTTONS = (("enter", "Apply", "accept"),)
    BINDINGS = form_bindings("rates", "Apply", "compute the cost at these rates", "change nothing")

    def __init__(self, devices: Sequence[str], rates: Mapping[str, float]) -> None:
        self.FIELDS = tuple(Field(f"rate-{number}", device, HINT) for number, device in enumerate(devices))  # type: ignore[misc]
        texts = {f"rate-{number}": f"{rates[device]:g}" if device in rates else "" for number, device in enumerate(devices)}
        super().__init__(texts, "cost of an hour", id="rate-form")

    def notes(self) -> Mapping[str, Note]:
        found: dict[str, Note] = {}
        for field in self.FIELDS:
            try:
                rate(self.texts[field.name])
            except ValueError:
                found[field.name] = Note("not a rate; try 2.70", "failed")
        return found

    @property
    def rates(self) -> dict[str, float]:
        given = {field.label: rate(self.texts[field.name]) for field in self.FIELDS}
        return {device: value for device, value in given.items() if value is not None}
