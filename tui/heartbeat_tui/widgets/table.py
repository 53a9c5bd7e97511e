"""A list drawn line by line: only the rows to be seen are drawn, so that ten thousand cost what forty do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from heartbeat_tui.widgets.text import STYLES


class LinesList(ScrollView, can_focus=True):
    """Rows to move through, each known by its key; the one pointed at stays the same while others come and go.

    A list of its own kind keeps its rows, says how one is drawn in ``draw_row``, and tells ``show_keys`` of a change. Its
    heading, where ``draw_heading`` gives one, stays while the rows move.
    """

    DEFAULT_CSS = """
    LinesList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "end(0)", "Top", show=False),
        Binding("end", "end(-1)", "Bottom", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]
    ALLOW_SELECT = False

    class Pointed(Message):
        """Another row is pointed at."""

    class Chosen(Message):
        """Enter, or a second click on the row pointed at."""

    class HeadingClicked(Message):
        """The heading was clicked, at this column from the left."""

        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, classes=classes)
        self.keys: Sequence[str] = ()
        self.cursor = 0

    def draw_row(self, index: int, width: int) -> Content:
        """Give row ``index`` as one line, at most ``width`` cells of which are seen."""
        raise NotImplementedError

    def draw_heading(self, width: int) -> Content | None:
        """Give the line that stands above the rows; None where there is none."""
        del width
        return None

    # -- what is shown

    @property
    def key(self) -> str | None:
        """Name the row pointed at; None where there are no rows."""
        return self.keys[self.cursor] if self.keys else None

    def show_keys(self, keys: Sequence[str]) -> None:
        """Draw these rows anew; point at the same row as before, else at the one that took its place."""
        before = self.key
        self.keys = keys
        if before is not None and (self.cursor >= len(keys) or keys[self.cursor] != before):
            self.cursor = next((index for index, key in enumerate(keys) if key == before), self.cursor)
        self.cursor = max(0, min(self.cursor, len(keys) - 1))
        self.fit()
        self.refresh()
        self.call_after_refresh(self.reveal)  # once the scrollbar knows of the rows

    @property
    def head_lines(self) -> int:
        return 0 if self.draw_heading(self.size.width) is None else 1

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
            return self.strip(self.draw_heading(width) or Content(""), width)
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

    # -- where it points

    def point_at(self, index: int) -> None:
        index = max(0, min(index, len(self.keys) - 1))
        if index != self.cursor:
            before, self.cursor = self.cursor, index
            for changed in (before, index):
                self.refresh_row(changed)
            self.reveal()
            self.post_message(self.Pointed())

    def point_at_key(self, key: str) -> None:
        """Point at the row of this key, where there is one."""
        found = next((index for index, each in enumerate(self.keys) if each == key), None)
        if found is not None:
            self.point_at(found)

    def reveal(self) -> None:
        """Scroll as little as shows the row pointed at."""
        head = self.head_lines
        seen = self.size.height - head
        top = self.scroll_offset.y
        if seen > 0 and not top <= self.cursor < top + seen:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - seen + 1, animate=False, force=True)

    def refresh_row(self, index: int) -> None:
        """Draw one row anew."""
        self.refresh(Region(0, index + self.head_lines - self.scroll_offset.y, self.size.width, 1))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self.head_lines:
            self.post_message(self.HeadingClicked(offset.x))
            return
        index = offset.y - self.head_lines + self.scroll_offset.y
        if not 0 <= index < len(self.keys):
            return
        again = index == self.cursor
        self.point_at(index)
        self.clicked(again=again)

    def clicked(self, *, again: bool) -> None:
        """Choose the row pointed at where it was so before the click."""
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


GAP = 2  # cells between two columns


@dataclass(frozen=True)
class Column:
    """``least`` and ``most`` are cells; one of low ``worth`` goes first where there is no room for all."""

    name: str
    title: str
    least: int
    most: int
    worth: int
    right: bool = False


Layout = tuple[tuple[Column, int], ...]


def lay_out(columns: Sequence[Column], wanted: Mapping[str, int], width: int) -> Layout:
    """Choose the columns that fit into ``width`` cells, in their order, each as wide as it wants to be if there is room.

    The most worthy come in at their least; what is left over then goes to the most worthy that want more.
    """
    widths: dict[str, int] = {}
    worthy = sorted(columns, key=lambda column: -column.worth)
    left = width + GAP
    for column in worthy:
        if column.least + GAP > left:
            break
        widths[column.name] = column.least
        left -= column.least + GAP
    for column in worthy:
        if column.name in widths:
            more = min(left, max(0, min(wanted.get(column.name, 0), column.most) - column.least))
            widths[column.name] += more
            left -= more
    return tuple((column, widths[column.name]) for column in columns if column.name in widths)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(0, most - 1)]}…"[:most]


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Cut or pad a text to ``width`` cells."""
    text = cut(text, width)
    return text.rjust(width) if right else text.ljust(width)
