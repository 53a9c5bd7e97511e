"""What a sweep varies, typed and checked as one types."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.benchmark.parameters import SWEPT, Axis, grid, parse_axes, varied
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Field, Note
from heartbeat_tui.widgets.text import ink
from heartbeat_tui.widgets.words import WHERE

NONE = "nothing"
FIELDS = (
    Field("axis", "vary", "what differs from point to point", SWEPT),
    Field("values", "values", "1,2,4,…,512 or 1..512"),
    Field("second", "and also", "a second axis makes a curve of each value", (NONE, *SWEPT)),
    Field("more", "its values", "with commas between them"),
)


def values_for(name: str, plan: Plan) -> str:
    """Propose values: on a CPU fewer, for there a large batch takes seconds a product."""
    return {
        "batch": "1..512" if plan.backend == "cpu" else "1..4096",
        "hidden": "512..8192",
        "intermediate": "1024..32768",
        "dtype": "float32,bfloat16",
        "precision": "default,high,highest",
        "threads": f"1..{os.cpu_count() or 1}",
    }.get(name, "")


class SweepForm(Form):
    """One axis or two; the axes once all fields make sense."""

    DEFAULT_CSS = """
    SweepForm #form-sentence { min-height: 2; }
    SweepForm Input, SweepForm Select { width: 30; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Sweep", "accept"),)
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("sweep", "Sweep", "measure point after point", "leave the pane as it was")]

    class Accepted(Message):
        """The sweep may start along these axes."""

        def __init__(self, axes: tuple[Axis, ...]) -> None:
            super().__init__()
            self.axes = axes

    def __init__(self, plan: Plan, texts: Mapping[str, str] | None = None) -> None:
        first = {"axis": "batch", "values": values_for("batch", plan), "second": NONE, "more": ""}
        super().__init__(texts or first, "sweep", id="sweep-form")
        self.plan = plan
        self.axes: tuple[Axis, ...] = ()

    def first(self) -> str:
        return "values"

    def changed(self, name: str) -> None:
        if name in ("axis", "second"):
            self.put("values" if name == "axis" else "more", values_for(self.texts[name], self.plan))

    def notes(self) -> Mapping[str, Note]:
        typed = [("values", f"{self.texts['axis']}={self.texts['values']}")]
        if self.texts["second"] != NONE:
            typed.append(("more", f"{self.texts['second']}={self.texts['more']}"))
        axes: tuple[Axis, ...] = ()
        for count, (field, _) in enumerate(typed, 1):
            try:
                axes = parse_axes([text for _, text in typed[:count]])
                for values in grid(axes):
                    varied(self.plan, values)
                self.ends()
            except HeartbeatError as error:
                return {field: Note(" ".join(part for part in (f"{error.title}:", error.cause, error.remedy) if part), "failed")}
        self.axes = axes
        return {}

    def ends(self) -> None:
        """Raise HeartbeatError where a point would go on until stopped."""
        if self.plan.iterations is None and self.plan.duration_s is None:
            raise HeartbeatError("the plan has no end", "Each point would go on until stopped.", "Give the plan a length first: e.")

    def sentences(self) -> Sequence[Content]:
        count = len(grid(self.axes))
        plan, work = self.plan, self.plan.workload
        names = {axis.name for axis in self.axes}
        rest = ", ".join(f"{name} {getattr(work, name)}" for name in ("batch", "hidden", "intermediate", "dtype") if name not in names)
        length = f"{plan.duration_s:g} s" if plan.duration_s is not None else "about a second"
        return [
            ink(f"{count} point{'' if count == 1 else 's'} on {WHERE[plan.backend]}, {rest}.", "strong"),
            ink(f"Each is a process of its own that beats for {length}, at least 12 times; too large ones are skipped.", "quiet"),
        ]

    def accepted(self) -> Message:
        return self.Accepted(self.axes)
