"""The TPU VMs: looked at while their pane is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work

from heartbeat_tui.desks.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.timer import Timer

    from heartbeat_tui.fleet import Fleet
    from heartbeat_tui.panes.vms import VmsPane
    from heartbeat_tui.screens.vm_describe import Describe
    from heartbeat_tui.vms_messages import DescribeVm, ShowZone
    from heartbeat_tui.widgets.top_line import Tabs


UNEXPECTED_S = 60.0  # until the next look, after an error of our own


class VmsDesk(Desk):
    """There is no ``fleet`` before the TPU VMs pane was gone to."""

    fleet: Fleet | None = None
    vms: VmsPane | None = None
    describing: Describe | None = None
    next_look: Timer | None = None

    def open_vms(self, tabs: Tabs, make_fleet: Callable[[], Fleet]) -> None:
        def make() -> VmsPane:
            from heartbeat_tui.panes.vms import VmsPane

            self.fleet = make_fleet()
            self.fleet.news = self.fleet_told
            self.vms = VmsPane(tabs, self.fleet.now)
            return self.vms

        self.offer_mode("vms", make)

    def fleet_told(self) -> None:
        """Take news from the threads that ask."""
        from heartbeat_tui.vms_messages import VmsChanged

        if self.is_running:
            self.post_message(VmsChanged())

    async def on_vms_changed(self) -> None:
        """Show what is new, and look at once where something has just been done."""
        if self.vms is None or self.fleet is None or self._exit:  # on the way out the widgets go one by one
            return
        view = self.fleet.view()
        self.vms.show(view)
        if self.describing is not None and self.describing.is_attached and self.describing.is_mounted:
            self.describing.show(view)
        if self.fleet.take_hurry():
            self.on_look_at_vms()

    # -- looking

    def on_look_at_vms(self) -> None:
        """Ask now."""
        if self.next_look is not None:
            self.next_look.stop()
            self.next_look = None
        self.look_at_vms()

    def on_show_zone(self, event: ShowZone) -> None:
        if self.fleet is not None:
            self.fleet.show_zone(event.zone)
            self.on_look_at_vms()

    @work(thread=True, group="looks", exit_on_error=False)
    def look_at_vms(self) -> None:
        """Look in a thread; one that is due while another waits for its turn is left out."""
        if self.fleet is not None:
            wait_s = UNEXPECTED_S
            try:
                wait_s = self.fleet.look()
            finally:  # what is unexpected is told, and ends no watch
                if self.is_running:
                    self.call_later(self.look_after, wait_s)
            if self.fleet.view().nodes:  # without any there is nothing to price
                self.fleet.price()

    @work(thread=True, group="looks", exit_on_error=False)
    def price_vms(self) -> None:
        if self.fleet is not None:
            self.fleet.price(again=True)

    def look_after(self, wait_s: float) -> None:
        """Look again after a while, if by then anybody sees it; the pane asks when it is shown again."""
        if self.next_look is not None:
            self.next_look.stop()
        self.next_look = self.set_timer(wait_s, self.look_if_shown)

    def look_if_shown(self) -> None:
        self.next_look = None
        if self.vms is not None and self.vms.awake:
            self.look_at_vms()

    # -- one of them

    async def on_describe_vm(self, event: DescribeVm) -> None:
        from heartbeat_tui.screens.vm_describe import Describe

        if self.fleet is not None:
            self.describing = Describe(event.key, self.fleet.view(), self.fleet.now)
            await self.push_screen(self.describing)

    def close_desk(self) -> None:
        if self.fleet is not None:
            self.fleet.close()
        super().close_desk()
