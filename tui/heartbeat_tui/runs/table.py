"""The list of runs in the Runs pane."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from heartbeat_tui.runs.rows import NEWEST, SCREEN_COLUMNS, RunRow, quality_text
from heartbeat_tui.widgets.table import Table

OPEN = "show the whole run or sweep, or unfold the group; right and left unfold and fold any"


class RunList(Table[RunRow]):
    """Runs, and the heads of their groups."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", tooltip=OPEN, id="runs.open"),
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(SCREEN_COLUMNS, NEWEST, id="runs-list")

    def over(self, row: RunRow) -> tuple[str, str, str] | None:
        """Return what is wrong with a recording that has no figures."""
        if row.is_head or row.entry.workload is not None:
            return None
        status, style = quality_text(row.entry)
        return "name", f"{status}: {row.entry.problem}", style

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open only what can be."""
        del parameters
        row = self.row
        return action != "choose" or (row is not None and (row.is_head or row.entry.readable))

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None and self.row.entry.group:
            self.post_message(self.Folded(self.row.entry.group, open_=open_))
