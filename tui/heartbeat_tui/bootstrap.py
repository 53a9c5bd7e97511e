"""Makes the app from a launcher: connects the engine with the monitors and controllers of the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.run import Source
    from heartbeat_core.launcher import Launcher
    from heartbeat_tui.checks.monitor import CheckMonitor
    from heartbeat_tui.controller import BenchmarkOn
    from heartbeat_tui.runs.library import RunLibrary
    from heartbeat_tui.vms.monitor import InventoryMonitor


def open_screen(launcher: Launcher, config: BenchmarkConfig, *, instead: str, **options: Any) -> int:
    """Run the app until it is left, and return its exit code; options and errors are those of ``make_app``.

    Raise HeartbeatError without a terminal; it names the command ``instead`` that does the same without the screen.
    """
    with make_app(launcher, config, **options) as app:
        require_terminal(instead)
        app.run()
        return app.return_code or 0


def require_terminal(instead: str) -> None:
    # Textual reads keys from the one and draws on the other
    missing = [name for name, stream in (("stdin", sys.__stdin__), ("stderr", sys.__stderr__)) if stream is None or not stream.isatty()]
    if missing or os.environ.get("TERM") == "dumb":
        cause = f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} not a terminal." if missing else "TERM is dumb."
        raise HeartbeatError("the screen needs a terminal", cause, f"Without a screen: {instead}")


@contextmanager
def make_app(
    launcher: Launcher,
    config: BenchmarkConfig,
    *,
    start: bool = False,
    replay: Callable[[], Source] | None = None,
    project: str | None = None,
    demo: str | None = None,
    tour: bool = False,
) -> Iterator[HeartbeatApp]:
    """Make the app, and close what it uses; ``project`` is the one to check, ``demo`` names a scenario of the emulator.

    Raise HeartbeatError where there is no such scenario, or no server for it.
    """
    if demo is not None:  # printed before the screen opens
        from heartbeat_core.emulator.process import require_server
        from heartbeat_core.emulator.scenario import load_scenario

        load_scenario(demo)
        require_server()
    chosen, cloud = launcher.settings.screen, launcher.settings.cloud
    aimed = demo is not None or bool(project or cloud.project)

    stack = ExitStack()  # of what has to be closed

    def check_monitor() -> CheckMonitor:
        from heartbeat_tui.checks.monitor import CheckMonitor, RunnerFactory

        make_runner = RunnerFactory(launcher.settings, {"project": project}, demo=demo)
        stack.callback(make_runner.close)
        return CheckMonitor(make_runner)

    def inventory_monitor() -> InventoryMonitor:
        from heartbeat_tui.vms.monitor import InventoryMonitor

        checks = app.checks.monitor
        return InventoryMonitor(lambda: checks.open().environment, checks.offers)

    def play(path: Path) -> Source:
        return launcher.replay(path).start()

    def run_library() -> RunLibrary:
        from heartbeat_tui.runs.library import RunLibrary

        return RunLibrary(launcher.index, launcher.peak_cache, play, saving=launcher.settings.recordings.save)

    def choose_target(event: BenchmarkOn | None) -> tuple[str, str]:
        launcher.give_up()  # a connection that is still being made cannot be closed in another way
        if event is None:
            launcher.destination = None
            return "", launcher.backend()
        from heartbeat_core.remote.hosts import destination_of

        environment, remote = app.checks.monitor.open().environment, launcher.settings.remote
        launcher.destination = destination_of(event.node, event.project, None, environment.open_session, environment.endpoint, remote)
        return launcher.destination.label, launcher.backend()

    app = HeartbeatApp(
        config,
        launcher.begin,
        start=start,
        replay=replay,
        check_monitor=check_monitor,
        inventory_monitor=inventory_monitor,
        run_library=run_library,
        mode="readiness" if aimed and not start and replay is None and launcher.destination is None else "heartbeat",
        banner=() if demo is None else (f"DEMO: emulated, scenario {demo}",),
        theme=chosen.theme,
        reduced_motion=chosen.reduced_motion,
    )
    app.settings, app.remote = launcher.settings, launcher.settings.remote
    app.backend_problem, app.play, app.begins_with_tour = launcher.lacks, play, tour
    app.benchmark.limits = launcher.limits
    app.benchmark.choose_target, app.benchmark.session.give_up = choose_target, launcher.give_up
    app.heartbeat_pane.newcomer = not (aimed or launcher.settings.sources or any(launcher.recordings().glob("*.jsonl")))
    if launcher.destination is not None:
        app.heartbeat_pane.target = launcher.destination.label
    with stack:
        yield app
