"""The settings as a list, each with its source, and the settings file as it is edited: its comments and order stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.folders import write_whole
from heartbeat_core.settings import FILE_VARIABLE, KEYS, Settings, known, read_toml

DEFAULTS = Settings()


@dataclass(frozen=True)
class Row:
    """One setting; ``source`` is "default", the file's path, the variable or "the command line"."""

    key: str
    value: object
    default: object
    source: str
    expected: str

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "default": self.default, "source": self.source, "expected": self.expected}


def list_settings(settings: Settings) -> tuple[Row, ...]:
    """List every setting in the order of the documentation."""
    return tuple(Row(key, settings[key], DEFAULTS[key], settings.source(key), kind.expected) for key, kind in KEYS.items())


def text_of(value: object) -> str:
    """Write a value as it is typed; nothing for one that is not set."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def value_of(key: str, text: str) -> object:
    """Read what was typed for ``key``, None for nothing, which stands for the default; raise HeartbeatError where it is none."""
    known(key, "")
    kind = KEYS[key]
    if not text.strip() and not (kind.type is str and DEFAULTS[key] == ""):
        return None
    value = kind.parse(text.strip())
    if not kind.accepts(value):
        raise HeartbeatError(f"{key} is {text.strip()!r}", f"It is {kind.expected}.", "Type that, or nothing for the default.")
    return value


def write_settings(path: Path, changes: Mapping[str, str]) -> None:
    """Put ``changes``, keys to what was typed, into the file, whole or not at all; raise HeartbeatError where that cannot be done."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    values = {key: value_of(key, text) for key, text in changes.items()}
    read_toml(path, must_exist=False)  # says what is wrong with a file that cannot be read
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
        for key, value in values.items():
            put(document, key, value)
        write_whole(path, tomlkit.dumps(document))
    except (OSError, TOMLKitError) as error:
        raise HeartbeatError(
            f"the settings file {path} cannot be written", str(error), f"Mend that, or name another file by {FILE_VARIABLE}."
        ) from error


def put(document: Any, key: str, value: object) -> None:
    """Set a key in its table, which is made where it is missing; a value equal to the default is taken out."""
    import tomlkit

    *sections, name = key.split(".")
    table = document
    for section in sections:
        if section not in table:
            if value in (None, DEFAULTS[key]):
                return
            table[section] = tomlkit.table(is_super_table=section != sections[-1])
        table = table[section]
    if value in (None, DEFAULTS[key]):
        table.pop(name, None)
    else:
        table[name] = value
