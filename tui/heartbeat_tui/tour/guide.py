"""The guide of the tour: what a step is about, what to look at while it runs, what it showed, and the keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from heartbeat_core.tour.tour import Tour
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.pane import LOW
from heartbeat_tui.widgets.text import Lines, styled

ROWS, COLUMNS = 5, 8
TICK_S = 0.25
WAVE = 3  # cells behind the front that are still busy


def picture(tick: int) -> Content:
    """Return the grid at one tick: rows enter at the left one tick apart, so the front is a diagonal."""
    front = tick % (ROWS + COLUMNS + WAVE)
    lines = []
    for row in range(ROWS):
        ages = [front - row - column for column in range(COLUMNS)]
        inks = ["accent" if age == 0 else "plain" if 0 < age < WAVE else "quiet" for age in ages]
        cells = [styled("▪ " if 0 <= age < WAVE else "· ", ink) for age, ink in zip(ages, inks, strict=True)]
        lines.append(Content.assemble(styled("row → ", "quiet"), *cells))
    return Content("\n").join([styled("      weights stay in the cells", "quiet"), *lines, styled("      sums leave below", "quiet")])


class Systolic(Widget):
    """The picture of the array; it moves unless motion is reduced."""

    DEFAULT_CSS = """
    Systolic { width: 36; height: 7; margin-left: 3; }
    """
    tick = 0
    timer: Timer | None = None

    def on_mount(self) -> None:
        self.timer = self.set_interval(TICK_S, self.advance, pause=True)

    def turn(self, on: bool) -> None:
        if self.timer is not None:
            if on and self.app.animation_level != "none":
                self.timer.resume()
            else:
                self.timer.pause()

    def advance(self) -> None:
        self.tick += 1
        self.refresh()

    def render(self) -> Content:
        return picture(self.tick + ROWS)


INSTALL_SAYS = "The installer downloads 4.3 GB, needs 8 GB on disk, and asks first."


class Guide(Vertical):
    """The box above the Heartbeat pane; ``lead`` receives what a key asks for: next, back, replay, install or leave."""

    SCOPED_CSS = False  # how much room it takes depends on the classes of the screen
    DEFAULT_CSS = """
    Guide { height: auto; max-height: 60%; border: round $accent; border-title-color: $accent; padding: 0 1; }
    Guide VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    Guide #guide-keys { height: 1; dock: bottom; }
    Guide #guide-body { height: auto; }
    Guide KeyButton { margin: 0 2 0 0; }
    Systolic { display: none; }
    .-tall Guide.-array Systolic { display: block; }
    .-low Guide { max-height: 44%; }
    .-touring #idle-keys, .-touring #idle-ways, .-touring #idle-welcome { display: none; }  /* the guide has its own */
    .-low.-touring.-idle Idle { display: none; }
    .-low.-touring.-idle Front { height: auto; }
    .-low.-touring.-idle Guide { max-height: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "lead('next')", "Next", tooltip="run this step, or go to the next", id="tour.next"),
        Binding("b", "lead('back')", "Back", tooltip="go back a step", id="tour.back"),
        Binding("v", "lead('replay')", "Recording", tooltip="replay a recording of this step from another machine", id="tour.replay"),
        Binding("i", "lead('install')", "Install torch_xla", tooltip="install its environment; asks first", id="tour.install"),
        Binding("up", "turn(-1)", "Up", show=False),
        Binding("down", "turn(1)", "Down", show=False),
        Binding("escape", "lead('leave')", "Leave", tooltip="leave the tour; a run goes on", id="tour.leave"),
    ]
    can_focus = True

    def __init__(self, tour: Tour, lead: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(id="guide")
        self.tour, self.lead = tour, lead

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False), Horizontal(id="guide-body"):
            yield Lines(id="guide-lines")
            yield Systolic()
        yield Horizontal(id="guide-keys")

    async def on_mount(self) -> None:
        await self.show()
        self.focus()

    async def show(self) -> None:
        tour = self.tour
        self.border_title = f"the tour, {tour.at + 1} of {len(tour.steps)} · {tour.step.title} · handbook {tour.step.section}"
        self.set_class(tour.step.name == "one-row" and tour.phase == "before", "-array")
        self.query_one(Systolic).turn(self.has_class("-array"))
        self.query_one("#guide-lines", Lines).set_lines(guide_lines(tour, low=self.app.size.height < LOW))
        keys = self.query_one("#guide-keys", Horizontal)
        wanted = guide_keys(tour)
        if [button.said for button in keys.query(KeyButton)] != wanted:
            await keys.remove_children()
            await keys.mount(*(KeyButton(*each) for each in wanted))
        self.screen.refresh_bindings()
        scroll = self.query_one(VerticalScroll)
        turn = scroll.scroll_end if tour.phase == "after" else scroll.scroll_home  # the conclusions stand last
        self.call_after_refresh(turn, animate=False)  # once the chart of the run has its place

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "lead":
            return True
        return any(way == f"lead('{parameters[0]}')" for _, _, way in guide_keys(self.tour))

    def action_lead(self, way: str) -> None:
        self.app.call_later(self.lead, way)  # which may take this away: no widget can wait for its own end

    def action_turn(self, lines: int) -> None:
        """Scroll what does not fit on a low screen."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def guide_lines(tour: Tour, *, low: bool = False) -> list[Content]:
    step, phase = tour.step, tour.phase
    lines = [styled(step.words, "plain")]
    if phase == "before" and tour.lacks:
        stands_in = " A recording from another machine can be replayed instead; it is labelled." if step.recording else ""
        return [*lines, Content(""), styled(f"{tour.lacks}{stands_in} {INSTALL_SAYS}", "attention")]
    if phase == "running":
        look = step.look.replace("{key}", "d shows it") if low else step.look.replace(" ({key})", "")
        return [*lines, Content(""), Content.assemble(styled("look at  ", "accent"), look)]
    if phase == "after":
        return [*lines, Content(""), *(styled(sentence, "strong") for sentence in step.conclude(tour.reports))]
    return lines


def guide_keys(tour: Tour) -> list[tuple[str, str, str]]:
    """Return the keys that are offered now: key, label and action."""
    keys: list[tuple[str, str, str]] = []
    if tour.phase == "before":
        if not tour.lacks:
            keys.append(("n", "Run it", "lead('next')"))
        elif tour.step.recording:
            keys.append(("v", "Replay", "lead('replay')"))
        if tour.lacks:
            keys += [("i", "Install torch_xla", "lead('install')"), ("n", "Skip", "lead('next')")]
    elif tour.phase == "after":
        failed = tour.step.name in tour.reports and tour.reports[tour.step.name].iteration_ns is None
        keys.append(("n", "Finish", "lead('next')") if tour.last else ("n", "Next", "lead('next')"))
        if failed and tour.step.recording:
            keys.append(("v", "Replay a recording", "lead('replay')"))
    if tour.at and tour.phase != "running":
        keys.append(("b", "Back", "lead('back')"))
    return [*keys, ("esc", "Leave", "lead('leave')")]
