"""The settings screen: every setting with its source, edited in place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.app import App, ComposeResult
from textual.content import Content

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import (
    COMMAND_LINE,
    KEYS,
    SettingRow,
    Settings,
    list_settings,
    load_settings,
    settings_file,
    text_of,
    value_of,
    write_settings,
)
from heartbeat_tui.controller import Controller
from heartbeat_tui.theme import DARK
from heartbeat_tui.widgets.dialogs import Modal
from heartbeat_tui.widgets.form import Field, Form, Note, form_bindings
from heartbeat_tui.widgets.text import styled

YES_NO = ("true", "false")
UNREACHED = 10**9  # a greatest value beyond any run is not shown


def name_of(key: str) -> str:
    """Return the name of a setting's field: the name of a widget has no dot."""
    return key.replace(".", "-")


class SettingsForm(Form):
    """The form: one field for each setting."""

    DEFAULT_CSS = """
    SettingsForm VerticalScroll { height: 1fr; }
    SettingsForm .field-name { width: 29; }
    SettingsForm Input, SettingsForm Select { width: 24; }
    """
    FIELDS = tuple(  # one that may be nothing is typed
        Field(name_of(key), key, "", YES_NO if kind.type is bool else () if "" in kind.choices else kind.choices)
        for key, kind in KEYS.items()
    )
    BUTTONS = (("ctrl+s", "Write", "accept"),)
    BINDINGS = form_bindings("settings", "Write", "write what was changed into the settings file", "leave the settings as they were")

    def __init__(self, settings: Settings, file: Path) -> None:
        self.rows: dict[str, SettingRow] = {name_of(row.key): row for row in list_settings(settings)}
        self.before = {field.name: text_of(self.rows[field.name].value) for field in self.FIELDS}
        super().__init__(self.before, "settings: defaults < file < environment < flags", id="settings-form")
        self.file = file

    def notes(self) -> Mapping[str, Note]:
        return {field.name: self.note(field.name) for field in self.FIELDS}

    def note(self, name: str) -> Note:
        """Return what is wrong with a field, or where its value came from and what the default is."""
        row, text = self.rows[name], self.texts[name]
        try:
            value_of(row.key, text)
        except HeartbeatError as error:
            return Note(error.cause, "failed")
        kind = KEYS[row.key]
        least, most = kind.range
        limits = (f" · {least:,} to {most:,}" if most < UNREACHED else f" · {least:,} or more") if kind.type is int else ""
        covered = row.source not in ("default", str(self.file))
        if text != self.before[name]:
            return (
                Note(f"{row.source} overrides the file", "attention") if covered else Note(f"changed from {self.before[name] or 'empty'}")
            )
        where = "" if row.source == "default" else "from the file · " if row.source == str(self.file) else f"by {row.source} · "
        return Note(f"{where}{row.about}{limits}" + (f" · default {text_of(row.default) or 'empty'}" if where else ""))

    def sentences(self) -> Sequence[Content]:
        number = len(self.changes)
        what = "Nothing is changed." if not number else f"{number} setting{'s' if number > 1 else ''} to write; ctrl+s writes."
        return [styled(f"{what} {self.file}", "quiet")]

    @property
    def changes(self) -> dict[str, str]:
        return {self.rows[name].key: text for name, text in self.texts.items() if text != self.before[name]}


class SettingsScreen(Modal[Mapping[str, str]]):
    """The dialog; returns what to write, or nothing if it was left."""

    DEFAULT_CSS = """
    SettingsScreen .panel { width: 110; height: 90%; }
    """

    def __init__(self, settings: Settings, file: Path) -> None:
        super().__init__()
        self.settings, self.file = settings, file

    def compose(self) -> ComposeResult:
        yield SettingsForm(self.settings, self.file)

    def on_form_closed(self, event: Form.Closed) -> None:
        event.stop()
        self.answer({})

    def on_form_accepted(self, event: Form.Accepted) -> None:
        event.stop()
        self.answer(self.query_one(SettingsForm).changes)


class SettingsController(Controller):
    """``settings`` are those of the start, then those that were written."""

    def __init__(self, app: App[None], settings: Settings) -> None:
        super().__init__(app)
        self.settings = settings

    async def open(self) -> None:
        """Show every setting as file and environment define it now, with the flags of this start."""
        await self.app.push_screen(SettingsScreen(self.settings, settings_file(os.environ)), self.write)

    def write(self, changes: Mapping[str, str] | None) -> None:
        """Write the changes, and apply theme and motion; the rest takes effect at the next start."""
        if not changes:
            return
        path = settings_file(os.environ)
        flags = {key: self.settings[key] for key, source in self.settings.sources.items() if source == COMMAND_LINE}
        try:
            write_settings(path, changes)
            self.settings = load_settings(flags)
        except HeartbeatError as error:
            self.report(error)
            return
        screen = self.settings.screen
        self.app.theme = screen.theme if screen.theme in self.app.available_themes else DARK.name
        self.app.animation_level = "none" if screen.reduced_motion else "full"
        later = [key for key in changes if not key.startswith("screen.")]
        self.app.notify(f"Written to {path}." + (" It takes effect at the next start." if later else ""), markup=False)
