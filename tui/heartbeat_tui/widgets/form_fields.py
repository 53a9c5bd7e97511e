"""What a form is made of: its fields, and what is said beside one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One line of a form: typed, or chosen from ``choices``; ``hint`` says what it is while nothing is wrong."""

    name: str
    label: str
    hint: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """What is said beside a field: ``quiet``, in doubt (``attention``), wrong (``failed``), or half typed (``unfinished``)."""

    text: str
    kind: str = "quiet"

    @property
    def wrong(self) -> bool:
        """Tell whether it keeps the form from being taken."""
        return self.kind in ("failed", "unfinished")
