"""Read what people paste: colours, log prefixes, quotes and frames, broken lines, JSON, UTF-16; in time linear in its length."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Iterator

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.diagnosis.model import Words
from heartbeat_core.errors import sanitize_line

LONGEST = 16_000_000  # characters; of a longer text the two ends are read
REACH = 1000  # characters before and after its needle that a pattern may need

COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
QUOTES = str.maketrans("\u2018\u2019\u201c\u201d`", "''\"\"'")
ESCAPED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|([nrt\s])|([\"'/]))")  # as JSON writes them, also within JSON
UNPRINTABLE = re.compile(r"[^\s!-~]+")
LEFT, RIGHT = " \t│┃║┆|>❱", " \t│┃║┆|"  # quotes and frames around each line
PREFIX = re.compile(  # what programs that write logs put before each line
    r"(?:(?:"
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?\]?:?"
    r"|\[?\d\d:\d\d(?::\d\d)?[\d.,]*\]?"
    r"|[DIWEF]\d{4} [\d:.]+ +\d+ \S{1,80}:\d+\]"
    r"|(?:DEBUG|INFO|WARNING|ERROR|FATAL|CRITICAL):?(?: \d\d-\d\d \d\d:\d\d:\d\d)?(?: \[?[\w./-]{1,80}:\d+\])?"
    r"|\([\w ]{1,40}pid=\d+[^)\n]{0,60}\)"
    r"|\[[\w-]{1,20}\]"
    r"|[\w.-]{1,60}[ \t]+\|"  # docker compose
    r")[ \t]+)+"
)
# What a text names, and where a remedy's word comes from: the name nearest to the error counts.
NAMES = {
    "zone": r"\b((?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]{2,20}\d{1,2}-(?:ai\d)?[a-z])\b",
    "accelerator_type": r"\b((?:tpu-)?v\d[a-z]{0,7}-\d{1,5}|tpu7x-\d{1,5})\b",
    "runtime_version": r"\b(v2-(?:alpha-tpuv\d[\w-]{0,20}|alpha|nightly)|tpu-(?:ubuntu\d{4}|vm)-[\w.-]{0,30}\w)",
    "project": r"(?:\bprojects/|--project[= ])([a-z][a-z0-9-]{4,28}[a-z0-9])\b",
    "tpu_name": r"(?:/nodes/|\btpu-vm (?:create|delete|describe|ssh|scp|start|stop) )([a-z][a-z0-9-]{0,62})",
    "queued_resource": r"(?:/queuedResources/|\bqueued-resources (?:create|delete|describe) )([a-z][a-z0-9-]{0,62})",
    "account": r"([\w.-]{1,80}@[\w.-]{1,80}gserviceaccount\.com)",
    "bucket": r"(?:\bgs://|/storage/v1/b/|\baccess to )([a-z0-9][a-z0-9._-]{2,62})",
    "registry": r"\b([a-z0-9-]{2,40}-docker\.pkg\.dev|(?:us\.|eu\.|asia\.)?gcr\.io)\b",
    "gcloud": r"\((gcloud\.[\w.-]{1,80})\)",
}
WHERE = {name: re.compile(pattern) for name, pattern in NAMES.items()}


def decode(data: bytes) -> str:
    """Return bytes as text: UTF-8, or UTF-16 as PowerShell writes it. What is neither is replaced."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    start = data[:400]
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(zeros) > 3 and zeros.count(0) > len(zeros) // 2:
            return data.decode(name, "replace")
    return data.decode("utf-8-sig", "replace")


def readings(text: str) -> Iterator[str]:
    """Return a text as one line in up to three ways: as it is, without what logs put before each line, without its line ends."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    unescaped = ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\n" if found[2] else found[3], COLOURS.sub("", text))
    lines = [line.lstrip(LEFT).rstrip(RIGHT) for line in unescaped.splitlines()]
    yield (first := one_line(" ".join(lines)))
    lines = [line[prefix.end() :] if (prefix := PREFIX.match(line)) else line for line in lines]
    if (second := one_line(" ".join(lines))) != first:
        yield second
    if len(lines) > 1:
        yield one_line("".join(lines))


def one_line(text: str) -> str:
    """Return a text as one line: no control characters, plain quotes, single blanks."""
    return " ".join(UNPRINTABLE.sub(lambda match: sanitize_line(match[0]), text.translate(QUOTES)).split())


def find(pattern: str, text: str, lowered: str) -> Iterator[re.Match[str]]:
    """Find a pattern, ignoring case, only where the text holds what every match of it must hold."""
    part = needle(pattern)
    if not part:
        yield from compiled(pattern).finditer(text)
        return
    at = lowered.find(part)
    while at >= 0:
        low, high = max(0, at - REACH), at + REACH
        while 0 <= (at := lowered.find(part, at + 1)) < high:
            high = at + REACH
        yield from compiled(pattern).finditer(text, low, high)


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@functools.cache
def needle(pattern: str) -> str:
    """Return the longest text that every match of a pattern holds, in lower case; empty where there is none."""
    rest = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "\0", pattern.replace(r"\.", "\1"))
    before = ""
    while rest != before:
        before = rest
        rest = re.sub(r"\((?:\?:|\?P<\w+>|\?-i:)?(?!\?)([^()|]*)\)(?![*?{])", r"\1", rest)
        rest = re.sub(r"\([^()]*\)(?:[*+?]|\{[^}]*\})?", "\0", rest)
    if "|" in rest:
        return ""
    parts = re.split(r"[\0.^$+]", re.sub(r".(?:[*?]|\{[^}]*\})", "\0", rest))
    return max(parts, key=len).replace("\1", ".").lower()


def words_in(text: str, near: int) -> Words:
    """Return the zone, type, project and other names within reach of a place in the text, each the nearest to it."""
    low, high = max(0, near - 4 * REACH), near + 4 * REACH
    words = {}
    for name, pattern in WHERE.items():
        found = list(pattern.finditer(text, low, high))
        if name == "accelerator_type":
            found = [match for match in found if match[1].startswith("tpu7x") or find_accelerator(match[1].removeprefix("tpu-"))]
        if found:
            nearest = min(found, key=lambda match: abs(match.start() - near))[1]
            words[name] = nearest.removeprefix("tpu-") if name == "accelerator_type" else nearest
    return words
