"""The runs that are kept, one a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_tui.runs.rows import NEWEST, Order, RunRow
from heartbeat_tui.runs.text import columns_for, heading_pieces, row_pieces
from heartbeat_tui.widgets.table import Layout, LinesList
from heartbeat_tui.widgets.text import styled_line

OPEN = "show the whole run or sweep, or unfold the group; right and left unfold and fold any"


def clock() -> datetime:
    return datetime.now(timezone.utc)


class RunList(LinesList):
    """Rows with their marks; a click on a title sorts by it, a click on a group's head opens or shuts it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "choose",
            "Open",
            tooltip=OPEN,
            id="runs.open",
        ),
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
    ]

    class Sorted(Message):
        """Sort by this column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    class Folded(Message):
        """The group at the cursor is to be opened or shut."""

        def __init__(self, group: str, *, open_: bool) -> None:
            super().__init__()
            self.group, self.open_ = group, open_

    def __init__(self, now: Callable[[], datetime] = clock) -> None:
        super().__init__(id="runs-list")
        self.now = now
        self.rows: tuple[RunRow, ...] = ()
        self.marks: Mapping[str, str] = {}
        self.order: Order = NEWEST
        self.shown: Layout = ()

    @property
    def row(self) -> RunRow | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[RunRow], marks: Mapping[str, str], order: Order) -> None:
        """Draw these rows; ``marks`` is what stands before those of these keys."""
        self.rows, self.marks, self.order = tuple(rows), marks, order
        self.shown = columns_for(self.rows, self.size.width, self.now())
        self.show_keys([row.key for row in self.rows])

    def show_marks(self, marks: Mapping[str, str]) -> None:
        """Draw those rows anew whose marks have changed."""
        before, self.marks = self.marks, marks
        for index, key in enumerate(self.keys):
            if before.get(key) != marks.get(key):
                self.refresh_row(index)

    def on_resize(self) -> None:
        self.shown = columns_for(self.rows, self.size.width, self.now())

    def draw_heading(self, width: int) -> Content:
        del width
        return styled_line((text, kind) for text, kind, _ in heading_pieces(self.shown, self.order))

    def draw_row(self, index: int, width: int) -> Content:
        del width
        row = self.rows[index]
        pieces = row_pieces(row, self.shown, self.now(), pointed=index == self.cursor, mark=self.marks.get(row.key, ""))
        return styled_line(pieces)

    def on_lines_list_heading_clicked(self, event: LinesList.HeadingClicked) -> None:
        event.stop()
        end = 0
        for text, _, column in heading_pieces(self.shown, self.order):
            end += len(text)
            if event.x < end:
                if column:
                    self.post_message(self.Sorted(column))
                return

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open only what can be."""
        del parameters
        row = self.row
        return action != "choose" or (row is not None and (row.is_head or row.entry.readable))

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None and self.row.entry.group:
            self.post_message(self.Folded(self.row.entry.group, open_=open_))
