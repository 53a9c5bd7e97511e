"""The checklist: sections and checks, one of which is pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Region
from textual.message import Message

from heartbeat_tui.widgets.readiness_words import Row, row_line
from heartbeat_tui.widgets.text import INKS, Lines, inked


class ChecklistView(VerticalScroll):
    """Rows to move through; the one pointed at stays the same while others come and go."""

    DEFAULT_CSS = """
    ChecklistView { scrollbar-size-vertical: 1; }
    ChecklistView Lines { text-wrap: nowrap; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("home", "move(-1000)", "Top", show=False),
        Binding("end", "move(1000)", "Bottom", show=False),
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
        Binding("enter", "choose", "Details", tooltip="show all that is known of this check, or unfold the section", id="checks.choose"),
    ]

    class Pointed(Message):
        """Another row is pointed at."""

    class Chosen(Message):
        """Enter, or a second click: open this row."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Folded(Message):
        """A section is to be opened or shut."""

        def __init__(self, section: str, *, open_: bool) -> None:
            super().__init__()
            self.section, self.open_ = section, open_

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, classes=classes)
        self.rows: tuple[Row, ...] = ()
        self.cursor = 0
        self.moved = False  # by hand: from then on nothing else moves it

    def compose(self) -> ComposeResult:
        yield Lines(id="rows")

    @property
    def row(self) -> Row | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Draw these rows; point at the same as before, or at the next step as long as nobody has moved."""
        before = self.row
        self.rows = tuple(rows)
        keys = [row.key for row in self.rows]
        following = next((index for index, row in enumerate(self.rows) if row.next), None)
        if not self.moved and following is not None:
            self.cursor = following
        elif before is not None and before.key in keys:
            self.cursor = keys.index(before.key)
        elif before is not None and before.section in keys:
            self.cursor = keys.index(before.section)
        self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        self.draw()
        self.call_after_refresh(self.reveal)

    def draw(self) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return
        names = max((len(row.text) for row in self.rows if not row.is_section), default=0)
        names = min(names, 20 if width >= 54 else max(14, width // 3))
        lines = []
        for index, row in enumerate(self.rows):
            content = inked(row_line(row, width, names))
            lines.append(content.stylize(INKS["cursor" if self.has_focus else "pointed"]) if index == self.cursor else content)
        self.query_one("#rows", Lines).set_lines(lines)

    def point_at(self, index: int) -> None:
        index = max(0, min(index, len(self.rows) - 1))
        self.moved = True
        if index != self.cursor:
            self.cursor = index
            self.draw()
            self.reveal()
            self.post_message(self.Pointed())

    def point_at_key(self, key: str) -> None:
        """Point at the row of this check or section, where it is to be seen."""
        found = next((index for index, row in enumerate(self.rows) if row.key == key), None)
        if found is not None:
            self.point_at(found)

    def reveal(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)

    def on_resize(self) -> None:
        self.draw()

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Point at what is clicked; a section opens or shuts, a check clicked twice is opened."""
        index = event.screen_y - self.content_region.y + self.scroll_offset.y
        if not 0 <= index < len(self.rows):
            return
        again = index == self.cursor
        self.point_at(index)
        row = self.rows[index]
        if row.is_section:
            self.post_message(self.Folded(row.key, open_=not row.open))
        elif again or event.chain > 1:
            self.post_message(self.Chosen(row))

    def action_move(self, by: int) -> None:
        self.point_at(self.cursor + by)

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None:
            self.moved = True
            self.post_message(self.Folded(self.row.section, open_=open_))

    def action_choose(self) -> None:
        if self.row is None:
            return
        self.moved = True
        if self.row.is_section:
            self.post_message(self.Folded(self.row.key, open_=not self.row.open))
        else:
            self.post_message(self.Chosen(self.row))
