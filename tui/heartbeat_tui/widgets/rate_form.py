"""What an hour of each device costs, to say what a million products cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from heartbeat_tui.widgets.form import Form, form_bindings
from heartbeat_tui.widgets.form_fields import Field, Note

HINT = "US dollars an hour; empty where you do not know"
MOST = 1e6


def rate(text: str) -> float | None:
    """Read a rate; None for nothing; raise ValueError where it is none."""
    if not text.strip():
        return None
    value = float(text.strip().removeprefix("$"))
    if not 0 <= value < MOST:
        raise ValueError(text)
    return value


class RateForm(Form):
    """A field for each device."""

    DEFAULT_CSS = """
    RateForm { height: auto; }
    """
    BUTTONS = (("enter", "Take", "accept"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        *form_bindings("rates", "Take", "work out the cost at these rates", "leave the cost as it was")
    ]

    class Accepted(Message):
        """These are the rates."""

        def __init__(self, rates: Mapping[str, float]) -> None:
            super().__init__()
            self.rates = rates

    def __init__(self, devices: Sequence[str], rates: Mapping[str, float]) -> None:
        self.FIELDS = tuple(Field(f"rate-{number}", device, HINT) for number, device in enumerate(devices))  # type: ignore[misc]
        texts = {f"rate-{number}": f"{rates[device]:g}" if device in rates else "" for number, device in enumerate(devices)}
        super().__init__(texts, "what an hour costs", id="rate-form")

    def notes(self) -> Mapping[str, Note]:
        found: dict[str, Note] = {}
        for field in self.FIELDS:
            try:
                rate(self.texts[field.name])
            except ValueError:
                found[field.name] = Note("it is no rate; try 2.70", "failed")
        return found

    def accepted(self) -> Message:
        given = {field.label: rate(self.texts[field.name]) for field in self.FIELDS}
        return self.Accepted({device: value for device, value in given.items() if value is not None})
