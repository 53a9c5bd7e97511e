"""A form: fields edited in place and checked as one types; the base of every form here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Select

from heartbeat_core.cloud.accelerators import FAMILIES, runtime_for
from heartbeat_core.cloud.target import TargetOffers
from heartbeat_core.units import some
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.text import Lines, styled


@dataclass(frozen=True)
class Field:
    """One line of a form: typed, or chosen from ``choices``; ``hint`` explains it while nothing is wrong."""

    name: str
    label: str
    hint: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """The text beside a field: ``quiet``, doubtful (``attention``), wrong (``failed``), or incomplete (``unfinished``)."""

    text: str
    kind: str = "quiet"

    @property
    def wrong(self) -> bool:
        """Return whether it keeps the form from being accepted."""
        return self.kind in ("failed", "unfinished")


LOOKS = {"failed": ("✗ ", "failed"), "attention": ("! ", "attention"), "quiet": ("", "quiet"), "unfinished": ("", "quiet")}


def form_bindings(name: str, label: str, accept: str, close: str) -> list[BindingType]:
    """Return the keys of the form ``name``: ``label`` and ``accept`` name what accepting does, ``close`` what leaving does."""
    return [
        Binding("escape", "close", "Back", tooltip=close, id=f"{name}.close"),
        Binding("ctrl+s", "accept", label, tooltip=accept, id=f"{name}.accept"),
    ]


class Completion(Suggester):
    """Completes a field from what its form knows now."""

    def __init__(self, form: Form, name: str) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self.form, self.field = form, name

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(self.form.completions(self.field, value)), None) if value else None


class Form(Vertical):
    """``texts`` holds the text of each field, as typed; a subclass defines what it means.

    It defines FIELDS, BINDINGS (``form_bindings``) and ``notes``, and optionally ``sentences``, ``first``, ``changed`` and
    ``completions``. What mounts it handles ``Form.Accepted`` and ``Form.Closed``.
    """

    DEFAULT_CSS = """
    Form { height: 1fr; }
    Form VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    Form .field { height: auto; }
    Form .field-name { width: 14; }
    Form Input, Form Select { width: 18; margin-right: 2; background: $panel; }
    Form .field .-wrong { background: $error 30%; }
    Form #form-sentence { margin-top: 1; }
    Form #form-keys { height: 1; margin-top: 1; }
    Form KeyButton { margin: 0 2 0 0; }
    """
    FIELDS: ClassVar[tuple[Field, ...]] = ()
    BUTTONS: ClassVar[tuple[tuple[str, str, str], ...]] = ()  # key, label, action; "Back" comes after them
    COMPLETES: ClassVar[bool] = False  # typed fields are completed as one types

    class Accepted(Message):
        """The form was accepted."""

    class Closed(Message):
        """The form was left; nothing changes."""

    def __init__(self, texts: Mapping[str, str], title: str, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(classes="panel", id=id)
        self.texts = dict(texts)
        self.wrong = 0
        self.border_title = title

    # -- what a subclass defines

    def notes(self) -> Mapping[str, Note]:
        """Return what is wrong with each field, or worth knowing; a field without a note shows its hint."""
        raise NotImplementedError

    def sentences(self) -> Sequence[Content]:
        """Return what the fields mean together; called while nothing is wrong."""
        return ()

    def first(self) -> str:
        """Return the name of the field that has the focus first."""
        return self.FIELDS[0].name

    def shown(self, name: str) -> bool:
        """Return whether a field belongs to what the others say."""
        del name
        return True

    def changed(self, name: str) -> None:
        """Update other fields after a change of ``name``, with ``put``."""

    def completions(self, name: str, text: str) -> Sequence[str]:
        """Return how ``text`` may be completed in the field ``name``, the best first."""
        del name, text
        return ()

    # -- what all have in common

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            for field in self.FIELDS:
                with Horizontal(classes="field"):
                    yield Lines(classes="field-name").with_text(styled(field.label, "plain"))
                    yield self.box(field)
                    yield Lines(classes="field-hint", id=f"hint-{field.name}").with_text(styled(field.hint, "quiet"))
        yield Lines(id="form-sentence")
        with Horizontal(id="form-keys"):
            for key, label, action in self.BUTTONS:
                yield KeyButton(key, label, action)
            yield KeyButton("escape", "Back", "close")

    def box(self, field: Field) -> Input | Select[str]:
        name, text = f"field-{field.name}", self.texts[field.name]
        if field.choices:
            return Select([(choice, choice) for choice in field.choices], value=text, allow_blank=False, compact=True, id=name)
        completion = Completion(self, field.name) if self.COMPLETES else None
        return Input(text, compact=True, id=name, select_on_focus=True, suggester=completion)

    def on_mount(self) -> None:
        self.check()
        self.query_one(f"#field-{self.first()}").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    @on(Input.Changed)
    @on(Select.Changed)
    def take(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        name, text = (event.control.id or "").removeprefix("field-"), str(event.value)
        if self.texts.get(name) != text:
            self.texts[name] = text
            self.changed(name)
            self.check()

    def put(self, name: str, text: str) -> None:
        box = self.query_one(f"#field-{name}")
        assert isinstance(box, Input | Select)
        box.value = text

    def check(self) -> None:
        """Check all fields; show what is wrong beside each, and below them what they mean together."""
        notes = self.notes()
        self.wrong = sum(note.wrong for note in notes.values())
        for row, field in zip(self.query(".field"), self.FIELDS, strict=True):
            row.display = self.shown(field.name)
            note = notes.get(field.name, Note(field.hint))
            glyph, kind = LOOKS[note.kind]
            self.query_one(f"#hint-{field.name}", Lines).set_lines([styled(glyph + note.text, kind)])
            self.query_one(f"#field-{field.name}").set_class(note.wrong, "-wrong")
        wrong = styled(f"Correct {self.wrong} field{'s' if self.wrong > 1 else ''} first.", "attention")
        self.query_one("#form-sentence", Lines).set_lines([wrong] if self.wrong else self.sentences())

    def action_accept(self) -> None:
        if self.wrong:
            self.app.bell()
        else:
            self.post_message(self.Accepted())

    def action_close(self) -> None:
        self.post_message(self.Closed())

    def action_complete(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, Input):
            focused.action_cursor_right()


LISTED = {"project": "projects", "zone": "zones", "accelerator_type": "accelerator_types", "runtime_version": "runtime_versions"}


class TpuForm(Form):
    """A form of a TPU VM: project, zone, type and runtime are completed from what Google offers, and the runtime follows the type.

    ``sources`` are where texts come from. A subclass defines ``problems`` and ``want``.
    """

    COMPLETES = True
    offers: TargetOffers | None = None  # None until Google has answered
    asked = ("", "")  # project and zone that they are asked for

    def __init__(self, texts: Mapping[str, str], sources: Mapping[str, str], title: str, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(texts, title, id=id)
        self.before, self.sources = dict(texts), sources
        self.follows = texts["runtime_version"] == runtime_for(texts["accelerator_type"])

    def problems(self) -> Mapping[str, Note]:
        """Return what is wrong or doubtful, by the name of the field."""
        raise NotImplementedError

    def want(self) -> None:
        """Ask Google for what the fields now need."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.want()

    def notes(self) -> Mapping[str, Note]:
        """Return what is wrong with a field, its options, or the source of an unchanged text."""
        notes = dict(self.problems())
        for field in self.FIELDS:
            name, text = field.name, self.texts[field.name].strip()
            problem, options = notes.get(name), self.options(name)
            if options and (problem is None or problem.wrong):  # half a name is no mistake yet
                notes[name] = Note(some(options), "unfinished" if problem else "quiet")
            elif problem is None and text and text == self.before[name] and name in self.sources:
                notes[name] = Note(self.sources[name])
        return notes

    def changed(self, name: str) -> None:
        """Change the runtime with the type, where it is the one of the type."""
        goes_with = runtime_for(self.texts["accelerator_type"])
        if name == "runtime_version":
            self.follows = self.texts[name] == goes_with
        if name == "accelerator_type" and self.follows and goes_with:
            self.put("runtime_version", goes_with)
        self.want()

    def offer(self, project: str, zone: str, offers: TargetOffers) -> None:
        """Use what there is to choose from, unless another project or zone is named by now."""
        if (project, zone) == self.asked and self.is_attached:
            self.offers = offers
            self.check()

    def listed(self, name: str) -> tuple[str, ...]:
        """Return what Google offers for a field, nothing where that is not known."""
        return getattr(self.offers, LISTED[name]) if self.offers and name in LISTED else ()

    def completions(self, name: str, text: str) -> tuple[str, ...]:
        known = self.listed(name)
        if name == "runtime_version" and not known:
            known = tuple(dict.fromkeys(family.runtime for family in FAMILIES))
        found = tuple(option for option in known if option.casefold().startswith(text.strip().casefold()))
        return found if text.strip() not in found else ()

    def options(self, name: str) -> tuple[str, ...]:
        """Return what a field that was changed may be completed to."""
        text = self.texts[name].strip()
        return self.completions(name, text) if text and text != self.before[name] else ()
