"""Styled lines of text. Drawing takes processor time from a run, so only rows that differ are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

# name -> style; the theme defines the colours, so that NO_COLOR and the ansi themes work as well
STYLES = {
    "plain": "",
    "quiet": "$text-muted",
    "accent": "bold $accent",
    "command": "$accent",
    "strong": "bold",
    "key": "reverse bold $accent",
    "current": "reverse",
    "cursor": "on $accent 25%",
    "pointed": "on $panel",
    "ok": "$text-success",
    "attention": "$text-warning",
    "failed": "bold $text-error",
    "series-0": "bold $series-a",
    "series-1": "bold $series-b",
    "series-2": "bold $series-c",
    "series-3": "bold $series-d",
}


def styled(text: str, kind: str) -> Content:
    """Return plain text in a style; it is never read as markup, wherever it comes from."""
    return Content.styled(text, STYLES[kind])


def styled_line(pieces: Iterable[tuple[str, str]]) -> Content:
    """Return one line of pieces, each a text and the name of its style; an empty name is plain."""
    return Content.assemble(*(styled(text, kind) if kind else text for text, kind in pieces))


class Lines(Widget):
    """Some lines of text, wrapped to the width; with ``show_sized`` they depend on the size."""

    DEFAULT_CSS = """
    Lines { width: 1fr; height: auto; }
    """

    content: Content = Content("")
    write: Callable[[int, int], Iterable[Content]] | None = None

    def show_sized(self, write: Callable[[int, int], Iterable[Content]]) -> None:
        """Show what ``write`` returns for so many cells and rows, now and after every change of the size."""
        self.write = write
        self.on_resize()

    def on_resize(self) -> None:
        width, height = self.size
        if self.write is not None and width:
            self.set_lines(self.write(width, height))

    @property
    def grows(self) -> bool:
        return self.styles.height is not None and self.styles.height.is_auto

    def set_lines(self, lines: Iterable[Content]) -> None:
        content = Content("\n").join(lines)
        if (content.plain, content.spans) != (self.content.plain, self.content.spans):
            self.content = content
            self.refresh(layout=self.grows)

    def with_text(self, *lines: Content) -> Lines:
        self.content = Content("\n").join(lines)
        return self

    def render(self) -> Content:
        return self.content


def refresh_rows(widget: Widget, before: Sequence[object], after: Sequence[object]) -> None:
    rows = max(len(before), len(after))
    changed = [y for y in range(rows) if y >= len(before) or y >= len(after) or before[y] != after[y]]
    if changed:
        widget.refresh(*(Region(0, y, widget.size.width, 1) for y in changed))


def retitle(widget: Widget, title: str, subtitle: str = "") -> None:
    """Set the titles of a widget if they differ: setting the same ones would redraw all of it."""
    if (widget.border_title or "") != title:
        widget.border_title = title
    if (widget.border_subtitle or "") != subtitle:
        widget.border_subtitle = subtitle


class LiveLines(Lines):
    """Lines of which a few change; no layout while their number stays the same, no drawing while hidden."""

    lines: tuple[Content, ...] = ()
    rows: Sequence[Strip] = ()  # as drawn: a line that wraps makes several
    made_for: object = None
    kept: dict[tuple[str, tuple[Any, ...]], list[Strip]] = {}  # noqa: RUF012  # replaced, never changed
    hidden = True

    def set_lines(self, lines: Iterable[Content]) -> None:
        self.lines = tuple(lines)
        if self.hidden or not self.size.width:
            return
        before = self.rows
        self.make_rows()
        if self.text_selection is not None or self.needs_room:
            self.refresh(layout=self.grows)
        else:
            refresh_rows(self, before, self.rows)

    @property
    def needs_room(self) -> bool:
        """Return whether a widget as high as its rows must be laid out anew: not while it stays within what holds it."""
        rows, height = len(self.rows), self.size.height
        room = self.parent.size.height if isinstance(self.parent, Widget) else 0
        return self.grows and rows != height and max(rows, height) > room

    def make_rows(self) -> None:
        """Render every line at the present width; lines that were there before are reused."""
        made_for = self.looks
        kept = self.kept if made_for == self.made_for else {}
        width, style = self.size.width, self.visual_style
        now = {}
        rows: list[Strip] = []
        for line in self.lines:
            key = (line.plain, tuple(line.spans))
            strips = kept.get(key)
            now[key] = strips = Visual.to_strips(self, line, width, None, style) if strips is None else strips
            rows += strips
        self.rows, self.kept, self.made_for = rows, now, made_for

    @property
    def looks(self) -> object:
        """Return what rows depend on other than the lines."""
        return self.size.width, self.visual_style, self.app.theme

    def on_show(self) -> None:
        """Draw what has changed while the widget was hidden."""
        self.hidden = False
        self.refresh(layout=self.grows)

    def on_hide(self) -> None:
        self.hidden = True

    def render(self) -> Content:
        return Content("\n").join(self.lines)

    def render_line(self, y: int) -> Strip:
        if self.text_selection is not None:
            return super().render_line(y)
        if y == 0 or self.looks != self.made_for:
            self.make_rows()
        return self.rows[y] if y < len(self.rows) else Strip.blank(self.size.width, self.visual_style.rich_style)


def sentence(text: str) -> str:
    """Return a text with a capital letter (not for a name such as torch_xla) and a full stop."""
    text = text.strip()
    first = text[:1] if "_" in text.partition(" ")[0] else text[:1].upper()
    return first + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
