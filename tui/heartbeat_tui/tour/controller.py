"""The controller of the tour: the guide is part of the Heartbeat pane, which runs the steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.backends import tpu_backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Source
from heartbeat_core.tour.tour import Tour
from heartbeat_tui.controller import Controller
from heartbeat_tui.tour.guide import Guide

if TYPE_CHECKING:
    from textual.app import App

    from heartbeat_tui.benchmark.controller import BenchmarkController
    from heartbeat_tui.benchmark.session import Snapshot

INSTALL = (sys.executable, "-m", "heartbeat_tui", "backend", "install", tpu_backend().name)


class TourController(Controller):
    """``backend_problem`` says why a backend cannot run here; ``play`` replays the recording of a step, where there is one."""

    tour: Tour | None = None
    guide: Guide | None = None
    config_before: BenchmarkConfig | None = None

    def __init__(
        self,
        app: App[None],
        benchmark: BenchmarkController,
        backend_problem: Callable[[str], str],
        play: Callable[[Path], Source] | None,
    ) -> None:
        super().__init__(app)
        self.benchmark, self.backend_problem, self.play = benchmark, backend_problem, play
        benchmark.on_snapshot.append(self.see)

    async def open(self) -> None:
        """Open the tour at its first step; one that is open goes on."""
        await self.app.switch_mode("heartbeat")
        if self.tour is None:
            self.tour, self.config_before = Tour(), self.benchmark.view.config
            self.guide = Guide(self.tour, self.lead)
            await self.arrive()
            await self.benchmark.view.guide_with(self.guide)

    async def arrive(self) -> None:
        """Show the present step: its config in the pane, and no run."""
        assert self.tour is not None
        config = self.tour.step.config
        self.benchmark.session.stop()
        self.tour.lacks = self.backend_problem(config.backend) if config is not None else ""
        self.benchmark.view.reset_view()
        if config is not None:
            self.benchmark.view.show_config(config)
        self.benchmark.clear()
        await self.show_guide()

    async def show_guide(self) -> None:
        if self.guide is not None and self.guide.is_mounted:
            await self.guide.show()

    def see(self, snapshot: Snapshot) -> None:
        if self.tour is not None and self.tour.apply(snapshot.report):
            self.app.call_later(self.show_guide)

    async def lead(self, way: str) -> None:
        """Do what a key of the guide asks for: next, back, replay, install or leave."""
        if self.tour is None:
            return
        if way == "leave" or (way == "next" and self.tour.phase == "after" and self.tour.last):
            await self.end()
        elif way == "replay":
            recording, play = self.tour.step.recording, self.play
            if recording is not None and play is not None:
                self.benchmark.play(lambda: play(recording))
        elif way == "install":
            self.run_in_terminal(INSTALL, os.environ)  # the installer says the size and asks
            await self.arrive()
        elif way == "next" and self.tour.phase == "before" and not self.tour.lacks:
            self.benchmark.view.begin()
        elif not self.benchmark.session.active:
            self.tour.go(1 if way == "next" else -1)
            await self.arrive()

    async def end(self) -> None:
        """Leave the guide; a run on its way goes on."""
        self.tour = self.guide = None
        if self.config_before is not None:
            self.benchmark.view.show_config(self.config_before)
        await self.benchmark.view.guide_with(None)
