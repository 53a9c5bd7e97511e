"""One question before something that cannot be taken back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Vertical

from heartbeat_tui.screens.modal import Modal
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink


class Confirm(Modal[bool]):
    """Ask; True where the answer is yes."""

    DEFAULT_CSS = """
    Confirm .panel { width: 64; max-width: 90%; }
    Confirm .keys { margin: 1 0 0 0; }
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

    def action_answer(self, yes: bool) -> None:
        self.answer(yes)
