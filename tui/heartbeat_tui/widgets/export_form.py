"""Where runs are written for others, and in which form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.export.export import FORMATS
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Field, Note
from heartbeat_tui.widgets.text import ink

if TYPE_CHECKING:
    from heartbeat_core.recordings.entry import Entry

WORDS = {"csv": "for spreadsheets", "json": "for programs", "md": "Markdown, for a report", "svg": "a chart, for a page"}
UNSAFE = re.compile(r"[^\w.-]+")


def file_name(entries: Sequence[Entry], form: str) -> str:
    """Propose a file in the folder from which the program was started."""
    groups = {entry.group for entry in entries}
    name = entries[0].title if len(entries) == 1 else groups.pop() if len(groups) == 1 and entries[0].group else "comparison"
    return f"{UNSAFE.sub('-', name).strip('-') or 'runs'}.{form}"


class ExportForm(Form):
    """A form and a file that does not exist yet."""

    DEFAULT_CSS = """
    ExportForm { height: auto; }
    ExportForm Input, ExportForm Select { width: 2fr; max-width: 60; }
    """
    FIELDS = (Field("form", "form", "", FORMATS), Field("file", "file", ""))
    BUTTONS = (("enter", "Write", "accept"),)
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("export", "Write", "write the file", "write nothing")]

    class Accepted(Message):
        """The runs are to be written there."""

        def __init__(self, entries: tuple[Entry, ...], form: str, path: Path) -> None:
            super().__init__()
            self.entries, self.form, self.path = entries, form, path

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        what = entries[0].title if len(entries) == 1 else f"{len(entries)} runs"
        super().__init__({"form": "md", "file": file_name(entries, "md")}, f"write {what} to a file", id="export-form")
        self.entries = entries

    @property
    def path(self) -> Path:
        return Path(self.texts["file"].strip()).expanduser()

    def first(self) -> str:
        return "file"

    def changed(self, name: str) -> None:
        """Let the name of the file follow the form."""
        if name == "form" and self.path.suffix.removeprefix(".") in FORMATS:
            self.put("file", str(Path(self.texts["file"]).with_suffix(f".{self.texts['form']}")))

    def notes(self) -> Mapping[str, Note]:
        path, found = self.path, {"form": Note(WORDS[self.texts["form"]])}
        if not self.texts["file"].strip():
            found["file"] = Note("it needs a name", "failed")
        elif path.is_dir() or path.exists():
            found["file"] = Note("it exists already: choose another", "failed")
        elif not path.absolute().parent.is_dir():
            found["file"] = Note(f"there is no folder {path.absolute().parent}", "failed")
        return found

    def sentences(self) -> Sequence[Content]:
        return [ink(f"{len(self.entries)} run{'s' * (len(self.entries) > 1)} to {self.path.absolute()}", "quiet")]

    def accepted(self) -> Message:
        return self.Accepted(self.entries, self.texts["form"], self.path)
