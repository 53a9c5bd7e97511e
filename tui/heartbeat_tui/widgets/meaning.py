"""What the numbers mean, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartbeat_tui.widgets.live import LiveLines
from heartbeat_tui.widgets.text import ink
from heartbeat_tui.widgets.words import meaning

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report


class Meaning(LiveLines):
    """The verdict, the steady state, the first beat, and whatever disturbed the run."""

    def show(self, report: Report) -> None:
        lines = [ink(text, kind) for text, kind in meaning(report)]
        self.set_lines(lines[:1] if self.has_class("-line") else lines)
