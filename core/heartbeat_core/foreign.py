"""Text that others wrote."""

from __future__ import annotations


def plain(text: str) -> str:
    """Make one line of foreign text, without anything a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
