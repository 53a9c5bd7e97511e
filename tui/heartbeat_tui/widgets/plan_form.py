"""The plan, edited in place and checked as one types."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select

from heartbeat_core.beat.plan import Plan
from heartbeat_tui.widgets.idle import work_in_words
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.plan_fields import CHOICES, FIELDS, plan_of, texts_of
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.words import plan_sentence


class PlanForm(Vertical):
    """Ten fields; a plan once all of them make sense."""

    DEFAULT_CSS = """
    PlanForm { height: 1fr; }
    PlanForm VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    PlanForm .field { height: auto; }
    PlanForm .field-name { width: 14; }
    PlanForm Input, PlanForm Select { width: 18; margin-right: 2; background: $panel; }
    PlanForm .field .-wrong { background: $error 30%; }
    PlanForm #form-sentence { margin-top: 1; }
    PlanForm #form-keys { height: 1; margin-top: 1; }
    PlanForm KeyButton { margin: 0 2 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", tooltip="leave the plan as it was", id="plan.close"),
        Binding("ctrl+s", "accept", "Start", tooltip="start with this plan", id="plan.accept"),
    ]

    class Accepted(Message):
        """The run may start with this plan."""

        def __init__(self, plan: Plan) -> None:
            super().__init__()
            self.plan = plan

    class Closed(Message):
        """Nothing is to change."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(classes="panel", id="plan-form")
        self.base = plan
        self.plan: Plan | None = plan
        self.texts = texts_of(plan)
        self.border_title = "the plan"

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            for name, hint in FIELDS:
                with Horizontal(classes="field"):
                    yield Lines(classes="field-name").with_text(ink(name.replace("warmup", "warm-up"), "plain"))
                    if name in CHOICES:
                        choices = [(choice, choice) for choice in CHOICES[name]]
                        yield Select(choices, value=self.texts[name], allow_blank=False, compact=True, id=f"field-{name}")
                    else:
                        yield Input(self.texts[name], compact=True, id=f"field-{name}", select_on_focus=True)
                    yield Lines(classes="field-hint", id=f"hint-{name}").with_text(ink(hint, "quiet"))
        yield Lines(id="form-sentence")
        with Horizontal(id="form-keys"):
            yield KeyButton("enter", "Start", "accept")
            yield KeyButton("escape", "Back", "close")

    def on_mount(self) -> None:
        self.check()
        self.query_one("#field-batch", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.take((event.input.id or "").removeprefix("field-"), event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.take((event.select.id or "").removeprefix("field-"), str(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        if event.action == "accept":
            self.action_accept()
        else:
            self.action_close()

    def take(self, name: str, text: str) -> None:
        if self.texts.get(name) != text:
            self.texts[name] = text
            self.check()

    def check(self) -> None:
        """Read all fields and say under each what is wrong with it."""
        self.plan, errors = plan_of(self.texts, self.base)
        for name, hint in FIELDS:
            error = errors.get(name)
            said = f"{error.title}: {error.cause} {error.remedy}" if error else ""
            self.query_one(f"#hint-{name}", Lines).set_lines([ink(f"✗ {said}", "failed") if error else ink(hint, "quiet")])
            self.query_one(f"#field-{name}").set_class(error is not None, "-wrong")
        if self.plan is not None:
            lines = [ink(plan_sentence(self.plan), "strong"), ink(work_in_words(self.plan), "quiet")]
        else:
            lines = [ink(f"{len(errors)} field{'s' if len(errors) > 1 else ''} to mend first.", "attention"), Content("")]
        self.query_one("#form-sentence", Lines).set_lines(lines)

    def action_accept(self) -> None:
        if self.plan is None:
            self.app.bell()
        else:
            self.post_message(self.Accepted(self.plan))

    def action_close(self) -> None:
        self.post_message(self.Closed())
