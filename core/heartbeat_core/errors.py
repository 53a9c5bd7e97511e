"""The exception that users see, and the exit codes of commands other than 0 (yes) and 2 (bad usage)."""

from __future__ import annotations

NO, COULD_NOT_TELL, INTERRUPTED = 1, 3, 130


class HeartbeatError(Exception):
    """An error for users: what happened, why, and what to do.

    ``exit_code`` is that of the command: 2 for bad usage, 3 for an unknown result. Only an error of Google's has an empty
    ``remedy``: the catalogue of ``diagnosis`` knows what to do.
    """

    def __init__(self, title: str, cause: str, remedy: str, *, exit_code: int = 2) -> None:
        super().__init__(title)
        self.title = title
        self.cause = cause
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.cause, self.remedy) if part)


def sanitize_line(text: str) -> str:
    """Return foreign text as one line without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)
