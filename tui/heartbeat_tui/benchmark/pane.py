"""The Heartbeat pane: one run, live; and its half that only looks, which recordings are shown with as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import BindingType

from heartbeat_tui.controller import CompareRunMade, TakeTour
from heartbeat_tui.widgets.pane import ChartPane, PaneContext, chart_keys, pane_key

if TYPE_CHECKING:
    from textual.widget import Widget

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.parameters import Parameter
    from heartbeat_core.benchmark.run import Source
    from heartbeat_tui.benchmark.body import Body
    from heartbeat_tui.benchmark.controller import BenchmarkController
    from heartbeat_tui.benchmark.forms import ConfigForm, SweepForm
    from heartbeat_tui.benchmark.header import Front
    from heartbeat_tui.benchmark.session import FleetSnapshot, Snapshot
    from heartbeat_tui.widgets.table import LinesList

PATIENCE_S = 1.0  # before a run that is to stop may be ended without its result check: a key pressed twice must not

key = partial(pane_key, "heartbeat")
COPY = key("y", "copy", "Copy", "copy the figures as text", show=False)
Face = Literal["run", "sweep", "fleet"]  # what is shown: a run, the points of a sweep, or several hosts together


def make_body(face: Face) -> Body:
    """Return what a face is drawn on; the import waits until it is shown."""
    if face == "sweep":
        from heartbeat_tui.benchmark.sweep_view import SweepBody

        return SweepBody()
    if face == "fleet":
        from heartbeat_tui.benchmark.fleet_view import FleetBody

        return FleetBody()
    from heartbeat_tui.benchmark.body import RunBody

    return RunBody()


class RunPane(ChartPane):
    """Draws the snapshots it is shown; a subclass binds the keys, in the order of its footer."""

    front: Front  # once it is filled

    def __init__(self, context: PaneContext, mode: str, config: BenchmarkConfig, *, classes: str = "") -> None:
        super().__init__(context, mode, classes=classes)
        self.config = config
        self.snapshot: Snapshot | None = None
        self.awake = True
        self.waiting = False  # asked for a run that has not begun yet
        self.asked_sweep = False  # what is waited for
        self.target = ""  # the TPU VM that runs go to, empty for this machine
        self.newcomer = False  # nothing is set and nothing was recorded yet
        self.bodies: dict[Face, Body] = {}  # made so far

    async def fill(self) -> None:
        from heartbeat_tui.benchmark.header import Front  # which the first frame does without

        self.front = Front(newcomer=self.newcomer)
        await self.fill_with(self.front)
        if self.state != "idle":
            await self.fill_body()

    async def fill_body(self) -> None:
        """Mount what only a run fills, below what ``fill`` mounts: a run may begin before the pane was ever seen."""
        if not self.filled:
            return
        face = self.face
        if face not in self.bodies:
            self.bodies[face] = make_body(face)
            await self.query_one("#pane").mount(self.bodies[face])
            self.draw()
        if face == "fleet":
            self.bodies[face].take_keys()

    # -- what is shown

    @property
    def state(self) -> str:
        """Name what the run is doing: idle, or a state of its report."""
        if self.waiting or (self.snapshot is not None and self.snapshot.more):
            return "starting"
        if self.snapshot is None:
            return "idle"
        return self.snapshot.fleet.state if self.snapshot.fleet else self.snapshot.report.state

    def show(self, snapshot: Snapshot | None) -> None:
        before = self.state, self.clocks_shown, self.face
        self.snapshot = snapshot
        if (self.state, self.clocks_shown, self.face) != before:
            self.refresh_state()
        else:
            self.draw()

    @property
    def fleet(self) -> FleetSnapshot | None:
        return self.snapshot.fleet if self.snapshot is not None and not self.waiting else None

    @property
    def face(self) -> Face:
        if self.asked_sweep if self.waiting else self.snapshot is not None and self.snapshot.swept is not None:
            return "sweep"
        return "fleet" if self.fleet is not None and not self.fleet.opened else "run"

    @property
    def body(self) -> Body | None:
        return self.bodies.get(self.face)

    @property
    def clocks_shown(self) -> bool:
        return self.snapshot is not None and self.snapshot.clocks is not None

    def refresh_state(self) -> None:
        """Lay out what belongs to the state of the run, then draw."""
        self.set_class(self.state == "idle", "-idle")
        self.set_class(self.clocks_shown, "-clocks")
        self.set_class(self.face == "fleet", "-fleet")
        self.set_class(self.face == "sweep", "-sweep")
        self.refresh_bindings()
        if self.state != "idle":
            self.call_later(self.fill_body)
        self.draw()

    def draw(self) -> None:
        report = self.snapshot.report if self.snapshot else None
        labels = report.labels if report else (f"on {self.target}",) if self.target else ()
        swept = self.snapshot.swept if self.snapshot else None
        if swept is not None and self.state != "ended":
            labels = (f"sweep: point {len(swept.points) + 1} of {swept.total}", *labels)
        self.show_labels(*labels)
        if self.filled:
            begins = f"connecting to {self.target} …" if self.target else "starting …"
            self.front.show(self.config, report, begins if self.waiting else "", self.target, self.fleet if self.face == "fleet" else None)
            self.draw_heart()
        body = self.body
        if self.snapshot is not None and (swept is not None) == (self.face == "sweep") and body is not None and body.is_mounted:
            body.show(self.snapshot, log=self.log_scale, steady_only=self.steady_only)

    def draw_heart(self) -> None:
        if self.filled:
            rate = self.snapshot.report.iterations_per_s if self.snapshot else None
            self.front.heart.show(beating=self.state == "beating" and self.awake, iterations_per_s=rate)

    def turn_heart(self, now: float) -> None:
        """Let the heart go on; called once a frame, whether there is news or not."""
        if self.filled:
            self.front.heart.turn(now)

    def on_resize(self) -> None:
        self.refresh_bindings()  # details are offered where there is no room for chart and details together

    def on_screen_suspend(self) -> None:
        self.awake = False
        self.draw_heart()

    def on_screen_resume(self) -> None:
        self.awake = True
        if self.is_mounted:
            self.draw()

    # -- its keys

    def offered(self) -> dict[str, bool]:
        face = self.face
        charted = self.snapshot is not None and (face == "run" or (face == "fleet" and bool(self.snapshot.hosts)))
        detailed = (charted or face == "sweep") and self.low and not self.clocks_shown and face != "fleet"
        return {**self.chart_offers(charted=charted, detailed=detailed), "copy": self.snapshot is not None}

    def draw_anew(self) -> None:
        """Draw the chart now; the footer, whose labels lay out the whole screen anew, follows."""
        body = self.body
        if body is not None and body.is_mounted and self.snapshot is not None:
            body.show_chart(self.snapshot, log=self.log_scale, steady_only=self.steady_only)
        self.call_after_refresh(self.refresh_bindings)

    def action_details(self) -> None:
        super().action_details()
        if self.body is not None:
            self.body.take_keys()  # a sweep has more points than there are rows

    def action_copy(self) -> None:
        if self.snapshot is not None:
            from heartbeat_tui.benchmark.text import snapshot_text

            self.app.copy_to_clipboard(snapshot_text(self.snapshot))
            self.notify("The figures are on the clipboard.", markup=False)


class HeartbeatPane(RunPane):
    """Starts, changes and ends runs through its controller."""

    SPARE: ClassVar[tuple[str, ...]] = ("calibrate", "clear", "sweep", "versus", "tour", "linear", "log", "zoom", "unzoom")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("space", "begin", "Start", "start a run of this config"),
        key("enter", "begin_too", "Start", "start a run of this config", show=False),
        key("space", "pause", "Pause", "pause the run after this iteration"),
        key("space", "resume", "Resume", "go on with the run"),
        key("s", "stop", "Stop", "end the run after this iteration and keep its samples"),
        key("s", "stop_at_once", "End now", "wait neither for this iteration nor for the result check; the samples stay"),
        key("r", "again", "Again", "the same again: the run, both timing methods or the whole sweep"),
        key("e", "edit", "Config", "change the config"),
        key("m", "compare", "Methods", "the handbook's timing method beside synchronized timing, on the same work"),
        key("w", "sweep", "Sweep", "measure batch after batch, or another parameter, up to the knee and beyond"),
        *chart_keys("heartbeat"),
        key("k", "calibrate", "Peak", "run this config, then measure the peaks of this machine, to which its figures are compared"),
        key("escape,enter", "all_hosts", "Hosts", "show all hosts together again"),
        key("h", "next_host", "Host", "open a host as a run; then the next one"),
        key("o", "here", "Here", "let runs stay on this machine again"),
        key("g", "tour", "Tour", "a guided tour of the handbook's first part, each step run for real"),
        COPY,
        key("v", "versus", "Compare", "compare this run with the last comparable one, or with the reference chosen in the Runs pane"),
        key("c", "clear", "Clear", "forget this run; its recording stays"),
    ]

    def __init__(self, context: PaneContext, config: BenchmarkConfig, controller: BenchmarkController) -> None:
        super().__init__(context, "heartbeat", config, classes="-idle")
        self.controller = controller
        controller.view = self
        self.replaying = controller.replay is not None
        self.again: Callable[[], None] = self.begin  # asks for what was asked for last
        self.swept_before: dict[str, str] | None = None  # what the form of a sweep last said
        self.guide: Widget | None = None
        self.impatient = False  # it was to stop some time ago
        self.fallback: tuple[BenchmarkConfig, Source | None] | None = None  # config and run before the config just entered

    def wait_for_run(self, waiting: bool) -> None:
        self.waiting, self.impatient = waiting, False
        if self.fallback is not None and not waiting and self.controller.session.run is self.fallback[1]:
            self.refuse_config()  # no run has begun
        self.asked_sweep = self.asked_sweep and waiting
        self.refresh_state()

    def show(self, snapshot: Snapshot | None) -> None:
        if self.fallback is not None and snapshot is not None and snapshot.report.state == "ended":
            if snapshot.report.count:
                self.fallback = None
            else:
                self.refuse_config()
        super().show(snapshot)

    def refuse_config(self) -> None:
        """Return to the config before the one with which no run could start."""
        if self.fallback is not None:
            (self.config, _), self.fallback = self.fallback, None

    def show_target(self, label: str, backend: str) -> None:
        """Show where runs go from now on, empty for this machine; the config takes the backend of there."""
        self.target, self.replaying = label, False
        self.config = replace(self.config, backend=backend)
        if self.is_mounted:
            self.refresh_state()

    def show_config(self, config: BenchmarkConfig) -> None:
        self.config, self.again = config, self.begin
        self.draw()

    def offered(self) -> dict[str, bool]:
        state = self.state
        free = state in ("idle", "ended") and not self.replaying
        return {
            **super().offered(),
            "begin": state == "idle",
            "begin_too": state == "idle",
            "pause": state == "beating",
            "resume": state == "paused",
            "stop": state in ("beating", "paused") or (state == "starting" and (not self.waiting or bool(self.target))),
            "stop_at_once": self.impatient and state in ("stopping", "finishing"),
            "again": state == "ended",
            "edit": free,
            "compare": free and not self.config.workload.parts,
            "sweep": free,
            "calibrate": free and self.peak_measured_here and not self.clocks_shown and self.face != "sweep",
            "next_host": self.fleet is not None,
            "all_hosts": self.fleet is not None and self.face != "fleet",
            "here": bool(self.target) and state in ("idle", "ended"),
            "tour": state in ("idle", "ended") and not self.replaying and self.guide is None,
            "versus": state == "ended" and not self.replaying and self.mode_offered("runs"),
            "clear": state == "ended",
        }

    def refusal(self, action: str) -> str:
        if self.state == "idle":
            return "There is no run: press space to start one."
        if self.replaying:
            return "This is a recorded run: it can only be looked at."
        if action == "compare" and self.config.workload.parts:
            return "The other timing method takes one product: press e to choose it."
        if action == "begin":
            return "Press r to run it again."
        if self.state != "ended" and action not in ("next_host", "details"):
            return "A run is on: press s to stop it." if self.state == "beating" else f"The run is {self.state}: wait until it has ended."
        return ""

    @property
    def peak_measured_here(self) -> bool:
        """Return whether the figures of the run are compared to a peak of this machine, known or not: a chip's is published."""
        if self.snapshot is None:
            return False
        floor = self.snapshot.report.floor
        return floor is None or not floor.roof.hard

    # -- starting

    def begin(self) -> None:
        self.ask(self.begin, lambda: self.controller.start(self.config))

    def sweep_over(self, parameters: tuple[Parameter, ...]) -> None:
        start = partial(self.sweep_over, parameters)
        self.ask(start, lambda: self.controller.sweep(self.config, parameters), sweep=True)

    def ask(self, again: Callable[[], None], start: Callable[[], None], *, sweep: bool = False) -> None:
        """Ask for a run, or for several; ``again`` asks for the same once more."""
        self.again, self.asked_sweep = again, sweep
        self.wait_for_run(True)
        start()

    action_begin = action_begin_too = begin

    def action_again(self) -> None:
        self.again()

    def action_calibrate(self) -> None:
        self.ask(self.begin, lambda: self.controller.start(replace(self.config, calibrate=True)))

    def action_compare(self) -> None:
        self.ask(self.action_compare, lambda: self.controller.compare(self.config))

    async def action_sweep(self) -> None:
        from heartbeat_tui.benchmark.forms import SweepForm

        form = SweepForm(self.config, await asyncio.to_thread(self.controller.limits), self.swept_before)
        await self.open_form(form, self.take_sweep)

    def take_sweep(self, form: SweepForm) -> None:
        self.swept_before = form.texts
        self.sweep_over(form.axes)

    async def action_edit(self) -> None:
        # Input and Select cost 40 ms to import; the first frame does without
        from heartbeat_tui.benchmark.forms import ConfigForm

        await self.open_form(ConfigForm(self.config, await asyncio.to_thread(self.controller.limits)), self.take_config)

    def take_config(self, form: ConfigForm) -> None:
        if form.config is not None:
            self.fallback, self.config = (self.config, self.controller.session.run), form.config
            self.begin()

    # -- what the other keys do

    def action_next_host(self) -> None:
        if self.fleet is not None and self.fleet.opened:
            self.controller.open_host(self.fleet.opened, 1)
        elif self.body is not None:
            self.controller.open_host(self.body.key)

    def on_lines_list_chosen(self, event: LinesList.Chosen) -> None:
        event.stop()
        self.action_next_host()

    def action_all_hosts(self) -> None:
        self.controller.open_host(None)

    async def action_here(self) -> None:
        await self.controller.run_here()

    def action_pause(self) -> None:
        self.controller.pause()

    def action_resume(self) -> None:
        self.controller.resume()

    def action_stop(self) -> None:
        self.controller.stop()
        self.set_timer(PATIENCE_S, self.lose_patience)

    def lose_patience(self) -> None:
        """Offer to end the run without its result check, where it has still not ended."""
        self.impatient = self.state in ("stopping", "finishing")
        self.refresh_bindings()

    def action_stop_at_once(self) -> None:
        self.controller.stop(at_once=True)

    def action_versus(self) -> None:
        self.post_message(CompareRunMade())

    def action_clear(self) -> None:
        self.controller.clear()

    def action_tour(self) -> None:
        self.post_message(TakeTour())

    # -- the tour

    async def guide_with(self, guide: Widget | None) -> None:
        if self.guide is not None:
            await self.guide.remove()
        self.guide = guide
        if guide is not None:
            await self.query_one("#pane").mount(guide, before=0)
        self.set_class(guide is not None, "-touring")  # which means something to the styles that came with the guide
        self.refresh_state()

    def refocus(self) -> None:
        if self.guide is not None:
            self.guide.focus()
