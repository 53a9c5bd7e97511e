"""The settings over whatever pane is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual.app import ComposeResult

from heartbeat_core.settings import Settings
from heartbeat_tui.screens.modal import Modal
from heartbeat_tui.widgets.form import Form
from heartbeat_tui.widgets.settings_form import SettingsForm


class SettingsScreen(Modal[Mapping[str, str]]):
    """Ask; what is to be written where it was accepted, nothing where it was left."""

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

    def on_settings_form_accepted(self, event: SettingsForm.Accepted) -> None:
        event.stop()
        self.answer(event.changes)
