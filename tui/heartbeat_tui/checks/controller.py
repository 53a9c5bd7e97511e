"""Runs the checks in threads, whichever pane is shown, and the fixes that people confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.controller import Controller

if TYPE_CHECKING:
    from textual.app import App

    from heartbeat_core.checks.fix_plan import FixStep
    from heartbeat_core.checks.result import Result
    from heartbeat_core.cloud.target import TargetOffers
    from heartbeat_tui.checks.fix_dialog import FixDialog
    from heartbeat_tui.checks.monitor import CheckMonitor, Names
    from heartbeat_tui.checks.pane import ReadinessPane
    from heartbeat_tui.checks.target_form import TargetForm


class ChecksController(Controller):
    """The pane enters itself as ``view``; there is none where only the TPU VMs pane, which needs the same environment, was gone to."""

    view: ReadinessPane | None = None
    fix_dialog: FixDialog | None = None

    def __init__(self, app: App[None], monitor: CheckMonitor) -> None:
        super().__init__(app)
        self.monitor = monitor
        monitor.news = self.post_change

    async def show_change(self) -> None:
        checklist = self.monitor.checklist()
        if self.view is not None:
            self.view.show(checklist)
        if checklist is not None and self.fix_dialog is not None and self.fix_dialog.is_attached:
            self.fix_dialog.show_checklist(checklist)

    # -- checks

    def run_checks(self, names: Names | None = None) -> None:
        """Run these checks or groups again, all where there are no ``names``."""
        self.start_check(partial(self.monitor.ask, names))

    def aim(self, form: TargetForm) -> None:
        """Run everything anew, if another target is chosen."""
        if form.choices:
            self.start_check(partial(self.monitor.aim, form.choices))

    def stop(self) -> None:
        self.monitor.cancel()

    def start_check(self, work: Callable[[], None]) -> None:
        """Work in a thread, which goes on whichever pane is shown."""

        def check() -> None:
            try:
                work()
            except HeartbeatError as error:
                if self.view is None or self.monitor.checklist() is not None:
                    raise
                self.app.call_later(self.view.show, None, error)

        self.start_thread(check, "checks")

    def find_offers(self, project: str, zone: str, show: Callable[[str, str, TargetOffers], None]) -> None:
        self.start_thread(lambda: self.app.call_later(show, project, zone, self.monitor.offers(project, zone)), "offers")

    # -- fixes

    async def show_fix(self, result: Result) -> None:
        from heartbeat_core.checks.fix_plan import FixStep

        await self.show_fixes(tuple(FixStep(result, remedy) for remedy in result.remedies))

    async def show_fixes(self, steps: Sequence[FixStep]) -> None:
        """Show fixes one after the other; each is run where that is confirmed."""
        from heartbeat_core.emulator.process import command_environ
        from heartbeat_tui.checks.fix_dialog import FixDialog

        checklist = self.monitor.checklist()
        endpoint = checklist.endpoint if checklist else None
        self.fix_dialog = FixDialog(
            steps,
            command_environ(endpoint),
            run_in_terminal=self.run_fix_in_terminal,
            on_end=self.fix_ended,
            emulated=endpoint is not None,
        )
        await self.app.push_screen(self.fix_dialog)

    def run_fix_in_terminal(self, command: tuple[str, ...], environ: Mapping[str, str], check_id: str) -> None:
        code = self.run_in_terminal(command, environ)
        if code is None:
            return
        if self.fix_dialog is not None and self.fix_dialog.is_attached:
            self.fix_dialog.answer(None)
        if code:
            self.app.notify(f"{command[0]} ended with code {code}.", severity="warning", markup=False)
        self.fix_ended(check_id, code)

    def fix_ended(self, check_id: str, code: int) -> None:
        """Watch the check until it passes, which may take minutes."""
        if code == 0 and check_id:
            self.start_check(partial(self.monitor.watch, check_id))

    # -- leaving

    def close(self) -> None:
        self.monitor.close()
