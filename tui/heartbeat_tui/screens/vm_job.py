"""What is being done to TPU VMs, step by step; it can be left while it goes on, and come back to."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from heartbeat_tui.screens.modal import Modal
from heartbeat_tui.vms_messages import FleetView, Job, StopJob
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink, inked
from heartbeat_tui.widgets.vm_job_words import ending_lines, job_head, step_lines


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

    def __init__(self, number: int, view: FleetView, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.number, self.view, self.now = number, view, now
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

    async def show(self, view: FleetView) -> None:
        before = self.job.ended
        self.view = view
        self.draw()
        if self.job.ended != before:
            await self.draw_keys()

    def draw(self) -> None:
        job, now = self.job, self.now()
        others = f" ({[each.id for each in self.view.jobs].index(job.id) + 1} of {len(self.view.jobs)})" if len(self.view.jobs) > 1 else ""
        self.query_one("#job").border_title = f"{job.what} {job.name}{others}"
        self.query_one("#job-head", Lines).set_lines([inked(job_head(job, now))])
        gist = f"{job.gist}; else in {', '.join(job.zones)}" if job.zones else job.gist
        self.query_one("#job-gist", Lines).set_lines([ink(gist, "quiet")])
        self.query_one("#job-command", Lines).set_lines([ink(shlex.join(job.command), "command")])
        scroll = self.query_one("#job-scroll", VerticalScroll)
        at_end = scroll.scroll_offset.y >= scroll.max_scroll_y
        self.query_one("#job-steps", Lines).set_lines([inked(line) for line in step_lines(job, now)])
        self.query_one("#job-ending", Lines).set_lines([inked(line) for line in ending_lines(job)])
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
        self.app.post_message(StopJob(self.number))

    def action_copy(self) -> None:
        """Copy what helps now."""
        ending = self.job.ending
        helping = [shlex.join(command) for command in ending.commands] + [remedy.shell for remedy in ending.remedies if remedy.shell]
        self.copy("\n".join(helping or [shlex.join(self.job.command)]))
