"""The header with its tabs and labels, the footer with its keys, buttons, and the line of a filter."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from heartbeat_tui.widgets.text import Lines, styled

Tabs = Sequence[tuple[str, str, str]]  # key, title and mode of each pane there is

LOUD = ("DEMO", "EMULATED", "REPLAY")  # shown first


class Tab(Lines):
    """The title of a pane; a click switches to it."""

    def __init__(self, key: str, title: str, mode: str, *, current: bool) -> None:
        super().__init__(classes="tab")
        self.mode = mode
        self.content = styled(f" {key} {title} ", "current" if current else "quiet")

    async def on_click(self) -> None:
        await self.app.switch_mode(self.mode)


class TopLine(Horizontal):
    """The header: name, tabs, and labels at the right."""

    def __init__(self, tabs: Tabs, current: str, labels: Sequence[str] = ()) -> None:
        super().__init__()
        self.tabs, self.current, self.labels = tabs, current, labels

    def on_mount(self) -> None:
        self.show(self.labels)

    def compose(self) -> ComposeResult:
        yield Lines(classes="tab", id="title").with_text(styled(" heartbeat  ", "strong"))
        for key, title, mode in self.tabs:
            yield Tab(key, title, mode, current=mode == self.current)
        yield Lines(id="progress")
        yield Lines(id="labels")

    def show_progress(self, text: str) -> None:
        """Show the progress of a run that another pane shows."""
        self.set_class(bool(text), "-running")
        self.query_one("#progress", Lines).set_lines([styled(text, "accent")])

    def show(self, labels: Sequence[str]) -> None:
        self.set_class(bool(labels), "-labelled")
        self.query_one("#labels", Lines).show_sized(lambda width, _: [line_of(labels, width)])


def line_of(labels: Sequence[str], width: int) -> Content:
    """Return the labels in a line, the loud ones first; where there is no room, those are one word each."""
    ordered = sorted(labels, key=lambda label: not label.startswith(LOUD))
    text = " · ".join(ordered)
    if len(text) >= width:
        text = " · ".join(label.split()[0].rstrip(":") if label.startswith(LOUD) else label for label in ordered)
    return styled(f"{text} " if text else "", "attention")


STAYING = ("help", "quit")


class Foot(Footer):
    """The footer; on a narrow screen it leaves out the actions of ``spare`` in their order, then the last ones."""

    def __init__(self, spare: Sequence[str] = ()) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self.spare = tuple(spare)
        self.room = 0
        self.composed: list[tuple[Binding, bool, str]] = []  # what it was composed of

    def shown(self) -> list[tuple[Binding, bool, str]]:
        """Return the bindings that have a place here, with whether each is enabled and its tooltip."""
        return [each[1:] for each in self.screen.active_bindings.values() if each.binding.show]

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Compose anew only where other keys are to be shown: every move of the focus comes here, and each key is a widget."""
        if not self._bindings_ready or self.shown() != self.composed:
            super().bindings_changed(screen)

    def compose(self) -> ComposeResult:
        self.mutate_reactive(Footer.compact)  # nothing else lets Textual forget the removed keys that were bound to it
        self.room = self.app.size.width
        self.composed = self.shown()
        shown = {binding.action: binding for binding, _, _ in self.composed}
        widths = {action: len(self.app.get_key_display(one)) + len(one.description) + 2 for action, one in shown.items()}
        left_out = set()
        for action in (*self.spare, *(each for each in reversed(shown) if each not in STAYING)):
            if sum(widths.values()) > self.room and widths.pop(action, 0):
                left_out.add(action)
        keys = [key for key in super().compose() if getattr(key, "action", "") not in left_out]
        self.styles.grid_size_columns = max(1, len(keys))
        for key in keys:
            key.set_class(True, "-compact", update=False)  # before its binding sets it, and computes all of its styles again
        yield from keys

    def on_resize(self, event: Resize) -> None:
        if event.size.width != self.room:
            self.refresh(recompose=True)


class KeyButton(Lines):
    """A key and its label; a click does the same, in what holds it and has the action."""

    DEFAULT_CSS = """
    KeyButton { width: auto; height: 1; margin: 0 2; pointer: pointer; }
    KeyButton:hover { background: $panel; }
    """

    def __init__(self, key: str, label: str, action: str) -> None:
        super().__init__()
        self.said = key, label, action
        self.content = Content.assemble(styled(f" {key} ", "key"), f" {label} ")

    def on_click(self) -> None:
        action = self.said[2]
        name = f"action_{action.partition('(')[0]}"
        owner = next((node for node in self.ancestors if isinstance(node, Widget) and hasattr(node, name)), self.screen)
        owner.call_later(owner.run_action, action)  # which may remove this: no widget can wait for its own end


class Sought(Input):
    """The line of a filter below a list; the list follows while one types."""

    DEFAULT_CSS = """
    Sought { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self, value: str, hint: str) -> None:
        super().__init__(value, placeholder=f"filter: {hint}", compact=True)
