"""Opens the screen on a launcher: the one place that knows both the engine's and the terminal's side of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.protocol import Label
    from heartbeat_core.benchmark.run import Source
    from heartbeat_core.launcher import Launcher
    from heartbeat_tui.benchmark.snapshot import BeatOn
    from heartbeat_tui.checks.monitor import CheckMonitor
    from heartbeat_tui.runs.library import RunLibrary
    from heartbeat_tui.vms.monitor import InventoryMonitor


def open_screen(launcher: Launcher, plan: BenchmarkConfig, **options: Any) -> None:
    """Run the app until it is left; the options, and what is raised, are those of ``make_app``."""
    with make_app(launcher, plan, **options) as app:
        app.run()


@contextmanager
def make_app(
    launcher: Launcher,
    plan: BenchmarkConfig,
    *,
    start: bool = False,
    replay: Callable[[], Source] | None = None,
    flags: Mapping[str, str | None] | None = None,
    demo: str | None = None,
    tour: bool = False,
) -> Iterator[HeartbeatApp]:
    """Make the app, and end what stands behind it; ``flags`` name parts of the target, ``demo`` a scenario to try things in.

    Raise HeartbeatError where there is no such scenario, or no server for it.
    """
    if demo is not None:  # said before the screen opens, not on it
        from heartbeat_core.emulator.process import require_server
        from heartbeat_core.emulator.scenario import load_scenario

        load_scenario(demo)
        require_server()
    chosen, cloud = launcher.settings.screen, launcher.settings.cloud
    aimed = demo is not None or bool((flags or {}).get("project") or cloud.project)

    stack = ExitStack()  # of what is made on the way

    def checkup() -> CheckMonitor:
        from heartbeat_tui.checks.monitor import CheckMonitor, RunnerFactory

        surveyor = RunnerFactory(launcher.settings, flags or {}, demo=demo)
        stack.callback(surveyor.close)
        return CheckMonitor(surveyor)

    def fleet() -> InventoryMonitor:
        from heartbeat_tui.vms.monitor import InventoryMonitor

        own = app.open_checkup()
        return InventoryMonitor(lambda: own.open().environment, own.offers)

    def play(path: Path) -> Source:
        return launcher.replay(path).start()

    def archive() -> RunLibrary:
        from heartbeat_tui.runs.library import RunLibrary

        return RunLibrary(launcher.index, launcher.ceilings, play, saving=launcher.settings.recordings.save)

    def begin(plan: BenchmarkConfig, label: Label | None = None) -> Source:
        return launcher.begin(plan, label)

    def go_to(event: BeatOn | None) -> tuple[str, str]:
        launcher.give_up()  # what still connects could not be reached any more
        if event is None:
            launcher.destination = None
            return "", launcher.backend()
        from heartbeat_core.remote.hosts import destination_of

        environment, remote = app.open_checkup().open().environment, launcher.settings.remote
        launcher.destination = destination_of(
            event.node, event.project, event.worker, environment.open_session, environment.endpoint, remote
        )
        return launcher.destination.label, launcher.backend()

    app = HeartbeatApp(
        plan,
        begin,
        start=start,
        replay=replay,
        checkup=checkup,
        fleet=fleet,
        archive=archive,
        mode="readiness" if aimed and not start and replay is None and launcher.destination is None else "heartbeat",
        banner=() if demo is None else (f"DEMO: emulated, scenario {demo}",),
        theme=chosen.theme,
        reduced_motion=chosen.reduced_motion,
    )
    app.go_to, app.remote = go_to, launcher.settings.remote
    app.conductor.give_up = launcher.give_up
    app.settings = launcher.settings
    app.pane.newcomer = not (aimed or launcher.settings.sources or any(launcher.recordings().glob("*.jsonl")))
    if launcher.destination is not None:
        app.pane.where = launcher.destination.label
    app.open_tour(launcher.lacks, play, at_once=tour)
    with stack:
        yield app
