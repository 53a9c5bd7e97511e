"""All that is known of one TPU VM or queued resource, as YAML, kept up to date while it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from heartbeat_tui.screens.modal import Modal
from heartbeat_tui.vms_messages import FleetView
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink, inked
from heartbeat_tui.widgets.vm_meaning import meaning, yaml_of, yaml_pieces


class Describe(Modal[None]):
    """What it means first, then every field."""

    DEFAULT_CSS = """
    Describe #describe-meaning { margin: 1 0; }
    Describe .scroll { max-height: 74vh; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", tooltip="copy the YAML", id="describe.copy"),
        Binding("escape,enter,q", "dismiss", "Back", key_display="esc", tooltip="back to the list", id="describe.close"),
    ]

    def __init__(self, key: str, view: FleetView, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.key, self.view, self.now = key, view, now
        self.text = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as box:
            box.border_title = self.key.rpartition("/")[2]
            box.border_subtitle = "DEMO" if self.view.endpoint else ""
            with VerticalScroll(id="describe-scroll", classes="scroll"):
                yield Lines(id="describe-meaning")
                yield Lines(id="describe-text")
            with Horizontal(classes="keys"):
                yield KeyButton("y", "Copy", "copy")
                yield KeyButton("escape", "Back", "dismiss")

    def on_mount(self) -> None:
        self.show(self.view)
        self.query_one("#describe-scroll").focus()

    def show(self, view: FleetView) -> None:
        """Show what is known now; of one that is gone what was known last."""
        thing = view.nodes.get(self.key) or view.queued.get(self.key)
        if thing is None:
            gone = [ink("It is gone; this is what was known of it last.", "attention")]
            self.query_one("#describe-meaning", Lines).set_lines(gone)
            return
        self.view = view
        now = self.now()
        self.text = yaml_of(thing, view.rates, now)
        self.query_one("#describe-meaning", Lines).set_lines([inked(line) for line in meaning(thing, view.rates, now)])
        self.query_one("#describe-text", Lines).set_lines([inked(yaml_pieces(line)) for line in self.text.splitlines()])

    def action_copy(self) -> None:
        self.copy(self.text, f"{self.key.rpartition('/')[2]} as YAML")
