"""What the beat needs, installed on a TPU VM: the command first, and once confirmed what it says as it runs."""

from __future__ import annotations

import shlex
import sys
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from heartbeat_core.checks.fix_runner import RemedyRun
from heartbeat_tui.screens.command import CommandScreen
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink

WHAT = (
    "Installs OpenBLAS, an environment of its own with torch and torch_xla (about 7 GB), and this program's engine. What is there already "
    "is left alone. At the end it looks whether the device is a TPU. It costs nothing beside the TPU VM itself."
)


class SetUp(CommandScreen):
    """Shows first, runs only when confirmed; ended while it runs, the next time goes on from there.

    ``arguments`` are those of our own command.
    """

    DEFAULT_CSS = """
    SetUp #setup-what { margin: 1 0; }
    SetUp #output { height: 14; }
    SetUp.-low.-running .panel { height: 100%; }
    SetUp.-low.-running #output { height: 1fr; }
    SetUp.-low.-running #setup-what { display: none; }
    SetUp #setup-state { margin-top: 1; }
    """
    DONE = "set up, and its device is a TPU: press b in the list to beat there"
    CANCELLED = "ended: what it had brought by then stays, and the next time goes on from there"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "Set up", tooltip="run exactly this command", id="setup.run"),
        Binding("y", "copy", "Copy", tooltip="copy the command", id="setup.copy"),
        Binding("escape", "close", "Close", tooltip="end it, if it runs; else go back", id="setup.close"),
    ]

    def __init__(self, name: str, hosts: int, arguments: tuple[str, ...], *, emulated: bool = False) -> None:
        super().__init__()
        self.vm, self.hosts, self.arguments, self.emulated = name, hosts, arguments, emulated
        self.shown = shlex.join(("heartbeat-tui", *arguments))

    def compose(self) -> ComposeResult:
        several = f" on each of its {self.hosts} hosts" if self.hosts > 1 else ""
        with Vertical(classes="panel") as box:
            box.border_title = f"set up {self.vm}{several}"
            box.border_subtitle = "DEMO" if self.emulated else ""
            yield Lines(id="setup-what").with_text(ink(WHAT, "plain"))
            yield Lines(classes="command").with_text(ink(self.shown, "command"))
            with VerticalScroll(id="output"):
                yield Lines(id="lines")
            yield Lines(id="setup-state")
            yield Horizontal(classes="keys")

    async def on_mount(self) -> None:
        await self.draw_keys()

    async def draw_keys(self) -> None:
        keys = self.query_one(".keys", Horizontal)
        await keys.remove_children()
        buttons = [KeyButton("enter", "Set it up", "run")] if self.state == "shown" else []
        close = {"shown": "Back", "running": "End it", "ended": "Back"}[self.state]
        await keys.mount(*buttons, KeyButton("y", "Copy", "copy"), KeyButton("escape", close, "close"))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "run" or self.state == "shown"

    def say(self, text: str, kind: str) -> None:
        self.query_one("#setup-state", Lines).set_lines([ink(text, kind)])

    async def action_run(self) -> None:
        await self.begin(RemedyRun((sys.executable, "-m", "heartbeat_tui", *self.arguments), self.line))

    def action_copy(self) -> None:
        self.copy(self.shown)
