"""One row of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heartbeat_core.diagnosis.model import Remedy, Words

DOCS = "https://docs.cloud.google.com/tpu/docs"
MakeRemedy = Callable[[Words], Remedy]


@dataclass(frozen=True)
class Entry:
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
