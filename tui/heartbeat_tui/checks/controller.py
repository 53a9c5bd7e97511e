"""The checks: asked here, whichever pane is shown, and the remedies that people run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import work
from textual.app import SuspendNotSupported

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.controller import Desk

if TYPE_CHECKING:
    from heartbeat_tui.checks.fix_dialog import FixDialog
    from heartbeat_tui.checks.model import Aim, AskChecks, InTerminal, Mend, Mended
    from heartbeat_tui.checks.monitor import CheckMonitor
    from heartbeat_tui.checks.pane import ReadinessPane
    from heartbeat_tui.checks.target_form import TargetForm
    from heartbeat_tui.widgets.header_footer import Tabs


class ReadinessDesk(Desk):
    """There is no ``checkup`` before the Readiness pane was gone to, or that of the TPU VMs, which asks of the same world."""

    make_checkup: Callable[[], CheckMonitor] | None = None
    checkup: CheckMonitor | None = None
    readiness: ReadinessPane | None = None
    mending: FixDialog | None = None

    def open_readiness(self, tabs: Tabs, make_checkup: Callable[[], CheckMonitor]) -> None:
        self.make_checkup = make_checkup

        def make() -> ReadinessPane:
            from heartbeat_tui.checks.pane import ReadinessPane

            self.open_checkup()
            self.readiness = ReadinessPane(tabs)
            return self.readiness

        self.offer_mode("readiness", make)

    def open_checkup(self) -> CheckMonitor:
        """Give the owner of the checks, made when it is first asked for, and closed with this desk."""
        if self.checkup is None:
            assert self.make_checkup is not None
            self.checkup = self.make_checkup()
            self.checkup.news = self.told
        return self.checkup

    def told(self) -> None:
        """Take news from the threads of the checks."""
        from heartbeat_tui.checks.model import ChecksChanged

        if self.is_running:
            self.post_message(ChecksChanged())

    def on_checks_changed(self) -> None:
        checklist = self.checkup.checklist() if self.checkup else None
        if self.readiness is not None:
            self.readiness.show(checklist)
        if checklist is not None and self.mending is not None and self.mending.is_attached:
            self.mending.show_checklist(checklist)

    def on_ask_checks(self, event: AskChecks) -> None:
        if self.checkup is not None:
            self.check(partial(self.checkup.ask, event.names))

    def on_aim(self, event: Aim) -> None:
        if self.checkup is not None:
            self.check(partial(self.checkup.aim, event.choices))

    def on_stop_checks(self) -> None:
        if self.checkup is not None:
            self.checkup.cancel()

    def on_mended(self, event: Mended) -> None:
        """Look whether the check turns; it may take minutes."""
        if self.checkup is not None and event.code == 0:
            self.check(partial(self.checkup.watch, event.check_id))

    @work(thread=True, group="checks", exit_on_error=False)
    def check(self, errand: Callable[[], None]) -> None:
        """Ask in a thread, which goes on whichever pane is shown."""
        try:
            errand()
        except HeartbeatError as error:
            if self.readiness is None or self.checkup is None or self.checkup.checklist() is not None:
                raise
            self.call_later(self.readiness.show, None, error)

    def on_target_form_wanted(self, event: TargetForm.Wanted) -> None:
        self.find_offers(event.project, event.zone)

    @work(thread=True, group="offers", exit_on_error=False)
    def find_offers(self, project: str, zone: str) -> None:
        from heartbeat_tui.checks.model import Offered

        if self.checkup is not None and self.readiness is not None:
            offers = self.checkup.offers(project, zone)
            self.readiness.post_message(Offered(project, zone, offers))

    async def on_mend(self, event: Mend) -> None:
        from heartbeat_core.checks.fix_runner import fix_environ
        from heartbeat_tui.checks.fix_dialog import FixDialog

        checklist = self.checkup.checklist() if self.checkup else None
        endpoint = checklist.endpoint if checklist else None
        self.mending = FixDialog(event.result, fix_environ(endpoint), emulated=endpoint is not None)
        await self.push_screen(self.mending)

    async def on_in_terminal(self, event: InTerminal) -> None:
        """Step aside for a command that talks to people, and look at what came of it."""
        from heartbeat_tui.checks.model import Mended

        try:
            code = self.step_aside(event.command, event.environ)
        except (HeartbeatError, SuspendNotSupported) as error:
            self.tell(error)
            return
        if self.mending is not None and self.mending.is_attached:
            await self.mending.dismiss(None)
        if code:
            self.notify(f"{event.command[0]} ended with code {code}.", severity="warning", markup=False)
        self.post_message(Mended(event.check_id, code))

    def close_desk(self) -> None:
        if self.checkup is not None:
            self.checkup.close()
        super().close_desk()
