"""The settings over whatever pane is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual.app import ComposeResult
from textual.screen import ModalScreen

from heartbeat_core.settings import Settings
from heartbeat_tui.widgets.form import Form
from heartbeat_tui.widgets.settings_form import SettingsForm


class SettingsScreen(ModalScreen[Mapping[str, str]]):
    """Ask; what is to be written where it was accepted, nothing where it was left."""

    DEFAULT_CSS = """
    SettingsScreen { align: center middle; background: $background 60%; }
    SettingsScreen SettingsForm { background: $surface; width: 110; max-width: 96%; height: 90%; }
    """

    def __init__(self, settings: Settings, file: Path) -> None:
        super().__init__()
        self.settings, self.file = settings, file

    def compose(self) -> ComposeResult:
        yield SettingsForm(self.settings, self.file)

    def on_form_closed(self, event: Form.Closed) -> None:
        event.stop()
        self.app.call_later(self.dismiss, {})

    def on_settings_form_accepted(self, event: SettingsForm.Accepted) -> None:
        event.stop()
        self.app.call_later(self.dismiss, event.changes)
