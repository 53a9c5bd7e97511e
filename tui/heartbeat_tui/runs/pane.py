"""The Runs pane: every run that is kept, found again, looked at, named, compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from heartbeat_core.benchmark.report import Report
from heartbeat_core.charts.latency import TITLE, latency_chart
from heartbeat_core.columns import StyledText
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.query import query_runs
from heartbeat_core.telemetry.text import chip_line
from heartbeat_core.units import format_ns
from heartbeat_tui.runs.forms import ExportForm, LabelForm
from heartbeat_tui.runs.library import RunListing, to_compare
from heartbeat_tui.runs.rows import COLUMNS, GROUP, NEWEST, RunRow, quality_text, row_marks, rows_of
from heartbeat_tui.runs.text import count_text, empty_text, facts_text, group_facts, notices, run_facts, runs_text
from heartbeat_tui.widgets.chart import Chart
from heartbeat_tui.widgets.pane import PaneContext, TablePane, pane_key
from heartbeat_tui.widgets.table import Table
from heartbeat_tui.widgets.text import Lines, styled

if TYPE_CHECKING:
    from heartbeat_tui.benchmark.session import Snapshot
    from heartbeat_tui.runs.controller import RunsController


key = partial(pane_key, "runs")

OPEN = "show the whole run or sweep, or unfold the group; right and left unfold and fold any"


class RunsPane(TablePane[RunRow]):
    """Draws the runs it is shown, and has its controller read and change them."""

    DEFAULT_CSS = """
    RunsPane #runs-news { display: none; padding: 0 1; }
    RunsPane.-news #runs-news { display: block; }
    RunsPane #runs-panel { height: 1fr; padding: 0; border-subtitle-color: $accent; border-subtitle-style: none; }
    RunsPane #runs-empty { display: none; height: 1fr; padding: 1 2; }
    RunsPane.-empty #runs-empty { display: block; }
    RunsPane.-empty RunList, RunsPane.-empty RunDetails, RunsPane.-form RunDetails { display: none; }
    """
    PANEL = "#runs-panel"
    MAY_BE_SOUGHT = "words of a run, such as bfloat16 128x4096, or tag:slow"
    SPARE: ClassVar[tuple[str, ...]] = ("seek", "name", "replay")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "back", "Back", "show all runs again, then take the marks away"),
        key("space", "mark", "Mark", "mark this run, so that a key acts on all that are marked"),
        key("c", "compare", "Compare", "compare all marked runs with the reference, or this run with the last comparable one"),
        key("t", "devices", "CPU/TPU", "the latest run on a CPU against the latest on a TPU; where one is missing, offer to make it"),
        key("T", "trend", "Trend", "all runs with the config, device and host of this one, over time", show=False),
        key("p", "replay", "Replay", "play this run again in the Heartbeat pane"),
        key("n", "name", "Name …", "give it a name, a note and tags"),
        key("d", "delete", "Delete …", "delete this recording, or all that are marked, once you have said so", show=False),
        key("x", "export", "Export …", "export this run, or all marked runs, as CSV, JSON, Markdown or a chart", show=False),
        key("slash", "seek", "Filter", "show only the runs with these words: of name, tags, note, device, shape, method, verdict"),
        key("o", "sort", "Sort", "reverse the order, then sort by the next column", show=False),
        key("a", "attempts", "All", "show also the attempts that ended before their first sample, or hide them", show=False),
        key("f", "reference", "Reference", "compare others with this run", show=False),
        key("y", "copy", "Copy", "copy what is known of it, or of all that are marked, as text", show=False),
        key("r", "read", "Refresh", "look for runs that another program has made", show=False),
    ]

    def __init__(self, context: PaneContext, controller: RunsController) -> None:
        super().__init__(context, "runs", RunList())
        self.controller = controller
        controller.view = self
        self.runs = RunListing()
        self.misread = ""
        self.all = False  # also attempts without a sample
        self.reference: str | None = None
        self.unfolded: frozenset[str] = frozenset()
        self.details = RunDetails()

    async def fill(self) -> None:
        panel = Vertical(self.list, Lines(id="runs-empty"), classes="panel", id="runs-panel")
        await self.fill_with(Lines(id="runs-news"), panel, self.details)
        self.controller.read()

    # -- what is shown

    def show(self, runs: RunListing) -> None:
        """Draw the runs; where they are those there were, only more is known of the one pointed at."""
        before, self.runs = self.runs, runs
        if runs == before and runs.entries is before.entries:
            self.draw_details()
            return
        known = {entry.path.name for entry in runs.entries or ()}
        self.marks = {name: None for name in self.marks if name in known}
        self.draw()

    def draw(self) -> None:
        if not self.filled:
            return
        entries = [entry for entry in self.runs.entries or () if self.all or not entry.is_attempt]
        hidden = len(self.runs.entries or ()) - len(entries)
        found = self.sifted(entries)
        rows = rows_of(found, self.order, self.unfolded, datetime.now(timezone.utc))
        self.list.show(rows, row_marks(self.marks, self.reference), self.order)
        self.set_class(not rows, "-empty")
        self.query_one("#runs-empty", Lines).set_lines(
            [styled(text, kind) for text, kind in empty_text(self.runs, self.sought, self.misread, hidden)]
        )
        said = notices(self.runs)
        self.set_class(bool(said), "-news")
        self.query_one("#runs-news", Lines).set_lines([styled(text, kind) for text, kind in said])
        self.query_one("#runs-panel").border_title = count_text(self.runs, len(found), self.sought, hidden)
        self.draw_marks()
        self.draw_details()

    def draw_marks(self) -> None:
        self.list.show_marks(row_marks(self.marks, self.reference))
        self.query_one("#runs-panel").border_subtitle = f"{len(self.marks)} marked" if self.marks else None
        self.refresh_bindings()

    def sifted(self, entries: Sequence[RunEntry]) -> Sequence[RunEntry]:
        """Keep what is sought; a word for a field that there is not keeps nothing, and why is said."""
        self.misread = ""
        try:
            return query_runs(entries, self.sought)
        except HeartbeatError as error:
            self.misread = " ".join((f"{error.title}:", error.cause, error.remedy))
            return ()

    def draw_details(self) -> None:
        """Show the run pointed at; what has not been read of it is asked for."""
        row = self.row
        if not self.filled or row is None:
            return
        now = datetime.now(timezone.utc)
        entry = row.entry
        if row.is_head:
            self.details.show(group_facts(row), None, entry.group, "⏎ opens the group.")
            return
        result = self.controller.library.loaded(entry) if entry.readable else None
        snapshot = None if result is None or isinstance(result, HeartbeatError) else result.snapshot
        self.details.show(run_facts(entry, now), snapshot, entry.title)
        if result is None and entry.readable:
            self.controller.load_latest(entry)

    def on_screen_resume(self) -> None:
        if self.filled:
            self.controller.read()

    # -- what is meant

    @property
    def meant(self) -> tuple[RunEntry, ...]:
        """Return the runs a key acts on: those marked, in the order they were, else the one or the group pointed at."""
        if self.marks:
            entries = {entry.path.name: entry for entry in self.runs.entries or ()}
            return tuple(entries[name] for name in self.marks)
        return self.row.entries if self.row is not None else ()

    def offered(self) -> dict[str, bool]:
        row = self.row
        single = row is not None and not row.is_head and row.entry.readable
        return {
            "back": self.seeking or bool(self.marks),
            "mark": row is not None,
            "compare": len(self.compared) > 1 or single,
            "trend": single,
            "replay": single,
            "name": single,
            "delete": bool(self.meant),
            "reference": single,
            "export": bool(self.meant) and all(entry.readable for entry in self.meant),
            "copy": bool(self.meant),
            "seek": bool(self.runs.entries) and (self.seeker is None or not self.seeker.has_focus),
            "sort": bool(self.list.rows),
            "attempts": any(entry.is_attempt for entry in self.runs.entries or ()),
        }

    def refusal(self, action: str) -> str:
        del action
        if self.row is not None and self.row.is_head:
            return f"This is a group of {len(self.row.members)} runs: press enter to open it, and point at one."
        return "This recording cannot be read." if self.row is not None and not self.row.entry.readable else ""

    # -- what the keys do

    def action_mark(self) -> None:
        if self.row is None:
            return
        self.mark([entry.path.name for entry in self.row.entries])
        self.list.action_move(1)
        self.draw_marks()

    def action_reference(self) -> None:
        if self.row is not None:
            self.reference = None if self.reference == (name := self.row.entry.path.name) else name
            self.draw_marks()

    @property
    def compared(self) -> tuple[RunEntry, ...]:
        """Return the runs to be compared, the reference first; empty for the one pointed at."""
        return to_compare(self.meant, self.reference, self.runs.entries or ())

    def action_compare(self) -> None:
        compared, row = self.compared, self.row
        if compared:
            self.controller.compare(compared)
        elif row is not None:
            self.controller.compare_with_latest(row.entry.path)

    def action_devices(self) -> None:
        self.controller.compare_devices()

    def action_trend(self) -> None:
        if self.row is not None:
            self.controller.open_trend(self.row.entry)

    def action_replay(self) -> None:
        if self.row is not None:
            self.controller.replay(self.row.entry)

    def action_delete(self) -> None:
        self.controller.delete(self.meant)

    def action_attempts(self) -> None:
        self.all = not self.all
        self.draw()

    def action_read(self) -> None:
        self.controller.read()

    def action_copy(self) -> None:
        now, entries = datetime.now(timezone.utc), self.meant
        self.app.copy_to_clipboard(facts_text(run_facts(entries[0], now)) if len(entries) == 1 else runs_text(entries, now))
        self.notify(f"{'The run is' if len(entries) == 1 else f'{len(entries)} runs are'} on the clipboard.", markup=False)

    async def action_name(self) -> None:
        if self.row is not None:
            await self.open_form(LabelForm(self.row.entry), self.controller.label)

    async def action_export(self) -> None:
        await self.open_form(ExportForm(self.compared or self.meant), self.controller.export)

    # -- news from the widgets

    def on_lines_list_pointed(self) -> None:
        self.draw_details()

    def on_lines_list_chosen(self) -> None:
        row = self.row
        if row is not None and row.is_sweep:
            self.controller.open_sweep(row.members)
        elif row is not None and row.is_head:
            self.fold(row.entry.group, open_=not row.open)
        elif row is not None and row.entry.readable:  # a click comes past the keys that are offered
            self.controller.open(row.entry)

    def on_lines_list_folded(self, event: RunList.Folded) -> None:
        self.fold(event.key, open_=event.open_)

    def fold(self, group: str, *, open_: bool) -> None:
        self.unfolded = self.unfolded | {group} if open_ else self.unfolded - {group}
        self.draw()
        if not open_:
            self.list.point_at_key(GROUP + group)


LABEL, WIDER_LABEL = 12, 13  # cells
SKIPPED = frozenset({"rehearsal", "features"})  # said elsewhere, or longer than its worth


def fact_lines(facts: Iterable[tuple[str, StyledText]], width: int, label_width: int) -> list[Content]:
    """Write each fact beside its label, what does not fit below it."""
    lines = []
    for label, (text, kind) in facts:
        for number, part in enumerate(wrap(text, max(10, width - label_width)) or [""]):
            lines.append(Content.assemble(styled(("" if number else label).ljust(label_width), "quiet"), styled(part, kind)))
    return lines


def environment_of(report: Report) -> list[tuple[str, StyledText]]:
    """Return where it ran, lists with spaces and variables as NAME=value, and its setup time."""
    facts: list[tuple[str, StyledText]] = []
    for name, value in report.environment.items():
        if value not in (None, "", {}, []) and name not in SKIPPED:
            parts = [f"{key}={each}" for key, each in value.items()] if isinstance(value, dict) else value
            text = " ".join(map(str, parts)) if isinstance(parts, list) else str(parts)
            facts.append((name.replace("_", " "), (text, "plain")))
    done = " · ".join(f"{name} {format_ns(ns)}" for name, ns in report.stages.items() if ns is not None)
    return [*facts, *([("setup", (done, "plain"))] if done else [])]


class RunDetails(Horizontal):
    """Facts, chart and environment side by side, as many as there is room for."""

    SCOPED_CSS = False  # it depends on the classes of the screen

    DEFAULT_CSS = """
    RunDetails { height: 10; }
    RunDetails .panel { height: 1fr; }
    RunDetails VerticalScroll { scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    RunDetails #run-facts { width: 3fr; }
    RunDetails Chart { width: 2fr; min-width: 28; }
    RunDetails #run-environment { width: 2fr; display: none; }
    .-tall RunDetails { height: 13; }
    .-wide RunDetails #run-environment { display: block; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="panel", id="run-facts", can_focus=False) as facts:
            facts.border_title = "this run"
            yield Lines(id="run-facts-lines")
        yield Chart(classes="panel", id="run-chart")
        with VerticalScroll(classes="panel", id="run-environment", can_focus=False) as environment:
            environment.border_title = "where it ran"
            yield Lines(id="run-environment-lines")

    def show(self, facts: Sequence[tuple[str, StyledText]], snapshot: Snapshot | None, title: str, empty: str = "") -> None:
        """Show what is known; without a ``snapshot`` the chart says ``empty``."""
        self.query_one("#run-facts").border_title = title
        environment = environment_of(snapshot.report) if snapshot is not None else ()
        self.query_one("#run-facts-lines", Lines).show_sized(lambda width, _: fact_lines(facts, width, LABEL))
        self.query_one("#run-environment-lines", Lines).show_sized(lambda width, _: fact_lines(environment, width, WIDER_LABEL))
        chart = self.query_one(Chart)
        if snapshot is None:
            chart.draw(lambda _width, _height: None, title=TITLE, empty=empty)
            return
        statistics = snapshot.report.statistics
        make = partial(latency_chart, snapshot.chart, median_ns=statistics.median_ns if statistics else None)
        chart.draw(make, title=TITLE, subtitle=chip_line(snapshot.report))


class RunList(Table[RunRow]):
    """Runs, and the heads of their groups."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", tooltip=OPEN, id="runs.open"),
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, NEWEST, id="runs-list")

    def over(self, row: RunRow) -> tuple[str, str, str] | None:
        """Return what is wrong with a recording that has no figures."""
        if row.is_head or row.entry.workload is not None:
            return None
        status, style = quality_text(row.entry)
        return "name", f"{status}: {row.entry.problem}", style

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        row = self.row
        return action != "choose" or (row is not None and (row.is_head or row.entry.readable))

    def action_unfold(self, open_: bool) -> None:
        if self.row is not None and self.row.entry.group:
            self.post_message(self.Folded(self.row.entry.group, open_=open_))
