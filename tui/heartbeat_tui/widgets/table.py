"""Lists drawn line by line, and tables on them: only the visible rows are drawn, so that ten thousand cost what forty do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from heartbeat_core.columns import ColumnSpec, Layout, Order, StyledText, column_at, lay_out, row_texts, title_texts, wanted_widths
from heartbeat_tui.widgets.text import STYLES, styled_line


class LinesList(ScrollView, can_focus=True):
    """Rows to move through, each known by its key; the row at the cursor stays the same while others come and go.

    A subclass keeps its rows, draws one in ``draw_row``, and calls ``show_keys`` after a change. A heading of one line, where it has
    ``head_lines``, stays while the rows move.
    """

    DEFAULT_CSS = """
    LinesList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "end(0)", "Top", show=False),
        Binding("end,G", "end(-1)", "Bottom", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]
    ALLOW_SELECT = False
    head_lines = 0

    class Pointed(Message):
        """The cursor is on another row."""

    class Chosen(Message):
        """Enter was pressed, or the row at the cursor was clicked."""

    class Folded(Message):
        """A group of rows, or a section, is to be opened or closed."""

        def __init__(self, key: str, *, open_: bool) -> None:
            super().__init__()
            self.key, self.open_ = key, open_

    class Sorted(Message):
        """The rows are to be sorted by this column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.keys: Sequence[str] = ()
        self.cursor = 0
        self.last_key: str | None = None  # of the row at the cursor, also while there are no rows

    def draw_row(self, index: int, width: int) -> Content:
        """Return row ``index`` as one line, of which at most ``width`` cells are visible."""
        raise NotImplementedError

    def draw_heading(self) -> Content:
        """Return the line above the rows."""
        raise NotImplementedError

    def heading_clicked(self, x: int) -> None:
        """Handle a click on the heading, ``x`` cells from the left."""

    # -- what is shown

    @property
    def key(self) -> str | None:
        """Return the key of the row at the cursor; None if there are no rows."""
        return self.keys[self.cursor] if self.keys else None

    def show_keys(self, keys: Sequence[str]) -> None:
        """Draw these rows; the cursor stays on the same row, else on the one that took its place."""
        before = self.last_key = self.key or self.last_key
        self.keys = keys
        if before is not None and (self.cursor >= len(keys) or keys[self.cursor] != before):
            self.cursor = next((index for index, key in enumerate(keys) if key == before), self.cursor)
        self.cursor = max(0, min(self.cursor, len(keys) - 1))
        self.fit()
        self.refresh()
        self.call_after_refresh(self.reveal)  # once the scrollbar knows of the rows

    def fit(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.keys) + self.head_lines)

    def on_resize(self) -> None:
        self.fit()
        self.reveal()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, head = self.size.width, self.head_lines
        if y < head:
            return self.strip(self.draw_heading(), width)
        index = y - head + self.scroll_offset.y
        if not 0 <= index < len(self.keys):
            return Strip.blank(width, self.rich_style)
        content = self.draw_row(index, width)
        if index == self.cursor:
            content = content.truncate(width, pad=True).stylize(STYLES["cursor" if self.has_focus else "pointed"])
        return self.strip(content, width)

    def strip(self, content: Content, width: int) -> Strip:
        strips = Visual.to_strips(self, content, width, 1, self.visual_style)
        return (strips[0] if strips else Strip.blank(width)).adjust_cell_length(width, self.rich_style)

    # -- the cursor

    def point_at(self, index: int) -> None:
        index = max(0, min(index, len(self.keys) - 1))
        if index != self.cursor:
            before, self.cursor = self.cursor, index
            for changed in (before, index):
                self.refresh_row(changed)
            self.reveal()
            self.post_message(self.Pointed())

    def point_at_key(self, key: str) -> None:
        found = next((index for index, each in enumerate(self.keys) if each == key), None)
        if found is not None:
            self.point_at(found)

    def reveal(self) -> None:
        """Scroll just far enough to show the row at the cursor."""
        head = self.head_lines
        seen = self.size.height - head
        top = self.scroll_offset.y
        if seen > 0 and not top <= self.cursor < top + seen:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - seen + 1, animate=False, force=True)

    def refresh_row(self, index: int) -> None:
        y = index + self.head_lines - self.scroll_offset.y
        if self.head_lines <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self.head_lines:
            self.heading_clicked(offset.x)
            return
        index = offset.y - self.head_lines + self.scroll_offset.y
        if not 0 <= index < len(self.keys):
            return
        again = index == self.cursor
        self.point_at(index)
        self.clicked(again=again)

    def clicked(self, *, again: bool) -> None:
        """Choose the row at the cursor, if it was there before the click."""
        if again:
            self.action_choose()

    def action_move(self, by: int) -> None:
        self.point_at(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.point_at(self.cursor + by * max(1, self.size.height - self.head_lines - 1))

    def action_end(self, which: int) -> None:
        self.point_at(len(self.keys) - 1 if which else 0)

    def action_choose(self) -> None:
        if self.keys:
            self.post_message(self.Chosen())


class Row(Protocol):
    @property
    def key(self) -> str: ...


R = TypeVar("R", bound=Row)
MARGIN = 4  # cells before the first column: the cursor, and a mark of two cells


class Table(LinesList, Generic[R]):
    """Rows in columns; a click on a title sorts by it. ``marks`` are what stands before the rows of these keys."""

    head_lines = 1

    def __init__(self, columns: Sequence[ColumnSpec[R]], order: Order, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.columns = [column for column in columns if column.screen]
        self.order = order
        self.rows: tuple[R, ...] = ()
        self.marks: Mapping[str, str] = {}
        self.widths: dict[str, int] = {}
        self.shown: Layout[R] = ()

    @property
    def row(self) -> R | None:
        return self.rows[self.cursor] if self.rows else None

    def over(self, row: R) -> tuple[str, str, str] | None:
        """Return what stands over the columns right of one: (its key, text, style); None, the usual case, for nothing."""
        del row
        return None

    def show(self, rows: Sequence[R], marks: Mapping[str, str], order: Order) -> None:
        """Draw these rows; if the same ones stand where they stood, only those that have changed."""
        before, old_order = self.rows, self.order
        self.rows, self.order = tuple(rows), order
        keys = [row.key for row in self.rows]
        if self.choose_columns() or keys != self.keys or order != old_order:
            self.marks = marks
            self.show_keys(keys)
            return
        for index, (was, row) in enumerate(zip(before, self.rows, strict=True)):
            if was is not row and was != row:
                self.refresh_row(index)
        self.show_marks(marks)

    def show_marks(self, marks: Mapping[str, str]) -> None:
        before, self.marks = self.marks, marks
        for index, key in enumerate(self.keys):
            if before.get(key) != marks.get(key):
                self.refresh_row(index)

    def room(self, width: int) -> int:
        """Return how many of the cells the columns may take."""
        return width - MARGIN

    def choose_columns(self) -> bool:
        """Choose the columns and their widths; return whether they have changed. No column shrinks before the next resize."""
        width = self.size.width
        if not width:
            return False
        self.widths = wanted_widths(self.columns, self.rows, self.widths)
        before, self.shown = self.shown, lay_out(self.columns, self.widths, self.room(width))
        return before != self.shown

    def on_resize(self) -> None:  # Textual calls the one of LinesList as well
        self.widths = {}
        self.choose_columns()

    def draw_heading(self) -> Content:
        return styled_line([(" " * MARGIN, "plain"), *((text, style) for text, style, _ in title_texts(self.shown, self.order))])

    def draw_row(self, index: int, width: int) -> Content:
        del width
        row = self.rows[index]
        margin: list[StyledText] = [("➤" if index == self.cursor else " ", "accent"), (f"{self.marks.get(row.key, ''):<3}", "accent")]
        return styled_line([*margin, *row_texts(self.shown, row, self.over(row))])

    def heading_clicked(self, x: int) -> None:
        column = column_at(self.shown, x - MARGIN)
        if column is not None and any(each.key == column and each.sort is not None for each in self.columns):
            self.post_message(self.Sorted(column))
