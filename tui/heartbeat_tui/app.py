"""The app: modes, keys and themes; it owns the run and turns what the engine tells into snapshots for the pane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from heartbeat_core.beat.plan import Plan
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.checkup import Checkup
from heartbeat_tui.conductor import Conductor
from heartbeat_tui.messages import Aim, AskChecks, Begin, ChecksChanged, CompareClocks, InTerminal, Mend, Mended, Offered
from heartbeat_tui.panes.heartbeat import HeartbeatPane
from heartbeat_tui.panes.pane import Pane
from heartbeat_tui.themes import DARK, THEMES

if TYPE_CHECKING:
    from heartbeat_core.beat.source import Source
    from heartbeat_tui.panes.readiness import ReadinessPane
    from heartbeat_tui.screens.remedy import RemedyScreen
    from heartbeat_tui.widgets.target_form import TargetForm
P = TypeVar("P", bound="Pane")

FRAME_S = 0.25  # charts are drawn at most so often while measuring
# key, title, mode; those that are built
PANES: tuple[tuple[str, str, str], ...] = (("1", "Readiness", "readiness"), ("3", "Heartbeat", "heartbeat"))


class HeartbeatApp(App[None]):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread.

    Without a ``checkup`` there is no Readiness pane. ``banner`` is shown at all times.
    """

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

    def __init__(  # noqa: PLR0913  # what the screen is made from, each by its name
        self,
        plan: Plan,
        begin: Callable[[Plan], Source],
        *,
        start: bool = False,
        replay: Callable[[], Source] | None = None,
        checkup: Checkup | None = None,
        mode: str = "heartbeat",
        banner: tuple[str, ...] = (),
        theme: str = "",
        reduced_motion: bool = False,
    ) -> None:
        self.DEFAULT_MODE = mode  # type: ignore[misc]  # a constant to Textual, a choice to us
        super().__init__()
        self.conductor = Conductor(begin)
        self.checkup = checkup
        self.banner = banner
        self.replay = replay
        self.begins_at_once = start or replay is not None
        self.chosen_theme = theme
        self.leaving = self.drawn = False
        tabs = PANES if checkup else PANES[-1:]
        self.pane = self.prepared(HeartbeatPane(tabs, plan, replaying=replay is not None))
        self.readiness: ReadinessPane | None = None
        self.mending: RemedyScreen | None = None
        self.add_mode("heartbeat", lambda: self.pane)
        if checkup:
            checkup.news = self.told
            self.add_mode("readiness", self.make_readiness)
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

    async def on_ready(self) -> None:
        """Fill the pane once its skeleton has been seen: refreshes asked for while starting come before any frame."""
        self.drawn = True
        if isinstance(self.screen, Pane):
            await self.screen.fill()

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

    # -- readiness

    def make_readiness(self) -> ReadinessPane:
        """Make the pane when it is first gone to; the first frame of another does without its import."""
        from heartbeat_tui.panes.readiness import ReadinessPane

        self.readiness = ReadinessPane(PANES)
        return self.prepared(self.readiness)

    def prepared(self, pane: P) -> P:
        """Tell a pane what it must know of the program."""
        pane.banner, pane.early = self.banner, lambda: not self.drawn
        return pane

    def told(self) -> None:
        """Take news from the threads of the checks."""
        if self.is_running:
            self.post_message(ChecksChanged())

    def on_checks_changed(self) -> None:
        checklist = self.checkup.checklist() if self.checkup else None
        if self.readiness is not None:
            self.readiness.show(checklist)
        if checklist is not None and self.mending is not None and self.mending.is_attached:
            self.mending.show_checklist(checklist)

    def on_ask_checks(self, event: AskChecks) -> None:
        if self.checkup is not None:
            self.check(partial(self.checkup.ask, event.names))

    def on_aim(self, event: Aim) -> None:
        if self.checkup is not None:
            self.check(partial(self.checkup.aim, event.choices))

    def on_stop_checks(self) -> None:
        if self.checkup is not None:
            self.checkup.cancel()

    def on_mended(self, event: Mended) -> None:
        """Look whether the check turns; it may take minutes."""
        if self.checkup is not None and event.code == 0:
            self.check(partial(self.checkup.watch, event.check_id))

    @work(thread=True, group="checks", exit_on_error=False)
    def check(self, errand: Callable[[], None]) -> None:
        """Ask in a thread, which goes on whichever pane is shown."""
        errand()

    def on_target_form_wanted(self, event: TargetForm.Wanted) -> None:
        self.find_offers(event.project, event.zone)

    @work(thread=True, group="offers", exit_on_error=False)
    def find_offers(self, project: str, zone: str) -> None:
        if self.checkup is not None and self.readiness is not None:
            offers = self.checkup.offers(project, zone)
            self.readiness.post_message(Offered(project, zone, offers))

    async def on_mend(self, event: Mend) -> None:
        from heartbeat_core.readiness.remedy_runner import remedy_environ
        from heartbeat_tui.screens.remedy import RemedyScreen

        checklist = self.checkup.checklist() if self.checkup else None
        endpoint = checklist.endpoint if checklist else None
        self.mending = RemedyScreen(event.result, remedy_environ(endpoint), emulated=endpoint is not None)
        await self.push_screen(self.mending)

    async def on_in_terminal(self, event: InTerminal) -> None:
        """Step aside for a command that talks to people, and look at what came of it."""
        from heartbeat_core.readiness.remedy_runner import run_in_terminal

        try:
            with self.suspend():
                code = run_in_terminal(event.command, event.environ)
        except (HeartbeatError, SuspendNotSupported) as error:
            self.tell(error)
            return
        if self.mending is not None and self.mending.is_attached:
            await self.mending.dismiss(None)
        if code:
            self.notify(f"{event.command[0]} ended with code {code}.", severity="warning", markup=False)
        self.post_message(Mended(event.check_id, code))

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
        await asyncio.to_thread(self.close)
        self.exit()

    async def confirmed(self) -> bool:
        from heartbeat_tui.screens.confirm import Confirm

        question = Confirm("Leave while a run is on its way?", "It is stopped; what it has measured is kept.", "Stop and leave", "Stay")
        return await self.push_screen_wait(question) is True

    async def on_unmount(self) -> None:
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the run and the checks, and wait until the run is gone."""
        if self.checkup is not None:
            self.checkup.close()
        self.conductor.close()

    async def action_help(self) -> None:
        from heartbeat_tui.screens.help import Help, key_lines

        await self.push_screen(Help(key_lines(self, self.screen.active_bindings.values()), self.current_mode))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the panes there are."""
        return action != "switch_mode" or bool(parameters and parameters[0] in self._modes)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer whatever the keys of the screen can do now, and the themes."""
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id and binding.action not in seen:
                seen.add(binding.action)
                yield SystemCommand(binding.description, binding.tooltip, partial(self.run_action, binding.action, active.node))
        yield SystemCommand("Theme", "dark, light, and Textual's own", self.action_change_theme)
