"""The answer at one glance: ready, or how much is left; below it as whom and of what this asks."""

from __future__ import annotations

from heartbeat_tui.checks_messages import Checklist
from heartbeat_tui.widgets.readiness_words import headline, justified, progress, who
from heartbeat_tui.widgets.text import Lines, inked


class ReadinessHead(Lines):
    """Two lines."""

    DEFAULT_CSS = """
    ReadinessHead { height: 2; margin: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    shown: Checklist | None = None
    failed = False

    def show(self, checklist: Checklist | None, *, failed: bool = False) -> None:
        """Show how far the checks are; without any, that one is still looking around, or could not."""
        self.shown, self.failed = checklist, failed
        width = self.content_size.width
        if not width:
            return
        tail = [(progress(checklist), "beat")] if checklist and progress(checklist) else []
        first = justified(list(headline(checklist, failed=failed)), tail, width)
        second = justified([(who(checklist), "quiet")], [], width) if checklist else ()
        self.set_lines([inked(first), inked(second)])

    def on_resize(self) -> None:
        self.show(self.shown, failed=self.failed)
