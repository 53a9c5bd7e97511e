"""The run: owned here, told to the Heartbeat pane in snapshots."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from textual import work
from textual.timer import Timer

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.pane import HeartbeatPane
from heartbeat_tui.benchmark.session import BenchmarkSession
from heartbeat_tui.controller import Desk, Unfinished

if TYPE_CHECKING:
    from heartbeat_core.benchmark.run import Source
    from heartbeat_tui.benchmark.snapshot import BeatOn, Begin, BeginSweep, CompareClocks, ShowHost, Snapshot, StopRun

STOPPED = "It is stopped; what it has measured is kept."
TICK_S = 0.125
FRAME_S = 0.25  # charts are drawn at most so often while measuring
SLOW_BEAT_S, SLOW_FRAME_S = 0.1, 0.375  # a frame falls into less than half of the beats up to 0.18 s: the median is of the others


class BeatDesk(Desk):
    """``begin`` starts a run, ``replay`` opens a recording; both may raise HeartbeatError and are called in a thread."""

    pane: HeartbeatPane
    conductor: BenchmarkSession
    replay: Callable[[], Source] | None
    timer: Timer
    tidied = False  # since the run began
    # Has runs go to a TPU VM from now on, or stay here where there is none; gives what to call it, and the backend for it.
    go_to: Callable[[BeatOn | None], tuple[str, str]] | None = None

    def open_beat(self, pane: HeartbeatPane, begin: Callable[..., Source], replay: Callable[[], Source] | None) -> None:
        self.conductor = BenchmarkSession(begin)
        self.replay = replay
        self.pane = self.prepared(pane)
        self.add_mode("heartbeat", lambda: self.pane)

    def watch_beat(self) -> None:
        self.timer = self.set_interval(TICK_S, self.look, pause=True)

    def look(self) -> None:
        """Show the pane what is new; rest when there is nothing to come."""
        if self.conductor.over():
            self.run_ended()
        if self.conductor.due:
            if not self.conductor.changing.locked():  # who is at it already may wait for a connection
                self.conduct(self.conductor.follow)
            return
        if not self.pane.awake or self.pane.waiting or self.conductor.resting:
            return
        started = monotonic()
        self.pane.turn_heart(started)
        snapshot = self.conductor.snapshot()
        if snapshot is not None:
            self.pane.show(snapshot)
            self.seen(snapshot)
            self.tidy(snapshot)
        elif self.conductor.settled:
            self.timer.pause()
        took = monotonic() - started
        self.conductor.looked(took, max(0.0, self.frame_s - TICK_S / 2 - took))

    def look_at_once(self) -> None:
        """Show what a key has changed, however early."""
        self.conductor.not_before = 0.0
        self.look()

    @property
    def frame_s(self) -> float:
        """Give how far apart frames are, in seconds."""
        beat_ns = self.pane.snapshot.report.iteration_ns if self.pane.snapshot else None
        return SLOW_FRAME_S if beat_ns and beat_ns > 1e9 * SLOW_BEAT_S else FRAME_S

    def seen(self, snapshot: Snapshot) -> None:
        """Let other desks act on what is new of a run."""

    def tidy(self, snapshot: Snapshot) -> None:
        """Leave what is there once a run beats out of later collections: one of everything keeps a key waiting for 70 ms."""
        state = snapshot.report.state
        if state == "beating" and not self.tidied and not self.is_headless:
            gc.unfreeze()  # a run and its watchdog name each other: frozen, those before would stay for ever
            gc.collect()
            gc.freeze()
        self.tidied = state == "beating" or (self.tidied and state == "paused")

    def run_ended(self) -> None:
        """Do what is due when a run has ended, whichever pane is shown."""

    def on_begin(self, event: Begin) -> None:
        self.lower_priority()
        if self.replay is not None:
            self.conduct(partial(self.conductor.adopt, self.replay))
        else:
            self.conduct(partial(self.conductor.start, event.config))

    def on_compare_clocks(self, event: CompareClocks) -> None:
        self.lower_priority()
        self.conduct(partial(self.conductor.compare, event.config))

    def on_begin_sweep(self, event: BeginSweep) -> None:
        self.lower_priority()
        self.conduct(partial(self.conductor.sweep, event.config, event.axes))

    async def on_beat_on(self, event: BeatOn) -> None:
        """Go to the Heartbeat pane, and start to beat there; a run that is on its way is asked about first."""
        if self.conductor.active or self.pane.waiting:
            self.beat_instead(event)
        else:
            await self.beat_there(event)

    @work(group="questions", exit_on_error=False)
    async def beat_instead(self, event: BeatOn) -> None:
        from heartbeat_tui.widgets.dialogs import Confirm

        question = Confirm(f"A run is on its way. Beat on {event.node.id} instead?", STOPPED, "Stop it and beat there", "Let it beat")
        if await self.push_screen_wait(question):
            await self.beat_there(event)

    async def beat_there(self, event: BeatOn) -> None:
        if await self.gone_to(event):
            await self.switch_mode("heartbeat")
            await self.pane.close_form()
            self.clear_run()
            self.pane.action_begin()

    async def on_beat_here(self) -> None:
        if await self.gone_to(None):
            self.clear_run()

    async def gone_to(self, event: BeatOn | None) -> bool:
        """Have runs go there; tell whether they will. In a thread: it may look around first."""
        if self.go_to is None:
            return False
        try:
            label, backend = await asyncio.to_thread(self.go_to, event)
        except HeartbeatError as error:
            self.tell(error)
            return False
        self.replay = None
        self.pane.beat_at(label, backend)
        return True

    def on_show_host(self, event: ShowHost) -> None:
        self.conductor.show_host(event.step)
        self.timer.resume()
        self.look()

    def on_pause_run(self) -> None:
        self.conductor.pause()
        self.look_at_once()

    def on_resume_run(self) -> None:
        self.conductor.resume()
        self.look_at_once()

    def on_stop_run(self, event: StopRun) -> None:
        self.conductor.stop(at_once=event.at_once)
        self.look_at_once()

    def on_clear_run(self) -> None:
        self.clear_run()

    def clear_run(self) -> None:
        """Forget a run that has ended. No handler, for what is called by such a name here is another desk's of the same name."""
        self.conductor.clear()
        self.pane.show(None)

    @work(thread=True, group="run", exit_on_error=False)
    def conduct(self, change: Callable[[], None]) -> None:
        """Start or change the run in a thread: both wait for processes."""
        change()

    def conducting(self) -> bool:
        """Tell whether a run is being started or changed."""
        return any(worker.group == "run" and not worker.is_finished for worker in self.workers)

    def conducted(self) -> None:
        """Look at what has come of that."""
        self.pane.wait_for_run(False)
        self.timer.resume()
        self.look()

    def lower_priority(self) -> None:
        """Let the beat go first on the cores; a test has none to give way to."""
        if not self.is_headless:
            from heartbeat_core.benchmark.process import lower_priority

            lower_priority()

    def unfinished(self) -> tuple[Unfinished, ...]:
        run = Unfinished("a run is on its way", STOPPED)
        return (*([run] if self.conductor.active else []), *super().unfinished())

    def close_desk(self) -> None:
        self.conductor.close()
        super().close_desk()
