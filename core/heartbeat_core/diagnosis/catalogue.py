"""The rules by which failures are recognized, read from the files of ``rules``."""

from __future__ import annotations

import configparser
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartbeat_core.diagnosis import remedies
from heartbeat_core.diagnosis.model import MakeRemedy

# In the order in which they are tried, the most specific first; so are the rules of a file.
FILES = ("tpu_vm", "ssh", "packages", "access", "project", "capacity", "vague", "network")
NAMED = re.compile(r"([a-z_]+)(?: (\w+)=(\S+))?")


@dataclass(frozen=True)
class DiagnosisRule:
    """How one failure is recognized and explained; ``rules/NAME.ini`` has a section with these fields for each.

    ``patterns``, one a line, are searched in the text, ignoring case, with every run of blanks as one; their named groups fill title,
    cause and remedies. A part in [brackets] is left out where a {word} in it is not known. ``reasons`` are those of google.rpc.ErrorInfo.
    ``remedies``, one a line, are sentences, or names of ``fixes.ini`` or ``remedies.py``, also with a word of their own:
    grant_role role=roles/tpu.admin.
    ``googles`` marks generic words, such as "forbidden": they count only where the text around them shows Google.
    ``vague`` rules count only where no other matches.
    ``instead`` names at most two other rules that the same words can stand for, ``tell_apart`` what decides between them.
    """

    id: str
    title: str
    cause: str
    remedies: tuple[MakeRemedy, ...]
    patterns: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    link: str | None = None
    googles: bool = False
    vague: bool = False
    instead: tuple[str, ...] = ()
    tell_apart: str = ""


@functools.cache
def read_rules() -> Mapping[str, DiagnosisRule]:
    """Return every rule by its id, in the order in which they are tried."""
    parser = parsed(*FILES)
    return {id_: DiagnosisRule(id_, **{name: READ[name](value) for name, value in parser[id_].items()}) for id_ in parser.sections()}


def parsed(*names: str) -> configparser.ConfigParser:
    """Return the sections of files in ``rules``."""
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    for name in names:
        parser.read_string(Path(__file__).with_name("rules").joinpath(f"{name}.ini").read_text(encoding="utf-8"), name)
    return parser


@functools.cache
def read_fixes() -> Mapping[str, MakeRemedy]:
    """Return the fixes of ``rules/fixes.ini`` by their names."""
    marks: dict[str, Any] = {"yes": True, "unknown": None}
    parser = parsed("fixes")
    return {name: remedies.fix(**{key: marks.get(value, value) for key, value in parser[name].items()}) for name in parser.sections()}


def remedy_of(line: str) -> MakeRemedy:
    if not (named := NAMED.fullmatch(line)):
        return remedies.fix(line)
    make: MakeRemedy = read_fixes().get(named[1]) or getattr(remedies, named[1])
    return (lambda words: make({**words, named[2]: named[3]})) if named[2] else make


def sentence(value: str) -> str:
    return " ".join(value.split())


def names(value: str) -> tuple[str, ...]:
    return tuple(value.split())


def lines(value: str) -> tuple[str, ...]:
    return tuple(filter(None, value.splitlines()))


READ: dict[str, Callable[[str], Any]] = {
    "title": sentence, "cause": sentence, "tell_apart": sentence, "link": str, "patterns": lines, "reasons": names, "instead": names,
    "remedies": lambda value: tuple(map(remedy_of, lines(value))), "googles": "yes".__eq__, "vague": "yes".__eq__,
}  # fmt: skip
