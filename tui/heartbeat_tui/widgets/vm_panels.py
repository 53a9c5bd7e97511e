"""What stands above and below the list of TPU VMs: the head, what is wrong, and the log of changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from heartbeat_tui.vms_messages import FleetView
from heartbeat_tui.widgets.text import Lines, ink, inked
from heartbeat_tui.widgets.vm_words import head_line, log_lines, notices


class VmHead(Lines):
    """How many there are, of when that is, and what they cost; of one line, so that its clock moves nothing else."""

    DEFAULT_CSS = """
    VmHead { height: 1; padding: 0 1; text-wrap: nowrap; }
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(id="vms-head")
        self.now = now
        self.view, self.count = FleetView(), 0

    def show(self, view: FleetView, count: int) -> None:
        self.view, self.count = view, count
        self.draw()

    def draw(self) -> None:
        width = self.content_size.width
        if width:
            self.set_lines([inked(head_line(self.view, self.now(), width, self.count))])

    def on_resize(self) -> None:
        self.draw()


class VmNotices(Lines):
    """What is wrong or worth a look; nothing, most of the time."""

    DEFAULT_CSS = """
    VmNotices { height: auto; max-height: 8; padding: 0 1; }
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(id="vms-notices")
        self.now = now

    def show(self, view: FleetView) -> None:
        lines = [inked(line) for line in notices(view, self.now())]
        self.display = bool(lines)
        self.set_lines(lines)


class VmLog(Lines):
    """The newest changes."""

    DEFAULT_CSS = """
    VmLog { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(id="vms-log")
        self.view = FleetView()
        self.border_title = "what has changed"

    def show(self, view: FleetView) -> None:
        self.view = view
        self.draw()

    def draw(self) -> None:
        height = self.content_size.height
        if height:
            self.set_lines([inked(line) for line in log_lines(self.view, height)] or [ink("", "quiet")])

    def on_resize(self) -> None:
        self.draw()
