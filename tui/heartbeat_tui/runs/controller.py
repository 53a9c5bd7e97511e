"""The runs that are kept: read, opened, replayed, named and deleted here, whichever pane is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import work

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.controller import BeatDesk

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.recordings.entry import RunEntry
    from heartbeat_tui.runs.library import DevicePair, RunLibrary
    from heartbeat_tui.runs.model import (
        CompareRuns,
        CompareWithLast,
        DeleteRuns,
        ExportRuns,
        LabelRuns,
        LookAtRun,
        OpenRun,
        OpenSweep,
        ReplayRun,
    )
    from heartbeat_tui.runs.pane import RunsPane
    from heartbeat_tui.widgets.header_footer import Tabs


NAMED = 5  # of those to be deleted, one by one


class RunsDesk(BeatDesk):
    """There is no ``archive`` before the Runs pane was gone to, or a run compared."""

    make_archive: Callable[[], RunLibrary] | None = None
    archive: RunLibrary | None = None
    runs_pane: RunsPane | None = None
    replayed_here = False  # what the Heartbeat pane plays was chosen in the Runs pane

    def open_runs(self, tabs: Tabs, make_archive: Callable[[], RunLibrary]) -> None:
        self.make_archive, self.tabs_of_runs = make_archive, tabs

        def make() -> RunsPane:
            from heartbeat_tui.runs.pane import RunsPane

            archive = self.open_archive()
            assert archive is not None
            self.runs_pane = RunsPane(tabs, archive.sight)
            return self.runs_pane

        self.offer_mode("runs", make)

    def open_archive(self) -> RunLibrary | None:
        """Give the owner of the runs, made when it is first asked for; None where no runs are kept."""
        if self.archive is None and self.make_archive is not None:
            self.archive = self.make_archive()
            self.archive.news = self.told_of_runs
        return self.archive

    def told_of_runs(self) -> None:
        """Take news from the threads that read."""
        from heartbeat_tui.runs.model import RunsChanged

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
    async def open_sweep(self, entries: tuple[RunEntry, ...]) -> None:
        """Show the charts of a sweep over the list."""
        from heartbeat_tui.runs.recorded_run_pane import RecordedRunPane

        if self.archive is not None:
            snapshot = await asyncio.to_thread(self.archive.open_sweep, entries)
            await self.push_screen(self.prepared(RecordedRunPane(self.tabs_of_runs, snapshot)))

    def on_open_run(self, event: OpenRun) -> None:
        self.open_run(event.entry)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def open_run(self, entry: RunEntry) -> None:
        """Read a run and show all of it over the list."""
        from heartbeat_tui.runs.recorded_run_pane import RecordedRunPane

        if self.archive is not None:
            read = await asyncio.to_thread(self.archive.open, entry)
            await self.push_screen(self.prepared(RecordedRunPane(self.tabs_of_runs, read.snapshot)))

    def on_replay_run(self, event: ReplayRun) -> None:
        self.play_again(event.entry.path)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def play_again(self, path: Path) -> None:
        """Play a recording in the Heartbeat pane; a run on its way is ended for it only where that is wished."""
        from heartbeat_tui.widgets.dialogs import Confirm

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
    async def delete_runs(self, entries: tuple[RunEntry, ...]) -> None:
        """Say what goes, and delete it where that is wished."""
        from heartbeat_core.units import format_bytes
        from heartbeat_tui.widgets.dialogs import Confirm

        if self.archive is None or not entries:
            return
        names = [entry.title for entry in entries[:NAMED]] + ([f"{len(entries) - NAMED} more"] if len(entries) > NAMED else [])
        question = "Delete this recording for good?" if len(entries) == 1 else f"Delete {len(entries)} recordings for good?"
        detail = f"{', '.join(names)}: {format_bytes(sum(entry.bytes for entry in entries))}. There is no way back."
        if await self.push_screen_wait(Confirm(question, detail, "Delete", "Keep")):
            self.of_runs(partial(self.archive.delete, entries))


NO_RUN = HeartbeatError("this run was not kept", "", "Set recordings.save = true and run it again.")


class ComparingDesk(RunsDesk):
    """``missing`` says why a backend cannot run here."""

    missing: Callable[[str], str] | None = None
    pair_wanted = False  # a run was started to complete a pair

    def on_compare_runs(self, event: CompareRuns) -> None:
        self.compare_runs(event.entries)

    def on_compare_with_last(self, event: CompareWithLast) -> None:
        self.compare_with_kin(event.entry.path)

    def on_compare_run_made(self) -> None:
        """Hold the run in the Heartbeat pane against the reference chosen in the Runs pane, else the last of its kind."""
        from heartbeat_core.experiments.experiment import kept_at

        run = self.conductor.run
        path = kept_at(run) if run is not None else None
        if path is None:
            self.tell(NO_RUN)
            return
        self.compare_with_kin(path, self.runs_pane.reference if self.runs_pane is not None else None)

    @work(group="open", exclusive=True, exit_on_error=False)
    async def compare_with_kin(self, path: Path, reference: str | None = None) -> None:
        from heartbeat_tui.runs.library import latest_comparable

        entries = await self.latest()
        entry = next((each for each in entries if each.path == path), None)
        if entry is None:
            self.tell(NO_RUN)
            return
        chosen = next((each for each in entries if each.path.name == reference and each.path != path), None)
        other = chosen or latest_comparable(entry, entries)
        if other is None:
            cause = "It is the only run that has figures."
            self.tell(HeartbeatError("there is nothing to compare with", cause, "Make another run: 3, then space."))
            return
        older, newer = (other, entry) if chosen or (other.started and entry.started and other.started <= entry.started) else (entry, other)
        await self.show_comparison((older, newer))

    @work(group="open", exclusive=True, exit_on_error=False)
    async def compare_runs(self, entries: tuple[RunEntry, ...]) -> None:
        await self.show_comparison(entries)

    async def show_comparison(self, entries: tuple[RunEntry, ...]) -> None:
        """Read the runs and show the comparison over the pane that is shown."""
        from heartbeat_tui.runs.comparison_pane import ComparisonPane

        if self.archive is not None:
            compared = await asyncio.to_thread(self.archive.compare, entries)
            await self.push_screen(self.prepared(ComparisonPane(self.tabs_of_runs, self.current_mode, compared)))

    async def latest(self) -> tuple[RunEntry, ...]:
        """List the runs as they are now."""
        archive = self.open_archive()
        if archive is None:
            return ()
        await asyncio.to_thread(archive.read)
        return archive.entries or ()

    # -- CPU and TPU

    def on_compare_devices(self) -> None:
        self.compare_devices()

    @work(group="open", exclusive=True, exit_on_error=False)
    async def compare_devices(self, *, offer: bool = True) -> None:
        """Show the pair; where one is missing, offer to make it, unless that was just tried."""
        from heartbeat_tui.runs.library import find_pair

        pair = find_pair(await self.latest())
        if pair.cpu is not None and pair.xla is not None:
            await self.show_comparison((pair.cpu, pair.xla))
        elif offer:
            await self.offer_run(pair)
        else:
            self.tell(HeartbeatError("there is no pair to compare yet", "The run just made has no figures, or was not kept.", "4, then t."))

    async def offer_run(self, pair: DevicePair) -> None:
        """Offer to make the run that is missing; it beats in the Heartbeat pane, and the comparison comes when it has ended."""
        from heartbeat_tui.benchmark.text import config_sentence
        from heartbeat_tui.widgets.dialogs import Confirm

        if self.archive is None:
            return
        backend = pair.lacking
        plan = await asyncio.to_thread(self.plan_for, pair)
        lacks = self.missing(backend) if self.missing is not None else ""
        if lacks:
            folder = self.archive.runs().folder
            remedy = f"Install it with heartbeat-tui backend install {backend}, or copy a recording of a TPU into {folder}."
            self.tell(HeartbeatError(f"there is no run on {backend} to hold the CPU against", lacks, remedy))
            return
        info = BACKENDS[backend]
        name = "on this machine's CPU" if info.host_only else f"on {info.label}"
        there = f" to hold {pair.there.title} against" if pair.there is not None else ""
        rehearsal = " Without a TPU in this machine, torch_xla rehearses on the CPU." if info.rehearsal else ""
        detail = config_sentence(plan) + rehearsal
        question = Confirm(f"There is no run {name}{there}. Make it now?", detail, "Make it", "Not now")
        if await self.push_screen_wait(question):
            self.clear_run()
            self.pair_wanted = True
            await self.switch_mode("heartbeat")
            self.pane.config = plan
            self.pane.action_begin()

    def plan_for(self, pair: DevicePair) -> BenchmarkConfig:
        """Plan the run that is missing: the work of the one there is."""
        assert self.archive is not None
        there = self.archive.open(pair.there).snapshot.report.config if pair.there is not None else self.pane.config
        return replace(there, backend=pair.lacking, threads=None, calibrate=False)

    def conducted(self) -> None:
        super().conducted()
        if self.conductor.run is None:  # it never began
            self.pair_wanted = False

    def run_ended(self) -> None:
        """Show the pair once it is complete."""
        super().run_ended()
        if self.pair_wanted:
            self.pair_wanted = False
            self.compare_devices(offer=False)
