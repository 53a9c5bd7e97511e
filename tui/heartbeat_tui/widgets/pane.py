"""The bases of panes: the header, a body mounted after the first frame, keys, forms, the least size; lists and charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen

from heartbeat_core.columns import Order, following, turned
from heartbeat_tui.widgets.header_footer import Foot, Sought, Tabs, TopLine
from heartbeat_tui.widgets.text import Lines, styled

if TYPE_CHECKING:
    from textual.events import Key
    from textual.widget import Widget
    from textual.widgets import Input

    from heartbeat_tui.widgets.form import Form
    from heartbeat_tui.widgets.table import LinesList, Row, Table


F = TypeVar("F", bound="Form")
LEAST = (60, 18)  # columns and rows

LOW = 34  # rows under which there is no room for chart and details together
PROGRESS_S = 1.0  # from one look at a run on its way to the next


@dataclass
class PaneContext:
    """What every pane knows of the program: all panes, labels that are always shown (such as DEMO), and the first frame."""

    tabs: Tabs
    banner: tuple[str, ...] = ()
    drawn: bool = False  # the first frame has been seen
    progress: Callable[[], str] = lambda: ""  # of a run on its way, in a few words


def pane_key(pane: str, keys: str, action: str, label: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(keys, action, label, tooltip=tooltip, show=show, id=f"{pane}.{action}")


class Pane(Screen[None]):
    """``fill`` mounts what the first frame lacks, ``draw`` shows the state, ``offered`` returns which keys act now."""

    OWN: ClassVar[frozenset[str]] = frozenset()  # the actions of its keys, which are letters while a form is open
    SPARE: ClassVar[tuple[str, ...]] = ()  # the keys that a narrow screen shows only in the help, in this order
    accepted: Callable[[], object]  # what the form that is open is for
    form_stays = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.OWN = cls.OWN | {binding.action for binding in cls.BINDINGS if isinstance(binding, Binding)}

    def __init__(self, context: PaneContext, mode: str, *, classes: str = "") -> None:
        super().__init__(classes=classes)
        self.context, self.mode = context, mode
        self.filled = False
        self.form: Form | None = None

    def compose(self) -> ComposeResult:
        yield TopLine(self.context.tabs, self.mode, self.context.banner)
        yield Lines(id="too-small")
        yield Vertical(id="pane")

    def on_mount(self) -> None:
        if self.context.drawn:  # before the first frame the app fills its pane
            self.call_after_refresh(self.fill)
        self.set_interval(PROGRESS_S, self.show_progress)

    def show_progress(self) -> None:
        """Show in the first line that a run is on its way, unless this pane shows it."""
        if self.is_current and self.mode != "heartbeat":
            self.query_one(TopLine).show_progress(self.context.progress())

    async def fill(self) -> None:
        """Mount what the skeleton lacks, once that has been seen."""
        raise NotImplementedError

    async def fill_with(self, *parts: Widget) -> None:
        """Mount the parts of the pane, and the footer."""
        with self.app.batch_update():
            await self.query_one("#pane").mount(*parts)
            await self.mount(Foot(self.SPARE))
            self.filled = True
            self.refocus()
            self.draw()
        self.refresh_bindings()  # the footer waits for these

    def draw(self) -> None:
        """Show the state in every widget that is mounted."""
        raise NotImplementedError

    def offered(self) -> dict[str, bool]:
        """Return which actions are possible in this state; actions that are not named are."""
        return {}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action not in self.OWN or (self.form is None and self.offered().get(action, True))

    async def open_form(self, form: F, accepted: Callable[[F], object], *, before: int | None = None, stays: bool = False) -> None:
        """Mount a form in the pane, and call ``accepted`` with it once it is; it is closed before, unless it ``stays``.

        A form that is open already stays in its place.
        """
        if self.form is None:
            self.form, self.accepted, self.form_stays = form, partial(accepted, form), stays
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
        """Focus what has the focus while there is no form."""

    def on_key(self, event: Key) -> None:
        """Keep letters and digits from the keys of the app while a form is open; say why a key of this pane does nothing now."""
        if self.form is not None:
            if event.is_printable and event.key != "space":
                event.stop()
            return
        found = self._bindings.key_to_bindings.get(event.key)
        if found and event.key not in {"escape", "enter", *self.active_bindings}:
            self.notify(self.refusal(found[0].action) or f"{found[0].description} is not possible now.", timeout=3, markup=False)

    def refusal(self, action: str) -> str:
        """Return why an action that is not offered is not possible now, empty where there is no more to say."""
        del action
        return ""

    async def on_form_accepted(self, event: Form.Accepted) -> None:
        event.stop()
        if not self.form_stays:
            await self.close_form()
        self.call_later(self.accepted)

    async def on_form_closed(self, event: Form.Closed) -> None:
        event.stop()
        await self.close_form()

    def mode_offered(self, mode: str) -> bool:
        return any(offered == mode for _, _, offered in self.context.tabs)

    def show_labels(self, *labels: str) -> None:
        if self.is_mounted:
            self.query_one(TopLine).show((*self.context.banner, *labels))

    def show_emulator(self, endpoint: str | None) -> None:
        """Name the emulator that is asked, unless the banner does."""
        self.show_labels(*([f"EMULATED at {endpoint}"] if endpoint and not self.context.banner else ()))

    def on_resize(self) -> None:
        width, height = self.app.size
        least = f"heartbeat-tui needs {LEAST[0]} columns and {LEAST[1]} rows; this terminal has {width} and {height}."
        self.query_one("#too-small", Lines).set_lines([styled(least, "attention")])


class ListPane(Pane):
    """A list with a filter: ``draw`` shows the rows that match ``sought``, typed at the bottom of ``PANEL``, and which keys act."""

    PANEL: ClassVar[str]
    MAY_BE_SOUGHT: ClassVar[str]  # in words, while nothing is typed

    list: LinesList

    def __init__(self, context: PaneContext, mode: str, shown: LinesList) -> None:
        super().__init__(context, mode)
        self.list = shown
        self.seeker: Sought | None = None
        self.sought = ""

    @property
    def seeking(self) -> bool:
        return bool(self.sought) or self.seeker is not None

    async def action_seek(self) -> None:
        if self.seeker is None:
            self.seeker = Sought(self.sought, self.MAY_BE_SOUGHT)
            await self.query_one(self.PANEL).mount(self.seeker)
        self.seeker.focus()
        self.refresh_bindings()

    async def stop_seeking(self) -> None:
        self.sought = ""
        if self.seeker is not None:
            seeker, self.seeker = self.seeker, None
            await seeker.remove()
        self.refocus()
        self.draw()

    def refocus(self) -> None:
        self.list.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.sought = event.value
        self.draw()

    async def on_input_submitted(self) -> None:
        if self.sought:
            self.refocus()
        else:
            await self.stop_seeking()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    def on_lines_list_pointed(self) -> None:
        self.refresh_bindings()


R = TypeVar("R", bound="Row")


class TablePane(ListPane, Generic[R]):
    """A list in columns: a key, or a click on a title, changes the order; a key acts on the row at the cursor, or on all marked."""

    list: Table[R]

    def __init__(self, context: PaneContext, mode: str, shown: Table[R]) -> None:
        super().__init__(context, mode, shown)
        self.order: Order = shown.order
        self.marks: dict[str, None] = {}  # the keys of rows, in the order they were marked

    @property
    def row(self) -> R | None:
        return self.list.row

    def mark(self, keys: Sequence[str]) -> None:
        """Mark these rows, or take their marks away where all of them have one."""
        if all(key in self.marks for key in keys):
            self.marks = {key: None for key in self.marks if key not in keys}
        else:
            self.marks |= dict.fromkeys(keys)

    def unmark(self) -> None:
        self.marks = {}
        self.draw()

    async def action_back(self) -> None:
        """Show all rows again; where all are shown, take the marks away."""
        if self.seeking:
            await self.stop_seeking()
        else:
            self.unmark()

    def action_sort(self) -> None:
        self.order = following([column for column, _ in self.list.shown], self.order)
        self.draw()

    def on_lines_list_sorted(self, event: LinesList.Sorted) -> None:
        self.order = turned(self.list.columns, self.order, event.column)
        self.draw()


def chart_keys(pane: str) -> tuple[Binding, ...]:
    """Return the bindings; their ids begin with the name of the pane."""
    return tuple(
        pane_key(pane, *key)
        for key in (
            ("z", "zoom", "Steady", "show the steady state alone"),
            ("z", "unzoom", "Whole run", "show the first iterations and the warm-up too"),
            ("l", "linear", "Linear", "draw latencies on a linear scale"),
            ("l", "log", "Log", "draw latencies on a logarithmic scale"),
            ("d", "details", "Details", "show the figures and findings"),
            ("d", "chart", "Chart", "show the chart"),
        )
    )


class ChartPane(Pane):
    """A chart of a whole run or of its steady state, with a linear or a logarithmic scale."""

    steady_only, log_scale = False, True

    def reset_view(self) -> None:
        """Show the whole run on a logarithmic scale, the chart first."""
        self.steady_only, self.log_scale = False, True
        self.remove_class("-details")

    def draw_anew(self) -> None:
        """Draw again after a key."""
        self.draw()

    def chart_offers(self, *, charted: bool, detailed: bool) -> dict[str, bool]:
        """Return which keys of the chart act: with a chart, and with details that have no room beside it."""
        return {
            "zoom": charted and not self.steady_only,
            "unzoom": charted and self.steady_only,
            "linear": charted and self.log_scale,
            "log": charted and not self.log_scale,
            "details": detailed and not self.has_class("-details"),
            "chart": detailed and self.has_class("-details"),
        }

    @property
    def low(self) -> bool:
        return self.app.size.height < LOW

    def action_zoom(self) -> None:
        self.steady_only = not self.steady_only
        self.draw_anew()

    def action_log(self) -> None:
        self.log_scale = not self.log_scale
        self.draw_anew()

    def action_details(self) -> None:
        self.toggle_class("-details")
        self.refresh_bindings()

    # one key does both, and each has a label of its own
    action_unzoom, action_linear, action_chart = action_zoom, action_log, action_details
