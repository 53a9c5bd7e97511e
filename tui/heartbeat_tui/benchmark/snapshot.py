"""What panes ask of the app, and what the engine's news become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.parameters import Parameter
    from heartbeat_core.benchmark.report import Report
    from heartbeat_core.benchmark.run import HostLine
    from heartbeat_core.benchmark.series import ChartData
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.experiments.sweep import Swept


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
    swept: Swept | None = None
    more: bool = False  # the run is over, and another follows at once
    hosts: tuple[HostLine, ...] = ()  # where several beat at once; the report is that of the one shown
    spread: str = ""
    going: bool = False  # one of them is not over yet


class Begin(Message):
    """Start a run; one that is on its way is stopped first."""

    def __init__(self, plan: BenchmarkConfig) -> None:
        super().__init__()
        self.config = plan


class CompareClocks(Begin):
    """Run the handbook's method, then the honest one, on the same work."""


class BeginSweep(Begin):
    """Run the plan once for each value of an axis, or of two."""

    def __init__(self, plan: BenchmarkConfig, axes: tuple[Parameter, ...]) -> None:
        super().__init__(plan)
        self.axes = axes


class BeatOn(Message):
    """Go to the Heartbeat pane and beat on a TPU VM: on all its hosts at once where ``worker`` is None."""

    def __init__(self, node: Node, project: str, worker: int | None = 0) -> None:
        super().__init__()
        self.node, self.project, self.worker = node, project, worker


class BeatHere(Message):
    """Let runs stay on this machine again."""


class ShowHost(Message):
    """Show the charts of another of several hosts: so many further down the list."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step


class PauseRun(Message):
    """Pause the run."""


class ResumeRun(Message):
    """Go on with the run."""


class StopRun(Message):
    """End the run after the beat under way, or at once; its samples stay."""

    def __init__(self, *, at_once: bool = False) -> None:
        super().__init__()
        self.at_once = at_once


class ClearRun(Message):
    """Forget the run that has ended."""


class TakeTour(Message):
    """Show the guide of the tour."""


class CompareRunMade(Message):
    """Hold the run in the Heartbeat pane against the chosen reference, else the last one of its kind."""
