"""A heart that beats at the pace of the run, in the frames that are drawn anyway."""

from __future__ import annotations

import math

from textual.content import Content
from textual.widget import Widget

from heartbeat_tui.widgets.text import ink

FASTEST = 2.0  # beats a second: one half of a beat for each of the 4 frames
SYSTOLE = 0.35  # the share of a beat for which the heart is full


def pace(iterations_per_s: float) -> float:
    """Map iterations per second to visible beats per second: as they are up to 1, then a third more for each factor of 10."""
    if iterations_per_s <= 1:
        return max(0.1, iterations_per_s)
    return min(FASTEST, 1 + math.log10(iterations_per_s) / 3)


class Heart(Widget):
    """Full and hollow in turn while beating; still when the run is, or where motion is reduced."""

    ALLOW_SELECT = False
    full = True
    alive = False
    beats_per_s = 1.0
    due = 0.0  # when the other half of the beat is to be seen

    def show(self, *, beating: bool, iterations_per_s: float | None) -> None:
        self.beats_per_s = pace(iterations_per_s) if iterations_per_s else 1.0
        if beating == self.alive:
            return
        self.alive, self.full, self.due = beating, True, 0.0
        self.refresh()

    def turn(self, now: float) -> None:
        """Show the other half of the beat where it is time; called once a frame, with seconds."""
        if not self.alive or self.app.animation_level == "none":
            return
        if not self.due:
            self.due = now + SYSTOLE / self.beats_per_s
        elif now >= self.due:
            self.full = not self.full
            share = SYSTOLE if self.full else 1 - SYSTOLE
            self.due = max(now, self.due + share / self.beats_per_s)
            self.refresh()

    def render(self) -> Content:
        return Content.assemble(" ", ink("♥" if self.full else "♡", "beat" if self.alive else "quiet"))
