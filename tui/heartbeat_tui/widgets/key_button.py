"""A key that can be clicked as well."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message

from heartbeat_tui.widgets.text import Lines, ink


class KeyButton(Lines):
    """A key that can be clicked."""

    DEFAULT_CSS = """
    KeyButton { width: auto; height: 1; margin: 0 2; pointer: pointer; }
    KeyButton:hover { background: $panel; }
    """

    class Pressed(Message):
        """It was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, key: str, label: str, action: str) -> None:
        super().__init__()
        self.action = action
        self.content = Content.assemble(ink(f" {key} ", "key"), f" {label} ")

    def on_click(self) -> None:
        self.post_message(self.Pressed(self.action))
