"""Opens the screen on a launcher: the one place that knows both the engine's and the terminal's side of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from heartbeat_tui.app import HeartbeatApp

if TYPE_CHECKING:
    from heartbeat_core.beat.plan import Plan
    from heartbeat_core.beat.source import Source
    from heartbeat_core.launch import Launcher


def open_screen(launcher: Launcher, plan: Plan, *, start: bool = False, replay: Callable[[], Source] | None = None) -> None:
    """Run the app until it is left."""
    chosen = launcher.settings.screen

    def begin(plan: Plan) -> Source:
        return launcher.start(launcher.with_ceiling(plan))

    HeartbeatApp(plan, begin, start=start, replay=replay, theme=chosen.theme, reduced_motion=chosen.reduced_motion).run()
