"""The checklist: sections and checks, one of which is pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_tui.widgets.lines_list import LinesList
from heartbeat_tui.widgets.readiness_words import Row, row_line
from heartbeat_tui.widgets.text import inked


class ChecklistView(LinesList):
    """The next step is pointed at, as long as nobody has moved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
        Binding("enter", "choose", "Details", tooltip="show all that is known of this check, or unfold the section", id="checks.choose"),
    ]

    class Folded(Message):
        """A section is to be opened or shut."""

        def __init__(self, section: str, *, open_: bool) -> None:
            super().__init__()
            self.section, self.open_ = section, open_

    def __init__(self) -> None:
        super().__init__(id="checks")
        self.rows: tuple[Row, ...] = ()
        self.longest = 0  # of the names of checks
        self.moved = False  # by hand: from then on nothing else moves it

    @property
    def row(self) -> Row | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Draw these rows; a check that is folded away leaves its section pointed at."""
        before, self.rows = self.row, tuple(rows)
        self.longest = max((len(row.text) for row in self.rows if not row.is_section), default=0)
        keys = [row.key for row in self.rows]
        self.show_keys(keys)
        following = None if self.moved else next((row.key for row in self.rows if row.next), None)
        wanted = [following] if following else [before.key, before.section] if before else []
        self.cursor = next((keys.index(key) for key in wanted if key in keys), self.cursor)

    def draw_row(self, index: int, width: int) -> Content:
        names = min(self.longest, 20 if width >= 54 else max(14, width // 3))
        return inked(row_line(self.rows[index], width, names))

    def point_at(self, index: int) -> None:
        self.moved = True
        super().point_at(index)

    def clicked(self, *, again: bool) -> None:
        """Open or shut a section at once."""
        if again or (self.row is not None and self.row.is_section):
            self.action_choose()

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None:
            self.moved = True
            self.post_message(self.Folded(self.row.section, open_=open_))

    def action_choose(self) -> None:
        self.moved = True
        if self.row is not None and self.row.is_section:
            self.post_message(self.Folded(self.row.key, open_=not self.row.open))
        else:
            super().action_choose()
