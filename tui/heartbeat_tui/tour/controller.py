"""The tour: its guide stands in the Heartbeat pane, and its runs are the pane's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from heartbeat_core.benchmark.backends import tpu_backend
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.controller import BeatDesk

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.run import Source
    from heartbeat_core.tour.tour import Tour
    from heartbeat_tui.benchmark.snapshot import Snapshot
    from heartbeat_tui.tour.guide import Guide

INSTALL = (sys.executable, "-m", "heartbeat_tui", "backend", "install", tpu_backend().name)


class TourDesk(BeatDesk):
    """``missing`` says why a backend cannot run here; ``play`` replays the recording of a step."""

    tour: Tour | None = None
    guide: Guide | None = None
    plan_before: BenchmarkConfig | None = None
    missing: Callable[[str], str] | None = None
    play: Callable[[Path], Source] | None = None
    tours_at_once = False

    def open_tour(self, lacks: Callable[[str], str], play: Callable[[Path], Source], *, at_once: bool = False) -> None:
        self.missing, self.play, self.tours_at_once = lacks, play, at_once

    async def on_take_tour(self) -> None:
        """Open the tour at its first step; one that is open goes on."""
        from heartbeat_core.tour.tour import Tour
        from heartbeat_tui.tour.guide import Guide

        await self.switch_mode("heartbeat")
        if self.tour is None:
            self.tour, self.plan_before = Tour(), self.pane.config
            self.guide = Guide(self.tour)
            await self.arrive()
            await self.pane.guide_with(self.guide)

    async def arrive(self) -> None:
        """Show the step that was gone to: its plan in the pane, and no run."""
        assert self.tour is not None
        step = self.tour.step
        self.conductor.stop()
        self.tour.lacks = self.missing(step.plan.backend) if step.plan is not None and self.missing is not None else ""
        if step.plan is not None:
            self.pane.show_plan(step.plan)
        self.conductor.clear()
        self.pane.show(None)
        await self.show_guide()

    async def show_guide(self) -> None:
        if self.guide is not None and self.guide.is_mounted:
            await self.guide.show()

    def seen(self, snapshot: Snapshot) -> None:
        super().seen(snapshot)
        if self.tour is not None and self.tour.took(snapshot.report):
            self.call_later(self.show_guide)

    async def on_guide_led(self, event: Guide.Led) -> None:
        event.stop()
        if self.tour is None:
            return
        if event.way == "leave" or (event.way == "next" and self.tour.phase == "after" and self.tour.last):
            await self.end_tour()
        elif event.way == "replay":
            self.replay_step()
        elif event.way == "install":
            self.install()
            await self.arrive()
        elif event.way == "next" and self.tour.phase == "before" and not self.tour.lacks:
            self.pane.action_begin()
        elif not self.conductor.active:
            self.tour.go(1 if event.way == "next" else -1)
            await self.arrive()

    def replay_step(self) -> None:
        assert self.tour is not None
        recording, play = self.tour.step.recording, self.play
        if recording is not None and play is not None:
            self.pane.wait_for_run(True)
            self.conduct(partial(self.conductor.adopt, lambda: play(recording)))

    def install(self) -> None:
        """Step aside for the installer, which says the size and asks."""
        try:
            self.step_aside(INSTALL, os.environ)
        except (HeartbeatError, SuspendNotSupported) as error:
            self.tell(error)

    async def end_tour(self) -> None:
        """Leave the guide; a run on its way goes on."""
        self.tour = self.guide = None
        if self.plan_before is not None:
            self.pane.show_plan(self.plan_before)
        await self.pane.guide_with(None)
