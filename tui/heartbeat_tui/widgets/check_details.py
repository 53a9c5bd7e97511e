"""All that is known of the check pointed at."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from heartbeat_tui.checks_messages import Checklist
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.readiness_words import Row, details
from heartbeat_tui.widgets.text import Lines, ink, inked


class CheckDetails(Vertical):
    """The question, what came of it, why, what mends it, and what was asked."""

    DEFAULT_CSS = """
    CheckDetails #details-question { padding: 0 0 1 0; }
    CheckDetails VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    CheckDetails #details-keys { display: none; height: 1; margin-top: 1; }
    CheckDetails.-mendable #details-keys { display: block; }
    CheckDetails KeyButton { margin: 0 2 0 0; }
    """

    def __init__(self) -> None:
        super().__init__(classes="panel", id="details")
        self.shown: tuple[Row | None, Checklist] | None = None
        self.key = ""

    def compose(self) -> ComposeResult:
        yield Lines(id="details-question")
        with VerticalScroll(id="details-scroll"):
            yield Lines(id="details-text")
        with Horizontal(id="details-keys"):
            yield KeyButton("f", "Fix …", "fix")
            yield KeyButton("y", "Copy command", "copy")

    def show(self, row: Row | None, checklist: Checklist) -> None:
        self.shown = row, checklist
        question = row.check.question if row and row.check else row.text.capitalize() if row else ""
        self.query_one("#details-question", Lines).set_lines([ink(question, "strong")])
        mendable = bool(row and row.result and row.result.remedies)
        self.set_class(mendable, "-mendable")
        self.draw()
        key = row.key if row else ""
        if key != self.key:
            self.key = key
            self.query_one("#details-scroll", VerticalScroll).scroll_home(animate=False)

    def draw(self) -> None:
        scroll = self.query_one("#details-scroll", VerticalScroll)
        width = scroll.scrollable_content_region.width
        if self.shown is not None and width:
            row, checklist = self.shown
            lines: list[Content] = [inked(line) for line in details(row, checklist, width - 1)]
            self.query_one("#details-text", Lines).set_lines(lines)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)
