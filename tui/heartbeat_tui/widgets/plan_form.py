"""The plan, edited in place and checked as one types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from heartbeat_core.benchmark.config import Plan
from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Note
from heartbeat_tui.widgets.idle import work_in_words
from heartbeat_tui.widgets.plan_fields import FIELDS, plan_of, texts_of
from heartbeat_tui.widgets.text import ink
from heartbeat_tui.widgets.words import plan_sentence


class PlanForm(Form):
    """Ten fields; a plan once all of them make sense."""

    DEFAULT_CSS = """
    PlanForm #form-sentence { min-height: 2; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Start", "accept"),)
    BINDINGS: ClassVar[list[BindingType]] = [*form_bindings("plan", "Start", "start with this plan", "leave the plan as it was")]

    class Accepted(Message):
        """The run may start with this plan."""

        def __init__(self, plan: Plan) -> None:
            super().__init__()
            self.plan = plan

    def __init__(self, plan: Plan) -> None:
        super().__init__(texts_of(plan), "the plan", id="plan-form")
        self.base = plan
        self.plan: Plan | None = plan

    def notes(self) -> Mapping[str, Note]:
        self.plan, errors = plan_of(self.texts, self.base)
        return {name: Note(f"{error.title}: {error.cause} {error.remedy}", "failed") for name, error in errors.items()}

    def sentences(self) -> Sequence[Content]:
        assert self.plan is not None  # nothing is wrong
        return [ink(plan_sentence(self.plan), "strong"), ink(work_in_words(self.plan), "quiet")]

    def accepted(self) -> Message:
        assert self.plan is not None  # nothing is wrong
        return self.Accepted(self.plan)
