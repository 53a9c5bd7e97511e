"""What a diagnosis is made of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Where a failure came from. One exception can mean two things: ResourceExhausted is a quota when a call is refused, and an
# empty shelf when an operation ends with it.
Origin = Literal["call", "operation"]
Words = Mapping[str, str]  # what is known: project, zone, accelerator_type, principal, …

PLACEHOLDER = re.compile(r"<[A-Z_]+>")


@dataclass(frozen=True)
class Remedy:
    """One thing to do: a command as a list of arguments, or a page, or words alone.

    ``changes`` says what it changes, empty for nothing. ``costs`` says whether it costs money, None where that depends.
    ``interactive`` commands talk to a person and need the terminal.
    """

    text: str
    command: tuple[str, ...] | None = None
    page: str | None = None
    changes: str = ""
    costs: bool | None = False
    interactive: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """List what must be filled in before it can be run: ("<PROJECT>",)."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(" ".join(self.command or (self.page or "",)))))

    @property
    def shell(self) -> str | None:
        """Write the command as it would be typed."""
        return shlex.join(self.command) if self.command else None

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "command": list(self.command) if self.command else None,
            "page": self.page,
            "changes": self.changes or None,
            "costs": self.costs,
            "interactive": self.interactive,
            "missing": list(self.missing),
        }


@dataclass(frozen=True)
class Diagnosis:
    """``id`` is stable; ``evidence`` is the part of the text, or the answer, that it rests on; ``link`` leads to more."""

    id: str
    title: str
    cause: str
    evidence: str
    remedies: tuple[Remedy, ...]
    link: str | None = None

    @property
    def known(self) -> bool:
        """Say whether the catalogue knew the failure."""
        return self.id != UNKNOWN

    @property
    def advice(self) -> str:
        """Give the first remedy in a line: its command, else its words; empty where there is none."""
        return next((remedy.shell or remedy.text for remedy in self.remedies), "")

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "cause": self.cause,
            "evidence": self.evidence,
            "remedies": [remedy.to_json() for remedy in self.remedies],
            "link": self.link,
        }


UNKNOWN = "unknown"


DOCS = "https://docs.cloud.google.com/tpu/docs"
MakeRemedy = Callable[[Words], Remedy]


@dataclass(frozen=True)
class DiagnosisRule:
    """What is known of one failure.

    ``patterns`` are sought in the text, without regard to case and with every run of blanks made one; their named groups are
    words for title, cause and remedies. What stands in [brackets] there is left out where a {word} in it is not known.
    ``reasons`` are those of google.rpc.ErrorInfo. A remedy that is a text is words alone.
    """

    id: str
    title: str
    cause: str
    remedies: tuple[MakeRemedy | str, ...]
    patterns: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    link: str | None = None

    def remedies_for(self, words: Words) -> tuple[Remedy, ...]:
        """Make the remedies with these words."""
        return tuple(Remedy(each) if isinstance(each, str) else each(words) for each in self.remedies)
