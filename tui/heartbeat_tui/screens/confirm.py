"""One question before something that cannot be taken back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Vertical
from textual.screen import ModalScreen

from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink


class Confirm(ModalScreen[bool]):
    """Ask; True where the answer is yes."""

    DEFAULT_CSS = """
    Confirm { align: center middle; background: $background 60%; }
    Confirm .panel { background: $surface; width: 64; max-width: 90%; height: auto; padding: 1 2; }
    Confirm .keys { height: 1; margin-top: 1; layout: horizontal; align: center middle; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, question: str, detail: str, yes: str, no: str) -> None:
        super().__init__()
        self.question, self.detail, self.yes, self.no = question, detail, yes, no

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel"):
            yield Lines(id="confirm-text").with_text(ink(self.question, "strong"), ink(self.detail, "quiet"))
            with Center(classes="keys"):
                yield KeyButton("y", self.yes, "answer(True)")
                yield KeyButton("n", self.no, "answer(False)")

    async def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        await self.run_action(event.action)

    def action_answer(self, yes: bool) -> None:
        self.app.call_later(self.dismiss, yes)  # by way of the app: a screen cannot wait for its own end
