"""What the beat needs, installed on a TPU VM: the command first, and once confirmed what it says as it runs."""

from __future__ import annotations

import shlex
import sys
from collections import deque
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen

from heartbeat_core.readiness.remedy_runner import RemedyRun
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink

MOST_LINES = 500  # of output kept
WHAT = (
    "Installs OpenBLAS, an environment of its own with torch and torch_xla (about 7 GB), and this program's engine. What is there already "
    "is left alone. At the end it looks whether the device is a TPU. It costs nothing beside the TPU VM itself."
)
ENDINGS = {0: ("✓ set up, and its device is a TPU: press b in the list to beat there", "ok")}


class SetUp(ModalScreen[None]):
    """Shows first, runs only when confirmed; ended while it runs, the next time goes on from there.

    ``arguments`` are those of our own command.
    """

    DEFAULT_CSS = """
    SetUp { align: center middle; background: $background 60%; }
    SetUp #setup { background: $surface; width: 100; max-width: 96%; height: auto; max-height: 96%; padding: 0 2; }
    SetUp #setup { border-subtitle-color: $text-warning; }
    SetUp #setup-what { margin: 1 0; }
    SetUp #setup-command { background: $panel; padding: 0 1; }
    SetUp #setup-output { display: none; height: 14; margin-top: 1; padding: 0 1; background: $background; scrollbar-size-vertical: 1; }
    SetUp.-running #setup-output { display: block; }
    SetUp.-low.-running #setup { height: 100%; }
    SetUp.-low.-running #setup-output { height: 1fr; }
    SetUp.-low.-running #setup-what { display: none; }
    SetUp #setup-state { margin-top: 1; }
    SetUp #setup-keys { height: 1; margin: 1 0; width: 100%; layout: horizontal; align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "Set up", tooltip="run exactly this command", id="setup.run"),
        Binding("y", "copy", "Copy", tooltip="copy the command", id="setup.copy"),
        Binding("escape", "close", "Close", tooltip="end it, if it runs; else go back", id="setup.close"),
    ]

    class News(Message):
        """There is more output; many of these are as good as the last one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SetUp.News)

    class Over(Message):
        """It has ended with this code, or could not start."""

        def __init__(self, code: int | None, error: Exception | None = None) -> None:
            super().__init__()
            self.code, self.error = code, error

    def __init__(self, name: str, hosts: int, arguments: tuple[str, ...], *, emulated: bool = False) -> None:
        super().__init__()
        self.vm, self.hosts, self.emulated = name, hosts, emulated
        self.shown = shlex.join(("heartbeat-tui", *arguments))
        self.output: deque[str] = deque(maxlen=MOST_LINES)
        self.command_run = RemedyRun((sys.executable, "-m", "heartbeat_tui", *arguments), self.line)
        self.state = "shown"  # shown, running, ended

    def compose(self) -> ComposeResult:
        several = f" on each of its {self.hosts} hosts" if self.hosts > 1 else ""
        with Vertical(classes="panel", id="setup") as box:
            box.border_title = f"set up {self.vm}{several}"
            box.border_subtitle = "DEMO" if self.emulated else ""
            yield Lines(id="setup-what").with_text(ink(WHAT, "plain"))
            yield Lines(id="setup-command").with_text(ink(self.shown, "command"))
            with VerticalScroll(id="setup-output"):
                yield Lines(id="setup-lines")
            yield Lines(id="setup-state")
            yield Horizontal(id="setup-keys")

    async def on_mount(self) -> None:
        await self.draw_keys()

    async def draw_keys(self) -> None:
        keys = self.query_one("#setup-keys", Horizontal)
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
        self.state = "running"
        self.add_class("-running")
        self.say("running …", "beat")
        await self.draw_keys()
        self.carry_out()

    @work(thread=True, group="setup", exit_on_error=False)
    def carry_out(self) -> None:
        try:
            self.post_message(self.Over(self.command_run.run()))
        except Exception as error:  # noqa: BLE001  # said where it was asked for
            self.post_message(self.Over(None, error))

    def line(self, text: str) -> None:
        """Take a line of output, from the thread that reads it."""
        self.output.append(text)
        self.post_message(self.News())

    def on_set_up_news(self) -> None:
        self.query_one("#setup-lines", Lines).set_lines([ink(line, "plain") for line in tuple(self.output)])
        self.query_one("#setup-output", VerticalScroll).scroll_end(animate=False)

    async def on_set_up_over(self, event: Over) -> None:
        self.state = "ended"
        if event.code is None:
            self.say(f"✗ {event.error}", "failed")
        elif self.command_run.cancelled:
            self.say("! ended: what it had brought by then stays, and the next time goes on from there", "attention")
        elif event.code in ENDINGS:
            self.say(*ENDINGS[event.code])
        else:
            self.say(f"✗ it ended with code {event.code}; its last words are above", "failed")
        await self.draw_keys()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.shown)
        self.notify(self.shown, title="On the clipboard", markup=False)

    def action_close(self) -> None:
        if self.state == "running":
            self.say("ending …", "attention")
            self.command_run.cancel()
        else:
            self.app.call_later(self.dismiss, None)

    def on_unmount(self) -> None:
        self.command_run.cancel()

    async def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        await self.run_action(event.action)
