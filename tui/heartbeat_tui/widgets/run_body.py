"""Everything a run shows below its figures; imported and mounted with the first run, for the first frame does without."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.telemetry.text import chip_line
from heartbeat_tui.messages import Snapshot
from heartbeat_tui.widgets.chart import LatencyChart
from heartbeat_tui.widgets.clocks import ClocksView
from heartbeat_tui.widgets.histogram import Histogram
from heartbeat_tui.widgets.hosts import HostTable
from heartbeat_tui.widgets.meaning import Meaning
from heartbeat_tui.widgets.split import Split

MARKED = (("median", 0.5), ("p95", 0.95))


class RunBody(Container):
    """Chart, histogram, split and meaning; where both clocks were read, those as well."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    RunBody { height: 1fr; }
    #charts { height: 1fr; layout: horizontal; }
    #charts .panel { height: 1fr; }
    #charts LatencyChart { width: 2fr; }
    #charts Histogram { width: 1fr; min-width: 30; text-wrap: nowrap; }
    #below { height: 10; layout: horizontal; }
    #below .panel { height: 1fr; width: 2fr; }
    #below #meaning { width: 3fr; scrollbar-size-vertical: 1; }
    #meaning Meaning { min-height: 100%; }  /* so that it is seldom laid out anew */
    #gist { display: none; height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #hosts { display: none; margin-bottom: 1; }
    .-hosts #hosts { display: block; }
    .-low #hosts { margin-bottom: 0; }
    #clocks { display: none; height: auto; }
    #clocks Horizontal { height: auto; }
    #clocks .panel { height: auto; min-height: 5; }
    #clocks-why { padding: 0 2; }
    .-idle RunBody, .-form RunBody, .-sweep RunBody, .-clocks #below { display: none; }
    .-clocks #clocks { display: block; }

    /* narrow but tall: one below the other */
    .-narrow #charts { layout: vertical; }
    .-narrow #charts LatencyChart { width: 100%; height: 3fr; }
    .-narrow #charts Histogram { width: 100%; height: 2fr; }

    /* low: one thing at a time */
    .-low #below, .-low.-narrow #charts Histogram, .-low.-details #charts LatencyChart { display: none; }
    .-low #gist { display: block; }
    .-low.-details #gist, .-low.-clocks #gist { display: none; }
    .-low.-details #charts Histogram { display: block; width: 100%; height: 1fr; }
    .-low.-details #below { display: block; height: 11; }
    """

    def compose(self) -> ComposeResult:
        yield HostTable(id="hosts")
        with Container(id="charts"):
            yield LatencyChart(classes="panel")
            yield Histogram(classes="panel")
        with Container(id="below"):
            yield Split(classes="panel")
            with VerticalScroll(classes="panel", id="meaning", can_focus=False) as scroll:
                scroll.border_title = "what it means"
                yield Meaning()
        yield ClocksView(id="clocks")
        yield Meaning(classes="-line", id="gist")

    def show(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        """Draw a snapshot; what is hidden keeps its data and draws nothing."""
        report = snapshot.report
        statistics = report.statistics
        self.show_chart(snapshot, log=log, steady_only=steady_only)
        quantiles = dict(statistics.quantiles) if statistics else {}
        self.query_one(Histogram).show(snapshot.histogram, {name: quantiles[q] for name, q in MARKED if q in quantiles})
        whole = {"compute": statistics.median_ns} if statistics and report.handbook is None else {}
        self.query_one(Split).show(report.split or whole, report.stages)
        for meaning in self.query(Meaning):
            meaning.show(report)
        self.query_one(HostTable).show(snapshot.hosts, snapshot.spread)
        if snapshot.clocks is not None:
            self.query_one(ClocksView).show(snapshot.clocks)

    def show_chart(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        """Draw the chart alone: all that a key for its scale changes."""
        report = snapshot.report
        coming = report.wanted is not None and report.state != "ended"
        self.query_one(LatencyChart).show(
            snapshot.chart,
            log=log,
            steady_only=steady_only,
            expected=(report.wanted or 0) - warm_count(report.plan) if coming else None,
            median_ns=report.statistics.median_ns if report.statistics else None,
            chips=chip_line(report),
        )


def warm_count(plan: Plan) -> int:
    """Count the samples before the steady state: the first is always cold, but for the handbook's own warm-up."""
    if plan.method == "handbook":
        return 0 if plan.warmup else 1
    return max(1, -(-plan.warmup // plan.products_per_sample))
