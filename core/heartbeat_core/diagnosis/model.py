"""Data of a diagnosis: the failure, its cause and what fixes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Where a failure came from. One exception can mean two things: ResourceExhausted is a quota when a call is refused, and missing
# capacity when an operation ends with it.
Origin = Literal["call", "operation"]
Words = Mapping[str, str]  # values for placeholders: project, zone, accelerator_type, principal, …

UNKNOWN = "unknown"  # the id where no rule matches
PLACEHOLDER = re.compile(r"<[A-Z_]+>")


@dataclass(frozen=True)
class Remedy:
    """One thing to do: a command as a list of arguments, a page, or text alone.

    ``changes`` names what it changes, empty for nothing. ``costs`` is whether it costs money, None where that depends.
    ``interactive`` commands ask questions and need the terminal.
    """

    text: str
    command: tuple[str, ...] | None = None
    page: str | None = None
    changes: str = ""
    costs: bool | None = False
    interactive: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the placeholders that are still open: ("<PROJECT>",)."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(" ".join(self.command or (self.page or "",)))))

    @property
    def shell(self) -> str | None:
        """Return the command as a user would type it."""
        return shlex.join(self.command) if self.command else None

    def to_json(self) -> dict[str, Any]:
        command = list(self.command) if self.command else None
        return {**vars(self), "command": command, "changes": self.changes or None, "missing": list(self.missing)}


MakeRemedy = Callable[[Words], Remedy]


@dataclass(frozen=True)
class Alternative:
    """Another cause that the same text can have."""

    id: str
    title: str


@dataclass(frozen=True)
class Diagnosis:
    """A failure that was recognized. ``id`` is stable; ``evidence`` is the part of the text or answer it rests on; ``link`` is a page.

    Where the text alone does not decide, ``alternatives`` are less likely causes and ``tell_apart`` says what decides.
    """

    id: str
    title: str
    cause: str
    evidence: str
    remedies: tuple[Remedy, ...]
    link: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    tell_apart: str = ""

    @property
    def known(self) -> bool:
        return self.id != UNKNOWN

    @property
    def why(self) -> str:
        """Return the cause and, if it says more, the evidence."""
        return self.cause if self.evidence in self.cause else f"{self.cause} {self.evidence}".strip()

    @property
    def advice(self) -> str:
        """Return the first remedy in a line: its command, else its text; empty where there is none."""
        return next((remedy.shell or remedy.text for remedy in self.remedies), "")

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "remedies": [remedy.to_json() for remedy in self.remedies],
            "alternatives": [vars(other) for other in self.alternatives],
            "tell_apart": self.tell_apart or None,
        }
