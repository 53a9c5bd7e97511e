"""The records of a run, to and from lines of JSON.

The same lines are the worker's output, the recording on disk, ``bench --stream`` and what ssh carries from a TPU VM.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any, get_args

from heartbeat_core.beat.records import PHASES, ChipReading, Chips, Label, Record, Samples, Started, Unknown
from heartbeat_core.errors import HeartbeatError

SCHEMA = 1
KINDS: dict[str, type[Any]] = {kind.type: kind for kind in get_args(Record) if kind is not Unknown}

# Each field by name, annotation and whether it must be given: looked up once, for a long run has a record every 33 ms.
FIELDS: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {
    kind: tuple((f.name, str(f.type), f.default is MISSING) for f in fields(kind)) for kind in (*KINDS.values(), ChipReading)
}

JSON_TYPES: dict[str, type[Any] | tuple[type[Any], ...]] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "dict[str, Any]": dict,
    "dict[str, array[int]]": dict,
    "tuple[str, ...]": list,
    "tuple[ChipReading, ...]": list,
}


class StreamError(HeartbeatError):
    """A line that is no record of ours."""


class NewerSchema(StreamError):
    """A stream that only a newer version can read."""


def encode(record: Record) -> bytes:
    """Make one line of JSON, with its line feed."""
    values = record.values if isinstance(record, Unknown) else {"type": record.type, **vars(record)}
    if isinstance(record, Samples):
        values["columns"] = {name: pack(column) for name, column in record.columns.items()}
    return json.dumps(values, separators=(",", ":"), allow_nan=False, default=vars).encode() + b"\n"


def decode(line: bytes) -> Record:
    """Read one line; raise StreamError where it is no record, ignore what a newer version has added."""
    try:
        values = JSON.decode(line.decode())
        kind, at_ns = values["type"], values["at_ns"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise not_ours(line, error) from error
    if not fits(at_ns, "int"):
        raise not_ours(line, "at_ns is not a whole number")
    record = KINDS.get(kind) if isinstance(kind, str) else None
    if record is None:
        return Unknown(at_ns, values)
    try:
        known = known_values(record, values)
        if record is Samples:
            known["columns"] = unpack_columns(known["columns"])
        elif record is Label:
            known["tags"] = texts(known.get("tags", ()))
        elif record is Chips:
            known["readings"] = tuple(ChipReading(**known_values(ChipReading, each)) for each in known["readings"])
        made: Record = record(**known)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise not_ours(line, error) from error
    if isinstance(made, Started) and made.schema > SCHEMA:
        raise NewerSchema(f"the stream has schema {made.schema!r}", f"This version reads schema {SCHEMA}.", "Update heartbeat-tui.")
    return made


def known_values(record: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Pick what the fields of a kind of record take; raise KeyError where one is missing, TypeError where one is of another type."""
    known: dict[str, Any] = {}
    for name, annotation, needed in FIELDS[record]:
        if needed or name in values:
            known[name] = values[name]
            if not fits(known[name], annotation):
                raise TypeError(f"{name} is not of the type {annotation}")
    return known


def fits(value: object, annotation: str) -> bool:
    """Tell whether a value out of JSON is what the field of a record is annotated with."""
    if value is None:
        return annotation.endswith(" | None")
    base = annotation.removesuffix(" | None")
    if isinstance(value, bool) and base != "bool":  # True is an int to Python
        return False
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return False
    return value in PHASES if base == "Phase" else isinstance(value, JSON_TYPES[base])


def finite(text: str) -> float:
    """Read a number; raise ValueError for NaN and infinity, which are no JSON and break every sum."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


JSON = json.JSONDecoder(parse_float=finite, parse_constant=finite)  # made once: it costs more than to read a line with it


def pack(column: array[int]) -> str:
    if sys.byteorder == "big":
        column = array("q", column)
        column.byteswap()
    return base64.b64encode(column).decode()


def unpack(text: str) -> array[int]:
    column = array("q")
    column.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def unpack_columns(packed: dict[str, str]) -> dict[str, array[int]]:
    columns = {name: unpack(text) for name, text in packed.items()}
    if len({len(column) for column in columns.values()}) != 1 or "total" not in columns:
        raise ValueError("the columns of a samples record differ in length, or lack the total")
    return columns


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    found = tuple(values)
    if not all(isinstance(value, str) for value in found):
        raise TypeError("a tag is not a text")
    return found


def not_ours(line: bytes, why: object) -> StreamError:
    shown = line[:80].decode("utf-8", "backslashreplace").strip()
    detail = "not base64" if isinstance(why, binascii.Error) else str(why)
    return StreamError(f"the stream holds a line that is no record: {shown!r}", detail, "Something else writes to the worker's output.")
