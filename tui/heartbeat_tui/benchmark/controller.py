"""Starts, changes and ends the run of the Heartbeat pane, and shows it to the pane frame by frame."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from time import monotonic, thread_time
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.launcher import MachineLimits
from heartbeat_tui.benchmark.session import BenchmarkSession, Snapshot
from heartbeat_tui.controller import BenchmarkOn, Controller, Unfinished

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.parameters import Parameter
    from heartbeat_core.benchmark.run import Source
    from heartbeat_tui.benchmark.pane import HeartbeatPane

STOPPED = "It is stopped; what it has measured is kept."
TICK_S = 0.125
FRAME_S = 0.25  # charts are drawn at most so often while measuring
FRAMES_SHARE, LONGEST_FRAME_S = 0.04, 1.0  # of a core that frames may take from a run on it, in time of the processor
# A frame falls into less than half of the iterations up to 0.18 s: the median is of the others.
SLOW_ITERATION_S, SLOW_FRAME_S = 0.1, 0.375


class BenchmarkController(Controller):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread.

    The pane enters itself as ``view``. ``on_snapshot`` is called with all that is shown of a run, ``on_end`` when one has ended,
    ``on_started`` when a start has succeeded or failed.
    """

    view: HeartbeatPane
    timer: Timer
    # Has runs go to a TPU VM from now on, or stay here where there is none; returns the label of the target and its backend.
    choose_target: Callable[[BenchmarkOn | None], tuple[str, str]] | None = None
    limits: Callable[[], MachineLimits] = MachineLimits  # of the machine that runs go to

    def __init__(self, app: App[None], begin: Callable[..., Source], replay: Callable[[], Source] | None = None) -> None:
        super().__init__(app)
        self.session = BenchmarkSession(begin)
        self.replay = replay
        self.replay_is_chosen = False  # in the Runs pane: the next clear ends it
        self.collected = False  # garbage, since the run began
        self.iteration_ns: float | None = None  # of the run that is shown
        self.notes_shown: set[str] = set()
        self.on_snapshot: list[Callable[[Snapshot], object]] = []
        self.on_end: list[Callable[[], object]] = []
        self.on_started: list[Callable[[], object]] = []

    # -- showing it

    def progress_text(self) -> str:
        """Return how far the run on its way is, "▶ cpu 63/100  0:04"; empty where there is none."""
        run = self.session.run
        if run is None or not self.session.active:
            return ""
        # the words of a run import its statistics, which the first frame does without
        from heartbeat_tui.benchmark.text import how_far

        report = run.report()
        return f"▶ {report.config.backend} {how_far(report)[1]}"

    def watch(self) -> None:
        """Look at the run from now on, in the rhythm of the frames."""
        self.timer = self.app.set_interval(TICK_S, self.look, pause=True)

    def look(self) -> None:
        """Show the pane what is new; rest when nothing more will come."""
        self.show_notes()
        if self.session.over():
            for act in self.on_end:
                act()
        if self.session.due:
            if not self.session.changing.locked():  # the change under way may wait for a connection
                self.start_thread(self.session.follow, "run")
            return
        if not self.view.awake or self.view.waiting or self.session.resting:
            return
        started, cpu = monotonic(), thread_time()
        self.view.turn_heart(started)
        snapshot = self.session.snapshot()
        if snapshot is not None:
            self.iteration_ns = snapshot.report.iteration_ns
            self.view.show(snapshot)
            for see in self.on_snapshot:
                see(snapshot)
            self.collect_garbage(snapshot)
        elif self.session.settled:
            self.timer.pause()
        self.session.rest(self.frame_s(thread_time() - cpu) - TICK_S / 2 - (monotonic() - started))

    def show_notes(self) -> None:
        """Show at once what goes wrong beside the run, such as a full disk; once, however many runs follow one another."""
        run = self.session.run
        for note in dict.fromkeys(run.notes if run else ()):
            if note not in self.notes_shown:
                self.notes_shown.add(note)
                self.app.notify(note, severity="warning", timeout=10, markup=False)

    def look_now(self) -> None:
        """Show what a key has changed, however early."""
        self.session.not_before = 0.0
        self.look()

    def frame_s(self, cpu_s: float) -> float:
        """Return how far apart frames are that take so much of the processor, in seconds."""
        if self.view.target or self.replay is not None:
            return FRAME_S
        least = SLOW_FRAME_S if self.iteration_ns and self.iteration_ns > 1e9 * SLOW_ITERATION_S else FRAME_S
        return min(LONGEST_FRAME_S, max(least, cpu_s / FRAMES_SHARE))

    def collect_garbage(self, snapshot: Snapshot) -> None:
        """Leave what there is out of later collections once a run measures: one of everything keeps a key waiting for 70 ms."""
        state = snapshot.report.state
        if state == "beating" and not self.collected and not self.app.is_headless:
            gc.unfreeze()  # a run and its watchdog name each other: frozen, those before would stay for ever
            gc.collect()
            gc.freeze()
        self.collected = state == "beating" or (self.collected and state == "paused")

    # -- starting it

    def start(self, config: BenchmarkConfig) -> None:
        """Start a run, or the replay there is; one that is on its way is stopped first."""
        self.begin_run(partial(self.session.start, config) if self.replay is None else partial(self.session.adopt, self.replay))

    def compare(self, config: BenchmarkConfig) -> None:
        self.begin_run(partial(self.session.compare, config))

    def sweep(self, config: BenchmarkConfig, parameters: tuple[Parameter, ...]) -> None:
        self.begin_run(partial(self.session.sweep, config, parameters))

    def play(self, replay: Callable[[], Source]) -> None:
        """Play a recording in the place of a run, once."""
        self.view.wait_for_run(True)
        self.start_thread(partial(self.session.adopt, replay), "run")

    async def play_chosen(self, replay: Callable[[], Source]) -> None:
        """Go to the Heartbeat pane and play a recording there, again and again until it is cleared."""
        self.replay, self.replay_is_chosen = replay, True
        self.view.replaying = True
        await self.app.switch_mode("heartbeat")
        self.view.begin()

    async def start_from(self, config: BenchmarkConfig) -> None:
        self.clear()
        await self.app.switch_mode("heartbeat")
        self.view.config = config
        self.view.begin()

    def begin_run(self, begin: Callable[[], None]) -> None:
        """Let the benchmark go first on the cores, and begin in a thread: it waits for processes. A test has none to give way to."""
        if not self.app.is_headless:
            from heartbeat_core.benchmark.process import lower_priority

            lower_priority()
        self.start_thread(begin, "run")

    @property
    def changing(self) -> bool:
        return any(worker.group == "run" and not worker.is_finished for worker in self.app.workers)

    def changed(self) -> None:
        self.view.wait_for_run(False)
        self.timer.resume()
        self.look()
        for act in self.on_started:
            act()

    # -- changing it

    def pause(self) -> None:
        if self.session.run is not None:
            self.session.run.pause()
        self.look_now()

    def resume(self) -> None:
        if self.session.run is not None:
            self.session.run.resume()
        self.look_now()

    def stop(self, *, at_once: bool = False) -> None:
        """End the run after the iteration under way, or ``at_once``; its samples stay."""
        self.session.stop(at_once=at_once)
        self.look_now()

    def clear(self) -> None:
        """Forget a run that has ended, and the replay that was chosen for it."""
        if self.replay_is_chosen:
            self.replay, self.replay_is_chosen, self.view.replaying = None, False, False
        self.session.clear()
        self.iteration_ns = None
        self.view.show(None)
        self.view.refresh_bindings()

    def open_host(self, id_: str | None, step: int = 0) -> None:
        """Show one of several hosts, or one ``step`` further than it; None: all of them together again."""
        from heartbeat_core.fleet.multi_host import FleetRun

        if isinstance(self.session.run, FleetRun):
            self.session.run.open_host(id_, step)
        self.timer.resume()
        self.look_now()

    # -- where it runs

    async def run_on(self, event: BenchmarkOn) -> None:
        """Go to the Heartbeat pane and start on a TPU VM; ask first where a run is on its way."""
        if self.session.active or self.view.waiting:
            self.start_task(self.run_instead(event), "questions")
        else:
            await self.run_there(event)

    async def run_instead(self, event: BenchmarkOn) -> None:
        from heartbeat_tui.widgets.dialogs import Confirm

        question = Confirm(f"A run is on its way. Run on {event.node.id} instead?", STOPPED, "Stop it and run there", "Cancel")
        if await self.app.push_screen_wait(question):
            await self.run_there(event)

    async def run_there(self, event: BenchmarkOn) -> None:
        if await self.go_to(event):
            await self.app.switch_mode("heartbeat")
            await self.view.close_form()
            self.clear()
            self.view.begin()

    async def run_here(self) -> None:
        """Let runs stay on this machine again."""
        if await self.go_to(None):
            self.clear()

    async def go_to(self, event: BenchmarkOn | None) -> bool:
        """Let runs go there; return whether they will. In a thread: the environment may have to be detected first."""
        if self.choose_target is None:
            return False
        try:
            label, backend = await asyncio.to_thread(self.choose_target, event)
        except HeartbeatError as error:
            self.report(error)
            return False
        self.replay = None
        self.view.show_target(label, backend)
        return True

    # -- leaving

    def unfinished(self) -> tuple[Unfinished, ...]:
        return (Unfinished("a run is on its way", STOPPED),) if self.session.active else ()

    def close(self) -> None:
        self.session.close()
