"""What all screens above a pane have in common: a box in the middle, buttons that do what keys do, and the clipboard."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

from heartbeat_tui.widgets.key_button import KeyButton

T = TypeVar("T")


class Modal(ModalScreen[T]):
    """A subclass puts a ``.panel`` in it, and in that a ``.command`` and ``.keys``, where it has these."""

    DEFAULT_CSS = """
    Modal { align: center middle; }
    Modal .panel { background: $surface; width: 100; max-width: 96%; height: auto; max-height: 96%; border-subtitle-color: $text-warning; }
    Modal .scroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    Modal .command { background: $panel; padding: 0 1; }
    Modal .keys { height: 1; margin: 1 0; width: 100%; layout: horizontal; align: center middle; }
    """

    async def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        await self.run_action(event.action)

    def answer(self, result: T) -> None:
        """Close by way of the app: a screen cannot wait for its own end."""
        self.app.call_later(self.dismiss, result)

    def copy(self, text: str, said: str = "") -> None:
        """Put a text on the clipboard, and say so: with ``said``, where the text itself is long."""
        self.app.copy_to_clipboard(text)
        self.notify(said or text, title="On the clipboard", markup=False)
