"""What is done to TPU VMs: asked first, with the exact commands, then done in threads that outlive the pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.app import SuspendNotSupported

from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.benchmark.snapshot import BeatOn
from heartbeat_tui.controller import Desk, Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.timer import Timer

    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.remote.ssh import SshConnection
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.vms.create_form import VmForm
    from heartbeat_tui.vms.dialogs import Ask, Describe, JobScreen, Question, SetUp
    from heartbeat_tui.vms.model import AskChange, BeatOnVm, ConnectVm, DescribeVm, Job, SetUpVm, ShowJob, ShowZone, StopJob
    from heartbeat_tui.vms.monitor import InventoryMonitor
    from heartbeat_tui.vms.pane import VmsPane
    from heartbeat_tui.widgets.form import Form
    from heartbeat_tui.widgets.header_footer import Tabs


UNEXPECTED_S = 60.0  # until the next look, after an error of our own


class VmsDesk(Desk):
    """There is no ``fleet`` before the TPU VMs pane was gone to."""

    fleet: InventoryMonitor | None = None
    vms: VmsPane | None = None
    describing: Describe | None = None
    next_look: Timer | None = None

    def open_vms(self, tabs: Tabs, make_fleet: Callable[[], InventoryMonitor]) -> None:
        def make() -> VmsPane:
            from heartbeat_tui.vms.pane import VmsPane

            self.fleet = make_fleet()
            self.fleet.news = self.fleet_told
            self.vms = VmsPane(tabs, self.fleet.now)
            return self.vms

        self.offer_mode("vms", make)

    def fleet_told(self) -> None:
        """Take news from the threads that ask."""
        from heartbeat_tui.vms.model import VmsChanged

        if self.is_running:
            self.post_message(VmsChanged())

    async def on_vms_changed(self) -> None:
        """Show what is new, and look at once where something has just been done."""
        if self.vms is None or self.fleet is None:
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
        from heartbeat_tui.vms.dialogs import Describe

        if self.fleet is not None:
            self.describing = Describe(event.key, self.fleet.view(), self.fleet.now)
            await self.push_screen(self.describing)

    def close_desk(self) -> None:
        if self.fleet is not None:
            self.fleet.close()
        super().close_desk()


class VmActsDesk(VmsDesk):
    """Creates, starts, stops, deletes, and opens connections."""

    job_screen: JobScreen | None = None
    set_up: SetUp | None = None

    # -- the form

    async def on_new_vm(self) -> None:
        """Open the form, filled from the target and the last use."""
        from heartbeat_core.vms.request import last_request
        from heartbeat_tui.vms.create_form import start_of

        if self.fleet is None or self.vms is None:
            return
        environment = self.fleet.environment
        if environment is None or not environment.target.project.value:
            self.tell(HeartbeatError("no project was chosen", "A TPU VM belongs to one.", "Press 1 for Readiness, then t to choose one."))
            return
        self.price_vms()
        last = last_request() if environment.endpoint is None else self.fleet.last_request
        await self.vms.ask_for_new(start_of(environment.target, last))

    def on_vm_form_wanted(self, event: VmForm.Wanted) -> None:
        self.find_vm_offers(event.project, event.zone)

    @work(thread=True, group="offers", exit_on_error=False)
    def find_vm_offers(self, project: str, zone: str) -> None:
        if self.fleet is not None and self.vms is not None and self.vms.form is not None:
            offers = self.fleet.offers(project, zone)
            self.call_later(self.vms.offer, zone, offers)

    def on_vm_form_room_wanted(self, event: VmForm.RoomWanted) -> None:
        self.find_vm_room(event.request)

    @work(thread=True, group="offers", exit_on_error=False)
    def find_vm_room(self, request: CreateRequest) -> None:
        if self.fleet is not None and self.vms is not None:
            rooms = self.fleet.room(request)
            self.call_later(self.vms.show_room, request, rooms)

    # -- asking, then doing

    @work(group="questions", exit_on_error=False)
    async def on_form_accepted(self, event: Form.Accepted) -> None:
        """Ask once more, with the exact command; then begin, and show how it goes."""
        from heartbeat_core.vms.request import remember
        from heartbeat_tui.vms.create_form import VmForm
        from heartbeat_tui.vms.dialogs import create_question

        form = event.form
        if self.fleet is None or self.vms is None or not isinstance(form, VmForm):
            return
        request, zones = form.request, form.zones
        if not await self.asked(create_question(request, zones, form.rooms, form.cost())):
            return
        await self.vms.close_form()
        if self.fleet.view().endpoint is None:
            remember(request)
        self.fleet.last_request = request
        job = self.fleet.jobs.create(request, zones)
        self.vms.follow(job.id)
        self.do_job(job)
        await self.show_job(job.id)

    @work(group="questions", exit_on_error=False)
    async def on_ask_change(self, event: AskChange) -> None:
        """Ask before anything is started, stopped or deleted, then do it to all of them at once."""
        from heartbeat_core.vms.power import by_request
        from heartbeat_tui.vms.dialogs import change_question, may, things

        if self.fleet is None:
            return
        view = self.fleet.view()
        chosen = [thing for thing in things(view, event.keys) if may(thing, event.what)]
        if not chosen or not await self.asked(change_question(event.what, chosen, view)):
            return
        for group in by_request(chosen, event.what).values():
            self.do_job(self.fleet.jobs.change(event.what, group[0], view.project))
        if self.vms is not None:
            self.vms.unmark()

    async def asked(self, question: Question) -> bool:
        from heartbeat_tui.vms.dialogs import Ask

        if isinstance(self.screen, Ask):  # the key that asks came twice before the question was seen
            return False
        emulated = self.fleet is not None and self.fleet.view().endpoint is not None
        screen: Ask = Ask(question.title, question.said, question.commands, yes=question.yes, typed=question.typed, emulated=emulated)
        return await self.push_screen_wait(screen) is True

    @work(thread=True, group="jobs", exit_on_error=False)
    def do_job(self, job: Job) -> None:
        """Do it in a thread of its own, which goes on whichever pane is shown."""
        if self.fleet is not None and self.fleet.environment is not None:
            self.fleet.jobs.run(job, self.fleet.environment)

    # -- what is under way

    async def on_show_job(self, event: ShowJob) -> None:
        await self.show_job(event.job_id)

    async def show_job(self, number: int) -> None:
        from heartbeat_tui.vms.dialogs import JobScreen

        if self.fleet is not None:
            self.job_screen = JobScreen(number, self.fleet.view(), self.fleet.now)
            await self.push_screen(self.job_screen)

    def on_stop_job(self, event: StopJob) -> None:
        if self.fleet is not None:
            self.fleet.jobs.stop(event.job_id)

    async def on_vms_changed(self) -> None:  # beside that of VmsDesk: Textual calls both
        if self.job_screen is not None and self.job_screen.is_attached and self.job_screen.is_mounted and self.fleet is not None:
            await self.job_screen.show(self.fleet.view())

    # -- connecting

    def connection(self, key: str) -> tuple[Node, SshConnection]:
        """Give a node and gcloud's command that leads there; raise HeartbeatError where nothing can answer."""
        from heartbeat_core.remote.ssh import connect, split_flags

        view = self.fleet.view() if self.fleet is not None else None
        node = view.nodes.get(key) if view is not None else None
        if view is None or node is None:
            raise HeartbeatError(f"{key.rpartition('/')[2]} is gone", "", "Press r to look again.")
        flags = split_flags(self.remote.ssh_flags)
        return node, connect(node, view.project, endpoint=view.endpoint, way=self.remote.way, flags=flags)

    def on_connect_vm(self, event: ConnectVm) -> None:
        """Step aside for gcloud's own ssh, and come back after it."""
        try:
            node, connection = self.connection(event.key)
            code = self.step_aside(connection.command, connection.environ)
        except (HeartbeatError, SuspendNotSupported) as error:
            self.tell(error)
            return
        if code:
            said = "\n".join((f"The connection to {node.id} ended with code {code}.", *connection.warnings))
            self.notify(said, severity="warning", markup=False)

    def on_beat_on_vm(self, event: BeatOnVm) -> None:
        """Have the Heartbeat pane beat there, on all hosts at once where there are several."""
        try:
            node, _ = self.connection(event.key)
        except HeartbeatError as error:
            self.tell(error)
            return
        if self.fleet is not None:
            self.post_message(BeatOn(node, self.fleet.view().project, None))

    async def on_set_up_vm(self, event: SetUpVm) -> None:
        """Show the command of ours that sets it up, and run that once it is confirmed."""
        from heartbeat_tui.vms.dialogs import SetUp

        try:
            node, _ = self.connection(event.key)
        except HeartbeatError as error:
            self.tell(error)
            return
        if self.fleet is not None:
            view = self.fleet.view()
            at = (f"--endpoint={view.endpoint}",) if view.endpoint else ()
            arguments = ("vms", "setup", node.id, f"--project={view.project}", f"--zone={node.zone}", *at)
            self.set_up = SetUp(node.id, len(node.endpoints), arguments, emulated=bool(at))
            await self.push_screen(self.set_up)

    # -- leaving

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Say what is still under way, and what still runs and costs."""
        found = list(super().unfinished())
        if self.set_up is not None and self.set_up.state == "running":
            found.append(Unfinished(f"{self.set_up.vm} is being set up", "That is ended; the next time goes on from there."))
        if self.fleet is not None:
            from heartbeat_tui.vms.text import left_behind

            found += [Unfinished(what, then) for what, then in left_behind(self.fleet.view())]
        return tuple(found)
