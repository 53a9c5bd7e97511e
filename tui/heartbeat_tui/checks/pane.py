"""The Readiness pane: whether this project, this account and this machine are ready for a TPU, and what the next step is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from heartbeat_tui.checks.monitor import Checklist
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.pane import ListPane, PaneContext, pane_key
from heartbeat_tui.widgets.table import LinesList
from heartbeat_tui.widgets.text import Lines, styled, styled_line

if TYPE_CHECKING:
    from heartbeat_core.checks.result import Result
    from heartbeat_core.errors import HeartbeatError
    from heartbeat_tui.checks.controller import ChecksController
    from heartbeat_tui.checks.text import CheckRow, Fold


key = partial(pane_key, "readiness")


class ReadinessPane(ListPane):
    """Draws the checklist, and has its controller run checks and fixes."""

    DEFAULT_CSS = """
    ReadinessPane #checks-panel { width: 1fr; height: 1fr; padding: 0; }
    ReadinessPane #details { width: 1fr; height: 1fr; }
    ReadinessPane #checks-problem { display: none; height: 1fr; padding: 1 2; }
    ReadinessPane.-failed #checks-problem { display: block; }
    ReadinessPane.-failed ChecklistView, ReadinessPane.-failed #details { display: none; }
    ReadinessPane #halves { width: 100%; height: 1fr; }  /* 1fr would leave room for the margin of the head */
    ReadinessPane.-form #halves { display: none; }
    ReadinessPane #readiness-head { height: 2; margin: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    ReadinessPane.-tall #readiness-head { margin: 1 1; }
    ReadinessPane.-narrow #checks-panel, ReadinessPane.-narrow #details { width: 1fr; }
    ReadinessPane.-narrow #details, ReadinessPane.-narrow.-details #checks-panel { display: none; }
    ReadinessPane.-narrow.-details #details { display: block; }
    """
    PANEL = "#checks-panel"
    MAY_BE_SOUGHT = "words of a check, or fail"
    SPARE: ClassVar[tuple[str, ...]] = ("seek", "next", "ask_group", "ask_all", "copy", "ask")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "back", "Back", "back to the checks"),
        key("f", "fix", "Fix …", "show the fix of this check, and run it once you confirm"),
        key("F", "fix_all", "Fix all …", "go through all fixes in an order that works, and run each that you confirm"),
        key("y", "copy", "Copy", "copy the command of the fix"),
        key("r", "ask", "Re-check", "run this check again"),
        key("ctrl+r", "ask_group", "Group", "run all checks of this group again"),
        key("R", "ask_all", "All", "run all checks again"),
        key("s", "stop", "Stop", "stop the checks", show=False),
        key("n", "next", "Next", "go to the next step; once all is ready, create the TPU VM"),
        key("t", "target", "Target …", "choose project, zone, accelerator, runtime and provisioning model"),
        key("slash", "seek", "Filter", "show only the checks with these words"),
    ]

    list: ChecklistView

    def __init__(self, context: PaneContext, controller: ChecksController) -> None:
        super().__init__(context, "readiness", ChecklistView())
        self.controller = controller
        controller.view = self
        self.checklist: Checklist | None = None
        self.problem: HeartbeatError | None = None  # why there is no checklist
        self.folds: dict[str, Fold] = {}
        self.head, self.details = Lines(id="readiness-head"), CheckDetails()

    async def fill(self) -> None:
        panel = Vertical(self.list, Lines(id="checks-problem"), classes="panel", id="checks-panel")
        panel.border_title = "checks"
        await self.fill_with(self.head, Horizontal(panel, self.details, id="halves"))
        self.controller.run_checks()

    # -- what is shown

    def show(self, checklist: Checklist | None, problem: HeartbeatError | None = None) -> None:
        self.checklist, self.problem = checklist, problem
        self.draw()

    def draw(self) -> None:
        self.show_emulator(self.checklist.endpoint if self.checklist else None)
        if not self.filled:
            return
        from heartbeat_tui.checks.text import head_lines, problem_lines, rows_of

        checklist, failed = self.checklist, self.problem is not None
        self.head.show_sized(lambda width, _: [styled_line(line) for line in head_lines(checklist, width, failed=failed)])
        self.set_class(self.problem is not None, "-failed")
        if self.problem is not None:
            self.remove_class("-details")  # of a check that is no more
            self.query_one("#checks-problem", Lines).set_lines([styled_line(line) for line in problem_lines(self.problem)])
        if self.checklist is not None and self.checklist.checks:
            self.list.show(partial(rows_of, self.checklist, self.folds, self.sought))
            self.draw_details()
        self.refresh_bindings()

    def draw_details(self) -> None:
        if self.checklist is not None:
            self.details.show(self.list.row, self.checklist)

    def on_screen_resume(self) -> None:
        self.draw()

    # -- what can be done now

    @property
    def row(self) -> CheckRow | None:
        return self.list.row

    @property
    def result(self) -> Result | None:
        return self.row.result if self.row else None

    @property
    def narrow(self) -> bool:
        return self.app.size.width < 110

    def offered(self) -> dict[str, bool]:
        if self.checklist is None:  # there is nothing yet to act on
            return {**dict.fromkeys(self.OWN, False), "ask_all": self.filled}
        from heartbeat_core.checks.fix_plan import all_steps
        from heartbeat_tui.checks.text import command_of

        row, result = self.row, self.result
        opened = self.has_class("-details") and self.narrow
        return {
            "back": opened or self.seeking or not self.at_list,
            "fix": bool(result and result.remedies),
            "copy": command_of(result) is not None,
            "ask": bool(row and row.check),
            "ask_group": row is not None,
            "stop": self.checklist.busy or self.checklist.watch is not None,
            "fix_all": bool(all_steps(self.checklist.report)),
            "next": self.checklist.report.next is not None or bool(self.checklist.report.ready),
            "seek": self.seeker is None and not opened,
        }

    def refusal(self, action: str) -> str:
        if self.checklist is None or self.checklist.busy:
            return "The checks are running." if action in ("fix", "fix_all", "next") else ""
        return {
            "fix": "This check has no fix.",
            "fix_all": "Nothing is left to fix." if self.checklist.report.ready else "No check that fails can be fixed by a command.",
            "copy": "This check has no command to copy.",
        }.get(action, "")

    @property
    def at_list(self) -> bool:
        return self.focused is None or self.focused is self.list

    # -- what the keys do

    async def action_back(self) -> None:
        """Close what is open: the details, then the filter."""
        if not self.at_list and self.seeker is None:
            self.remove_class("-details")
        await self.stop_seeking()

    async def action_fix(self) -> None:
        if self.result is not None:
            await self.controller.show_fix(self.result)

    async def action_fix_all(self) -> None:
        from heartbeat_core.checks.fix_plan import all_steps

        if self.checklist is not None:
            await self.controller.show_fixes(all_steps(self.checklist.report))

    def action_copy(self) -> None:
        from heartbeat_tui.checks.text import command_of

        text = command_of(self.result)
        if text is not None:
            self.app.copy_to_clipboard(text)
            self.notify(text, title="On the clipboard", markup=False)

    def action_ask(self) -> None:
        if self.row is not None and self.row.check is not None:
            self.controller.run_checks((self.row.check.id,))

    def action_ask_group(self) -> None:
        from heartbeat_tui.checks.text import group_name

        if self.row is not None:
            self.controller.run_checks(group_name(self.row))

    def action_ask_all(self) -> None:
        self.controller.run_checks()

    def action_stop(self) -> None:
        self.controller.stop()

    async def action_next(self) -> None:
        if self.checklist is not None and self.checklist.report.ready and not self.checklist.busy:
            await self.run_action("app.create_vm")
            return
        following = self.checklist.report.next if self.checklist else None
        if following is not None:
            self.list.point_at_key(following.id)

    async def action_target(self) -> None:
        from heartbeat_tui.checks.target_form import TargetForm

        target = self.checklist.report.target if self.checklist else None
        if target is not None:
            await self.open_form(TargetForm(target, self.controller.find_offers), self.controller.aim)

    # -- news from the widgets

    def on_lines_list_pointed(self) -> None:
        self.draw_details()

    def on_lines_list_chosen(self) -> None:
        self.add_class("-details")
        self.details.query_one("#details-scroll").focus()
        self.refresh_bindings()

    def on_lines_list_folded(self, event: ChecklistView.Folded) -> None:
        self.folds[event.key] = "open" if event.open_ else "shut"
        self.draw()


class CheckDetails(Vertical):
    """The question, its result, why, the fix, and the evidence."""

    DEFAULT_CSS = """
    CheckDetails #details-question { padding: 0 0 1 0; }
    CheckDetails VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    CheckDetails #details-keys { display: none; height: 1; margin-top: 1; }
    CheckDetails.-fixable #details-keys { display: block; }
    CheckDetails KeyButton { margin: 0 2 0 0; }
    """

    def __init__(self) -> None:
        super().__init__(classes="panel", id="details")
        self.key = ""

    def compose(self) -> ComposeResult:
        yield Lines(id="details-question")
        with VerticalScroll(id="details-scroll"):
            yield Lines(id="details-text")
        with Horizontal(id="details-keys"):
            yield KeyButton("f", "Fix …", "fix")
            yield KeyButton("y", "Copy command", "copy")

    def show(self, row: CheckRow | None, checklist: Checklist) -> None:
        from heartbeat_tui.checks.text import details

        question = row.check.question if row and row.check else row.text.capitalize() if row else ""
        self.query_one("#details-question", Lines).set_lines([styled(question, "strong")])
        self.query_one("#details-text", Lines).show_sized(lambda width, _: [styled_line(line) for line in details(row, checklist, width)])
        self.set_class(bool(row and row.result and row.result.remedies), "-fixable")
        key = row.key if row else ""
        if key != self.key:
            self.key = key
            self.query_one("#details-scroll", VerticalScroll).scroll_home(animate=False)


class ChecklistView(LinesList):
    """Points at the next step until the cursor is moved by hand."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
        Binding("enter", "choose", "Details", tooltip="show all that is known of this check, or unfold the section", id="checks.choose"),
    ]

    def __init__(self) -> None:
        super().__init__(id="checks")
        self.make: Callable[[int], Sequence[CheckRow]] = lambda _: ()
        self.rows: tuple[CheckRow, ...] = ()
        self.height_shown = 0  # the last one: beside the details of a narrow screen it is hidden, and keeps its rows
        self.longest = 0  # of the names of checks
        self.moved = False  # by hand: from then on nothing else moves it

    @property
    def row(self) -> CheckRow | None:
        return self.rows[self.cursor] if self.rows else None

    def show(self, make: Callable[[int], Sequence[CheckRow]]) -> None:
        """Draw the rows that ``make`` returns for this height, now and after every change of it."""
        self.make = make
        self.on_resize()

    def on_resize(self) -> None:  # Textual calls the one of LinesList as well
        """Draw the rows; a check that is folded away leaves its section pointed at."""
        self.height_shown = self.size.height or self.height_shown
        before, self.rows = self.row, tuple(self.make(self.height_shown))
        self.longest = max((len(row.text) for row in self.rows if not row.is_section), default=0)
        keys = [row.key for row in self.rows]
        self.show_keys(keys)
        following = None if self.moved else next((row.key for row in self.rows if row.next), None)
        wanted = [following] if following else [before.key, before.section] if before else []
        self.cursor = next((keys.index(key) for key in wanted if key in keys), self.cursor)
        if before is not None and self.key != before.key:
            self.post_message(self.Pointed())

    def draw_row(self, index: int, width: int) -> Content:
        from heartbeat_tui.checks.text import row_line

        names = min(self.longest, 24 if width >= 54 else max(14, width // 3))
        return styled_line(row_line(self.rows[index], width, names))

    def point_at(self, index: int) -> None:
        self.moved = True
        super().point_at(index)

    def clicked(self, *, again: bool) -> None:
        if again or (self.row is not None and self.row.is_section):
            self.action_choose()

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None:
            self.moved = True
            self.post_message(self.Folded(self.row.section, open_=open_))

    def action_choose(self) -> None:
        self.moved = True
        if self.row is not None and self.row.is_section:
            self.post_message(self.Folded(self.row.key, open_=not self.row.open))
        else:
            super().action_choose()
