"""A question before something that costs money or cannot be taken back: the exact commands, and for the worst a name to be typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from heartbeat_tui.screens.modal import Modal
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink, inked
from heartbeat_tui.widgets.vm_words import Line


class Ask(Modal[bool]):
    """``said`` is what comes of it, ``commands`` gcloud's that do the same; ``typed`` must be typed first, where it is not empty."""

    DEFAULT_CSS = """
    Ask .scroll { max-height: 74vh; }
    Ask #ask-said { margin: 1 0; }
    Ask #ask-row { height: 1; margin-top: 1; }
    Ask #ask-label { width: auto; margin-right: 1; }
    Ask Input { width: 1fr; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "yes", "Yes", tooltip="do it", id="ask.yes"),
        Binding("y", "copy", "Copy", tooltip="copy the commands", id="ask.copy"),
        Binding("escape", "no", "No", tooltip="leave it as it is", id="ask.no"),
        *(Binding(key, f"scroll({by})", "Scroll", show=False) for key, by in (("up", -1), ("down", 1), ("pageup", -8), ("pagedown", 8))),
    ]

    def __init__(  # keywords, each a part of the question
        self, title: str, said: Sequence[Line], commands: Sequence[str], *, yes: str, typed: str = "", emulated: bool = False
    ) -> None:
        super().__init__()
        self.question, self.said, self.commands, self.yes, self.typed, self.emulated = title, said, commands, yes, typed, emulated

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as box:
            box.border_title = self.question
            box.border_subtitle = "DEMO" if self.emulated else ""
            with VerticalScroll(id="ask-scroll", classes="scroll", can_focus=False):
                yield Lines(id="ask-said").with_text(*(inked(line) for line in self.said))
                yield Lines(classes="command").with_text(*(ink(command, "command") for command in self.commands))
                if self.typed:
                    with Horizontal(id="ask-row"):
                        yield Lines(id="ask-label").with_text(ink(f"type {self.typed} to go on:", "strong"))
                        yield Input(compact=True, id="ask-typed")
            with Horizontal(classes="keys"):
                yield KeyButton("enter", self.yes, "yes")
                if not self.typed:
                    yield KeyButton("y", "Copy", "copy")
                yield KeyButton("escape", "Leave it", "no")

    def on_mount(self) -> None:
        if self.typed:
            self.query_one(Input).focus()

    def action_yes(self) -> None:
        """Say yes, unless the name is not typed yet."""
        if self.typed and self.query_one(Input).value.strip() != self.typed:
            self.app.bell()
            self.query_one("#ask-label", Lines).set_lines([ink(f"type {self.typed} first:", "attention")])
            return
        self.answer(True)

    def action_scroll(self, by: int) -> None:
        """Show more of a long question; where a name is typed the keys of the field do not reach it."""
        self.query_one("#ask-scroll").scroll_relative(y=by, animate=False)

    def action_no(self) -> None:
        self.answer(False)

    def action_copy(self) -> None:
        self.copy("\n".join(self.commands))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()
