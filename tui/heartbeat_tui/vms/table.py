"""The list of TPU VMs, one a line; only the lines on the screen are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.columns import Layout, Order, column_at, lay_out, title_texts, wanted_widths
from heartbeat_core.vms.columns import COLUMNS, VmRow
from heartbeat_tui.vms.rows import note_cells
from heartbeat_tui.widgets.table import LinesList
from heartbeat_tui.widgets.text import styled_line

MARKS = 3  # cells before the first column: pointed at, marked


class VmList(LinesList):
    """Rows with their marks; a click on a title sorts by it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Describe", tooltip="show all that is known of this one, as YAML", id="vms.choose"),
    ]

    class Sorted(Message):
        """Sort by this column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self) -> None:
        super().__init__(id="vm-list")
        self.rows: tuple[VmRow, ...] = ()
        self.marks: frozenset[str] = frozenset()
        self.order: Order = ("name", False)
        self.widths: dict[str, int] = {}
        self.shown: Layout[VmRow] = ()

    @property
    def row(self) -> VmRow | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[VmRow], marks: frozenset[str], order: Order) -> None:
        """Draw these rows; if the same ones stand where they stood, only those that have changed."""
        old, old_marks, old_order = self.rows, self.marks, self.order
        self.rows, self.marks, self.order = tuple(rows), marks, order
        keys = [row.key for row in self.rows]
        if self.lay_out() or keys != self.keys or order != old_order:
            self.show_keys(keys)
            return
        for index, (before, row) in enumerate(zip(old, self.rows, strict=True)):
            if before != row or (row.key in marks) != (row.key in old_marks):
                self.refresh_row(index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "choose" or bool(self.rows)

    def lay_out(self) -> bool:
        """Choose the columns; return whether they have changed."""
        width = self.size.width
        if not width:
            return False
        self.widths = wanted_widths(COLUMNS, self.rows, self.widths)
        before, self.shown = self.shown, lay_out(COLUMNS, self.widths, width - 1 - MARKS)
        return before != self.shown

    def on_resize(self) -> None:
        self.widths = {}
        self.lay_out()  # Textual calls the base's own after this

    def draw_heading(self, width: int) -> Content:
        del width
        return styled_line([(" " * MARKS, ""), *((text, style) for text, style, _ in title_texts(self.shown, self.order))])

    def draw_row(self, index: int, width: int) -> Content:
        del width
        row = self.rows[index]
        marks = [("➤" if index == self.cursor else " ", "beat"), ("✓ " if row.key in self.marks else "  ", "beat")]
        return styled_line([*marks, *note_cells(row, self.shown)])

    def on_lines_list_heading_clicked(self, event: LinesList.HeadingClicked) -> None:
        event.stop()
        column = column_at(self.shown, event.x - MARKS)
        if column is not None:
            self.post_message(self.Sorted(column))
