"""The plainest widget: coloured lines, redrawn only when they have changed."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget

# ink -> style; the theme gives the colours, so that NO_COLOR and the ansi themes work as well
INKS = {
    "plain": "",
    "quiet": "$text-muted",
    "beat": "bold $accent",
    "command": "$accent",
    "strong": "bold",
    "key": "reverse bold $accent",
    "current": "reverse",
    "cursor": "on $accent 25%",
    "pointed": "on $panel",
    "ok": "$text-success",
    "attention": "$text-warning",
    "failed": "bold $text-error",
    "run-0": "bold $series-a",
    "run-1": "bold $series-b",
    "run-2": "bold $series-c",
    "run-3": "bold $series-d",
}


def ink(text: str, kind: str) -> Content:
    """Colour plain text, foreign or our own: it is never read as markup."""
    return Content.styled(text, INKS[kind])


def inked(pieces: Iterable[tuple[str, str]]) -> Content:
    """Make one line of pieces, each a text and its ink; one without an ink is plain."""
    return Content.assemble(*(ink(text, kind) if kind else text for text, kind in pieces))


class Lines(Widget):
    """Some lines of text, wrapped to the width."""

    DEFAULT_CSS = """
    Lines { width: 1fr; height: auto; }
    """

    content: Content = Content("")

    def set_lines(self, lines: Iterable[Content]) -> None:
        content = Content("\n").join(lines)
        if (content.plain, content.spans) != (self.content.plain, self.content.spans):
            self.content = content
            self.refresh(layout=self.styles.height is not None and self.styles.height.is_auto)

    def with_text(self, *lines: Content) -> Lines:
        self.content = Content("\n").join(lines)
        return self

    def render(self) -> Content:
        return self.content
