"""Runs held against one another: those marked, a run and the one before it, a CPU and a TPU."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.desks.runs import RunsDesk

if TYPE_CHECKING:
    from pathlib import Path

    from heartbeat_core.benchmark.config import BackendName, Plan
    from heartbeat_core.recordings.entry import Entry
    from heartbeat_tui.pairs import Pair
    from heartbeat_tui.runs_messages import CompareRuns, CompareWithLast

NO_RUN = HeartbeatError("this run was not kept", "", "Set recordings.save = true and run it again.")


class ComparingDesk(RunsDesk):
    """``missing`` says why a backend cannot run here."""

    missing: Callable[[BackendName], str] | None = None
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
        from heartbeat_tui.pairs import kin_of

        entries = await self.latest()
        entry = next((each for each in entries if each.path == path), None)
        if entry is None:
            self.tell(NO_RUN)
            return
        chosen = next((each for each in entries if each.path.name == reference and each.path != path), None)
        other = chosen or kin_of(entry, entries)
        if other is None:
            cause = "It is the only run that has figures."
            self.tell(HeartbeatError("there is nothing to compare with", cause, "Make another run: 3, then space."))
            return
        older, newer = (other, entry) if chosen or (other.started and entry.started and other.started <= entry.started) else (entry, other)
        await self.show_comparison((older, newer))

    @work(group="open", exclusive=True, exit_on_error=False)
    async def compare_runs(self, entries: tuple[Entry, ...]) -> None:
        await self.show_comparison(entries)

    async def show_comparison(self, entries: tuple[Entry, ...]) -> None:
        """Read the runs and show the comparison over the pane that is shown."""
        from heartbeat_tui.panes.comparison import ComparisonPane

        if self.archive is not None:
            compared = await asyncio.to_thread(self.archive.compare, entries)
            await self.push_screen(self.prepared(ComparisonPane(self.tabs_of_runs, self.current_mode, compared)))

    async def latest(self) -> tuple[Entry, ...]:
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
        from heartbeat_tui.pairs import find_pair

        pair = find_pair(await self.latest())
        if pair.cpu is not None and pair.xla is not None:
            await self.show_comparison((pair.cpu, pair.xla))
        elif offer:
            await self.offer_run(pair)
        else:
            self.tell(HeartbeatError("there is no pair to compare yet", "The run just made has no figures, or was not kept.", "4, then t."))

    async def offer_run(self, pair: Pair) -> None:
        """Offer to make the run that is missing; it beats in the Heartbeat pane, and the comparison comes when it has ended."""
        from heartbeat_tui.screens.confirm import Confirm
        from heartbeat_tui.widgets.words import plan_sentence

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
        name = {"cpu": "on this machine's CPU", "xla": "with torch_xla"}[backend]
        there = f" to hold {pair.there.title} against" if pair.there is not None else ""
        rehearsal = " Without a TPU in this machine, torch_xla rehearses on the CPU." if backend == "xla" else ""
        detail = plan_sentence(plan) + rehearsal
        question = Confirm(f"There is no run {name}{there}. Make it now?", detail, "Make it", "Not now")
        if await self.push_screen_wait(question):
            self.clear_run()
            self.pair_wanted = True
            await self.switch_mode("heartbeat")
            self.pane.plan = plan
            self.pane.action_begin()

    def plan_for(self, pair: Pair) -> Plan:
        """Plan the run that is missing: the work of the one there is."""
        assert self.archive is not None
        there = self.archive.open(pair.there).snapshot.report.plan if pair.there is not None else self.pane.plan
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
