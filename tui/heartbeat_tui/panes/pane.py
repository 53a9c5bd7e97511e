"""What all panes have in common: the line at the top, a body that comes after the first frame, and a least size."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.top_line import Tab, TopLine

LEAST = (60, 18)  # columns and rows


class Pane(Screen[None]):
    """``fill`` mounts what the first frame does without; ``labels`` stand at the right of the top line."""

    def __init__(self, tabs: Iterable[tuple[str, str, str]], mode: str, *, classes: str = "") -> None:
        super().__init__(classes=classes)
        self.tabs, self.mode = tuple(tabs), mode
        self.banner: tuple[str, ...] = ()  # what holds for the whole program, such as DEMO
        self.awake = True
        self.early: Callable[[], bool] = lambda: False  # before the program's first frame, after which the app fills its pane

    def compose(self) -> ComposeResult:
        yield TopLine(self.tabs, self.mode, self.banner)
        yield Lines(id="too-small")
        yield Vertical(id="pane")

    def on_mount(self) -> None:
        if not self.early():
            self.call_after_refresh(self.fill)

    async def fill(self) -> None:
        raise NotImplementedError

    def mode_offered(self, mode: str) -> bool:
        """Tell whether there is a pane of this mode."""
        return any(offered == mode for _, _, offered in self.tabs)

    def show_labels(self, *labels: str) -> None:
        if self.is_mounted:
            self.query_one(TopLine).show((*self.banner, *labels))

    def on_resize(self) -> None:
        width, height = self.app.size
        least = f"The heartbeat needs {LEAST[0]} columns and {LEAST[1]} rows; this terminal has {width} and {height}."
        self.query_one("#too-small", Lines).set_lines([ink(least, "attention")])

    async def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        await self.run_action(event.action)

    async def on_tab_chosen(self, event: Tab.Chosen) -> None:
        event.stop()
        await self.app.switch_mode(event.mode)
