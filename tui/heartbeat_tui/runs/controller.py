"""Reads, opens, replays, labels, exports, deletes and compares recorded runs, whichever pane is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.units import format_bytes
from heartbeat_tui.benchmark.text import config_sentence
from heartbeat_tui.controller import Controller
from heartbeat_tui.runs.comparison_pane import ComparisonPane
from heartbeat_tui.runs.library import DevicePair, RunLibrary, find_pair, latest_comparable
from heartbeat_tui.runs.opened_panes import RecordedRunPane, TrendPane
from heartbeat_tui.widgets.dialogs import Confirm

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from heartbeat_tui.benchmark.controller import BenchmarkController
    from heartbeat_tui.runs.forms import ExportForm, LabelForm
    from heartbeat_tui.runs.pane import RunsPane
    from heartbeat_tui.widgets.pane import PaneContext


T = TypeVar("T")
NAMED = 5  # of those to be deleted, one by one
NO_RUN = HeartbeatError("this run was not recorded", "Recordings are off.", "Set recordings.save = true and run it again.")


class RunsController(Controller):
    """The pane enters itself as ``view``; there is none where a run was compared before anyone went to it.

    ``backend_problem`` says why a backend cannot run here, empty where it can.
    """

    view: RunsPane | None = None
    pair_wanted = False  # a run was started to complete a pair

    def __init__(
        self,
        app: App[None],
        context: PaneContext,
        library: RunLibrary,
        benchmark: BenchmarkController,
        backend_problem: Callable[[str], str],
    ) -> None:
        super().__init__(app)
        self.context, self.library, self.benchmark, self.backend_problem = context, library, benchmark, backend_problem
        library.news = self.post_change
        benchmark.on_end.append(self.run_ended)
        benchmark.on_started.append(self.run_started)

    async def show_change(self) -> None:
        if self.view is not None:
            self.view.show(self.library.listing)

    # -- the list

    def read(self) -> None:
        """Look for runs that are new, made here or by another program."""
        self.start_thread(self.library.read, "runs")

    def load_latest(self, entry: RunEntry) -> None:
        self.start_thread(partial(self.library.load_latest, entry), "runs")

    def label(self, form: LabelForm) -> None:
        self.start_thread(partial(self.library.label, form.entry, form.change), "runs")

    def export(self, form: ExportForm) -> None:
        self.start_task(self.write_export(form.entries, form.texts["form"], form.path.absolute()), "open")

    async def write_export(self, entries: tuple[RunEntry, ...], format_: str, path: Path) -> None:
        size, left_out = await asyncio.to_thread(self.library.export, entries, format_, path)
        said = "\n".join((f"{path}, {size:,} bytes", *left_out))
        self.app.notify(said, title="Written", severity="warning" if left_out else "information", markup=False)

    def delete(self, entries: tuple[RunEntry, ...]) -> None:
        if entries:
            self.start_task(self.confirm_delete(entries), "delete", exclusive=True)

    async def confirm_delete(self, entries: tuple[RunEntry, ...]) -> None:
        names = [entry.title for entry in entries[:NAMED]] + ([f"{len(entries) - NAMED} more"] if len(entries) > NAMED else [])
        question = f"Delete {'this recording' if len(entries) == 1 else f'{len(entries)} recordings'} for good?"
        detail = f"{', '.join(names)}: {format_bytes(sum(entry.bytes for entry in entries))}. There is no way back."
        if await self.app.push_screen_wait(Confirm(question, detail, "Delete", "Keep")):
            self.start_thread(partial(self.library.delete, entries), "runs")

    # -- a whole run

    def open(self, entry: RunEntry) -> None:
        self.push(lambda: self.library.open(entry).snapshot, RecordedRunPane)

    def open_sweep(self, entries: tuple[RunEntry, ...]) -> None:
        self.push(partial(self.library.open_sweep, entries), RecordedRunPane)

    def open_trend(self, entry: RunEntry) -> None:
        """Show the runs like this one over time, over the list."""
        self.push(partial(self.library.trend, entry), TrendPane)

    def push(self, read: Callable[[], T], pane: Callable[[PaneContext, T], Screen[None]]) -> None:
        """Read in a thread, then show over the list what was read."""

        async def show() -> None:
            await self.app.push_screen(pane(self.context, await asyncio.to_thread(read)))

        self.start_task(show(), "open", exclusive=True)

    def replay(self, entry: RunEntry) -> None:
        """Play a recording in the Heartbeat pane; a run on its way is ended for it only where that is confirmed."""
        self.start_task(self.play(entry.path), "open", exclusive=True)

    async def play(self, path: Path) -> None:
        if self.benchmark.session.active:
            said = "The replay takes its place; what it has measured is kept."
            ended = Confirm("End the run on its way?", said, "End it", "Cancel")
            if not await self.app.push_screen_wait(ended):
                return
        await self.benchmark.play_chosen(partial(self.library.open_replay, path))

    # -- comparing

    def compare(self, entries: tuple[RunEntry, ...]) -> None:
        self.start_task(self.show_comparison(entries), "open", exclusive=True)

    def compare_with_latest(self, path: Path, reference: str | None = None) -> None:
        """Compare a run with the ``reference``, else with the latest comparable one."""
        self.start_task(self.show_with_latest(path, reference), "open", exclusive=True)

    def compare_run_made(self) -> None:
        """Compare the run in the Heartbeat pane with the reference chosen in the Runs pane, else with the latest comparable one."""
        run = self.benchmark.session.run
        path = run.kept_at if run is not None else None
        if path is None:
            self.report(NO_RUN)
        else:
            self.compare_with_latest(path, self.view.reference if self.view is not None else None)

    async def show_with_latest(self, path: Path, reference: str | None) -> None:
        entries = await self.latest()
        entry = next((each for each in entries if each.path == path), None)
        if entry is None:
            self.report(NO_RUN)
            return
        chosen = next((each for each in entries if each.path.name == reference and each.path != path), None)
        other = chosen or latest_comparable(entry, entries)
        if other is None:
            cause = "No other run with figures has the same shape, dtype, method and precision."
            remedy = "Make another run of this config, or mark two runs in the Runs pane to see what differs."
            self.report(HeartbeatError("there is nothing to compare with", cause, remedy))
            return
        older, newer = (other, entry) if chosen or (other.started and entry.started and other.started <= entry.started) else (entry, other)
        await self.show_comparison((older, newer))

    async def show_comparison(self, entries: tuple[RunEntry, ...]) -> None:
        compared = await asyncio.to_thread(self.library.compare, entries)
        await self.app.push_screen(ComparisonPane(self.context, self.app.current_mode, compared))

    async def latest(self) -> tuple[RunEntry, ...]:
        await asyncio.to_thread(self.library.read)
        return self.library.listing.entries or ()

    # -- CPU and TPU

    def compare_devices(self, *, offer: bool = True) -> None:
        """Compare the latest run on a CPU with the latest on a TPU, or its rehearsal; ``offer`` to make what is missing."""
        self.start_task(self.show_devices(offer=offer), "open", exclusive=True)

    async def show_devices(self, *, offer: bool) -> None:
        pair = find_pair(await self.latest())
        if pair.cpu is not None and pair.xla is not None:
            await self.show_comparison((pair.cpu, pair.xla))
        elif offer:
            await self.offer_run(pair)
        else:
            cause = "The run just made has no figures, or was not recorded."
            self.report(HeartbeatError("there is no pair to compare yet", cause, "4, then t."))

    async def offer_run(self, pair: DevicePair) -> None:
        """Offer to make the run that is missing in the Heartbeat pane; the comparison comes when it has ended."""
        backend = pair.lacking
        config = await asyncio.to_thread(self.config_for, pair)
        problem = self.backend_problem(backend)
        if problem:
            folder = self.library.listing.folder
            remedy = f"Install it with heartbeat-tui backend install {backend}, or copy a recording of a TPU into {folder}."
            self.report(HeartbeatError(f"there is no run on {backend} to compare the CPU with", problem, remedy))
            return
        info = BACKENDS[backend]
        name = "on this machine's CPU" if info.host_only else f"on {info.label}"
        there = f" to compare {pair.there.title} with" if pair.there is not None else ""
        rehearsal = " Without a TPU in this machine, torch_xla rehearses on the CPU." if info.rehearsal else ""
        title = f"There is no run {name}{there}. Make it now?"
        question = Confirm(title, config_sentence(config) + rehearsal, "Make it", "Not now")
        if await self.app.push_screen_wait(question):
            self.pair_wanted = True
            await self.benchmark.start_from(config)

    def config_for(self, pair: DevicePair) -> BenchmarkConfig:
        """Return the config of the run that is missing: the work of the one there is."""
        there = self.library.open(pair.there).snapshot.report.config if pair.there is not None else self.benchmark.view.config
        return replace(there, backend=pair.lacking, threads=None, calibrate=False)

    # -- news of the Heartbeat pane

    def run_started(self) -> None:
        if self.benchmark.session.run is None:  # the start has failed
            self.pair_wanted = False

    def run_ended(self) -> None:
        """Look for the recording of a run that has ended, where the list was shown; show the pair once it is complete."""
        if self.view is not None:
            self.read()
        if self.pair_wanted:
            self.pair_wanted = False
            self.compare_devices(offer=False)
