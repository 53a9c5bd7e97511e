"""The exception that users see, and the exit codes of commands other than 0 (yes) and 2 (bad usage)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

NO, COULD_NOT_TELL, INTERRUPTED = 1, 3, 130
LONGEST_TITLE = 300  # characters


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
    """Return the known word that is the fewest edits away, at most one for each three letters; empty where none is near.

    A text without a dot may also mean the last part of a word: "batch" means "beat.batch".
    """
    wanted, most, found = text.lower(), max(min(1, len(text) - 1), len(text) // 3), ""
    for word in known:
        meant = word.lower() if "." in text else word.lower().rpartition(".")[2]
        if abs(len(meant) - len(wanted)) <= most and (distance := edits(wanted, meant)) <= most:
            found, most = word, distance - 1
    return found


def edits(one: str, other: str) -> int:
    """Count the letters to insert, delete, replace or swap with the next (Damerau and Levenshtein's distance)."""
    before, last = [0], list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            count = min(now[-1] + 1, last[column] + 1, last[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and (letter, one[row - 2]) == (other[column - 2], wanted):
                count = min(count, before[column - 2] + 1)
            now.append(count)
        before, last = last, now
    return last[-1]
