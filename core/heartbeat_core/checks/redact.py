"""Redact personal data from a tree of JSON: each value gets a pseudonym, the same one everywhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from heartbeat_core.cloud.errors import redact

SHORTEST = 6  # from this length on a secret may stand beside a hyphen or an underscore: project ids are no shorter
# A secret is a whole token: no letter or digit stands beside it, except those of an escape such as %2F.
START, END = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2}))", r"(?![^\W_])"
SHORT_START, SHORT_END = r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2}))", r"(?![\w-])"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
BILLING = re.compile(r"\b[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}\b", re.IGNORECASE)
NUMBER = re.compile(r"(?<![\w.])\d{9,}(?![\w.])")  # of projects, organizations and accounts
V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
V6 = re.compile(r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:%\w+)?(?![\w:])", re.IGNORECASE)
KEY = re.compile(r"\bAIza[\w-]{30,}|\bGOOG1?[A-Z0-9]{20,}\b|\b[0-9a-f]{40,}\b")
PLACES = re.compile(
    r"\b(?P<kind>project|node|queuedResource|serviceAccount|billingAccount|organization|folder|user|reservation)s?[/=]"
    r"(?P<name>[^/\s:\"'?&,;<>()\[\]]+)",
    re.IGNORECASE,
)
FLAG = re.compile(r"--(?P<kind>project|account|billing-account|service-account|impersonate-service-account)[= ](?P<name>[^\s\"']+)")
HOME = re.compile(r"(?:/home|/Users)/(?P<name>[^/\s\"':]+)")
TEMPORARY = re.compile(r"(?<![\w.-])(?:/private)?(?:/tmp|/var/tmp|/var/folders|/run/user|/dev/shm)/[^\s\"':,;<>()\[\]]+")
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", EMAIL), ("billing account", BILLING), ("number", NUMBER), ("key", KEY), ("temporary path", TEMPORARY),
)  # fmt: skip
# Values in the place of a name that are none.
NO_NAMES = frozenset({"-", "global", "default", "none", "null", "locations", "localhost", "true", "false", "vm"})


class Redactor:
    """Replaces personal values; ``known`` maps a kind to the values that are known beforehand."""

    def __init__(self, known: Mapping[str, Iterable[str | None]] | None = None) -> None:
        self.kinds: dict[str, str] = {}
        for kind, secrets in (known or {}).items():
            for secret in secrets:
                self.add(kind, secret or "")
        self.names: dict[str, str] = {}
        self.pattern: re.Pattern[str] | None = None

    def apply(self, tree: Any) -> Any:
        """Return the tree with every secret replaced; what is found in one text is replaced in all of them."""

        def learn(text: str) -> str:
            for kind, secret in found(redact(text)):
                self.add(kind, secret)
            return text

        mapped(tree, learn)
        self.name_all()
        return mapped(tree, self.text)

    def add(self, kind: str, secret: str) -> None:
        secret = secret.strip(" .,;…").casefold()
        if len(secret) > 1 and secret not in NO_NAMES and not secret.startswith("<"):
            self.kinds.setdefault(secret, kind)

    def name_all(self) -> None:
        """Name each secret by its number among its kind, unless that name contains a secret itself."""
        counts: dict[str, int] = {}
        for secret, kind in self.kinds.items():
            counts[kind] = counts.get(kind, 0) + 1
            name = f"[{kind} {counts[kind]}]"
            self.names[secret] = f"[{len(self.names) + 1}]" if any(other in name for other in self.kinds) else name
        longest_first = sorted(self.kinds, key=len, reverse=True)
        long = "|".join(re.escape(secret) for secret in longest_first if len(secret) >= SHORTEST)
        short = "|".join(re.escape(secret) for secret in longest_first if len(secret) < SHORTEST)
        parts = [f"{START}(?:{long}){END}"] * bool(long) + [f"{SHORT_START}(?:{short}){SHORT_END}"] * bool(short)
        self.pattern = re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def text(self, text: str) -> str:
        text = redact(text)
        if self.pattern:
            text = self.pattern.sub(lambda match: self.names.get(match[0].casefold(), "[secret]"), text)
        return text


def mapped(tree: Any, change: Callable[[str], str]) -> Any:
    """Return a tree with every text in it changed; keys are not personal."""
    if isinstance(tree, dict):
        return {key: mapped(value, change) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [mapped(value, change) for value in tree]
    return change(tree) if isinstance(tree, str) else tree


def found(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and value of what looks personal in a text."""
    for kind, pattern in KINDS:
        yield from ((kind, match[0]) for match in pattern.finditer(text))
    for pattern in (PLACES, FLAG):
        yield from ((match["kind"].lower(), match["name"]) for match in pattern.finditer(text))
    yield from (("user", match["name"]) for match in HOME.finditer(text))
    for pattern in (V4, V6):
        yield from (("address", match[0]) for match in pattern.finditer(text) if is_address(match[0]))


def is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)
