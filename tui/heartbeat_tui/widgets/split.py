"""Where one beat goes: its parts, each with its share."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from heartbeat_core.units import format_ns
from heartbeat_tui.widgets.bars import bar
from heartbeat_tui.widgets.live import LiveLines
from heartbeat_tui.widgets.text import ink

ORDER = ("trace", "compile", "dispatch", "wait", "compute")


def draw(parts: Mapping[str, float], stages: Mapping[str, int | None], width: int) -> list[Content]:
    """Draw a bar for each part of a beat, in nanoseconds, then what was done besides the beats."""
    total = sum(parts.values())
    lines: list[Content] = []
    for name in sorted(parts, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
        value = parts[name]
        room = width - 21
        drawn = bar(value / total if total else 0, room)
        lines.append(Content.assemble(ink(f"{name:<9}", "quiet"), ink(f"{format_ns(value):>9}", "plain"), "  ", ink(drawn, "beat")))
    before = [f"{name} {format_ns(ns)}" for name, ns in stages.items() if ns is not None]
    if before:
        lines += [Content(""), ink("besides  " + " · ".join(before), "quiet")]
    return lines


class Split(LiveLines):
    """The parts of a beat as a widget."""

    BORDER_TITLE = "where one beat goes"
    parts: Mapping[str, float] = {}
    stages: Mapping[str, int | None] = {}

    def show(self, parts: Mapping[str, float], stages: Mapping[str, int | None]) -> None:
        self.parts, self.stages = parts, stages
        self.on_resize()

    def on_resize(self) -> None:
        self.set_lines(draw(self.parts, self.stages, self.size.width) or [ink("Nothing has beaten yet.", "quiet")])
