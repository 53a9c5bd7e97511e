"""Read the fields of a JSON answer: what is missing or of another kind is None or empty, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def text(answer: Any, *path: str) -> str | None:
    """Read a text, None where there is none or an empty one."""
    value = dig(answer, path)
    return value if isinstance(value, str) and value else None


def whole(answer: Any, *path: str) -> int | None:
    """Read a whole number, which JSON of int64 writes as a text."""
    value = dig(answer, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):  # no number, or not a finite one
        return None
    return number if isinstance(value, str) or number == value else None


def real(answer: Any, *path: str) -> float | None:
    """Read a number."""
    value = dig(answer, path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(answer: Any, *path: str) -> bool | None:
    """Read yes or no."""
    value = dig(answer, path)
    return value if isinstance(value, bool) else None


def table(answer: Any, *path: str) -> Mapping[str, Any]:
    """Read an object, empty where there is none."""
    value = dig(answer, path)
    return value if isinstance(value, dict) else {}


def rows(answer: Any, *path: str) -> tuple[Mapping[str, Any], ...]:
    """Read a list of objects; what is none is left out."""
    value = dig(answer, path)
    return tuple(row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()


def texts(answer: Any, *path: str) -> tuple[str, ...]:
    """Read a list of texts; what is none is left out."""
    value = dig(answer, path)
    return tuple(row for row in value if isinstance(row, str)) if isinstance(value, list) else ()


def labels(answer: Any, *path: str) -> Mapping[str, str]:
    """Read an object of texts."""
    return {key: value for key, value in table(answer, *path).items() if isinstance(value, str)}


def has(answer: Any, *path: str) -> bool:
    """Return whether the field exists, even empty: ``spot: {}`` means yes."""
    value = dig(answer, path)
    return value is not None and value is not False


def last(name: str | None) -> str:
    """Take the last part of a resource's name: "projects/p/locations/z" → "z"."""
    return (name or "").rpartition("/")[2]


def segment(name: str) -> str:
    """Return ``name`` quoted as one segment of a path, so that it cannot lead to another path."""
    quoted = quote(name, safe="", errors="surrogateescape")
    return quoted if name.strip(".") else quoted.replace(".", "%2E")


def dig(answer: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(answer, dict):
            return None
        answer = answer.get(key)
    return answer
