"""The target, chosen in place, completed from what Google Cloud offers and checked as one types."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Select

from heartbeat_core.cloud.target import Target
from heartbeat_tui.messages import Offers
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.readiness_words import came_from
from heartbeat_tui.widgets.target_fields import CHOICES, FIELDS, LISTED, changed, matching, note_of, runtime_for, some, texts_of
from heartbeat_tui.widgets.text import Lines, ink


class Offered(Suggester):
    """Completes a field from what is offered by then."""

    def __init__(self, form: TargetForm, name: str) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self.form, self.field = form, name

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(matching(self.field, value, self.form.offers)), None) if value else None


class TargetForm(Vertical):
    """Six fields."""

    DEFAULT_CSS = """
    TargetForm { height: 1fr; }
    TargetForm VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    TargetForm .field { height: auto; margin-bottom: 1; }
    .-low TargetForm .field { margin-bottom: 0; }
    TargetForm .field-name { width: 15; }
    TargetForm Input, TargetForm Select { width: 32; margin-right: 2; background: $panel; }
    TargetForm .field .-wrong { background: $error 30%; }
    TargetForm #form-sentence { margin-top: 1; }
    TargetForm #form-keys { height: 1; margin-top: 1; }
    TargetForm KeyButton { margin: 0 2 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", tooltip="leave the target as it was", id="target.close"),
        Binding("ctrl+s", "accept", "Check", tooltip="ask for this target", id="target.accept"),
    ]

    class Accepted(Message):
        """This is the target; ``choices`` holds the fields that were changed."""

        def __init__(self, choices: dict[str, str]) -> None:
            super().__init__()
            self.choices = choices

    class Closed(Message):
        """Nothing is to change."""

    class Wanted(Message):
        """What there is to choose from, for this project and zone, is wanted."""

        def __init__(self, project: str, zone: str) -> None:
            super().__init__()
            self.project, self.zone = project, zone

    def __init__(self, target: Target) -> None:
        super().__init__(classes="panel", id="target-form")
        self.target = target
        self.before = texts_of(target)
        self.texts = dict(self.before)
        self.offers: Offers | None = None
        self.asked = ("", "")
        self.follows = self.texts["runtime_version"] == runtime_for(self.texts["accelerator_type"])  # as the type changes
        self.wrong = 0
        self.border_title = "the TPU VM to be ready for"

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            for name, label, _ in FIELDS:
                with Horizontal(classes="field"):
                    yield Lines(classes="field-name").with_text(ink(label, "plain"))
                    if name in CHOICES:
                        choices = [(choice, choice) for choice in CHOICES[name]]
                        yield Select(choices, value=self.texts[name], allow_blank=False, compact=True, id=f"field-{name}")
                    else:
                        yield Input(self.texts[name], compact=True, id=f"field-{name}", select_on_focus=True, suggester=Offered(self, name))
                    yield Lines(classes="field-hint", id=f"hint-{name}")
        yield Lines(id="form-sentence")
        with Horizontal(id="form-keys"):
            yield KeyButton("enter", "Check this", "accept")
            yield KeyButton("→", "Complete", "complete")
            yield KeyButton("escape", "Back", "close")

    def on_mount(self) -> None:
        self.want()
        self.check()
        self.query_one("#field-project" if not self.texts["project"] else "#field-zone", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.take((event.input.id or "").removeprefix("field-"), event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.take((event.select.id or "").removeprefix("field-"), str(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    async def on_key_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        await self.run_action(event.action)

    def take(self, name: str, text: str) -> None:
        """Take in a field; where the runtime goes with the type, it changes with it."""
        if self.texts.get(name) == text:
            return
        self.texts[name] = text
        goes_with = runtime_for(self.texts["accelerator_type"])
        if name == "runtime_version":
            self.follows = text == goes_with
        if name == "accelerator_type" and self.follows and goes_with:
            self.query_one("#field-runtime_version", Input).value = goes_with
        if name in ("project", "zone"):
            self.want()
        self.check()

    def want(self) -> None:
        """Ask what there is to choose from, where project and zone make sense."""
        project, zone = (self.texts[name].strip() for name in ("project", "zone"))
        sound = [name for name in ("project", "zone") if self.texts[name] and not self.malformed(name)]
        wanted = (project if "project" in sound else "", zone if "zone" in sound else "")
        if wanted != self.asked:
            self.asked = wanted
            self.post_message(self.Wanted(*wanted))

    def malformed(self, name: str) -> bool:
        note = note_of(name, self.texts, None)
        return note is not None and note.wrong

    def offer(self, project: str, zone: str, offers: Offers) -> None:
        """Take what there is to choose from, unless it was asked for another place."""
        if (project, zone) == self.asked:
            self.offers = offers
            self.check()

    def check(self) -> None:
        """Read all fields and say beside each what is wrong, where it came from, or what there is."""
        self.wrong = 0
        for name, _, what in FIELDS:
            note = note_of(name, self.texts, self.offers)
            self.wrong += bool(note and note.wrong)
            self.query_one(f"#field-{name}").set_class(bool(note and note.wrong), "-wrong")
            completions = self.completions(name)
            if note is None or (completions and note.wrong):  # half a name is no mistake yet
                said = ink(some(completions) if completions else self.hint(name, what), "quiet")
            else:
                said = ink({"failed": "✗ ", "attention": "! "}[note.kind] + note.text, note.kind)
            self.query_one(f"#hint-{name}", Lines).set_lines([said])
        self.query_one("#form-sentence", Lines).set_lines([self.sentence()])

    def completions(self, name: str) -> tuple[str, ...]:
        """List what the text may become, once it was changed."""
        text = self.texts[name].strip()
        if not text or text == self.before[name] or name not in LISTED:
            return ()
        return tuple(option for option in matching(name, text, self.offers) if option != text)

    def hint(self, name: str, what: str) -> str:
        """Say where the text came from, else what the field is."""
        text = self.texts[name].strip()
        return came_from(getattr(self.target, name).source) if text and text == self.before[name] else what

    def sentence(self) -> Content:
        if self.wrong:
            return ink(f"{self.wrong} field{'s' if self.wrong > 1 else ''} to mend first.", "attention")
        if self.offers is None:
            return ink("Asking what there is to choose from …", "quiet")
        if self.offers.problem:
            return ink(f"Not all there is to choose from could be asked: {self.offers.problem}.", "attention")
        return ink(
            f"{len(self.offers.zones)} zones with TPUs, {len(self.offers.accelerator_types)} types and "
            f"{len(self.offers.runtime_versions)} runtimes in {self.asked[1] or 'this zone'}.",
            "quiet",
        )

    def action_complete(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, Input):
            focused.action_cursor_right()

    def action_accept(self) -> None:
        if self.wrong:
            self.app.bell()
        else:
            self.post_message(self.Accepted(changed(self.texts, self.before)))

    def action_close(self) -> None:
        self.post_message(self.Closed())
