"""What the controllers share: a base, the messages that cross features, and how errors and commands reach the terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

from heartbeat_core.errors import INTERRUPTED, HeartbeatError

if TYPE_CHECKING:
    from textual.app import App

    from heartbeat_core.cloud.tpu import Node


@dataclass(frozen=True)
class Unfinished:
    """What is unfinished when the user leaves: "a run is active", and a sentence on what becomes of it."""

    what: str
    then: str


class Controller:
    """The base of controllers: it owns what outlives a pane, and starts its workers on the app."""

    def __init__(self, app: App[None]) -> None:
        self.app = app

    def start_thread(self, work: Callable[[], object], group: str) -> None:
        """Run blocking work in a thread; the app reports its error."""
        self.app.run_worker(work, group=group, exit_on_error=False, thread=True)

    def start_task(self, work: Coroutine[Any, Any, object], group: str, *, exclusive: bool = False) -> None:
        """Run work that waits; an ``exclusive`` one cancels the others of its group."""
        self.app.run_worker(work, group=group, exit_on_error=False, exclusive=exclusive)

    def post_change(self) -> None:
        """Call ``show_change`` soon; from any thread."""
        if self.app.is_running:
            self.app.post_message(StateChanged(self))

    async def show_change(self) -> None:
        """Show the monitor's newest data."""

    def report(self, error: BaseException) -> None:
        report_error(self.app, error)

    def run_in_terminal(self, command: Sequence[str], environ: Mapping[str, str]) -> int | None:
        """Run a command in the terminal, without the screen; return its exit code, None if it could not start, which is reported.

        After a failure its output stays until Enter.
        """
        import termios

        from textual.app import SuspendNotSupported

        from heartbeat_core.checks.fix_runner import run_in_terminal

        code: int | None = None
        refused: HeartbeatError | None = None
        try:
            with self.app.suspend():
                try:
                    code = run_in_terminal(command, environ)
                except HeartbeatError as error:  # raised here, it would prevent Textual from resuming
                    refused = error
                if sys.__stdin__ is not None and sys.__stdin__.isatty():
                    termios.tcflush(sys.__stdin__, termios.TCIFLUSH)  # no pane gets what was typed for the command
                if code:
                    wait_for_enter(f"\n{command[0]} ended with code {code}. Enter goes back to the screen: ")
        except SuspendNotSupported as error:
            self.report(error)
        if refused is not None:
            self.report(refused)
        return code

    # -- leaving

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Return what is unfinished, for the question before leaving."""
        return ()

    def close(self) -> None:
        """Close what this controller owns, and wait for its end; called in a thread."""


class StateChanged(Message):
    """The monitor of a controller has new data; a newer message replaces an older one."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, StateChanged) and message.controller is self.controller


# -- messages from one feature to another


class BenchmarkOn(Message):
    """Go to the Heartbeat pane and run on all hosts of a TPU VM."""

    def __init__(self, node: Node, project: str) -> None:
        super().__init__()
        self.node, self.project = node, project


class TakeTour(Message):
    """Show the guide of the tour."""


class CompareRunMade(Message):
    """Compare the run in the Heartbeat pane with the chosen reference, else with the last comparable one."""


def report_error(app: App[None], error: BaseException) -> None:
    """Show an error: the text of a HeartbeatError, the type of any other."""
    if isinstance(error, HeartbeatError) and error.exit_code == INTERRUPTED:
        app.notify(error.title, markup=False)  # the user has cancelled it
        return
    if isinstance(error, HeartbeatError):
        title, text = error.title, "\n".join(part for part in (error.cause, error.remedy) if part)
    else:
        title, text = "Unexpected error", f"{type(error).__name__}: {error}"
        app.log.error(text)
    app.notify(text, title=title, severity="error", timeout=10, markup=False)


def wait_for_enter(question: str) -> None:
    """Wait in the terminal for Enter or Ctrl-C; asyncio's handler of Ctrl-C would end the app."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input(question)
    finally:
        signal.signal(signal.SIGINT, before)
