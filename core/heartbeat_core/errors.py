"""The exception that users see, and the exit codes of commands other than 0 (yes) and 2 (bad usage)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

NO, COULD_NOT_TELL, INTERRUPTED = 1, 3, 130
LONGEST_TITLE = 300  # characters
NEAR = 0.66  # the share of letters that two words have in common, in order


class HeartbeatError(Exception):
    """An error for users: what happened, why, and what to do.

    ``exit_code`` is that of the command: 2 for bad usage, 3 for an unknown result. Only an error of Google's has an empty
    ``remedy``: the catalogue of ``diagnosis`` knows what to do.
    """

    def __init__(self, title: str, cause: str, remedy: str, *, exit_code: int = 2) -> None:
        title = sanitize_line(title)  # all three may name foreign texts
        self.title = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
        self.cause, self.remedy = without_controls(cause), without_controls(remedy)
        super().__init__(self.title)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.cause, self.remedy) if part)


def sanitize_line(text: str) -> str:
    """Return foreign text as one line without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def without_controls(value: Any) -> Any:
    """Return a value out of JSON with no control characters in its texts but line feeds: others would command the terminal."""
    if isinstance(value, str):
        return value if value.isprintable() else "\n".join(map(sanitize_line, value.split("\n")))
    if isinstance(value, dict):
        return {without_controls(key): without_controls(part) for key, part in value.items()}
    return [without_controls(part) for part in value] if isinstance(value, list) else value


def nearest(text: str, known: Iterable[str]) -> str:
    """Return the known word that is most like the text, empty where none is near.

    A text without a dot may also mean the last part of a word: "batch" means "beat.batch".
    """
    from difflib import get_close_matches  # here: most runs of the program misspell nothing

    meant = {(word if "." in text else word.rpartition(".")[2]).lower(): word for word in reversed(list(known))}
    found = get_close_matches(text.lower(), meant, 1, NEAR)
    return meant[found[0]] if found else ""
