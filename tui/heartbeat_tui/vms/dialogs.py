"""What is being done to TPU VMs, step by step; it can be left while it goes on, and come back to."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from heartbeat_core.checks.fix_runner import FixRun
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.inventory import Change, allowed, allowed_queued, command_of
from heartbeat_core.vms.pricing import rate_of
from heartbeat_tui.vms.model import InventoryView, Job
from heartbeat_tui.vms.rows import money
from heartbeat_tui.vms.text import Line, Thing, ending_lines, job_head, meaning, queue_of, rated, step_lines, yaml_of, yaml_pieces
from heartbeat_tui.widgets.dialogs import CommandScreen, Modal
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.text import Lines, styled, styled_line

if TYPE_CHECKING:
    from heartbeat_core.vms.pricing import Rates
    from heartbeat_core.vms.quota_headroom import QuotaHeadroom
    from heartbeat_core.vms.request import CreateRequest
    from heartbeat_tui.vms.model import InventoryView


class JobScreen(Modal[None]):
    """One job at a time; tab goes to the next."""

    DEFAULT_CSS = """
    JobScreen .scroll { max-height: 62vh; margin-bottom: 1; }
    JobScreen.-tall .scroll { max-height: 70vh; }
    JobScreen #job-head { margin-top: 1; }
    JobScreen #job-steps { margin-top: 1; }
    JobScreen #job-ending { margin-top: 1; }
    JobScreen .keys { margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop", tooltip="stop this; what Google has taken on goes on", id="job.stop"),
        Binding("y", "copy", "Copy", tooltip="copy the command, or after a failure those that help", id="job.copy"),
        Binding("tab", "another(1)", "Next", tooltip="the next job", id="job.next", priority=True),
        Binding("shift+tab", "another(-1)", "Before", show=False, id="job.before", priority=True),
        Binding("escape,enter,q", "dismiss", "Back", key_display="esc", tooltip="back to the list; the job goes on", id="job.close"),
    ]

    def __init__(self, number: int, view: InventoryView, now: Callable[[], datetime], stop_job: Callable[[int], object]) -> None:
        super().__init__()
        self.number, self.view, self.now, self.stop_job = number, view, now, stop_job
        self.turned_to = 0  # the job whose ending was brought into sight

    @property
    def job(self) -> Job:
        return next(job for job in self.view.jobs if job.id == self.number)

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel", id="job") as box:
            box.border_subtitle = "DEMO" if self.view.endpoint else ""
            yield Lines(id="job-head")
            with VerticalScroll(id="job-scroll", classes="scroll"):
                yield Lines(id="job-gist")
                yield Lines(id="job-command", classes="command")
                yield Lines(id="job-steps")
                yield Lines(id="job-ending")
            yield Horizontal(classes="keys")

    async def on_mount(self) -> None:
        self.query_one("#job-scroll").focus()
        self.set_interval(1.0, self.draw)
        self.draw()
        await self.draw_keys()

    async def show(self, view: InventoryView) -> None:
        before = self.job.ended
        self.view = view
        self.draw()
        if self.job.ended != before:
            await self.draw_keys()

    def draw(self) -> None:
        job, now = self.job, self.now()
        others = f" ({[each.id for each in self.view.jobs].index(job.id) + 1} of {len(self.view.jobs)})" if len(self.view.jobs) > 1 else ""
        self.query_one("#job").border_title = f"{job.what} {job.name}{others}"
        self.query_one("#job-head", Lines).set_lines([styled_line(job_head(job, now))])
        gist = f"{job.gist}; else in {', '.join(job.zones)}" if job.zones else job.gist
        self.query_one("#job-gist", Lines).set_lines([styled(gist, "quiet")])
        self.query_one("#job-command", Lines).set_lines([styled(shlex.join(job.command), "command")])
        scroll = self.query_one("#job-scroll", VerticalScroll)
        at_end = scroll.scroll_offset.y >= scroll.max_scroll_y
        self.query_one("#job-steps", Lines).set_lines([styled_line(line) for line in step_lines(job, now)])
        self.query_one("#job-ending", Lines).set_lines([styled_line(line) for line in ending_lines(job)])
        if job.ended is None and at_end:
            scroll.scroll_end(animate=False)
        elif job.ended is not None and self.turned_to != job.id:  # once: from then on it stays where the reader wants it
            self.turned_to = job.id
            self.call_after_refresh(scroll.scroll_to_widget, self.query_one("#job-ending"), top=True, animate=False)

    async def draw_keys(self) -> None:
        keys = self.query_one(".keys", Horizontal)
        await keys.remove_children()
        under_way = self.job.ended is None
        buttons = [KeyButton("escape", "Back, it goes on" if under_way else "Back", "dismiss"), KeyButton("y", "Copy", "copy")]
        buttons += [KeyButton("x", "Stop", "stop")] if under_way else []
        buttons += [KeyButton("tab", "Next", "another(1)")] if len(self.view.jobs) > 1 else []
        await keys.mount(*buttons)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action == "stop":
            return self.job.ended is None and not self.job.stopping
        return action != "another" or len(self.view.jobs) > 1

    async def action_another(self, by: int) -> None:
        numbers = [job.id for job in self.view.jobs]
        self.number = numbers[(numbers.index(self.number) + by) % len(numbers)]
        self.draw()
        await self.draw_keys()

    def action_stop(self) -> None:
        self.stop_job(self.number)

    def action_copy(self) -> None:
        """Copy what helps now."""
        ending = self.job.ending
        helping = [shlex.join(command) for command in ending.commands] + [remedy.shell for remedy in ending.remedies if remedy.shell]
        self.copy("\n".join(helping or [shlex.join(self.job.command)]))


WHAT = (
    "Installs OpenBLAS, an environment of its own with torch and torch_xla (about 7 GB), and this program's engine. What is there already "
    "is left alone. At the end it looks whether the device is a TPU. It costs nothing beside the TPU VM itself."
)


class SetUp(CommandScreen):
    """Shows first, runs only when confirmed; ended while it runs, the next time goes on from there.

    ``arguments`` are those of our own command.
    """

    DEFAULT_CSS = """
    SetUp #setup-what { margin: 1 0; }
    SetUp #output { height: 14; }
    SetUp.-low.-running .panel { height: 100%; }
    SetUp.-low.-running #output { height: 1fr; }
    SetUp.-low.-running #setup-what { display: none; }
    SetUp #setup-state { margin-top: 1; }
    """
    DONE = "set up, and its device is a TPU: press b in the list to beat there"
    CANCELLED = "ended: what it had brought by then stays, and the next time goes on from there"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "Set up", tooltip="run exactly this command", id="setup.run"),
        Binding("y", "copy", "Copy", tooltip="copy the command", id="setup.copy"),
        Binding("escape", "close", "Close", tooltip="end it, if it runs; else go back", id="setup.close"),
    ]

    def __init__(self, name: str, hosts: int, arguments: tuple[str, ...], *, emulated: bool = False) -> None:
        super().__init__()
        self.vm, self.hosts, self.arguments, self.emulated = name, hosts, arguments, emulated
        self.shown = shlex.join(("heartbeat-tui", *arguments))

    def compose(self) -> ComposeResult:
        several = f" on each of its {self.hosts} hosts" if self.hosts > 1 else ""
        with Vertical(classes="panel") as box:
            box.border_title = f"set up {self.vm}{several}"
            box.border_subtitle = "DEMO" if self.emulated else ""
            yield Lines(id="setup-what").with_text(styled(WHAT, "plain"))
            yield Lines(classes="command").with_text(styled(self.shown, "command"))
            with VerticalScroll(id="output"):
                yield Lines(id="lines")
            yield Lines(id="setup-state")
            yield Horizontal(classes="keys")

    async def on_mount(self) -> None:
        await self.draw_keys()

    async def draw_keys(self) -> None:
        keys = self.query_one(".keys", Horizontal)
        await keys.remove_children()
        buttons = [KeyButton("enter", "Set it up", "run")] if self.state == "shown" else []
        close = {"shown": "Back", "running": "End it", "ended": "Back"}[self.state]
        await keys.mount(*buttons, KeyButton("y", "Copy", "copy"), KeyButton("escape", close, "close"))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "run" or self.state == "shown"

    def say(self, text: str, kind: str) -> None:
        self.query_one("#setup-state", Lines).set_lines([styled(text, kind)])

    async def action_run(self) -> None:
        await self.begin(FixRun((sys.executable, "-m", "heartbeat_tui", *self.arguments), self.line))

    def action_copy(self) -> None:
        self.copy(self.shown)


class Ask(Modal[bool]):
    """``said`` is what comes of it, ``commands`` gcloud's that do the same; ``typed`` must be typed first, where it is not empty."""

    DEFAULT_CSS = """
    Ask .scroll { max-height: 74vh; }
    Ask #ask-said { margin: 1 0; }
    Ask #ask-row { height: 1; margin-top: 1; }
    Ask #ask-label { width: auto; margin-right: 1; }
    Ask Input { width: 1fr; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "yes", "Yes", tooltip="do it", id="ask.yes"),
        Binding("y", "copy", "Copy", tooltip="copy the commands", id="ask.copy"),
        Binding("escape", "no", "No", tooltip="leave it as it is", id="ask.no"),
        *(Binding(key, f"scroll({by})", "Scroll", show=False) for key, by in (("up", -1), ("down", 1), ("pageup", -8), ("pagedown", 8))),
    ]

    def __init__(  # keywords, each a part of the question
        self, title: str, said: Sequence[Line], commands: Sequence[str], *, yes: str, typed: str = "", emulated: bool = False
    ) -> None:
        super().__init__()
        self.question, self.said, self.commands, self.yes, self.typed, self.emulated = title, said, commands, yes, typed, emulated

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as box:
            box.border_title = self.question
            box.border_subtitle = "DEMO" if self.emulated else ""
            with VerticalScroll(id="ask-scroll", classes="scroll", can_focus=False):
                yield Lines(id="ask-said").with_text(*(styled_line(line) for line in self.said))
                yield Lines(classes="command").with_text(*(styled(command, "command") for command in self.commands))
                if self.typed:
                    with Horizontal(id="ask-row"):
                        yield Lines(id="ask-label").with_text(styled(f"type {self.typed} to go on:", "strong"))
                        yield Input(compact=True, id="ask-typed")
            with Horizontal(classes="keys"):
                yield KeyButton("enter", self.yes, "yes")
                if not self.typed:
                    yield KeyButton("y", "Copy", "copy")
                yield KeyButton("escape", "Leave it", "no")

    def on_mount(self) -> None:
        if self.typed:
            self.query_one(Input).focus()

    def action_yes(self) -> None:
        """Say yes, unless the name is not typed yet."""
        if self.typed and self.query_one(Input).value.strip() != self.typed:
            self.app.bell()
            self.query_one("#ask-label", Lines).set_lines([styled(f"type {self.typed} first:", "attention")])
            return
        self.answer(True)

    def action_scroll(self, by: int) -> None:
        """Show more of a long question; where a name is typed the keys of the field do not reach it."""
        self.query_one("#ask-scroll").scroll_relative(y=by, animate=False)

    def action_no(self) -> None:
        self.answer(False)

    def action_copy(self) -> None:
        self.copy("\n".join(self.commands))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()


class Describe(Modal[None]):
    """What it means first, then every field."""

    DEFAULT_CSS = """
    Describe #describe-meaning { margin: 1 0; }
    Describe .scroll { max-height: 74vh; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", tooltip="copy the YAML", id="describe.copy"),
        Binding("escape,enter,q", "dismiss", "Back", key_display="esc", tooltip="back to the list", id="describe.close"),
    ]

    def __init__(self, key: str, view: InventoryView, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.key, self.view, self.now = key, view, now
        self.text = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as box:
            box.border_title = self.key.rpartition("/")[2]
            box.border_subtitle = "DEMO" if self.view.endpoint else ""
            with VerticalScroll(id="describe-scroll", classes="scroll"):
                yield Lines(id="describe-meaning")
                yield Lines(id="describe-text")
            with Horizontal(classes="keys"):
                yield KeyButton("y", "Copy", "copy")
                yield KeyButton("escape", "Back", "dismiss")

    def on_mount(self) -> None:
        self.show(self.view)
        self.query_one("#describe-scroll").focus()

    def show(self, view: InventoryView) -> None:
        """Show what is known now; of one that is gone what was known last."""
        thing = view.nodes.get(self.key) or view.queued.get(self.key)
        if thing is None:
            gone = [styled("It is gone; this is what was known of it last.", "attention")]
            self.query_one("#describe-meaning", Lines).set_lines(gone)
            return
        self.view = view
        now = self.now()
        self.text = yaml_of(thing, view.rates, now)
        self.query_one("#describe-meaning", Lines).set_lines([styled_line(line) for line in meaning(thing, view.rates, now)])
        self.query_one("#describe-text", Lines).set_lines([styled_line(yaml_pieces(line)) for line in self.text.splitlines()])

    def action_copy(self) -> None:
        self.copy(self.text, f"{self.key.rpartition('/')[2]} as YAML")


VERBS: Mapping[Change, str] = {"start": "Start", "stop": "Stop", "delete": "Delete"}
COMES: Mapping[Change, str] = {
    "start": "It runs again, and costs again.",
    "stop": "What runs there ends. The chips cost nothing while it is stopped; its disk stays, and costs.",
    "delete": "It is gone for good, with its disk and all that is on it.",
}
OF_QUEUE = "It belongs to the queued resource {}: that is deleted, with all its nodes."


@dataclass(frozen=True)
class Question:
    """``typed`` must be typed to say yes, where it is not empty."""

    title: str
    said: tuple[Line, ...]
    commands: tuple[str, ...]
    yes: str
    typed: str = ""


def things(view: InventoryView, keys: Sequence[str]) -> tuple[Thing, ...]:
    found = [view.nodes.get(key) or view.queued.get(key) for key in keys]
    return tuple(thing for thing in found if thing is not None)


def may(thing: Thing | None, what: Change) -> bool:
    """Say whether its state allows it."""
    if thing is None:
        return False
    return what in (allowed_queued(thing.state) if isinstance(thing, QueuedResource) else allowed(thing.state))


def change_question(what: Change, chosen: Sequence[Thing], view: InventoryView) -> Question:
    """Ask before ``what`` is done to the things chosen."""
    rates = view.rates
    names = ", ".join(thing.id for thing in chosen)
    one = len(chosen) == 1
    said: list[Line] = [((f"{VERBS[what]} {name_of(thing)}, {thing.state}", "strong"), cost_of(thing, what, rates)) for thing in chosen]
    said += [(), ((COMES[what] if one else COMES[what].replace("It ", "Each ", 1), "plain"),)]
    if what == "delete":
        said += of_queues(chosen, view)
    commands = tuple(dict.fromkeys(shlex.join(command_of(what, thing, view.project)) for thing in chosen))
    typed = "" if what != "delete" else chosen[0].id if one else f"delete {len(chosen)}"
    title = f"{VERBS[what]} {names}?" if one else f"{VERBS[what]} {len(chosen)} at once?"
    return Question(title, tuple(said), commands, f"{VERBS[what]} {'it' if one else f'all {len(chosen)}'}", typed)


def of_queues(chosen: Sequence[Thing], view: InventoryView) -> list[Line]:
    """Say which queued resources are deleted, and which TPU VMs with them that were not chosen."""
    lines: list[Line] = []
    owners = {(queue_of(thing), thing.zone): isinstance(thing, QueuedResource) for thing in reversed(chosen) if queue_of(thing)}
    for (queue, zone), itself in owners.items():
        others = [node for node in view.nodes.values() if (node.queued_resource, node.zone) == (queue, zone) and node not in chosen]
        if not itself:
            lines.append(((OF_QUEUE.format(queue), "attention"),))
        lines += [((f"With it goes {node.id}, {node.state}", "attention"), cost_of(node, "delete", view.rates)) for node in others]
    return lines


def name_of(thing: Thing) -> str:
    kind = "queued resource " if isinstance(thing, QueuedResource) else ""
    return f"{kind}{thing.id} in {thing.zone}"


def cost_of(thing: Thing, what: Change, rates: Rates | None) -> tuple[str, str]:
    rate = rate_of(rates, thing) if isinstance(thing, Node) else None
    if rate is None:
        return ("", "plain")
    if what == "start":
        return (f"  costs about ${money(rate.per_hour)}/h ({rated(rate.rates)})", "attention")
    return (f"  saves about ${money(rate.per_hour)}/h", "quiet") if rate.running else ("", "plain")


def create_question(request: CreateRequest, zones: Sequence[str], rooms: Sequence[QuotaHeadroom] | None, cost: str) -> Question:
    """Ask before a TPU VM is created."""
    said: list[Line] = [((request.gist(), "strong"),), ((cost, "attention"),), ((request.reach(), "plain"),), ()]
    said += [room_line(room) for room in rooms or ()]
    if not rooms:
        why = "Google has not answered yet" if rooms is None else f"the quota of {request.accelerator_type} is not known here"
        said.append(((f"How much quota is left for it is not known: {why}.", "quiet"),))
    said.append((("Quota is what you may have; whether there is one in stock shows only when it is asked for.", "quiet"),))
    if zones:
        rounds = f"Goes round {request.zone}, {', '.join(zones)} until one has it, and asks one zone at a time; stop it when you like."
        said += [(), ((rounds, "plain"),)]
    if request.queued:
        said += [(), (("Queued: it costs from when there is capacity, whenever that is.", "plain"),)]
    return Question(f"Create {request.name}?", tuple(said), (shlex.join(request.command()),), "Create it")


def room_line(room: QuotaHeadroom) -> Line:
    glyph, kind = {True: ("✓", "ok"), False: ("✗", "failed"), None: ("?", "attention")}[room.enough]
    return ((f"{glyph} quota, {room}", kind),)
