"""Wait until an app is at rest: every message handled and everything drawn, however busy the processor is."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from weakref import WeakSet

import pytest
import textual.app
import textual.pilot
from textual._compositor import Compositor
from textual._context import active_app
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.message_pump import MessagePump
from textual.pilot import Pilot

LIMIT_S = 30.0  # far more than any of this takes
TURNS = 5  # of the event loop in which nothing may come: a message from a thread takes two, a worker's end three
SOON_S = 0.05  # a resize comes after 8 ms
EAGER = 100  # turns after which it no longer asks at every turn: something is done in a thread

idle: WeakSet[MessagePump] = WeakSet()  # those that wait for their next message


def replace_idle_waits(patch: pytest.MonkeyPatch) -> None:
    """Let Textual's pilot wait for the messages of the app instead of for a processor that does nothing else."""
    get_message = MessagePump._get_message

    async def watched(pump: MessagePump) -> object:
        idle.add(pump)
        try:
            return await get_message(pump)
        finally:
            idle.discard(pump)

    async def wait_for_idle(min_sleep: float = 0.0, max_sleep: float = 0.0) -> None:
        await settled(active_app.get())

    async def wait_for_screen(pilot: Pilot[Any], timeout: float = 0.0) -> bool:  # as Textual declares it
        await settled(pilot.app)
        return True

    patch.setattr(MessagePump, "_get_message", watched)
    patch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
    patch.setattr(textual.app, "wait_for_idle", wait_for_idle)
    patch.setattr(textual.pilot, "wait_for_idle", wait_for_idle)


def leave_out_frames(patch: pytest.MonkeyPatch) -> None:
    """Draw no frame that no test looks at, which saves a third of the time: what reads the screen draws all of it."""
    render_update = Compositor.render_update

    def render_nothing(compositor: Compositor, full: bool = False, **more: Any) -> Any:  # as Textual declares it
        return render_update(compositor, full, **more) if full else compositor._dirty_regions.clear()

    patch.setattr(Compositor, "render_update", render_nothing)


parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def parse_styles_once(patch: pytest.MonkeyPatch) -> None:
    """Let all apps of this process share the styles that they parse: each parses the same 30 sheets."""
    parse = Stylesheet._parse_rules

    def look_up(sheet: Stylesheet, css: str, *place: Any, **more: Any) -> list[RuleSet]:
        key = (css, place, tuple(more.items()), tuple(sheet._variables.items()))
        if key not in parsed:
            parsed[key] = parse(sheet, css, *place, **more)
        return parsed[key]

    patch.setattr(Stylesheet, "_parse_rules", look_up)


async def settled(app: App[Any]) -> None:
    """Wait until the app, its screens and their widgets have no message left, and the screen is drawn; threads are not waited for."""
    deadline = time.monotonic() + LIMIT_S
    still = turns = 0
    while still < TURNS and not app._exit and not app._exception_event.is_set():
        await asyncio.sleep(0 if turns < EAGER else 0.002)
        turns += 1
        if busy := next((pump for pump in (app, *app._registry) if is_busy(pump)), None):
            still = 0
        else:
            still += 1
            if still == TURNS and draw(app):
                still = 0
        if time.monotonic() > deadline:
            pytest.fail(f"After {LIMIT_S:g} s this is still busy: {busy or app.screen}")


def is_busy(pump: MessagePump) -> bool:
    """Return whether it handles a message, has one to handle, or gets one from a timer soon."""
    if pump._closed or (pump._task is not None and pump._task.done()):
        return False
    if pump not in idle or not pump._message_queue.empty() or pump._next_callbacks:
        return True
    return any(timer._repeat == 0 and timer._interval <= SOON_S and timer._task and not timer._task.done() for timer in pump._timers)


def draw(app: App[Any]) -> bool:
    """Draw the screen now where the next tick of its timer would; return whether there was anything to draw."""
    screen = app.screen
    waits = screen._layout_required or screen._scroll_required or screen._repaint_required or screen._recompose_required
    if not (waits or screen._dirty_widgets or screen._callbacks):
        return False
    screen._on_timer_update()
    return True
