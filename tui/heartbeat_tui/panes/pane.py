"""What all panes have in common: the line at the top, a body that comes after the first frame, keys, forms and a least size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen

from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.top_line import Tab, TopLine

if TYPE_CHECKING:
    from heartbeat_tui.widgets.form import Form

LEAST = (60, 18)  # columns and rows


def pane_key(pane: str, keys: str, action: str, label: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(keys, action, label, tooltip=tooltip, show=show, id=f"{pane}.{action}")


class Pane(Screen[None]):
    """``fill`` mounts what the first frame does without, ``draw`` shows what there is, ``offered`` says what can be done now."""

    OWN: ClassVar[frozenset[str]] = frozenset()  # the actions of its keys, which are letters while a form is open
    SPARE: ClassVar[tuple[str, ...]] = ()  # those that a narrow screen leaves to the help, in this order

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.OWN = cls.OWN | {binding.action for binding in cls.BINDINGS if isinstance(binding, Binding)}

    def __init__(self, tabs: Iterable[tuple[str, str, str]], mode: str, *, classes: str = "") -> None:
        super().__init__(classes=classes)
        self.tabs, self.mode = tuple(tabs), mode
        self.banner: tuple[str, ...] = ()  # what holds for the whole program, such as DEMO
        self.awake = True
        self.form: Form | None = None
        self.early: Callable[[], bool] = lambda: False  # before the program's first frame, after which the app fills its pane

    def compose(self) -> ComposeResult:
        yield TopLine(self.tabs, self.mode, self.banner)
        yield Lines(id="too-small")
        yield Vertical(id="pane")

    def on_mount(self) -> None:
        if not self.early():
            self.call_after_refresh(self.fill)

    async def mount_foot(self) -> None:
        """Mount the line of keys, which waits for its bindings."""
        from heartbeat_tui.widgets.foot import Foot

        await self.mount(Foot(self.SPARE))

    async def fill(self) -> None:
        raise NotImplementedError

    def draw(self) -> None:
        """Give every widget that is there what it shows."""
        raise NotImplementedError

    def offered(self) -> dict[str, bool]:
        """Say of actions whether they can be done in this state; whatever is not named can."""
        return {}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action not in self.OWN or (self.form is None and self.offered().get(action, True))

    async def open_form(self, form: Form, *, before: int | None = None) -> None:
        """Put a form into the pane; one that is open stays."""
        if self.form is None:
            self.form = form
            self.add_class("-form")
            await self.query_one("#pane").mount(form, before=before)
            self.refresh_bindings()

    async def close_form(self) -> None:
        if self.form is not None:
            form, self.form = self.form, None
            await form.remove()
            self.remove_class("-form")
            self.refocus()
            self.draw()
            self.refresh_bindings()

    def refocus(self) -> None:
        """Focus what had the focus before a form."""

    async def on_form_closed(self, event: Form.Closed) -> None:
        event.stop()
        await self.close_form()

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
