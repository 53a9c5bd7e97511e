"""The app: modes, keys and themes, and how it is left; what happens behind its panes stands in ``desks``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.pane import HeartbeatPane
from heartbeat_tui.benchmark.snapshot import TakeTour
from heartbeat_tui.checks.controller import ReadinessDesk
from heartbeat_tui.controller import Unfinished
from heartbeat_tui.runs.controller import ComparingDesk
from heartbeat_tui.settings_screen import SettingsDesk
from heartbeat_tui.theme import DARK, THEMES
from heartbeat_tui.tour.controller import TourDesk
from heartbeat_tui.vms.controller import VmActsDesk
from heartbeat_tui.widgets.pane import Pane

if TYPE_CHECKING:
    from heartbeat_core.benchmark.run import Source
    from heartbeat_tui.checks.monitor import CheckMonitor
    from heartbeat_tui.runs.library import RunLibrary
    from heartbeat_tui.vms.monitor import InventoryMonitor

# key, title, mode; those that are built
PANES: tuple[tuple[str, str, str], ...] = (
    ("1", "Readiness", "readiness"),
    ("2", "TPU VMs", "vms"),
    ("3", "Heartbeat", "heartbeat"),
    ("4", "Runs", "runs"),
)


MOST_THREADS = 256  # made as they are needed


class HeartbeatApp(TourDesk, ComparingDesk, ReadinessDesk, VmActsDesk, SettingsDesk):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread.

    Without a ``checkup`` there is no Readiness pane, without a ``fleet`` none of the TPU VMs, without an ``archive`` none of
    the runs; each is made when its pane is first gone to. ``banner`` is shown at all times.
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
        Binding("comma", "settings", "Settings", tooltip="see and change every setting", show=False, id="app.settings"),
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
        plan: BenchmarkConfig,
        begin: Callable[..., Source],
        *,
        start: bool = False,
        replay: Callable[[], Source] | None = None,
        checkup: Callable[[], CheckMonitor] | None = None,
        fleet: Callable[[], InventoryMonitor] | None = None,
        archive: Callable[[], RunLibrary] | None = None,
        mode: str = "heartbeat",
        banner: tuple[str, ...] = (),
        theme: str = "",
        reduced_motion: bool = False,
    ) -> None:
        self.DEFAULT_MODE = mode  # type: ignore[misc]  # a constant to Textual, a choice to us
        super().__init__()
        self.banner = banner
        self.begins_at_once = start or replay is not None
        self.chosen_theme = theme
        self.leaving = False
        owners = (("readiness", checkup), ("vms", fleet), ("runs", archive))
        built = {"heartbeat", *(mode for mode, owner in owners if owner)}
        tabs = tuple(pane for pane in PANES if pane[2] in built)
        self.open_beat(HeartbeatPane(tabs, plan, replaying=replay is not None), begin, replay)
        if checkup:
            self.open_readiness(tabs, checkup)
        if fleet:
            self.open_vms(tabs, fleet)
        if archive:
            self.open_runs(tabs, archive)
        if reduced_motion:
            self.animation_level = "none"
        for own in THEMES:
            self.register_theme(own)
        self.set_reactive(HeartbeatApp.theme, DARK.name)  # unwatched: nothing has a style yet that would have to be worked out anew
        if self.chosen_theme in self.available_themes:
            self.theme = self.chosen_theme

    def on_mount(self) -> None:
        # asyncio's own executor has six threads on two cores: so many jobs at TPU VMs would keep all else waiting, leaving too
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="work"))
        if self.chosen_theme and self.theme != self.chosen_theme:
            self.tell(HeartbeatError(f"there is no theme {self.chosen_theme!r}", "", "ctrl+p, Theme lists them."))
        self.watch_beat()
        if self.begins_at_once:
            self.call_after_refresh(self.pane.action_begin)

    async def on_ready(self) -> None:
        """Fill the pane once its skeleton has been seen: refreshes asked for while starting come before any frame."""
        self.drawn = True
        if isinstance(self.screen, Pane):
            await self.screen.fill()
        if self.tours_at_once:
            self.post_message(TakeTour())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        series = {"series-a": "ansi_cyan", "series-b": "ansi_magenta", "series-c": "ansi_blue", "series-d": "ansi_yellow"}
        return {"rule": "ansi_bright_black", **series}  # for the themes that are not ours

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Be the one door through which the end of every worker comes."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.tell(event.worker.error)
        if event.worker.group == "run" and event.worker.is_finished and not self.conducting():
            self.conducted()

    # -- leaving, help and commands

    async def action_quit(self) -> None:
        self.leave()

    @work(group="leave", exit_on_error=False)
    async def leave(self) -> None:
        """Ask where a run is on its way, then end it and wait until it is gone."""
        if self.leaving:
            return
        self.leaving = True
        unfinished = self.unfinished()
        if unfinished and not await self.confirmed(unfinished):
            self.leaving = False
            return
        if self.conductor.active:
            self.notify("Stopping the worker …", markup=False)
        await asyncio.to_thread(self.close_desk)
        self.exit()

    async def confirmed(self, unfinished: tuple[Unfinished, ...]) -> bool:
        from heartbeat_tui.widgets.dialogs import Confirm

        question = f"Leave while {' and '.join(each.what for each in unfinished)}?"
        yes = "Stop and leave" if self.conductor.active else "Leave"
        return await self.push_screen_wait(Confirm(question, "\n".join(each.then for each in unfinished), yes, "Stay")) is True

    async def on_unmount(self) -> None:
        await asyncio.to_thread(self.close_desk)

    async def action_help(self) -> None:
        from heartbeat_tui.widgets.help import Help, key_rows

        await self.push_screen(Help(key_rows(self, self.screen.active_bindings.values()), self.current_mode))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the panes there are, and the settings where they came from a file."""
        if action == "settings":
            return self.settings is not None and not isinstance(self.screen, ModalScreen)
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
