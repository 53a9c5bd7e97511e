"""The Heartbeat pane: one run, live."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_tui.benchmark.snapshot import (
    BeatHere,
    Begin,
    BeginSweep,
    ClearRun,
    CompareClocks,
    PauseRun,
    ResumeRun,
    ShowHost,
    Snapshot,
    StopRun,
    TakeTour,
)
from heartbeat_tui.widgets.pane import ChartPane, chart_keys, pane_key

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.body import RunBody
    from heartbeat_tui.benchmark.header import Front
    from heartbeat_tui.benchmark.sweep_view import SweepBody
    from heartbeat_tui.tour.guide import Guide
    from heartbeat_tui.widgets.form import Form

PATIENCE_S = 1.0  # before a run that is to stop may be ended without its proof: a key pressed twice must not

key = partial(pane_key, "heartbeat")


class HeartbeatPane(ChartPane):
    """Draws the snapshots it is shown, and asks the app for what its keys mean."""

    SPARE: ClassVar[tuple[str, ...]] = ("clear", "sweep", "versus", "tour", "linear", "log", "zoom", "unzoom")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("space", "begin", "Start", "start a run as planned"),
        key("enter", "begin_too", "Start", "start a run as planned", show=False),
        key("space", "pause", "Pause", "pause the run after this beat"),
        key("space", "resume", "Resume", "go on with the run"),
        key("s", "stop", "Stop", "end the run after this beat and keep its samples"),
        key("s", "stop_at_once", "End now", "wait neither for this beat nor for the proof; the samples stay"),
        key("r", "again", "Again", "the same again: the run, both clocks or the whole sweep"),
        key("e", "edit", "Config", "change the config"),
        key("m", "compare", "Clocks", "the handbook's clock beside the honest one, on the same work"),
        key("w", "sweep", "Sweep", "measure batch after batch, or another axis, up to the knee and beyond"),
        *chart_keys("heartbeat"),
        key("h", "next_host", "Host", "show the charts of the next host"),
        key("o", "here", "Here", "let runs stay on this machine again"),
        key("g", "tour", "Tour", "a guided tour of the handbook's first part, each step run for real"),
        key("y", "copy", "Copy", "copy the figures as text", show=False),
        key("v", "versus", "Compare", "hold this run against the last one of its kind, or the reference chosen in the Runs pane"),
        key("c", "clear", "Clear", "forget this run; its recording stays"),
    ]

    def __init__(self, tabs: Iterable[tuple[str, str, str]], plan: BenchmarkConfig, *, replaying: bool = False) -> None:
        super().__init__(tabs, "heartbeat", classes="-idle")
        self.newcomer = False  # nothing is set and nothing was recorded yet
        self.config, self.replaying = plan, replaying
        self.snapshot: Snapshot | None = None
        self.waiting = False  # asked for a run that has not begun yet
        self.front: Front | None = None
        self.body: RunBody | None = None
        self.sweep_body: SweepBody | None = None
        self.errand: Callable[[], Begin | CompareClocks | BeginSweep] = lambda: Begin(self.config)  # what was asked for last
        self.asked_sweep = False  # what is waited for
        self.swept_before: dict[str, str] | None = None  # what the form of a sweep last said
        self.guide: Guide | None = None
        self.where = ""  # the TPU VM that runs go to, empty for this machine
        self.impatient = False  # it was to stop some time ago

    async def fill(self) -> None:
        """Mount what the skeleton lacks, once that has been seen; the first frame does without these imports."""
        from heartbeat_tui.benchmark.header import Front

        front = Front(newcomer=self.newcomer)
        with self.app.batch_update():
            await self.query_one("#pane").mount(front)
            await self.mount_foot()
            self.front = front
            self.draw()
        self.refresh_bindings()  # the footer waits for these
        if self.state != "idle":
            await self.fill_body()

    async def fill_body(self) -> None:
        """Mount what only a run fills, below what ``fill`` mounts: a run may begin before the pane was ever seen."""
        if self.front is None:
            return
        if self.sweep_shown:
            from heartbeat_tui.benchmark.sweep_view import SweepBody

            if self.sweep_body is None:
                self.sweep_body = SweepBody()
                await self.query_one("#pane").mount(self.sweep_body)
                self.draw()
            return
        from heartbeat_tui.benchmark.body import RunBody

        if self.body is None:
            self.body = body = RunBody()
            await self.query_one("#pane").mount(body)
            self.draw()

    # -- what is shown

    @property
    def state(self) -> str:
        """Name what the run is doing: idle, or a state of its report."""
        if self.waiting or (self.snapshot is not None and self.snapshot.more):
            return "starting"
        if self.snapshot is None:
            return "idle"
        state = self.snapshot.report.state
        if state == "ended" and self.snapshot.going:  # of several hosts, the one that is shown
            return "stopping" if any(host.report.state == "stopping" for host in self.snapshot.hosts) else "beating"
        return state

    def show(self, snapshot: Snapshot | None) -> None:
        """Draw a snapshot, or that there is no run."""
        before = self.state, self.clocks_shown, self.sweep_shown, self.hosts_shown
        self.snapshot = snapshot
        if (self.state, self.clocks_shown, self.sweep_shown, self.hosts_shown) != before:
            self.refresh_state()
        else:
            self.draw()

    def wait_for_run(self, waiting: bool) -> None:
        self.waiting, self.impatient = waiting, False
        self.asked_sweep = self.asked_sweep and waiting
        self.refresh_state()

    def beat_at(self, where: str, backend: str) -> None:
        """Show where runs go from now on, empty for this machine; what holds there is planned for."""
        self.where, self.replaying = where, False
        self.config = replace(self.config, backend=backend)
        if self.is_mounted:
            self.refresh_state()

    def show_plan(self, plan: BenchmarkConfig) -> None:
        self.config, self.errand = plan, lambda: Begin(self.config)
        self.draw()

    @property
    def hosts_shown(self) -> bool:
        return self.snapshot is not None and bool(self.snapshot.hosts)

    @property
    def clocks_shown(self) -> bool:
        return self.snapshot is not None and self.snapshot.clocks is not None

    @property
    def sweep_shown(self) -> bool:
        return self.asked_sweep if self.waiting else self.snapshot is not None and self.snapshot.swept is not None

    def refresh_state(self) -> None:
        """Lay out what belongs to the state of the run, then draw."""
        self.set_class(self.state == "idle", "-idle")
        self.set_class(self.clocks_shown, "-clocks")
        self.set_class(self.hosts_shown, "-hosts")
        self.set_class(self.sweep_shown, "-sweep")
        self.refresh_bindings()
        if self.state != "idle":
            self.call_later(self.fill_body)
        self.draw()

    def draw(self) -> None:
        """Give every widget that is there what it shows."""
        report = self.snapshot.report if self.snapshot else None
        labels = report.labels if report else (f"on {self.where}",) if self.where else ()
        swept = self.snapshot.swept if self.snapshot else None
        if swept is not None and self.state != "ended":
            labels = (f"sweep: point {len(swept.points) + 1} of {swept.total}", *labels)
        self.show_labels(*labels)
        if self.front is not None:
            begins = f"connecting to {self.where} …" if self.where else "starting …"
            self.front.show(self.config, report, begins if self.waiting else "", self.where)
            self.draw_heart()
        if self.snapshot is None:
            return
        if self.snapshot.swept is not None:
            if self.sweep_body is not None and self.sweep_body.is_mounted:
                self.sweep_body.show(self.snapshot.swept)
        elif self.body is not None and self.body.is_mounted:
            self.body.show(self.snapshot, log=self.log_scale, steady_only=self.steady_only)

    def draw_heart(self) -> None:
        if self.front is not None:
            rate = self.snapshot.report.iterations_per_s if self.snapshot else None
            self.front.beat(beating=self.state == "beating" and self.awake, iterations_per_s=rate)

    def turn_heart(self, now: float) -> None:
        """Let the heart go on; called once a frame, whether there is news or not."""
        if self.front is not None:
            self.front.turn_heart(now)

    def on_resize(self) -> None:
        self.refresh_bindings()  # details are offered where there is no room for everything at once

    def on_screen_suspend(self) -> None:
        self.awake = False
        self.draw_heart()

    def on_screen_resume(self) -> None:
        self.awake = True
        if self.is_mounted:
            self.draw()

    # -- what can be done now

    def offered(self) -> dict[str, bool]:
        state, swept = self.state, self.sweep_shown
        charted = self.snapshot is not None and not swept
        free = state in ("idle", "ended") and not self.replaying
        detailed = (charted or swept) and self.low and not self.clocks_shown
        return {
            "begin": state == "idle",
            "begin_too": state == "idle",
            "pause": state == "beating",
            "resume": state == "paused",
            "stop": state in ("beating", "paused") or (state == "starting" and (not self.waiting or bool(self.where))),
            "stop_at_once": self.impatient and state in ("stopping", "finishing"),
            "again": state == "ended",
            "edit": free,
            "compare": free,
            "sweep": free,
            **self.chart_offers(charted=charted, detailed=detailed),
            "copy": self.snapshot is not None,
            "next_host": self.hosts_shown,
            "here": bool(self.where) and state in ("idle", "ended"),
            "tour": state == "idle" and not self.replaying and self.guide is None,
            "versus": state == "ended" and not self.replaying and self.mode_offered("runs"),
            "clear": state == "ended",
        }

    # -- what the keys do

    def set_out(self, errand: Callable[[], Begin | CompareClocks | BeginSweep]) -> None:
        """Ask for a run, or for several; ``r`` asks for the same again."""
        self.errand, message = errand, errand()
        self.asked_sweep = isinstance(message, BeginSweep)
        self.wait_for_run(True)
        self.post_message(message)

    def action_begin(self) -> None:
        self.set_out(lambda: Begin(self.config))

    action_begin_too = action_begin

    def action_again(self) -> None:
        self.set_out(self.errand)

    def action_compare(self) -> None:
        self.set_out(lambda: CompareClocks(self.config))

    async def action_sweep(self) -> None:
        from heartbeat_tui.benchmark.forms import SweepForm

        await self.open_form(SweepForm(self.config, self.swept_before))

    def action_next_host(self) -> None:
        self.post_message(ShowHost(1))

    def action_here(self) -> None:
        self.post_message(BeatHere())

    def action_pause(self) -> None:
        self.post_message(PauseRun())

    def action_resume(self) -> None:
        self.post_message(ResumeRun())

    def action_stop(self) -> None:
        self.post_message(StopRun())
        self.set_timer(PATIENCE_S, self.lose_patience)

    def lose_patience(self) -> None:
        """Offer an end without the proof, where the run has still not come to its own."""
        self.impatient = self.state in ("stopping", "finishing")
        self.refresh_bindings()

    def action_stop_at_once(self) -> None:
        self.post_message(StopRun(at_once=True))

    def action_versus(self) -> None:
        from heartbeat_tui.benchmark.snapshot import CompareRunMade

        self.post_message(CompareRunMade())

    def action_clear(self) -> None:
        self.post_message(ClearRun())

    def draw_anew(self) -> None:
        """Draw the chart at once; the footer, whose labels lay out the whole screen anew, follows."""
        if self.body is not None and self.body.is_mounted and self.snapshot is not None:
            self.body.show_chart(self.snapshot, log=self.log_scale, steady_only=self.steady_only)
        self.call_after_refresh(self.refresh_bindings)

    def action_details(self) -> None:
        super().action_details()
        if self.sweep_shown and self.sweep_body is not None:
            self.sweep_body.take_keys()  # it has more points than there are rows

    def action_copy(self) -> None:
        if self.snapshot is not None:
            from heartbeat_tui.benchmark.text import snapshot_text

            self.app.copy_to_clipboard(snapshot_text(self.snapshot))
            self.notify("The figures are on the clipboard.", markup=False)

    def action_tour(self) -> None:
        self.post_message(TakeTour())

    async def guide_with(self, guide: Guide | None) -> None:
        """Put the guide of the tour above everything else, or take it away."""
        if self.guide is not None:
            await self.guide.remove()
        self.guide = guide
        if guide is not None:
            await self.query_one("#pane").mount(guide, before=0)
        self.set_class(guide is not None, "-touring")  # which means something to the styles that came with the guide
        self.refresh_state()

    async def action_edit(self) -> None:
        # Input and Select cost 40 ms to import; the first frame does without
        from heartbeat_tui.benchmark.forms import ConfigForm

        await self.open_form(ConfigForm(self.config))

    def refocus(self) -> None:
        if self.guide is not None:
            self.guide.focus()

    # -- news from the widgets

    async def on_form_accepted(self, event: Form.Accepted) -> None:
        from heartbeat_tui.benchmark.forms import ConfigForm, SweepForm

        event.stop()
        await self.close_form()
        form = event.form
        if isinstance(form, SweepForm):
            axes, self.swept_before = form.axes, form.texts
            self.set_out(lambda: BeginSweep(self.config, axes))
        elif isinstance(form, ConfigForm) and form.config is not None:
            self.config = form.config
            self.action_begin()
