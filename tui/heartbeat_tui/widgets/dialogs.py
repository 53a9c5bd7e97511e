"""Dialogs: the base of all, a question, and a command that runs when it is confirmed, with its output."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen

from heartbeat_core.checks.fix_runner import FixRun
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.text import Lines, styled

T = TypeVar("T")


class DialogBox(Vertical):
    """The box of a dialog; ``demo`` where it acts on the emulator."""

    def __init__(self, title: str, *, demo: bool) -> None:
        super().__init__(classes="panel")
        self.border_title, self.border_subtitle = title, "DEMO" if demo else ""


class Modal(ModalScreen[T]):
    """The base of dialogs; a subclass composes a ``.panel``, in it optionally a ``.command`` and ``.keys``."""

    DEFAULT_CSS = """
    Modal { align: center middle; }
    Modal .panel { background: $surface; width: 100; max-width: 96%; height: auto; max-height: 96%; border-subtitle-color: $text-warning; }
    Modal .scroll { height: auto; max-height: 74vh; scrollbar-size-vertical: 1; }  /* the keys below stay in view */
    Modal .command { background: $panel; padding: 0 1; }
    Modal .keys { height: 1; margin: 1 0; width: 100%; layout: horizontal; align: center middle; }
    """

    async def show_keys(self, *keys: tuple[str, str, str]) -> None:
        """Show a button for each (key, label, action) that acts now."""
        row = self.query_one(".keys")
        await row.remove_children()
        await row.mount(*(KeyButton(*key) for key in keys))
        self.refresh_bindings()

    def answer(self, result: T) -> None:
        """Close through the app: a screen cannot wait for its own end."""
        self.app.call_later(self.dismiss, result)

    def copy(self, text: str, said: str = "") -> None:
        """Copy a text to the clipboard and notify; ``said`` is shown instead of a long text."""
        self.app.copy_to_clipboard(text)
        self.notify(said or text, title="On the clipboard", markup=False)


MOST_LINES = 500  # of output kept


class CommandScreen(Modal[None]):
    """A command in a dialog: ``state`` is shown, running or ended. A subclass mounts ``#lines`` in ``#output``, and ``#state``."""

    DEFAULT_CSS = """
    CommandScreen #output {
        display: none; height: auto; min-height: 3; max-height: 14; margin-top: 1; padding: 0 1;
        background: $background; scrollbar-size-vertical: 1;
    }
    CommandScreen.-running #output { display: block; }
    CommandScreen #state { margin-top: 1; }
    """
    DONE: ClassVar[str]
    CANCELLED: ClassVar[str]

    class News(Message):
        """There is more output; a newer message replaces an older one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, CommandScreen.News)

    class Over(Message):
        """The command has ended, or could not start."""

        def __init__(self, code: int | None, error: Exception | None = None) -> None:
            super().__init__()
            self.code, self.error = code, error

    def __init__(self) -> None:
        super().__init__()
        self.command_run: FixRun | None = None
        self.state = "shown"
        self.output: deque[str] = deque(maxlen=MOST_LINES)

    def say(self, text: str, kind: str) -> None:
        self.query_one("#state", Lines).set_lines([styled(text, kind)])

    async def draw_keys(self) -> None:
        raise NotImplementedError

    async def begin(self, run: FixRun) -> None:
        self.state, self.command_run = "running", run
        self.add_class("-running")
        self.say("running …", "accent")
        await self.draw_keys()
        self.carry_out(run)

    @work(thread=True, group="remedy", exit_on_error=False)
    def carry_out(self, run: FixRun) -> None:
        try:
            self.post_message(self.Over(run.run()))
        except Exception as error:  # noqa: BLE001  # shown where the command was confirmed
            self.post_message(self.Over(None, error))

    def line(self, text: str) -> None:
        """Append a line of output; called from the thread that reads it."""
        self.output.append(text)
        self.post_message(self.News())

    def on_command_screen_news(self) -> None:
        self.query_one("#lines", Lines).set_lines([styled(line, "plain") for line in tuple(self.output)])
        self.query_one("#output", VerticalScroll).scroll_end(animate=False)

    async def on_command_screen_over(self, event: Over) -> None:
        self.state = "ended"
        if event.code is None:
            self.say(f"✗ {event.error}", "failed")
        elif self.command_run is not None and self.command_run.cancelled:
            self.say(f"! {self.CANCELLED}", "attention")
        elif event.code:
            self.say(f"✗ it ended with code {event.code}; its last output is above", "failed")
        else:
            self.say(f"✓ {self.DONE}", "ok")
        await self.draw_keys()

    def action_close(self) -> None:
        if self.state == "running" and self.command_run is not None:
            self.say("ending …", "attention")
            self.command_run.cancel()
        else:
            self.answer(None)

    def on_unmount(self) -> None:
        if self.command_run is not None:
            self.command_run.cancel()


class Confirm(Modal[bool]):
    """A question; returns True for yes."""

    DEFAULT_CSS = """
    Confirm .panel { width: 64; max-width: 90%; }
    Confirm .keys { margin: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, detail: str, yes: str, no: str) -> None:
        super().__init__()
        self.question, self.detail, self.yes, self.no = question, detail, yes, no

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel"):
            yield Lines(id="confirm-text").with_text(styled(self.question, "strong"), styled(self.detail, "quiet"))
            with Center(classes="keys"):
                yield KeyButton("enter", self.yes, "dismiss(True)")
                yield KeyButton("n", self.no, "dismiss(False)")
