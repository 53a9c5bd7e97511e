"""Looks at the TPU VMs while they are shown, and creates, changes, sets up and connects to them once that is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from heartbeat_core.cloud.target import TargetOffers
from heartbeat_core.cloud.tpu import Node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.ssh import SshConnection, connect, split_flags
from heartbeat_core.settings import RemoteSettings
from heartbeat_core.vms.power import by_request
from heartbeat_core.vms.quota_headroom import QuotaHeadroom
from heartbeat_core.vms.request import CreateRequest, keep_request, last_request
from heartbeat_core.vms.vocabulary import Change, state_of
from heartbeat_tui.controller import BenchmarkOn, Controller, Unfinished
from heartbeat_tui.vms.dialogs import Ask, Describe, JobScreen, Question, SetUp, change_question, create_question
from heartbeat_tui.vms.text import left_behind

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer

    from heartbeat_tui.vms.create_form import VmForm
    from heartbeat_tui.vms.model import Job
    from heartbeat_tui.vms.monitor import InventoryMonitor
    from heartbeat_tui.vms.pane import VmsPane


UNEXPECTED_S = 60.0  # until the next look, after an error of our own


class VmsController(Controller):
    """The pane enters itself as ``view``; ``remote`` says how TPU VMs are reached."""

    view: VmsPane
    next_look: Timer | None = None
    describing: Describe | None = None
    job_screen: JobScreen | None = None
    set_up_dialog: SetUp | None = None
    form_wanted = False  # for a new TPU VM, as soon as there is a list
    checking = False  # what a creation will use, before it asks

    def __init__(self, app: App[None], monitor: InventoryMonitor, remote: RemoteSettings) -> None:
        super().__init__(app)
        self.monitor, self.remote = monitor, remote
        monitor.news = self.post_change

    async def show_change(self) -> None:
        """Show what is new, and look now where a job has just changed something."""
        view = self.monitor.view()
        self.view.show(view)
        if self.describing is not None and self.describing.is_attached and self.describing.is_mounted:
            self.describing.show(view)
        if self.job_screen is not None and self.job_screen.is_attached and self.job_screen.is_mounted:
            await self.job_screen.show(view)
        if self.monitor.take_hurry():
            self.look_now()
        if self.form_wanted:
            await self.create_when_ready()

    # -- looking

    def look_now(self) -> None:
        if self.next_look is not None:
            self.next_look.stop()
        self.start_thread(self.look, "looks")

    def show_zone(self, zone: str) -> None:
        """List one zone, or all of them for "-"."""
        self.monitor.show_zone(zone)
        self.look_now()

    def look(self) -> None:
        """Ask Google Cloud, in a thread; one that is due while another waits for its turn is left out."""
        wait_s = UNEXPECTED_S
        try:
            wait_s = self.monitor.look()
        finally:  # an unexpected error is reported, and ends no watch
            if self.app.is_running:
                self.app.call_later(self.look_after, wait_s)
        if self.monitor.view().nodes:  # without any there is nothing to price
            self.monitor.price()

    def look_after(self, wait_s: float) -> None:
        """Look again after a while, if the pane is shown by then; it asks when it is shown again."""
        if self.next_look is not None:
            self.next_look.stop()
        self.next_look = self.app.set_timer(wait_s, self.look_if_shown)

    def look_if_shown(self) -> None:
        if self.view.awake:
            self.look_now()

    async def describe(self, key: str) -> None:
        self.describing = Describe(key, self.monitor.view(), self.monitor.now)
        await self.app.push_screen(self.describing)

    # -- creating

    async def create_when_ready(self) -> None:
        """Open the form for a new TPU VM, once the first list is there."""
        self.form_wanted = self.monitor.view().inventory is None
        if not self.form_wanted:
            await self.open_create_form()

    async def open_create_form(self) -> None:
        """Open the form, filled from the target and the last use."""
        environment = self.monitor.environment
        if environment is None or not environment.target.project.value:
            self.report(HeartbeatError("no project is chosen", "A TPU VM belongs to one.", "Press 1 for Readiness, then t to choose one."))
            return
        self.start_thread(partial(self.monitor.price, again=True), "looks")
        last = last_request() if environment.endpoint is None else self.monitor.last_request
        await self.view.show_create_form(environment.target, last)

    def find_offers(self, project: str, zone: str, show: Callable[[str, str, TargetOffers], None]) -> None:
        self.start_thread(lambda: self.app.call_later(show, project, zone, self.monitor.offers(project, zone)), "offers")

    def find_headroom(self, request: CreateRequest, show: Callable[[CreateRequest, tuple[QuotaHeadroom, ...]], None]) -> None:
        self.start_thread(lambda: self.app.call_later(show, request, self.monitor.room(request)), "offers")

    def create(self, form: VmForm) -> None:
        """Check what it will use, ask once more, with the exact command; then begin, and show the progress."""
        if self.checking:
            return
        self.checking = True
        request, zones, rooms, cost = form.request, form.zones, form.rooms, form.cost()
        self.app.notify("Checking what the TPU VM will use …", timeout=1)

        def check() -> None:
            try:
                checked = self.monitor.check(request)
            finally:
                self.checking = False
            question = create_question(request, zones, rooms, cost, checked)
            self.app.call_later(self.start_task, self.confirm_create(request, zones, question), "questions")

        self.start_thread(check, "offers")

    async def confirm_create(self, request: CreateRequest, zones: tuple[str, ...], question: Question) -> None:
        if not await self.confirmed(question):
            return
        await self.view.close_form()
        if self.monitor.view().endpoint is None:
            keep_request(request)
        self.monitor.last_request = request
        job = self.monitor.jobs.create(request, zones)
        self.view.follow(job.id)
        self.start_job(job)
        await self.show_job(job.id)

    # -- starting, stopping, deleting

    def change(self, what: Change, keys: tuple[str, ...]) -> None:
        """Ask before these are started, stopped or deleted, then do it to all of them in parallel."""
        self.start_task(self.confirm_change(what, keys), "questions")

    async def confirm_change(self, what: Change, keys: tuple[str, ...]) -> None:
        view = self.monitor.view()
        found = (view.find(key) for key in keys)
        chosen = [each for each in found if each is not None and what in state_of(each).actions]
        if not chosen or not await self.confirmed(change_question(what, chosen, view)):
            return
        for group in by_request(chosen, what).values():
            self.start_job(self.monitor.jobs.change(what, group[0], view.project))
        self.view.unmark()

    async def confirmed(self, question: Question) -> bool:
        if isinstance(self.app.screen, Ask):  # the key that asks came twice before the question was seen
            return False
        emulated = self.monitor.view().endpoint is not None
        return await self.app.push_screen_wait(Ask(question, emulated=emulated)) is True

    # -- jobs

    def start_job(self, job: Job) -> None:
        """Do it in a thread of its own, which goes on whichever pane is shown."""
        if self.monitor.environment is not None:
            self.start_thread(partial(self.monitor.jobs.run, job, self.monitor.environment), "jobs")

    async def show_job(self, number: int) -> None:
        self.job_screen = JobScreen(number, self.monitor.view(), self.monitor.now, self.monitor.jobs.stop)
        await self.app.push_screen(self.job_screen)

    # -- connecting

    def connection(self, key: str) -> tuple[Node, SshConnection] | None:
        """Return a node and gcloud's command that connects to it; report why nothing can answer."""
        view = self.monitor.view()
        node = view.nodes.get(key)
        if node is None:
            cause = "It was deleted, or is not in the newest list."
            self.report(HeartbeatError(f"{key.rpartition('/')[2]} is gone", cause, "Press r to refresh."))
            return None
        try:
            flags = split_flags(self.remote.ssh_flags)
            return node, connect(node, view.project, endpoint=view.endpoint, way=self.remote.way, flags=flags)
        except HeartbeatError as error:
            self.report(error)
            return None

    def connect(self, key: str) -> None:
        """Run gcloud's own ssh in the terminal, and come back after it."""
        if (found := self.connection(key)) is None:
            return
        node, connection = found
        if code := self.run_in_terminal(connection.command, connection.environ):
            said = "\n".join((f"The connection to {node.id} ended with code {code}.", *connection.warnings))
            self.app.notify(said, severity="warning", markup=False)

    def run_benchmark_on(self, key: str) -> None:
        if found := self.connection(key):
            self.app.post_message(BenchmarkOn(found[0], self.monitor.view().project))

    async def set_up(self, key: str) -> None:
        """Show our own command that sets it up, and run that once it is confirmed."""
        if (found := self.connection(key)) is None:
            return
        node, view = found[0], self.monitor.view()
        at = (f"--endpoint={view.endpoint}",) if view.endpoint else ()
        arguments = ("vms", "setup", node.id, f"--project={view.project}", f"--zone={node.zone}", *at)
        self.set_up_dialog = SetUp(node.id, len(node.endpoints), arguments, emulated=bool(at))
        await self.app.push_screen(self.set_up_dialog)

    # -- leaving

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Name what is under way, and what still runs and costs."""
        found = [Unfinished(what, then) for what, then in left_behind(self.monitor.view(), self.monitor.now())]
        if self.set_up_dialog is not None and self.set_up_dialog.state == "running":
            found.insert(0, Unfinished(f"{self.set_up_dialog.vm} is being set up", "It is ended; the next setup goes on from there."))
        return tuple(found)

    def close(self) -> None:
        self.monitor.close()
