"""A heart that beats at the pace of the run."""

from __future__ import annotations

import math

from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from heartbeat_tui.widgets.text import ink

FASTEST = 4.0  # beats a second; more is a flicker
SYSTOLE = 0.35  # the share of a beat for which the heart is full


def pace(iterations_per_s: float) -> float:
    """Map iterations per second to visible beats per second: as they are up to 1, then one more for each factor of 10."""
    if iterations_per_s <= 1:
        return max(0.1, iterations_per_s)
    return min(FASTEST, 1 + math.log10(iterations_per_s))


class Heart(Widget):
    """Full and hollow in turn while beating; still when the run is, or where motion is reduced."""

    ALLOW_SELECT = False
    full = True
    alive = False
    beats_per_s = 1.0
    timer: Timer | None = None

    def show(self, *, beating: bool, iterations_per_s: float | None) -> None:
        self.beats_per_s = pace(iterations_per_s) if iterations_per_s else 1.0
        if beating == self.alive:
            return
        self.alive, self.full = beating, True
        if self.timer is not None:
            self.timer.stop()
            self.timer = None
        if beating and self.app.animation_level != "none":
            self.turn()
        self.refresh()

    def turn(self) -> None:
        """Show the other half of the beat, and come back when it is over."""
        if not self.alive:
            return
        share = SYSTOLE if self.full else 1 - SYSTOLE
        self.timer = self.set_timer(share / self.beats_per_s, self.half)

    def half(self) -> None:
        self.full = not self.full
        self.refresh()
        self.turn()

    def render(self) -> Content:
        return Content.assemble(" ", ink("♥" if self.full else "♡", "beat" if self.alive else "quiet"))
