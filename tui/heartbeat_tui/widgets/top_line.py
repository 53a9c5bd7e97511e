"""The first line: the panes there are, the one shown, and what kind of run it is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message

from heartbeat_tui.widgets.text import Lines, ink

Tabs = Sequence[tuple[str, str, str]]  # key, title and mode of each pane there is

LOUD = ("DEMO", "EMULATED", "REPLAY")  # what must be read first


class Tab(Lines):
    """The name of a pane, to be clicked."""

    class Chosen(Message):
        """It was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, key: str, title: str, mode: str, *, current: bool) -> None:
        super().__init__(classes="tab")
        self.mode = mode
        self.content = ink(f" {key} {title} ", "current" if current else "quiet")

    def on_click(self) -> None:
        self.post_message(self.Chosen(self.mode))


class TopLine(Horizontal):
    """Name, tabs, and labels at the right."""

    def __init__(self, tabs: Tabs, current: str, labels: Sequence[str] = ()) -> None:
        super().__init__()
        self.tabs, self.current, self.labels = tabs, current, labels
        self.set_class(bool(labels), "-labelled")

    def compose(self) -> ComposeResult:
        yield Lines(classes="tab", id="title").with_text(ink(" heartbeat  ", "strong"))
        for key, title, mode in self.tabs:
            yield Tab(key, title, mode, current=mode == self.current)
        yield Lines(id="labels").with_text(line_of(self.labels))

    def show(self, labels: Sequence[str]) -> None:
        self.set_class(bool(labels), "-labelled")
        self.query_one("#labels", Lines).set_lines([line_of(labels)])


def line_of(labels: Sequence[str]) -> Content:
    """Set the labels in a line, the loud ones first."""
    return ink(" · ".join(sorted(labels, key=lambda label: not label.startswith(LOUD))) + " " if labels else "", "attention")
