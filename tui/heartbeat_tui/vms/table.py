"""The list of TPU VMs in their pane."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from heartbeat_core.vms.columns import COLUMNS, VmRow
from heartbeat_tui.widgets.table import Table


class VmList(Table[VmRow]):
    """Nodes and queued resources."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Describe", tooltip="show all that is known of this one, as YAML", id="vms.choose"),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, ("name", False), id="vm-list")

    def over(self, row: VmRow) -> tuple[str, str, str] | None:
        """Return what is being done to it, or what changed a moment ago."""
        note = row.doing or row.note
        return None if note is None else ("state", *note)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to describe a row if there is one."""
        del parameters
        return action != "choose" or bool(self.rows)
