"""The words that are looked for."""

from __future__ import annotations

from textual.widgets import Input


class Sought(Input):
    """One line below the list; the list follows as one types."""

    DEFAULT_CSS = """
    Sought { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self, value: str, hint: str) -> None:
        super().__init__(value, placeholder=f"filter: {hint}", compact=True)
