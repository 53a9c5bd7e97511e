"""A recorded run, shown over the list of runs with the widgets of the Heartbeat pane."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from heartbeat_tui.benchmark.pane import COPY, RunPane
from heartbeat_tui.widgets.pane import PaneContext, chart_keys

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.session import Snapshot


class RecordedRunPane(RunPane):
    """Stands over the Runs pane until it is left; a run on its way goes on meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Back", tooltip="back to the list of runs", id="runs.leave", key_display="esc"),
        *chart_keys("heartbeat"),
        COPY,
    ]

    def __init__(self, context: PaneContext, snapshot: Snapshot) -> None:
        super().__init__(context, "runs", snapshot.report.config)
        self.snapshot = snapshot

    async def fill(self) -> None:
        await super().fill()
        self.refresh_state()

    async def action_leave(self) -> None:
        await self.dismiss(None)
