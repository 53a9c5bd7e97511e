"""What panes ask of the app, and what the engine's news become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from heartbeat_core.beat.histogram import Bin
    from heartbeat_core.beat.plan import Plan
    from heartbeat_core.beat.report import Report
    from heartbeat_core.beat.series import ChartData


@dataclass(frozen=True)
class Clocks:
    """Two reports of the same work: by the handbook's clock and by ours; None while still to come."""

    handbook: Report | None = None
    honest: Report | None = None


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: its report, and the means to draw as much of it as a widget has room for."""

    report: Report
    chart: Callable[[int, bool], ChartData]  # columns, steady state only
    histogram: Callable[[int], tuple[Bin, ...]]  # bins
    clocks: Clocks | None = None


class Begin(Message):
    """Start a run; one that is on its way is stopped first."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


class CompareClocks(Begin):
    """Run the handbook's method, then the honest one, on the same work."""


class PauseRun(Message):
    """Pause the run."""


class ResumeRun(Message):
    """Go on with the run."""


class StopRun(Message):
    """End the run now; its samples stay."""


class ClearRun(Message):
    """Forget the run that has ended."""
