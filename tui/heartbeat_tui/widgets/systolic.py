"""A systolic array at work: a wave of data goes through a grid of cells, each of which multiplies, adds and passes on."""

from __future__ import annotations

from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from heartbeat_tui.widgets.text import ink

ROWS, COLUMNS = 5, 8
TICK_S = 0.25
WAVE = 3  # cells behind the front that are still at work


def picture(tick: int) -> Content:
    """Draw the grid at one tick: rows enter at the left one tick apart, so the front is a diagonal."""
    front = tick % (ROWS + COLUMNS + WAVE)
    lines = []
    for row in range(ROWS):
        cells = [ink("▪ " if 0 <= front - row - column < WAVE else "· ", cell_ink(front - row - column)) for column in range(COLUMNS)]
        lines.append(Content.assemble(ink("row → ", "quiet"), *cells))
    return Content("\n").join([ink("      weights stay in the cells", "quiet"), *lines, ink("      sums leave below", "quiet")])


def cell_ink(age: int) -> str:
    return "beat" if age == 0 else "plain" if 0 < age < WAVE else "quiet"


class Systolic(Widget):
    """The picture, moving while it is shown; still where motion is reduced."""

    DEFAULT_CSS = """
    Systolic { width: 36; height: 7; margin-left: 3; }
    """
    tick = 0
    timer: Timer | None = None

    def on_mount(self) -> None:
        self.timer = self.set_interval(TICK_S, self.advance, pause=True)

    def turn(self, on: bool) -> None:
        """Move, or stand still."""
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
