"""The TPU VMs pane: which TPU VMs there are, how they are, what they cost, and what is to be done with them."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from heartbeat_core.cloud.tpu import EVERYWHERE
from heartbeat_core.vms.columns import COLUMNS, PROBLEMS_FIRST, VmRow, arranged
from heartbeat_core.vms.vocabulary import Action, command_of, state_of
from heartbeat_tui.vms.create_form import VmForm
from heartbeat_tui.vms.model import InventoryView
from heartbeat_tui.vms.rows import busy_rows, is_changeable, job_rows, rows_of
from heartbeat_tui.vms.text import empty_lines, head_line, log_lines, notices, price_source
from heartbeat_tui.widgets.pane import PaneContext, TablePane, pane_key
from heartbeat_tui.widgets.table import Table
from heartbeat_tui.widgets.text import Lines, styled_line

if TYPE_CHECKING:
    from heartbeat_core.cloud.target import Target
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.vms.controller import VmsController


TICK_S = 1.0
key = partial(pane_key, "vms")


class VmsPane(TablePane[VmRow]):
    """Draws the view it is shown, and has its controller act."""

    DEFAULT_CSS = """
    VmsPane #vms-panel {
        height: 1fr; border: round $rule; border-title-color: $text-muted; border-title-style: none;
        border-subtitle-color: $text-muted; border-subtitle-style: none;
    }
    VmsPane #vms-empty { height: 1fr; padding: 1 2; display: none; }
    VmsPane.-empty #vms-empty { display: block; }
    VmsPane.-empty VmList { display: none; }
    VmsPane.-form #vms-body { display: none; }
    VmsPane #vms-body { height: 1fr; }
    VmsPane.-narrow VmForm Input, VmsPane.-narrow VmForm Select { width: 24; }
    VmsPane.-low VmForm VerticalScroll { height: 1fr; }
    VmsPane.-tall #vms-notices { margin-bottom: 1; }
    VmsPane #vms-head { height: 1; padding: 0 1; text-wrap: nowrap; }
    VmsPane #vms-notices { height: auto; max-height: 8; padding: 0 1; }
    VmsPane #vms-log { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    VmsPane.-tall #vms-head { height: 3; padding: 1; }
    VmsPane.-tall #vms-log { height: 7; border-top: solid $rule; border-title-color: $text-muted; border-title-style: none; }
    """
    PANEL = "#vms-panel"
    MAY_BE_SOUGHT = "words of name, zone, type, state or label"
    SPARE: ClassVar[tuple[str, ...]] = ("mark", "seek", "choose", "set_up", "benchmark")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "back", "Back", "back to the whole list"),
        key("n", "new", "New…", "create a TPU VM"),
        key("space", "mark", "Mark", "mark this one, so that a key acts on all that are marked"),
        key("c", "connect", "Connect", "open a connection to it in the terminal: gcloud's own ssh"),
        key("b", "benchmark", "Benchmark", "run the benchmark on all its hosts, and watch it in the Heartbeat pane"),
        key("i", "set_up", "Set up", "install on it what the benchmark needs"),
        key("S", "stop", "Stop", "stop it, or all that are marked"),
        key("S", "start", "Start", "start it, or all that are marked"),
        key("D", "delete", "Delete…", "delete it, or all that are marked"),
        key("p", "progress", "Progress", "show what is being done from here, step by step"),
        key("slash", "seek", "Filter", "show only what holds these words: of name, zone, type, state, labels"),
        key("y", "copy", "Copy", "copy gcloud's command that describes it", show=False),
        key("o", "sort", "Sort", "turn the order round, then sort by the next column", show=False),
        key("z", "one_zone", "One zone", "list only the zone of what is pointed at", show=False),
        key("z", "all_zones", "All zones", "list all zones", show=False),
        key("r", "look", "Refresh", "ask Google now", show=False),
    ]

    def __init__(self, context: PaneContext, controller: VmsController) -> None:
        super().__init__(context, "vms", VmList())
        self.controller = controller
        controller.view = self
        self.now = controller.monitor.now
        self.view = InventoryView()
        self.coming: tuple[int, str] | None = None  # the creation whose row is to be pointed at, and the row that was
        self.form: VmForm | None = None
        self.awake = True
        self.head, self.log_panel = Lines(id="vms-head"), Lines(id="vms-log")

    async def fill(self) -> None:
        self.log_panel.border_title = "events"
        panel = Vertical(self.list, Lines(id="vms-empty"), id="vms-panel")
        await self.fill_with(Vertical(self.head, Lines(id="vms-notices"), panel, self.log_panel, id="vms-body"))
        self.set_interval(TICK_S, self.tick)
        self.controller.look_now()

    # -- what is shown

    def show(self, view: InventoryView) -> None:
        self.view = view
        self.draw()
        if self.form is not None:
            self.form.show_prices(view.rates, view.unpriced)

    def draw(self) -> None:
        self.show_emulator(self.view.endpoint)
        if not self.filled:
            return
        known = rows_of(self.view, self.now())
        rows = arranged(known, self.order, self.sought)
        self.marks = {row.key: None for row in known if row.key in self.marks}
        self.list.show(rows, dict.fromkeys(self.marks, "✓"), self.order)
        self.point_at_coming()
        view, now, count = self.view, self.now(), len(rows)
        self.head.show_sized(lambda width, _: [styled_line(head_line(view, known, count, now, width))])
        said = self.query_one("#vms-notices", Lines)
        said.set_lines(found := [styled_line(line) for line in notices(view, known)])
        said.display = bool(found)
        self.log_panel.show_sized(lambda _, height: [styled_line(line) for line in log_lines(view, height)])
        panel = self.query_one("#vms-panel")
        panel.border_title = "all zones" if self.view.zone == EVERYWHERE else self.view.zone
        panel.border_subtitle = " · ".join(
            part for part in (f"{len(self.marks)} marked" if self.marks else "", price_source(self.view)) if part
        )
        self.set_class(not rows, "-empty")
        if not rows:
            self.query_one("#vms-empty", Lines).set_lines([styled_line(line) for line in empty_lines(self.view, self.sought)])
        self.refresh_bindings()

    def tick(self) -> None:
        """Let ages grow while the pane is shown."""
        if self.awake:
            self.draw()
            self.list.refresh()

    def on_screen_resume(self) -> None:
        self.awake = True
        if self.filled:
            self.draw()
            self.controller.look_now()

    def on_screen_suspend(self) -> None:
        """Rest where another pane is shown; a question over this one lets it go on."""
        self.awake = self.app.current_mode == self.mode

    def follow(self, job: int) -> None:
        """Point at what that job creates as soon as it is there, and anew where it has got to another zone."""
        self.coming = job, ""
        self.draw()

    def point_at_coming(self) -> None:
        job = next((job for job in self.view.jobs if self.coming and job.id == self.coming[0]), None)
        if job is None or self.coming is None:
            return
        (key,) = job_rows(job, self.view)
        if key != self.coming[1] and key in self.list.keys:
            self.list.point_at_key(key)
            self.coming = job.id, key
        if job.ended is not None and (key == self.coming[1] or not job.outcome.ok):
            self.coming = None

    # -- what can be done now

    @property
    def pointed_key(self) -> str:
        return self.row.key if self.row else ""

    def offered(self) -> dict[str, bool]:
        if not self.filled:
            return dict.fromkeys(self.OWN, False)
        free = partial(is_changeable, self.view, self.pointed_key)
        return {
            "back": self.seeking or bool(self.marks),
            "mark": self.row is not None,
            "new": bool(self.view.project) and self.view.inventory is not None,
            "connect": free("connect"),
            "benchmark": free("benchmark"),
            "set_up": free("benchmark"),
            "stop": bool(self.targets("stop")),
            "start": bool(self.targets("start")) and not self.targets("stop"),
            "delete": bool(self.targets("delete")),
            "progress": bool(self.view.jobs),
            "seek": self.seeker is None and bool(self.count),
            "copy": self.row is not None,
            "sort": self.count > 1,
            "one_zone": self.row is not None and self.view.zone == EVERYWHERE,
            "all_zones": self.view.zone != EVERYWHERE,
        }

    def refusal(self, action: str) -> str:
        if action == "new":
            return "The TPU VMs of a project have to be listed first: press 1, then t to choose the project."
        if self.row is None or action not in ("connect", "benchmark", "set_up", "stop", "start", "delete"):
            return ""
        if self.pointed_key in busy_rows(self.view):
            return f"{self.row.id} is being changed from here: p shows how far it is."
        state = state_of(self.row.resource)
        return f"{self.row.id} is {state.name}. {state.meaning}"

    @property
    def count(self) -> int:
        return len(self.view.nodes) + len(self.view.queued)

    def targets(self, what: Action) -> tuple[str, ...]:
        """Return the rows a key acts on: those marked, else the one pointed at, as far as their states allow it and no job changes them."""
        marked = [row.key for row in self.list.rows if row.key in self.marks]
        return tuple(key for key in marked or [self.pointed_key] if is_changeable(self.view, key, what))

    # -- what the keys do

    async def action_new(self) -> None:
        await self.controller.open_create_form()

    def action_connect(self) -> None:
        self.controller.connect(self.pointed_key)

    def action_copy(self) -> None:
        if self.row is not None:
            text = shlex.join(command_of("describe", self.row.resource, self.view.project))
            self.app.copy_to_clipboard(text)
            self.notify(text, title="On the clipboard", markup=False)

    def action_benchmark(self) -> None:
        self.controller.run_benchmark_on(self.pointed_key)

    async def action_set_up(self) -> None:
        await self.controller.set_up(self.pointed_key)

    def action_stop(self) -> None:
        self.controller.change("stop", self.targets("stop"))

    def action_start(self) -> None:
        self.controller.change("start", self.targets("start"))

    def action_delete(self) -> None:
        self.controller.change("delete", self.targets("delete"))

    async def action_progress(self) -> None:
        """Show the newest job of the row pointed at, else the newest of all."""
        of_row = [job for job in self.view.jobs if self.pointed_key in job_rows(job, self.view)]
        await self.controller.show_job((of_row or self.view.jobs)[-1].id)

    # -- the form

    async def show_create_form(self, target: Target, last: CreateRequest | None) -> None:
        form = VmForm(target, last, self.view, self.controller.find_offers, self.controller.find_headroom)
        await self.open_form(form, self.controller.create, stays=True)

    # -- the list

    def action_mark(self) -> None:
        if self.row is not None:
            self.mark([self.row.key])
            self.draw()
            self.list.action_move(1)

    def action_one_zone(self) -> None:
        if self.row is not None:
            self.controller.show_zone(self.row.zone)

    def action_all_zones(self) -> None:
        self.controller.show_zone(EVERYWHERE)

    def action_look(self) -> None:
        self.controller.look_now()

    # -- news from the widgets

    async def on_lines_list_chosen(self) -> None:
        await self.controller.describe(self.pointed_key)


class VmList(Table[VmRow]):
    """Nodes and queued resources."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Describe", tooltip="show all that is known of this one, as YAML", id="vms.choose"),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, PROBLEMS_FIRST, id="vm-list")

    def over(self, row: VmRow) -> tuple[str, str, str] | None:
        """Return what is being done to it, or what changed a moment ago."""
        note = row.doing or row.note
        return None if note is None else ("state", *note)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "choose" or bool(self.rows)
