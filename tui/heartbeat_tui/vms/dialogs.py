"""The dialogs of the TPU VMs pane: progress of a job, set-up, confirmation, and all that is known of one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input

from heartbeat_core.checks.fix_runner import FixRun
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.columns import StyledText
from heartbeat_core.vms.pricing import Rates, money, rate_of
from heartbeat_core.vms.quota_headroom import QuotaHeadroom
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.serialize import as_yaml, node_json, queued_json
from heartbeat_core.vms.vocabulary import ACTIONS, Change, Resource, command_of, queue_of
from heartbeat_tui.vms.model import InventoryView, Job
from heartbeat_tui.vms.text import Line, job_head, meaning, outcome_lines, rated, step_lines, yaml_line
from heartbeat_tui.widgets.dialogs import CommandScreen, DialogBox, Modal
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.text import Lines, styled, styled_line

MOST_CHECKS = 5  # named before a TPU VM is created


class JobScreen(Modal[None]):
    """One job at a time; tab goes to the next."""

    DEFAULT_CSS = """
    JobScreen .scroll { max-height: 62vh; margin-bottom: 1; }
    JobScreen.-tall .scroll { max-height: 70vh; }
    JobScreen #job-head { margin-top: 1; }
    JobScreen #job-steps { margin-top: 1; }
    JobScreen #job-outcome { margin-top: 1; }
    JobScreen .keys { margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop", tooltip="stop this; a request that Google has accepted goes on", id="job.stop"),
        Binding("y", "copy", "Copy", tooltip="copy the command, or after a failure those that help", id="job.copy"),
        Binding("tab", "another(1)", "Next", tooltip="the next job", id="job.next", priority=True),
        Binding("shift+tab", "another(-1)", "Before", show=False, id="job.before", priority=True),
        Binding("escape,enter,q", "dismiss", "Back", key_display="esc", tooltip="back to the list; the job goes on", id="job.close"),
    ]

    def __init__(self, number: int, view: InventoryView, now: Callable[[], datetime], stop_job: Callable[[int], object]) -> None:
        super().__init__()
        self.number, self.view, self.now, self.stop_job = number, view, now, stop_job
        self.scrolled_to = 0  # the job whose outcome was scrolled to

    @property
    def job(self) -> Job:
        return next(job for job in self.view.jobs if job.id == self.number)

    def compose(self) -> ComposeResult:
        with DialogBox("", demo=bool(self.view.endpoint)):
            yield Lines(id="job-head")
            with VerticalScroll(id="job-scroll", classes="scroll"):
                yield Lines(id="job-summary")
                yield Lines(id="job-command", classes="command")
                yield Lines(id="job-steps")
                yield Lines(id="job-outcome")
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
        self.query_one(DialogBox).border_title = f"{job.what} {job.name}{others}"
        self.query_one("#job-head", Lines).set_lines([styled(*job_head(job, now))])
        summary = f"{job.summary}; fallback zones {', '.join(job.zones)}" if job.zones else job.summary
        self.query_one("#job-summary", Lines).set_lines([styled(summary, "quiet")])
        self.query_one("#job-command", Lines).set_lines([styled(shlex.join(job.command), "command")])
        scroll = self.query_one("#job-scroll", VerticalScroll)
        at_end = scroll.scroll_offset.y >= scroll.max_scroll_y
        self.query_one("#job-steps", Lines).set_lines([styled_line(line) for line in step_lines(job, now)])
        self.query_one("#job-outcome", Lines).set_lines([styled_line(line) for line in outcome_lines(job)])
        if job.ended is None and at_end:
            scroll.scroll_end(animate=False)
        elif job.ended is not None and self.scrolled_to != job.id:  # once: from then on the reader scrolls
            self.scrolled_to = job.id
            self.call_after_refresh(scroll.scroll_to_widget, self.query_one("#job-outcome"), top=True, animate=False)

    async def draw_keys(self) -> None:
        under_way = self.job.ended is None
        keys = [("escape", "Back, it goes on" if under_way else "Back", "dismiss"), ("y", "Copy", "copy")]
        keys += [("x", "Stop", "stop")] if under_way else []
        keys += [("tab", "Next", "another(1)")] if len(self.view.jobs) > 1 else []
        await self.show_keys(*keys)

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
        outcome = self.job.outcome
        commands = [shlex.join(command) for command in outcome.commands] + [remedy.shell for remedy in outcome.remedies if remedy.shell]
        self.copy("\n".join(commands or [shlex.join(self.job.command)]))


WHAT = (
    "Installs OpenBLAS, an environment with torch and torch_xla (about 7 GB), and this program's engine. What is installed already stays "
    "as it is. At the end the device is checked. This costs nothing beside the TPU VM itself."
)


class SetUp(CommandScreen):
    """Shows our own command, which has these ``arguments``, and runs it once confirmed; ended half-way, the next run goes on there."""

    DEFAULT_CSS = """
    SetUp #setup-what { margin: 1 0; }
    SetUp #output { height: 14; }
    SetUp.-low.-running .panel { height: 100%; }
    SetUp.-low.-running #output { height: 1fr; }
    SetUp.-low.-running #setup-what { display: none; }
    """
    DONE = "set up, and its device is a TPU: press b in the list for a benchmark"
    CANCELLED = "ended: what is installed stays, and the next run goes on from there"
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
        with DialogBox(f"set up {self.vm}{several}", demo=self.emulated):
            yield Lines(id="setup-what").with_text(styled(WHAT, "plain"))
            yield Lines(classes="command").with_text(styled(self.shown, "command"))
            with VerticalScroll(id="output"):
                yield Lines(id="lines")
            yield Lines(id="state")
            yield Horizontal(classes="keys")

    async def on_mount(self) -> None:
        await self.draw_keys()

    async def draw_keys(self) -> None:
        run = [("enter", "Set up", "run")] if self.state == "shown" else []
        await self.show_keys(*run, ("y", "Copy", "copy"), ("escape", "End it" if self.state == "running" else "Back", "close"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "run" or self.state == "shown"

    async def action_run(self) -> None:
        await self.begin(FixRun((sys.executable, "-m", "heartbeat_tui", *self.arguments), self.line))

    def action_copy(self) -> None:
        self.copy(self.shown)


@dataclass(frozen=True)
class Question:
    """A question: ``said`` is what follows, ``commands`` the same in gcloud; ``typed`` must be typed to say yes, if it is not empty.

    ``key`` says yes: for what costs another one than enter, so that no row of enters does.
    """

    title: str
    said: tuple[Line, ...]
    commands: tuple[str, ...]
    yes: str
    typed: str = ""
    key: str = "enter"


class Ask(Modal[bool]):
    """Asks before something costs or deletes."""

    DEFAULT_CSS = """
    Ask #ask-scroll { max-height: 44vh; margin-bottom: 1; }
    Ask #ask-commands { max-height: 20vh; }  /* always seen, however much is said */
    Ask #ask-row { height: 1; margin-top: 1; }
    Ask #ask-label { width: auto; margin-right: 1; }
    Ask Input { width: 1fr; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "press('enter')", "Yes", tooltip="do it", id="ask.yes"),
        Binding("c", "press('c')", "Create", tooltip="create it", id="ask.create"),
        Binding("y", "copy", "Copy", tooltip="copy the commands", id="ask.copy"),
        Binding("escape", "dismiss(False)", "No", tooltip="cancel", id="ask.no"),
        *(Binding(key, f"scroll({by})", "Scroll", show=False) for key, by in (("up", -1), ("down", 1), ("pageup", -8), ("pagedown", 8))),
    ]

    def __init__(self, question: Question, *, emulated: bool = False) -> None:
        super().__init__()
        self.question, self.emulated = question, emulated

    def compose(self) -> ComposeResult:
        with DialogBox(self.question.title, demo=self.emulated):
            with VerticalScroll(id="ask-scroll", classes="scroll", can_focus=False):
                yield Lines(id="ask-said").with_text(*(styled_line(line) for line in self.question.said))
            with VerticalScroll(id="ask-commands", classes="scroll command", can_focus=False):
                yield Lines().with_text(*(styled(command, "command") for command in self.question.commands))
            if self.question.typed:
                with Horizontal(id="ask-row"):
                    yield Lines(id="ask-label").with_text(styled(f"type {self.question.typed} to confirm:", "strong"))
                    yield Input(compact=True, id="ask-typed")
            with Horizontal(classes="keys"):
                yield KeyButton(self.question.key, self.question.yes, f"press('{self.question.key}')")
                if not self.question.typed:
                    yield KeyButton("y", "Copy", "copy")
                yield KeyButton("escape", "Cancel", "dismiss(False)")

    def on_mount(self) -> None:
        if self.question.typed:
            self.query_one(Input).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "press" or parameters == (self.question.key,)

    def action_press(self, key: str) -> None:
        """Confirm, unless the name is not typed yet; ``check_action`` allows one key."""
        del key
        if self.question.typed and self.query_one(Input).value.strip() != self.question.typed:
            self.app.bell()
            self.query_one("#ask-label", Lines).set_lines([styled(f"type {self.question.typed} first:", "attention")])
            return
        self.answer(True)

    def action_scroll(self, by: int) -> None:
        """Scroll a long question; the field for the name does not pass these keys on."""
        for part in self.query(VerticalScroll):
            part.scroll_relative(y=by, animate=False)

    def action_copy(self) -> None:
        self.copy("\n".join(self.question.commands))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_press("enter")


class Describe(Modal[None]):
    """All that is known of one: what its state means, then every field."""

    DEFAULT_CSS = """
    Describe #describe-meaning { margin: 1 0; }
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
        with DialogBox(self.key.rpartition("/")[2], demo=bool(self.view.endpoint)):
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
        """Show what is known now, or what was known last of one that is gone."""
        resource = view.find(self.key)
        if resource is None:
            gone = [styled("It is gone; this was last seen.", "attention")]
            self.query_one("#describe-meaning", Lines).set_lines(gone)
            return
        self.view = view
        now = self.now()
        fields = queued_json(resource, now) if isinstance(resource, QueuedResource) else node_json(resource, view.rates, now)
        self.text = "\n".join(as_yaml(fields))
        self.query_one("#describe-meaning", Lines).set_lines([styled_line(line) for line in meaning(resource, view.rates, now)])
        self.query_one("#describe-text", Lines).set_lines([styled_line(yaml_line(line)) for line in self.text.splitlines()])

    def action_copy(self) -> None:
        self.copy(self.text, f"{self.key.rpartition('/')[2]} as YAML")


def change_question(what: Change, chosen: Sequence[Resource], view: InventoryView) -> Question:
    """Return the question before ``what`` is done to the resources chosen."""
    verb, one = what.title(), len(chosen) == 1
    said: list[Line] = [((f"{verb} {label_of(each)}, {each.state}", "strong"), cost_of(each, what, view.rates)) for each in chosen]
    effect = ACTIONS[what].effect
    said += [(), ((effect if one else effect.replace("It ", "Each ", 1), "plain"),)]
    if what == "delete":
        said += queue_lines(chosen, view)
    commands = tuple(dict.fromkeys(shlex.join(command_of(what, each, view.project)) for each in chosen))
    typed = "" if what != "delete" else chosen[0].id if one else f"delete {len(chosen)}"
    title = f"{verb} {chosen[0].id}?" if one else f"{verb} {len(chosen)} at once?"
    return Question(title, tuple(said), commands, f"{verb} {'it' if one else f'all {len(chosen)}'}", typed)


def queue_lines(chosen: Sequence[Resource], view: InventoryView) -> list[Line]:
    """Return which queued resources are deleted, and which TPU VMs with them that were not chosen."""
    lines: list[Line] = []
    owners = {(queue_of(each), each.zone): isinstance(each, QueuedResource) for each in reversed(chosen) if queue_of(each)}
    for (queue, zone), itself in owners.items():
        others = [node for node in view.nodes.values() if (node.queued_resource, node.zone) == (queue, zone) and node not in chosen]
        if not itself:
            lines.append(((f"It belongs to the queued resource {queue}: that is deleted, with all its nodes.", "attention"),))
        lines += [((f"With it goes {node.id}, {node.state}", "attention"), cost_of(node, "delete", view.rates)) for node in others]
    return lines


def label_of(resource: Resource) -> str:
    return f"{'queued resource ' if isinstance(resource, QueuedResource) else ''}{resource.id} in {resource.zone}"


def cost_of(resource: Resource, what: Change, rates: Rates | None) -> StyledText:
    price = rate_of(rates, resource) if isinstance(resource, Node) else None
    if price is None:
        return "", "plain"
    if what == "start":
        return f"  costs about ${money(price.per_hour)}/h ({rated(price.rates)})", "attention"
    return (f"  saves about ${money(price.per_hour)}/h", "quiet") if price.charged else ("", "plain")


def create_question(
    request: CreateRequest, zones: Sequence[str], headrooms: Sequence[QuotaHeadroom] | None, cost: str, checked: CheckReport | None = None
) -> Question:
    """Return the question before a TPU VM is created, with what the readiness checks found."""
    said: list[Line] = [((request.summary(), "strong"),), ((cost, "attention"),), ((request.reach(), "plain"),), ()]
    said += check_lines(checked)
    said += [headroom_line(headroom) for headroom in headrooms or ()]
    if not headrooms:
        why = "no answer from Google yet" if headrooms is None else f"the quota of {request.accelerator_type} is not known here"
        said.append(((f"How much quota is left for it is not known: {why}.", "quiet"),))
    said.append((("Quota is not capacity: whether there is one in stock shows only when it is requested.", "quiet"),))
    if zones:
        said += [(), ((f"Tries {request.zone}, {', '.join(zones)} in turn until one has capacity or you stop it.", "plain"),)]
    if request.queued:
        said += [(), (("Queued: it is charged as soon as there is capacity, whenever that is.", "plain"),)]
    return Question(f"Create {request.name}?", tuple(said), (shlex.join(request.command()),), "Create it", key="c")


def check_lines(checked: CheckReport | None) -> list[Line]:
    """Return the failures of the checks and what they could not tell, but of the TPU quotas, which have lines of their own."""
    results = [result for result in (checked.results if checked else ()) if result.id not in ("quota.tpu-zone", "quota.tpu-region")]
    lines: list[Line] = [((f"✗ {result.title}: {result.summary}", "failed"),) for result in results if result.status == "fail"]
    lines += [((f"? {result.title}: {result.summary}", "attention"),) for result in results if result.status in ("unknown", "blocked")]
    if len(lines) > MOST_CHECKS:
        lines[MOST_CHECKS:] = [((f"and {len(lines) - MOST_CHECKS} more: press 1 for Readiness", "quiet"),)]
    if not checked:
        lines = [(("The readiness checks were not made.", "quiet"),)]
    elif not lines:
        lines = [((f"✓ The readiness checks {'' if checked.ready else 'but those of the TPU quota '}pass.", "ok"),)]
    return [*lines, ()]


def headroom_line(headroom: QuotaHeadroom) -> Line:
    glyph, kind = {True: ("✓", "ok"), False: ("✗", "failed"), None: ("?", "attention")}[headroom.enough]
    return ((f"{glyph} quota, {headroom}", kind),)
