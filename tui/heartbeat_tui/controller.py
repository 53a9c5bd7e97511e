"""What all desks share. A desk is a part of the app: Textual calls the handlers of every one of them."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from textual.app import App

from heartbeat_core.errors import INTERRUPTED, HeartbeatError
from heartbeat_core.settings import RemoteSettings

if TYPE_CHECKING:
    from heartbeat_tui.widgets.pane import Pane

P = TypeVar("P", bound="Pane")


@dataclass(frozen=True)
class Unfinished:
    """What leaving would end or leave behind: "a run is on its way", and a sentence on what becomes of it."""

    what: str
    then: str


class Desk(App[None]):
    """``banner`` is shown at all times; ``drawn`` tells whether the first frame has been seen; ``remote`` how TPU VMs are reached."""

    banner: tuple[str, ...] = ()
    drawn = False
    remote = RemoteSettings()

    def tell(self, error: BaseException) -> None:
        """Say what went wrong: what a HeartbeatError explains, anything else by its name."""
        if isinstance(error, HeartbeatError) and error.exit_code == INTERRUPTED:
            self.notify(error.title, markup=False)  # as was wished
            return
        if isinstance(error, HeartbeatError):
            title, text = error.title, "\n".join(part for part in (error.cause, error.remedy) if part)
        else:
            title, text = "Something unexpected went wrong", f"{type(error).__name__}: {error}"
            self.log.error(text)
        self.notify(text, title=title, severity="error", timeout=10, markup=False)

    def step_aside(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """Give a command the terminal and return its exit code; what one that failed has said stays in sight until Enter.

        Raise HeartbeatError where it cannot start, SuspendNotSupported where there is no terminal.
        """
        import termios

        from heartbeat_core.checks.fix_runner import run_in_terminal

        code = 0
        refused: HeartbeatError | None = None
        with self.suspend():
            try:
                code = run_in_terminal(command, environ)
            except HeartbeatError as error:  # raised in here, it would keep Textual from taking the terminal back
                refused = error
            if sys.__stdin__ is not None and sys.__stdin__.isatty():
                termios.tcflush(sys.__stdin__, termios.TCIFLUSH)  # what was typed at the command is for no pane
            if code:
                wait_for_enter(f"\n{command[0]} ended with code {code}. Enter goes back to the screen: ")
        if refused is not None:
            raise refused
        return code

    def prepared(self, pane: P) -> P:
        """Tell a pane what it must know of the program."""
        pane.banner, pane.early = self.banner, lambda: not self.drawn
        return pane

    def offer_mode(self, mode: str, make: Callable[[], Pane]) -> None:
        """Offer a pane, made when it is first gone to: the first frame of another does without its import."""
        self.add_mode(mode, lambda: self.prepared(make()))

    # -- leaving: each desk adds its own to what the next one says

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Name what a user should know of before the program is left."""
        return ()

    def close_desk(self) -> None:
        """End what this desk owns, and wait until it is gone; called in a thread."""


def wait_for_enter(question: str) -> None:
    """Wait in the terminal for Enter, or Ctrl-C: asyncio's own way to take that would end the app."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input(question)
    finally:
        signal.signal(signal.SIGINT, before)
