"""What a sweep varies, and how a candidate differs from the reference: names and values, as people type them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import prod
from typing import Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.bandwidth import HOST_MEMORIES
from heartbeat_core.benchmark.config import METHODS, PRECISIONS, WORKLOADS, BenchmarkConfig
from heartbeat_core.benchmark.dtypes import DTYPES
from heartbeat_core.benchmark.layer import MODEL_PHASES, WEIGHTS, ModelShape
from heartbeat_core.benchmark.models import find_model
from heartbeat_core.benchmark.workload import field_names
from heartbeat_core.errors import HeartbeatError

Value = int | str
NUMBERS = ("batch", "hidden", "intermediate", "context", "mib", "threads")
WORDS: dict[str, tuple[str, ...]] = {
    "backend": tuple(BACKENDS),
    "method": METHODS,
    "dtype": DTYPES,
    "precision": PRECISIONS,
    "weights": WEIGHTS,
    "phase": MODEL_PHASES,
    "host_memory": HOST_MEMORIES,
}
SWEPT = ("batch", "hidden", "intermediate", "context", "dtype", "weights", "precision", "threads")
VARIED = (*SWEPT, "model", "phase", "mib", "host_memory", "backend", "method")  # by a candidate of a repeat
OF_WORKLOAD = {name for kind in WORKLOADS.values() for name in field_names(kind)}
DOTS = ("…", "...")
DOUBLING = re.compile(r"(\d[\d_]*)\.\.(\d[\d_]*)")
MOST_POINTS = 200
MOST_AXES = 2
EXAMPLE = "batch=1,2,4,…,4096"


@dataclass(frozen=True)
class Parameter:
    """One thing that varies and the values it takes, in the order they were given."""

    name: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.name}={','.join(map(str, self.values))}"

    @property
    def numeric(self) -> bool:
        return self.name in NUMBERS


def parse_axis(text: str) -> Parameter:
    """Read "batch=1,2,4,…,4096", "batch=1..4096" or "dtype=float32,bfloat16"; raise HeartbeatError where it makes no sense."""
    name, equals, listed = text.partition("=")
    name = name.strip()
    if not equals or name not in SWEPT:
        title = f"a sweep of {name!r}" if equals else f"{text!r} names no values"
        raise HeartbeatError(title, f"A sweep varies {' or '.join((', '.join(SWEPT[:-1]), SWEPT[-1]))}.", f"Try --sweep {EXAMPLE}.")
    items = [item.strip() for item in listed.split(",")]
    if not all(items):
        raise HeartbeatError(f"{text!r} holds an empty value", "Values stand between commas.", f"Try --sweep {EXAMPLE}.")
    read: list[Value] = [*numbers(text, items)] if name in NUMBERS else [word(name, item) for item in items]
    values = tuple(dict.fromkeys(read))
    if len(values) > MOST_POINTS:
        raise too_many(len(values))
    return Parameter(name, values)


def parse_axes(texts: list[str]) -> tuple[Parameter, ...]:
    """Read one axis or two; raise HeartbeatError for more, for the same one twice, or for too many points."""
    axes = tuple(parse_axis(text) for text in texts)
    names = [axis.name for axis in axes]
    if len(axes) > MOST_AXES or len(set(names)) < len(names):
        raise HeartbeatError(f"a sweep of {', '.join(names)}", "It varies one thing, or two different ones.", f"Try --sweep {EXAMPLE}.")
    if (count := prod(len(axis.values) for axis in axes)) > MOST_POINTS:
        raise too_many(count)
    return axes


def too_many(count: int) -> HeartbeatError:
    cause = f"Each point is a process of its own; at most {MOST_POINTS} are measured."
    return HeartbeatError(f"a sweep of {count} points", cause, "Name fewer values: 1..4096 doubles.")


def grid(axes: tuple[Parameter, ...]) -> list[dict[str, Value]]:
    """List the points of a sweep, the first axis running fastest: a curve is whole before the next one begins."""
    points = product(*(axis.values for axis in reversed(axes)))
    return [{axis.name: value for axis, value in zip(axes, reversed(point), strict=True)} for point in points]


def varied(config: BenchmarkConfig, values: Mapping[str, Value]) -> BenchmarkConfig:
    """Make the config with these values in place of its own; raise HeartbeatError where it makes no sense."""
    work: dict[str, Any] = {name: value for name, value in values.items() if name in OF_WORKLOAD}
    if "model" in work:
        work["model"] = find_model(work["model"])
    rest: dict[str, Any] = {name: value for name, value in values.items() if name not in OF_WORKLOAD}
    return replace(config, workload=config.workload.varied(work), **rest)


def value_of(config: BenchmarkConfig, name: str) -> Value | None:
    """Read what a config has for a name; None for threads that torch may choose."""
    found: Value | ModelShape | None = getattr(config.workload if name in OF_WORKLOAD else config, name, None)
    return found.name if isinstance(found, ModelShape) else found


def in_words(values: Mapping[str, Value | None]) -> str:
    """Name a point or a candidate: "batch 64, bfloat16"."""
    parts = []
    for name, value in values.items():
        if name == "threads":
            parts.append("torch's own threads" if value is None else f"{value} thread{'' if value == 1 else 's'}")
        else:
            parts.append(str(value) if name in ("dtype", "backend", "model", "phase") else f"{name} {value}")
    return ", ".join(parts)


def written(value: Value) -> str:
    """Write a value as a table has it: "4,096"."""
    return f"{value:,}" if isinstance(value, int) else value


def names_of(configs: Sequence[BenchmarkConfig]) -> tuple[str, ...]:
    """Name configs by what differs between them: the first by all of that, each other by what it does otherwise than the first.

    A name is empty where the difference is none of VARIED.
    """
    found = [{name: value_of(config, name) for name in VARIED} for config in configs]
    touched = [name for name in VARIED if len({values[name] for values in found}) > 1]
    first, *others = found
    named = [{name: first[name] for name in touched}]
    named += [{name: values[name] for name in touched if values[name] != first[name]} for values in others]
    return tuple(map(in_words, named))


def parse_candidate(text: str) -> dict[str, Value]:
    """Read "backend=xla" or "dtype=bfloat16,threads=1"; raise HeartbeatError where it makes no sense."""
    values: dict[str, Value] = {}
    for item in text.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value or name not in VARIED:
            cause = f"A candidate differs from the config in {', '.join(VARIED[:-1])} or {VARIED[-1]}."
            raise HeartbeatError(f"a candidate {item.strip()!r}", cause, "Try --vs backend=xla, or --vs dtype=bfloat16,threads=1.")
        values[name] = number(text, value) if name in NUMBERS else word(name, value)
    return values


def word(name: str, text: str) -> str:
    if name == "model":
        return find_model(text).name
    allowed = WORDS[name]
    if text not in allowed:
        raise HeartbeatError(f"{name} is {text!r}", f"It is one of {', '.join(allowed)}.", f"Try {name}={allowed[-1]}.")
    return text


def number(text: str, item: str) -> int:
    digits = item.replace("_", "")
    if not (digits.isascii() and digits.isdecimal()) or int(digits) < 1:
        raise HeartbeatError(
            f"{item!r} in {text!r} is no whole number above 0", "Sizes and threads are whole numbers.", f"Try --sweep {EXAMPLE}."
        )
    return int(digits)


def numbers(text: str, items: list[str]) -> list[int]:
    """Read a list of numbers, among them "1..4096", which doubles, and "…", which goes on as the values before it."""
    values: list[int] = []
    for index, item in enumerate(items):
        found = DOUBLING.fullmatch(item)
        if found:
            values += doubled(text, number(text, found[1]), number(text, found[2]))
        elif item in DOTS:
            if index + 1 == len(items):
                raise HeartbeatError(f"{text!r} does not say where … ends", "The last value stands after it.", f"Try --sweep {EXAMPLE}.")
            values += between(text, values, number(text, items[index + 1]))
        else:
            values.append(number(text, item))
    return values


def doubled(text: str, first: int, last: int) -> list[int]:
    """Double from the first up to the last, which is always among them."""
    if last < first:
        raise HeartbeatError(f"{text!r} runs backwards", "1..4096 doubles from the first to the last.", f"Write {last}..{first}.")
    values = [first << power for power in range(MOST_POINTS) if first << power < last]
    return [*values, last]


def between(text: str, before: list[int], last: int) -> list[int]:
    """Fill in what … leaves out: the factor of the values before it, or else their step. One value alone doubles.

    Raises HeartbeatError where the values before have neither, or the last one is not met.
    """
    if not before:
        raise HeartbeatError(f"{text!r} begins with …", "The values before it say how it goes on.", f"Try --sweep {EXAMPLE}.")
    tail = before[-3:]
    steps = {right - left for left, right in pairwise(tail)} or {0}
    factor = tail[-1] // tail[-2] if len(tail) > 1 else 2
    grows = factor > 1 and all(left * factor == right for left, right in pairwise(tail))
    if not grows and (len(steps) > 1 or min(steps) <= 0):
        cause = "They neither grow by one factor nor by one step."
        raise HeartbeatError(f"{text!r} does not say how … goes on", cause, "Write 1,2,4,…,64 or 16,32,48,…,128.")
    values: list[int] = []
    at = tail[-1] * factor if grows else tail[-1] + min(steps)
    while at < last and len(values) <= MOST_POINTS:
        values.append(at)
        at = at * factor if grows else at + min(steps)
    if at != last and len(values) <= MOST_POINTS:
        near = f"{values[-1] if values else tail[-1]} or {at}"
        raise HeartbeatError(f"{text!r} does not meet {last}", f"Going on as it began it comes to {near}.", f"End at {near}.")
    return values
