"""The app: modes, keys and themes; it owns the run and turns what the engine tells into snapshots for the pane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from heartbeat_core.beat.plan import Plan
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.conductor import Conductor
from heartbeat_tui.messages import Begin, CompareClocks
from heartbeat_tui.panes.heartbeat import HeartbeatPane
from heartbeat_tui.themes import DARK, THEMES

if TYPE_CHECKING:
    from heartbeat_core.beat.source import Source

FRAME_S = 0.25  # charts are drawn at most so often while measuring
PANES: tuple[tuple[str, str, str], ...] = (("3", "Heartbeat", "heartbeat"),)  # key, title, mode; those that are built


class HeartbeatApp(App[None]):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread."""

    TITLE = "heartbeat"
    CSS_PATH = "app.tcss"
    DEFAULT_MODE = "heartbeat"
    # lists, not tuples, and no class variables: Textual declares them so
    HORIZONTAL_BREAKPOINTS = [(0, "-too-narrow"), (60, "-narrow"), (110, "-wide"), (150, "-very-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-too-low"), (18, "-low"), (34, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"switch_mode({mode!r})", title, tooltip=f"go to the pane {title}", show=False, id=f"app.{mode}")
            for key, title, mode in PANES
        ),
        Binding("question_mark,f1", "help", "Help", tooltip="say what the keys and words mean", id="app.help"),
        Binding(
            "ctrl+c,ctrl+q",
            "quit",
            "Quit",
            tooltip="end the run, if one is on its way, and leave",
            show=False,
            priority=True,
            id="app.quit-now",
        ),
        Binding("q", "quit", "Quit", tooltip="end the run, if one is on its way, and leave", id="app.quit"),
    ]

    def __init__(
        self,
        plan: Plan,
        begin: Callable[[Plan], Source],
        *,
        start: bool = False,
        replay: Callable[[], Source] | None = None,
        theme: str = "",
        reduced_motion: bool = False,
    ) -> None:
        super().__init__()
        self.conductor = Conductor(begin)
        self.replay = replay
        self.begins_at_once = start or replay is not None
        self.chosen_theme = theme
        self.leaving = False
        self.pane = HeartbeatPane(PANES, plan, replaying=replay is not None)
        self.add_mode("heartbeat", lambda: self.pane)
        if reduced_motion:
            self.animation_level = "none"
        for own in THEMES:
            self.register_theme(own)
        # before anything is drawn: a theme set later has every style worked out twice
        self.theme = self.chosen_theme if self.chosen_theme in self.available_themes else DARK.name

    def on_mount(self) -> None:
        if self.chosen_theme and self.theme != self.chosen_theme:
            self.tell(HeartbeatError(f"there is no theme {self.chosen_theme!r}", "", "ctrl+p, Theme lists them."))
        self.timer = self.set_interval(FRAME_S, self.look, pause=True)
        if self.begins_at_once:
            self.call_after_refresh(self.pane.action_begin)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"rule": "ansi_bright_black"}  # for the themes that are not ours

    # -- the run

    def look(self) -> None:
        """Show the pane what is new; rest when there is nothing to come."""
        if self.conductor.due:
            self.conduct(self.conductor.follow)
            return
        if not self.pane.awake or self.pane.waiting:
            return
        started = monotonic()
        snapshot = self.conductor.snapshot()
        if snapshot is not None:
            self.pane.show(snapshot)
            self.conductor.looked(monotonic() - started)
        elif self.conductor.settled:
            self.timer.pause()

    def on_begin(self, event: Begin) -> None:
        self.give_way()
        if self.replay is not None:
            self.conduct(partial(self.conductor.adopt, self.replay))
        else:
            self.conduct(partial(self.conductor.start, event.plan))

    def on_compare_clocks(self, event: CompareClocks) -> None:
        self.give_way()
        self.conduct(partial(self.conductor.compare, event.plan))

    def on_pause_run(self) -> None:
        self.conductor.pause()
        self.look()

    def on_resume_run(self) -> None:
        self.conductor.resume()
        self.look()

    def on_stop_run(self) -> None:
        self.conductor.stop()
        self.look()

    def on_clear_run(self) -> None:
        self.conductor.clear()
        self.pane.show(None)

    @work(thread=True, group="run", exit_on_error=False)
    def conduct(self, change: Callable[[], None]) -> None:
        """Start or change the run in a thread: both wait for processes."""
        change()

    def give_way(self) -> None:
        """Let the beat go first on the cores; a test has none to give way to."""
        if not self.is_headless:
            from heartbeat_core.beat.spawner import give_way

            give_way()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Be the one door through which the end of every worker comes."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.tell(event.worker.error)
        if event.worker.group == "run" and event.worker.is_finished:
            self.pane.wait_for_run(False)
            self.timer.resume()
            self.look()

    def tell(self, error: BaseException) -> None:
        """Say what went wrong: what a HeartbeatError explains, anything else by its name."""
        if isinstance(error, HeartbeatError):
            title, text = error.title, "\n".join(part for part in (error.cause, error.remedy) if part)
        else:
            title, text = "Something unexpected went wrong", f"{type(error).__name__}: {error}"
            self.log.error(text)
        self.notify(text, title=title, severity="error", timeout=10, markup=False)

    # -- leaving, help and commands

    async def action_quit(self) -> None:
        self.leave()

    @work(group="leave", exit_on_error=False)
    async def leave(self) -> None:
        """Ask where a run is on its way, then end it and wait until it is gone."""
        if self.leaving:
            return
        self.leaving = True
        if self.conductor.active and not await self.confirmed():
            self.leaving = False
            return
        if self.conductor.active:
            self.notify("Stopping the worker …", markup=False)
        await asyncio.to_thread(self.conductor.close)
        self.exit()

    async def confirmed(self) -> bool:
        from heartbeat_tui.screens.confirm import Confirm

        question = Confirm("Leave while a run is on its way?", "It is stopped; what it has measured is kept.", "Stop and leave", "Stay")
        return await self.push_screen_wait(question) is True

    async def on_unmount(self) -> None:
        await asyncio.to_thread(self.conductor.close)

    async def action_help(self) -> None:
        from heartbeat_tui.screens.help import Help, key_lines

        await self.push_screen(Help(key_lines(self, self.screen.active_bindings.values())))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer whatever the keys of the screen can do now, and the themes."""
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id and binding.action not in seen:
                seen.add(binding.action)
                yield SystemCommand(binding.description, binding.tooltip, partial(self.run_action, binding.action, active.node))
        yield SystemCommand("Theme", "dark, light, and Textual's own", self.action_change_theme)
