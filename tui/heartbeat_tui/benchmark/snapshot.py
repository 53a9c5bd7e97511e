"""A run, a sweep or a comparison of timing methods at one moment, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report
    from heartbeat_core.benchmark.run import HostLine
    from heartbeat_core.benchmark.series import ChartData
    from heartbeat_core.benchmark.statistics import Bin
    from heartbeat_core.experiments.sweep import Swept


@dataclass(frozen=True)
class MethodComparison:
    """Two reports of the same work: by the handbook's method and synchronized; None while still to come."""

    handbook: Report | None = None
    synchronized: Report | None = None


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: its report, and the means to draw as much of it as a widget has room for."""

    report: Report
    chart: Callable[[int, bool], ChartData]  # columns, steady state only
    histogram: Callable[[int], tuple[Bin, ...]]  # bins
    clocks: MethodComparison | None = None
    swept: Swept | None = None
    more: bool = False  # the run is over, and another follows
    hosts: tuple[HostLine, ...] = ()  # where several run together; the report is that of the one shown
    spread: str = ""
    going: bool = False  # one of them is not over yet
