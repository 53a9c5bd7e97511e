"""A run that is kept, shown as a finished one: the widgets of the Heartbeat pane, and none of the keys that beat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from heartbeat_tui.benchmark.pane import HeartbeatPane

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.snapshot import Snapshot

LOOKING = frozenset({"zoom", "unzoom", "linear", "log", "details", "chart", "copy"})  # what needs no run on its way
BEATING = HeartbeatPane.OWN - LOOKING


class RecordedRunPane(HeartbeatPane):
    """Stands over the Runs pane until it is left; a run on its way goes on meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Back", tooltip="back to the list of runs", id="runs.leave", key_display="esc"),
    ]

    def __init__(self, tabs: Iterable[tuple[str, str, str]], snapshot: Snapshot) -> None:
        super().__init__(tabs, snapshot.report.config, replaying=True)
        self.mode = "runs"
        self.snapshot = snapshot

    async def fill(self) -> None:
        await super().fill()
        self.refresh_state()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what looks at the run."""
        return action not in BEATING and super().check_action(action, parameters)

    async def action_leave(self) -> None:
        await self.dismiss(None)
