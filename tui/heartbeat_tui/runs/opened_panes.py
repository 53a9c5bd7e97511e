"""What is opened over the list of runs: a recorded run with the widgets of the Heartbeat pane, or one benchmark over time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from heartbeat_core.charts.trend import trend_chart
from heartbeat_core.comparison.trend import Trend
from heartbeat_tui.benchmark.pane import COPY, RunPane
from heartbeat_tui.runs.compared import trend_lines
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.pane import Pane, PaneContext, chart_keys, pane_key
from heartbeat_tui.widgets.text import Lines, styled

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.session import Snapshot

key = partial(pane_key, "trend")


class RecordedRunPane(RunPane):
    """Stands over the Runs pane until it is left; a run on its way goes on meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Back", tooltip="back to the list of runs", id="runs.leave", key_display="esc"),
        *chart_keys("heartbeat"),
        COPY,
    ]

    def __init__(self, context: PaneContext, snapshot: Snapshot) -> None:
        super().__init__(context, "runs", snapshot.report.config)
        self.snapshot = snapshot

    async def fill(self) -> None:
        await super().fill()
        self.refresh_state()


class TrendPane(Pane):
    """Draws one trend; the newest run is at the right, and at the end of the list."""

    DEFAULT_CSS = """
    TrendPane Chart { height: 1fr; }
    TrendPane #trend-runs { height: auto; max-height: 50%; }
    TrendPane #trend-runs Lines { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "dismiss", "Back", "back to the list of runs"),
        key("y", "copy", "Copy", "copy the trend as text"),
    ]

    def __init__(self, context: PaneContext, trend: Trend) -> None:
        super().__init__(context, "runs")
        self.trend = trend

    async def fill(self) -> None:
        listed = Lines().with_text(*(styled(text, kind) for text, kind in trend_lines(self.trend)))
        runs = VerticalScroll(listed, classes="panel", id="trend-runs")
        runs.border_title = "the newest last"
        await self.fill_with(Chart(classes="panel"), runs)
        runs.focus()
        runs.scroll_end(animate=False)

    def draw(self) -> None:
        self.query_one(Chart).draw(partial(trend_chart, self.trend), empty="There is no room for the chart.")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(text for text, _ in trend_lines(self.trend)) + "\n")
        self.notify("The trend is on the clipboard.", markup=False)
