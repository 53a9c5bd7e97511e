"""A value together with where it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chosen:
    """``value`` is None where nobody gave one; ``source`` is fit to stand after "from": "--zone", "PROJECT_ID"."""

    value: str | None
    source: str

    def __bool__(self) -> bool:
        return bool(self.value)

    def __str__(self) -> str:
        return f"{self.value} ({self.source})" if self.value else "not set"
