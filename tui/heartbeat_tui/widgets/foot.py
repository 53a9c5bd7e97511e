"""The line of keys at the foot of a pane, which leaves out what there is no room for; help lists them all."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer

STAYING = ("help", "quit")


class Foot(Footer):
    """``spare`` names the actions that are left out first, in their order; after them the last go."""

    def __init__(self, spare: Sequence[str] = ()) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self.spare = tuple(spare)
        self.room = 0

    def compose(self) -> ComposeResult:
        self.room = self.app.size.width
        shown = {each.binding.action: each.binding for each in self.screen.active_bindings.values() if each.binding.show}
        widths = {action: len(self.app.get_key_display(one)) + len(one.description) + 2 for action, one in shown.items()}
        left_out = set()
        for action in (*self.spare, *(each for each in reversed(shown) if each not in STAYING)):
            if sum(widths.values()) > self.room and widths.pop(action, 0):
                left_out.add(action)
        keys = [key for key in super().compose() if getattr(key, "action", "") not in left_out]
        self.styles.grid_size_columns = max(1, len(keys))
        yield from keys

    def on_resize(self, event: Resize) -> None:
        if event.size.width != self.room:
            self.refresh(recompose=True)
