"""The app: its panes and their controllers, global keys, themes, errors, and leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import work
from textual._styles_cache import StylesCache
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import RemoteSettings, Settings
from heartbeat_tui.benchmark.controller import BenchmarkController
from heartbeat_tui.benchmark.pane import HeartbeatPane
from heartbeat_tui.controller import BenchmarkOn, Controller, StateChanged, TakeTour, Unfinished, report_error
from heartbeat_tui.theme import DARK, THEMES
from heartbeat_tui.widgets.pane import Pane, PaneContext

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.run import Source
    from heartbeat_tui.checks.controller import ChecksController
    from heartbeat_tui.checks.monitor import CheckMonitor
    from heartbeat_tui.runs.controller import RunsController
    from heartbeat_tui.runs.library import RunLibrary
    from heartbeat_tui.settings_screen import SettingsController
    from heartbeat_tui.tour.controller import TourController
    from heartbeat_tui.vms.controller import VmsController
    from heartbeat_tui.vms.monitor import InventoryMonitor

# key, title, mode
PANES: tuple[tuple[str, str, str], ...] = (
    ("1", "Readiness", "readiness"),
    ("2", "TPU VMs", "vms"),
    ("3", "Heartbeat", "heartbeat"),
    ("4", "Runs", "runs"),
)
MOST_THREADS = 256  # made as they are needed
LEAVE = "end the run, if one is on its way, and leave"

C = TypeVar("C", bound=Controller)


def forget_removed_widgets() -> None:
    """Let Textual cache two colours of a widget by the colours alone, once.

    8.2.8 caches them by the widget's lines too, and so keeps up to 1,024 removed widgets: 60 MiB (its issue 6665).
    """
    if plain := getattr(StylesCache.get_inner_outer, "__wrapped__", None):
        inner_outer = lru_cache(1024)(partial(plain, None))
        StylesCache.get_inner_outer = lambda _lines, *colors: inner_outer(*colors)  # type: ignore[assignment, method-assign]


class HeartbeatApp(App[None]):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread.

    Without ``check_monitor`` there is no Readiness pane, without ``inventory_monitor`` none of the TPU VMs, without ``run_library``
    none of the runs. Their controllers are made when they are first needed: the first frame does without their imports. ``banner``
    is shown at all times.
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
        Binding("question_mark,f1", "help", "Help", tooltip="explain the keys and words", id="app.help"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", tooltip=LEAVE, show=False, priority=True, id="app.quit-now"),
        Binding("q", "quit", "Quit", tooltip=LEAVE, id="app.quit"),
    ]

    # Set by ``bootstrap``: the settings it was started with, how TPU VMs are reached, why a backend cannot run here (empty
    # where it can), and what plays a recording.
    settings: Settings | None = None
    remote = RemoteSettings()
    backend_problem: Callable[[str], str] = staticmethod(lambda _: "")
    play: Callable[[Path], Source] | None = None
    begins_with_tour = False

    def __init__(  # noqa: PLR0913  # what the screen is made from, each by its name
        self,
        config: BenchmarkConfig,
        begin: Callable[..., Source],
        *,
        start: bool = False,
        replay: Callable[[], Source] | None = None,
        check_monitor: Callable[[], CheckMonitor] | None = None,
        inventory_monitor: Callable[[], InventoryMonitor] | None = None,
        run_library: Callable[[], RunLibrary] | None = None,
        mode: str = "heartbeat",
        banner: tuple[str, ...] = (),
        theme: str = "",
        reduced_motion: bool = False,
    ) -> None:
        forget_removed_widgets()
        self.DEFAULT_MODE = mode  # type: ignore[misc]  # a constant to Textual, a choice to us
        super().__init__()
        self.check_monitor, self.inventory_monitor, self.run_library = check_monitor, inventory_monitor, run_library
        self.begins_with_run = start or replay is not None
        self.chosen_theme = theme
        self.leaving = False
        self.controllers: list[Controller] = []  # those made so far
        monitors = {"readiness": check_monitor, "vms": inventory_monitor, "heartbeat": begin, "runs": run_library}
        offered = tuple(pane for pane in PANES if monitors[pane[2]] is not None)
        self.context = PaneContext(offered, banner)
        self.benchmark = self.keep(BenchmarkController(self, begin, replay))
        self.context.progress = self.benchmark.progress_text
        self.heartbeat_pane = HeartbeatPane(self.context, config, self.benchmark)
        for _, _, name in offered:
            self.add_mode(name, partial(self.make_pane, name))
        if reduced_motion:
            self.animation_level = "none"
        for own in THEMES:
            self.register_theme(own)
        self.set_reactive(HeartbeatApp.theme, DARK.name)  # not watched: nothing has a style yet
        if self.chosen_theme in self.available_themes:
            self.theme = self.chosen_theme

    # -- panes and their controllers

    def keep(self, controller: C) -> C:
        self.controllers.append(controller)
        return controller

    def make_pane(self, mode: str) -> Pane:
        """Return the pane of a mode; Textual asks for it once, when it is first shown."""
        if mode == "heartbeat":
            return self.heartbeat_pane
        if mode == "readiness":
            from heartbeat_tui.checks.pane import ReadinessPane

            return ReadinessPane(self.context, self.checks)
        if mode == "vms":
            from heartbeat_tui.vms.pane import VmsPane

            return VmsPane(self.context, self.vms)
        from heartbeat_tui.runs.pane import RunsPane

        return RunsPane(self.context, self.runs)

    @cached_property
    def checks(self) -> ChecksController:
        from heartbeat_tui.checks.controller import ChecksController

        assert self.check_monitor is not None
        return self.keep(ChecksController(self, self.check_monitor()))

    @cached_property
    def vms(self) -> VmsController:
        from heartbeat_tui.vms.controller import VmsController

        assert self.inventory_monitor is not None
        return self.keep(VmsController(self, self.inventory_monitor(), self.remote))

    @cached_property
    def runs(self) -> RunsController:
        from heartbeat_tui.runs.controller import RunsController

        assert self.run_library is not None
        return self.keep(RunsController(self, self.context, self.run_library(), self.benchmark, self.backend_problem))

    @cached_property
    def tour(self) -> TourController:
        from heartbeat_tui.tour.controller import TourController

        return self.keep(TourController(self, self.benchmark, self.backend_problem, self.play))

    @cached_property
    def settings_controller(self) -> SettingsController:
        from heartbeat_tui.settings_screen import SettingsController

        assert self.settings is not None
        return self.keep(SettingsController(self, self.settings))

    # -- starting

    def on_mount(self) -> None:
        # asyncio's own executor has six threads on two cores: many operations on TPU VMs would make everything else wait, leaving too
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="work"))
        if self.chosen_theme and self.theme != self.chosen_theme:
            title = f"there is no theme {self.chosen_theme!r}"
            report_error(self, HeartbeatError(title, "It is set in the settings.", "Press ctrl+p and choose Theme."))
        self.benchmark.watch()
        if self.begins_with_run:
            self.call_after_refresh(self.heartbeat_pane.begin)

    async def on_ready(self) -> None:
        """Fill the pane after its first frame: refreshes requested during the start come before any frame."""
        self.context.drawn = True
        if isinstance(self.screen, Pane):
            await self.screen.fill()
        if self.begins_with_tour:
            self.post_message(TakeTour())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        series = {"series-a": "ansi_cyan", "series-b": "ansi_magenta", "series-c": "ansi_blue", "series-d": "ansi_yellow"}
        return {"rule": "ansi_bright_black", **series}  # for the themes that are not ours

    # -- news, and messages from one feature to another

    async def on_state_changed(self, event: StateChanged) -> None:
        if not self._exit:  # during the exit the widgets are removed one by one
            await event.controller.show_change()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Report the error of a worker, and show the result of a start or change of a run."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            report_error(self, event.worker.error)
        if event.worker.group == "run" and event.worker.is_finished and not self.benchmark.changing and not self._exit:
            self.benchmark.changed()

    async def on_benchmark_on(self, event: BenchmarkOn) -> None:
        await self.benchmark.run_on(event)

    async def action_create_vm(self) -> None:
        """Go to the TPU VMs pane and open the form for a new one."""
        if self.inventory_monitor is not None:
            await self.switch_mode("vms")
            await self.vms.create_when_ready()

    async def on_take_tour(self) -> None:
        await self.tour.open()

    def on_compare_run_made(self) -> None:
        self.runs.compare_run_made()

    # -- leaving

    async def action_quit(self) -> None:
        self.leave()

    @work(group="leave", exit_on_error=False)
    async def leave(self) -> None:
        """Ask if something is unfinished, then close it and wait for its end."""
        if self.leaving:
            return
        self.leaving = True
        unfinished = tuple(each for controller in self.controllers for each in controller.unfinished())
        if unfinished and not await self.confirmed(unfinished):
            self.leaving = False
            return
        if self.benchmark.session.active:
            self.notify("Stopping the worker …", markup=False)
        await asyncio.to_thread(self.close_controllers)
        self.exit()

    async def confirmed(self, unfinished: tuple[Unfinished, ...]) -> bool:
        from heartbeat_tui.widgets.dialogs import Confirm

        question = f"Leave while {' and '.join(each.what for each in unfinished)}?"
        yes = "Stop and leave" if self.benchmark.session.active else "Leave"
        return await self.push_screen_wait(Confirm(question, "\n".join(each.then for each in unfinished), yes, "Cancel")) is True

    def close_controllers(self) -> None:
        """Close what the controllers own, and wait for its end; called in a thread."""
        for controller in self.controllers:
            controller.close()

    async def on_unmount(self) -> None:
        await asyncio.to_thread(self.close_controllers)

    def notify(self, message: str, **options: Any) -> None:
        """Show a notification, unless the same one is on the screen."""
        if all(shown.message != message for shown in self._notifications):
            super().notify(message, **options)

    # -- keys and commands

    async def action_help(self) -> None:
        from heartbeat_tui.widgets.help import Help, key_rows

        await self.push_screen(Help(key_rows(self, self.screen.active_bindings.values()), self.current_mode))

    async def action_settings(self) -> None:
        await self.settings_controller.open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the panes there are, and the settings where they came from a file."""
        if action == "settings":
            return self.settings is not None and not isinstance(self.screen, ModalScreen)
        return action != "switch_mode" or bool(parameters and parameters[0] in self._modes)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield what the keys of the screen can do now, and the themes."""
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id and binding.action not in seen:
                seen.add(binding.action)
                key = self.get_key_display(binding)
                act = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(f"{binding.description} ({key})", binding.tooltip, act)
        yield SystemCommand("Theme", "dark, light, and Textual's own", self.action_change_theme)
