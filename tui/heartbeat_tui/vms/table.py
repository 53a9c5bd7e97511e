"""The TPU VMs, one a line: a thousand cost what those on the screen cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_tui.vms.rows import Order, VmRow, Widths, header_pieces, layout, needed, row_pieces
from heartbeat_tui.widgets.table import Layout, LinesList
from heartbeat_tui.widgets.text import styled_line


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

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(id="vm-list")
        self.now = now
        self.rows: tuple[VmRow, ...] = ()
        self.marks: frozenset[str] = frozenset()
        self.order: Order = ("name", False)
        self.widths: Widths = {}
        self.shown: Layout = ()

    @property
    def row(self) -> VmRow | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[VmRow], marks: frozenset[str], order: Order) -> None:
        """Draw these rows; where the same ones stand where they stood, only those that have changed."""
        old, old_marks, old_order = self.rows, self.marks, self.order
        self.rows, self.marks, self.order = tuple(rows), marks, order
        keys = [row.key for row in self.rows]
        if self.lay_out() or keys != self.keys or order != old_order:
            self.show_keys(keys)
            return
        for index, (was, row) in enumerate(zip(old, self.rows, strict=True)):
            if (was is not row and was != row) or (row.key in marks) != (row.key in old_marks):
                self.refresh_row(index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "choose" or bool(self.rows)

    def lay_out(self) -> bool:
        """Choose the columns; say whether they have changed."""
        width = self.size.width
        if not width:
            return False
        self.widths = needed(self.rows, self.widths)
        shown, self.shown = self.shown, layout(self.widths, width - 1)
        return shown != self.shown

    def on_resize(self) -> None:
        self.widths = {}
        self.lay_out()  # Textual calls the base's own after this

    def draw_heading(self, width: int) -> Content:
        del width
        return styled_line([(text, kind) for text, kind, _ in header_pieces(self.shown, self.order)])

    def draw_row(self, index: int, width: int) -> Content:
        del width
        row = self.rows[index]
        return styled_line(row_pieces(row, self.shown, self.now(), marked=row.key in self.marks, pointed=index == self.cursor))

    def heading_clicked(self, x: int) -> None:
        at = x
        for text, _, column in header_pieces(self.shown, self.order):
            at -= len(text)
            if at < 0:
                if column:
                    self.post_message(self.Sorted(column))
                return
