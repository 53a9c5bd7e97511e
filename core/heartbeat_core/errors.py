"""The one exception that people see, and the exit codes of commands beside 0, yes, and 2, bad usage."""

from __future__ import annotations

NO, COULD_NOT_TELL, INTERRUPTED = 1, 3, 130


class HeartbeatError(Exception):
    """Say what happened, why, and what to do about it.

    ``exit_code`` is what a command ends with: 2 for bad usage, 3 where the question could not be answered.
    """

    def __init__(self, title: str, cause: str = "", remedy: str = "", *, exit_code: int = 2) -> None:
        super().__init__(title)
        self.title = title
        self.cause = cause
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.cause, self.remedy) if part)


def sanitize_line(text: str) -> str:
    """Make one line of foreign text, without anything a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
