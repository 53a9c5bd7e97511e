"""The runs that are kept: read, opened, replayed, named and deleted here, whichever pane is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import work

from heartbeat_tui.desks.beat import BeatDesk

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.recordings.entry import Entry
    from heartbeat_tui.archive import Archive
    from heartbeat_tui.panes.runs import RunsPane
    from heartbeat_tui.runs_messages import DeleteRuns, ExportRuns, LabelRuns, LookAtRun, OpenRun, OpenSweep, ReplayRun
    from heartbeat_tui.widgets.top_line import Tabs

NAMED = 5  # of those to be deleted, one by one


class RunsDesk(BeatDesk):
    """There is no ``archive`` before the Runs pane was gone to, or a run compared."""

    make_archive: Callable[[], Archive] | None = None
    archive: Archive | None = None
    runs_pane: RunsPane | None = None
    replayed_here = False  # what the Heartbeat pane plays was chosen in the Runs pane

    def open_runs(self, tabs: Tabs, make_archive: Callable[[], Archive]) -> None:
        self.make_archive, self.tabs_of_runs = make_archive, tabs

        def make() -> RunsPane:
            from heartbeat_tui.panes.runs import RunsPane

            archive = self.open_archive()
            assert archive is not None
            self.runs_pane = RunsPane(tabs, archive.sight)
            return self.runs_pane

        self.offer_mode("runs", make)

    def open_archive(self) -> Archive | None:
        """Give the owner of the runs, made when it is first asked for; None where no runs are kept."""
        if self.archive is None and self.make_archive is not None:
            self.archive = self.make_archive()
            self.archive.news = self.told_of_runs
        return self.archive

    def told_of_runs(self) -> None:
        """Take news from the threads that read."""
        from heartbeat_tui.runs_messages import RunsChanged

        if self.is_running:
            self.post_message(RunsChanged())

    def on_runs_changed(self) -> None:
        if self.archive is not None and self.runs_pane is not None:
            self.runs_pane.show(self.archive.runs())

    @work(thread=True, group="runs", exit_on_error=False)
    def of_runs(self, errand: Callable[[], None]) -> None:
        """Read or write recordings in a thread."""
        errand()

    def on_read_runs(self) -> None:
        if self.archive is not None:
            self.of_runs(self.archive.read)

    def run_ended(self) -> None:
        """Look for the recording of the run that has just ended, where somebody has looked at the list."""
        super().run_ended()
        if self.runs_pane is not None:
            self.on_read_runs()

    def on_look_at_run(self, event: LookAtRun) -> None:
        if self.archive is not None:
            self.of_runs(partial(self.archive.look_at, event.entry))

    def on_label_runs(self, event: LabelRuns) -> None:
        if self.archive is not None:
            self.of_runs(partial(self.archive.label, event.entries, event.change))

    def on_export_runs(self, event: ExportRuns) -> None:
        self.export_runs(event)

    @work(group="open", exit_on_error=False)
    async def export_runs(self, event: ExportRuns) -> None:
        """Write the file, and say where it lies."""
        if self.archive is not None:
            size, left_out = await asyncio.to_thread(self.archive.export, event.entries, event.form, event.path)
            said = "\n".join((f"{event.path.absolute()}, {size:,} bytes", *left_out))
            self.notify(said, title="Written", severity="warning" if left_out else "information", markup=False)

    # -- a whole run

    def on_open_sweep(self, event: OpenSweep) -> None:
        self.open_sweep(event.entries)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def open_sweep(self, entries: tuple[Entry, ...]) -> None:
        """Show the charts of a sweep over the list."""
        from heartbeat_tui.panes.kept_run import KeptRunPane

        if self.archive is not None:
            snapshot = await asyncio.to_thread(self.archive.open_sweep, entries)
            await self.push_screen(self.prepared(KeptRunPane(self.tabs_of_runs, snapshot)))

    def on_open_run(self, event: OpenRun) -> None:
        self.open_run(event.entry)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def open_run(self, entry: Entry) -> None:
        """Read a run and show all of it over the list."""
        from heartbeat_tui.panes.kept_run import KeptRunPane

        if self.archive is not None:
            read = await asyncio.to_thread(self.archive.open, entry)
            await self.push_screen(self.prepared(KeptRunPane(self.tabs_of_runs, read.snapshot)))

    def on_replay_run(self, event: ReplayRun) -> None:
        self.play_again(event.entry.path)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def play_again(self, path: Path) -> None:
        """Play a recording in the Heartbeat pane; a run on its way is ended for it only where that is wished."""
        from heartbeat_tui.screens.confirm import Confirm

        if self.archive is None:
            return
        if self.conductor.active:
            ended = Confirm("End the run on its way?", "The replay takes its place; what it has measured is kept.", "End it", "Leave it")
            if not await self.push_screen_wait(ended):
                return
        self.replay, self.replayed_here = partial(self.archive.open_replay, path), True
        self.pane.replaying = True
        await self.switch_mode("heartbeat")
        self.pane.action_begin()

    def clear_run(self) -> None:
        """Let the Heartbeat pane beat again after a replay chosen here."""
        if self.replayed_here:
            self.replay, self.replayed_here, self.pane.replaying = None, False, False
        super().clear_run()
        self.pane.refresh_bindings()

    # -- deleting

    def on_delete_runs(self, event: DeleteRuns) -> None:
        self.delete_runs(event.entries)

    @work(group="delete", exclusive=True, exit_on_error=False)
    async def delete_runs(self, entries: tuple[Entry, ...]) -> None:
        """Say what goes, and delete it where that is wished."""
        from heartbeat_core.units import format_bytes
        from heartbeat_tui.screens.confirm import Confirm

        if self.archive is None or not entries:
            return
        names = [entry.title for entry in entries[:NAMED]] + ([f"{len(entries) - NAMED} more"] if len(entries) > NAMED else [])
        question = "Delete this recording for good?" if len(entries) == 1 else f"Delete {len(entries)} recordings for good?"
        detail = f"{', '.join(names)}: {format_bytes(sum(entry.bytes for entry in entries))}. There is no way back."
        if await self.push_screen_wait(Confirm(question, detail, "Delete", "Keep")):
            self.of_runs(partial(self.archive.delete, entries))
